"""Texts without differences of case in SQL, as `staithe.domain.folding` has them.

Both databases have a function `fold`: in SQLite it is one of each connection, in PostgreSQL one of each schema, made
by its migrations, as PostgreSQL has none of its own that folds alike wherever it runs. ASCII, as nearly all texts are,
takes the way that is built in.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from staithe.storage.tables import TEXT


def sqlite_fold(text: str) -> str:
    """The expression of SQLite for an expression that gives a text."""
    return f"CASE WHEN length({text}) = length(CAST({text} AS BLOB)) THEN lower({text}) ELSE fold({text}) END"


def postgres_fold(text: str) -> str:
    """The expression of PostgreSQL for an expression that gives a text."""
    return f"fold({text})"


class Folded(FunctionElement[str]):
    """A text without differences of case."""

    type = TEXT
    inherit_cache = True


def folded(text: ColumnElement[Any]) -> ColumnElement[str]:
    """What a text is compared by, where case makes no difference."""
    return Folded(text)


@compiles(Folded, "sqlite")
def compile_for_sqlite(element: Folded, compiler: SQLCompiler, **options: Any) -> str:
    return f"({sqlite_fold(compiler.process(element.clauses, **options))})"


@compiles(Folded, "postgresql")
def compile_for_postgres(element: Folded, compiler: SQLCompiler, **options: Any) -> str:
    return postgres_fold(compiler.process(element.clauses, **options))
