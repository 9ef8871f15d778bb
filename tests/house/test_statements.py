"""The rules of statements: each fixed one is built once, and is given the parameters that it has and no others.

To build a statement and its cache key anew takes longer than SQLite takes to run it.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ClauseElement, UpdateBase
from sqlalchemy.dialects import sqlite

from staithe.domain.definitions import DefinitionKey
from staithe.storage.definition_keys import parameters_of

STORAGE: Final = Path(__file__).parent.parent.parent / "src" / "staithe" / "storage"
MODULES: Final = sorted(STORAGE.glob("*.py"))
BUILDERS: Final = {"select", "insert", "update", "delete", "text", "exists", "union", "union_all"}
"""Functions that begin a statement, in SQLAlchemy and in `storage.dialect`."""

REFINERS: Final = {
    *("where", "values", "returning", "order_by", "group_by", "distinct", "limit", "offset", "with_for_update"),
    *("on_conflict_do_update", "on_conflict_do_nothing"),
}
"""Methods that make another statement of one."""

KEEPERS: Final = {"cache", "lru_cache", "built_once", "kept_with_catalogue", "kept_with_table"}
"""Decorators of functions that build a statement once for each argument."""

EXEMPT: Final[Mapping[str, str]] = {
    "backup": "a table is passed in; a backup runs a statement once a page of rows",
    "damage": "`staithe doctor --deep` asks each store once",
    "control.add_restored": "a table and its columns are passed in, once a restore",
    "control.hint_pending": "hints are to get a store of their own",
    "control.hinted_companies": "hints are to get a store of their own",
    "control.forget_hint": "hints are to get a store of their own",
    "dialect.insert": "begins the statements that `built_once` keeps",
    "export_texts.is_among": "a part of the statement of an export",
    "filtering.find_ids": "made from a filter",
    "listing.read_page": "made from a list query",
    "postgres_exports.record_reader": "made from an export's definition, once a sync",
    "schema": "migrations: a store is asked once, when it is opened",
    "searching.find_among": "made from a search",
    "searching.find_page": "made from a search",
    "sqlite_exports.record_reader": "made from an export's definition, once a sync",
    "syncs.release_leases": "escapes the name of a worker that is gone",
    "syncs.to_forgetting": "makes constants, as the module is loaded",
    "syncs.to_removal": "makes constants, as the module is loaded",
}
"""Modules and functions that build statements when they are called, each with its reason."""


def building_functions(path: Path) -> Iterator[tuple[str, int]]:
    """(function, line) of each call in a function that builds a statement, unless it is kept."""
    tree = ast.parse(path.read_text())
    imported = {
        name.asname or name.name: name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }

    def visit(node: ast.AST, function: str) -> Iterator[tuple[str, int]]:
        for child in ast.iter_child_nodes(node):
            inside = function
            if isinstance(child, ast.FunctionDef | ast.Lambda) and not function:
                inside = getattr(child, "name", "lambda")
                if KEEPERS & {name_of(decorator) for decorator in getattr(child, "decorator_list", ())}:
                    continue
            if function and isinstance(child, ast.Call) and builds(child, imported):
                yield function, child.lineno
            yield from visit(child, inside)

    return visit(tree, "")


def builds(call: ast.Call, imported: Mapping[str, str]) -> bool:
    """Whether a call begins or refines a statement. A `.values()` without arguments is that of a mapping."""
    name = name_of(call.func)
    if isinstance(call.func, ast.Name):
        return imported.get(name) in BUILDERS
    return name in BUILDERS or (name in REFINERS and bool(call.args or call.keywords or name != "values"))


def name_of(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=function):
            return name_of(function)
        case _:
            return ""


def test_every_fixed_statement_is_built_once() -> None:
    found = [(path.stem, function, line) for path in MODULES for function, line in building_functions(path)]
    assert [
        f"{module}.{function}, line {line}"
        for module, function, line in found
        if module not in EXEMPT and f"{module}.{function}" not in EXEMPT
    ] == []
    needed = {module for module, _, _ in found} | {f"{module}.{function}" for module, function, _ in found}
    assert EXEMPT.keys() - needed == set(), "exempt without need"


def executed(path: Path) -> Iterator[tuple[str, set[str]]]:
    """(name, parameters) of each statement that a module runs by its name, where all parameters show."""
    for function in ast.walk(ast.parse(path.read_text())):
        if not isinstance(function, ast.FunctionDef):
            continue
        local = {
            target.id: node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(function):
            match node:
                case ast.Call(func=ast.Attribute(attr="execute"), args=[ast.Name(id=statement), parameters]):
                    names = set(names_in(parameters, local))
                    if "" not in names:
                        yield statement, names
                case _:
                    pass


def names_in(parameters: ast.expr, local: Mapping[str, ast.expr]) -> Iterator[str]:
    """The names of parameters; an empty one stands for those that do not show."""
    match parameters:
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                if isinstance(key, ast.Constant):
                    yield str(key.value)
                else:
                    yield from names_in(value, local)
        case ast.Name(id=name) if name in local:
            yield from names_in(local[name], {})
        case ast.Call(func=ast.Name(id="parameters_of")):
            yield from parameters_of(DefinitionKey("imports", 1))
        case _:
            yield ""


def test_statements_are_given_the_parameters_that_they_have() -> None:
    """A parameter that is called wrongly would be left out: SQLAlchemy says nothing of it."""
    checked = 0
    for path in MODULES:
        module = importlib.import_module(f"staithe.storage.{path.stem}")
        for name, given in executed(path):
            statement: Any = getattr(module, name, None)
            if isinstance(statement, ClauseElement):
                columns = {"column_keys": sorted(given)} if isinstance(statement, UpdateBase) else {}
                has = statement.compile(dialect=sqlite.dialect(), **columns).binds
                assert {key for key, bind in has.items() if bind.required} <= given <= has.keys(), f"{path.stem}.{name}"
                checked += 1
    assert checked > 60
