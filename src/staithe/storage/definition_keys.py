"""How a statement that is built once is told which definition it is about."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ColumnElement, and_, bindparam

from staithe.domain.definitions import DefinitionKey


def is_of_definition(kind: Column[str], number: Column[int]) -> ColumnElement[bool]:
    """That two columns name the definition of `parameters_of`."""
    return and_(kind == bindparam("of_kind"), number == bindparam("of_number"))


def parameters_of(key: DefinitionKey) -> dict[str, Any]:
    """What identifies a definition, as parameters. No column is called so: in an UPDATE those would be set."""
    return {"of_kind": key.kind, "of_number": key.id}
