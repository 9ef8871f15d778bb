"""The rules that keep a company within what Citus can do for a schema on one node: docs/explanation/citus.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

STORAGE = Path(__file__).parent.parent.parent / "src" / "staithe" / "storage"
SCRIPTS = sorted(STORAGE.glob("migrations/*/*.postgresql.sql"))
MODULES = sorted(STORAGE.glob("*.py"))
VOLATILE = re.compile(r"\b(now|clock_timestamp|random|gen_random_uuid)\(\)|\bcurrent_timestamp\b", re.IGNORECASE)
REFUSED = re.compile(
    r"\bCREATE (OR REPLACE )?TRIGGER\b|\bUNLOGGED\b|\bMERGE INTO\b|\bCURRENT OF\b|\bPREPARE TRANSACTION\b",
    re.IGNORECASE,
)


def texts_of(path: Path) -> Iterator[str]:
    """Every text in a module that is no docstring."""
    tree = ast.parse(path.read_text())
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_migrations_keep_within_citus(script: Path) -> None:
    text = script.read_text()
    for statement in text.split(";\n"):
        if "CREATE TABLE" in statement:
            assert "PRIMARY KEY" in statement, "a company is moved while it is used only if every table has a key"
        else:
            assert "IDENTITY" not in statement, "an identity column can be made with its table alone"
    assert not REFUSED.search(text)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_statements_keep_within_citus(module: Path) -> None:
    for text in texts_of(module):
        assert not REFUSED.search(text), text
        if re.search(r"\bUPDATE\b", text):
            assert not VOLATILE.search(text), text
    assert not re.search(r"\bfunc\.(now|random|current_timestamp)\b", module.read_text())
    assert ".diag.constraint_name" not in module.read_text(), "the names are empty: errors are told by SQLSTATE"


def test_the_rules_find_what_they_forbid() -> None:
    assert REFUSED.search("create trigger t after insert")
    assert REFUSED.search("CREATE UNLOGGED TABLE x")
    assert VOLATILE.search("UPDATE x SET y = now()")
    assert len(SCRIPTS) >= 5
