"""Comparisons of filters as SQL: a plan that asks of columns alone becomes one statement that gives ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, cast, false, func, not_, or_, select

from staithe.domain.catalogue import Catalogue
from staithe.domain.contact_parts import ContactPart
from staithe.domain.fields import FieldValue
from staithe.domain.filter_plan import Both, ColumnTest, Either, FilterPlan, Others
from staithe.domain.folding import fold
from staithe.domain.id_set import IdSet
from staithe.domain.limits import CHUNK_IDS
from staithe.domain.list_query import ORDERS
from staithe.storage import dialect
from staithe.storage.contact_fields import contact_table
from staithe.storage.contact_values import value_of
from staithe.storage.dialect import Dialect
from staithe.storage.folding import folded
from staithe.storage.tables import TEXT


def find_ids(connection: Connection, catalogue: Catalogue, plan: FilterPlan) -> IdSet:
    """The contacts that a plan finds.

    Args:
        connection: any.
        catalogue: of the company.
        plan: one that `is_relational`.
    """
    table = contact_table(catalogue)
    own = dialect.of(connection)
    found = IdSet()
    for ids in own.read_ids(connection, select(table.c.id).where(to_sql(plan, table, own)), CHUNK_IDS):
        found |= IdSet.of(ids)
    return found


def to_sql(plan: FilterPlan, table: Table, own: Dialect) -> ColumnElement[bool]:
    """What has to be true of a row; never NULL, so that its opposite is the opposite."""
    match plan:
        case ColumnTest(part, operator, values):
            return test_to_sql(part, operator, values, table, own)
        case Both(operands):
            return and_(*(to_sql(o, table, own) for o in operands))
        case Either(operands):
            return or_(*(to_sql(o, table, own) for o in operands))
        case Others(operand):
            return not_(to_sql(operand, table, own))
        case _:
            raise AssertionError(f"{plan} asks of sets")


def test_to_sql(
    part: ContactPart, operator: str, values: Sequence[FieldValue], table: Table, own: Dialect
) -> ColumnElement[bool]:
    column, is_text = value_of(part, table, own.derived), part.is_text
    if is_text:
        column, values = folded(column), [fold(str(value)) for value in values]
    if operator in ("=", "IN", "!="):
        given = [value for value in values if value != ""]
        found = or_(*([column.in_(given)] if given else []), *([is_empty(column)] if "" in values else []))
        is_found = func.coalesce(found, False)
        return not_(is_found) if operator == "!=" else is_found
    if values[0] == "" and operator != "~":
        # Every value is behind no value, and none is before it.
        return not_(is_empty(column)) if operator in (">", ">=") else false()
    value: Any = values[0]
    compared = own.matches(column, value) if operator == "~" else ORDERS[operator](column, value)
    return func.coalesce(and_(compared, column != ""), False) if is_text else func.coalesce(compared, False)


def is_empty(column: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether there is no value: no column holds an empty text, but what is derived can."""
    return func.coalesce(cast(column, TEXT), "") == ""
