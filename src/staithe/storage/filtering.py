"""Comparisons of filters as SQL: a plan that asks of columns alone becomes one statement that gives ids."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, and_, cast, false, func, not_, or_, select
from sqlalchemy.types import Text

from staithe.domain.catalogue import Catalogue
from staithe.domain.contact_parts import ContactPart, PartKind
from staithe.domain.fields import DERIVATIONS, Field, FieldValue
from staithe.domain.filter_plan import Both, ColumnTest, Either, FilterPlan, Others, lower_ascii
from staithe.domain.id_set import IdSet
from staithe.domain.limits import CHUNK_IDS
from staithe.domain.list_query import ORDERS
from staithe.storage import sqlite
from staithe.storage.contact_fields import contact_table

MILLISECOND: Final = 1000
SYSTEM_COLUMNS: Final = {PartKind.ID: "id", PartKind.CREATED_AT: "created_at", PartKind.UPDATED_AT: "updated_at"}
DERIVED_TIMES: Final = ("created_at", "updated_at")


def find_ids(connection: Connection, catalogue: Catalogue, plan: FilterPlan) -> IdSet:
    """The contacts that a plan finds.

    Args:
        connection: any.
        catalogue: of the company.
        plan: one that `is_relational`.
    """
    table = contact_table(catalogue)
    result = connection.execute(select(table.c.id).where(to_sql(plan, table)))
    found = IdSet()
    # Rows of the driver, not SQLAlchemy's: making those would take most of the time.
    while result.cursor is not None and (rows := result.cursor.fetchmany(CHUNK_IDS)):
        found |= IdSet.of_bytes(array("I", chain.from_iterable(rows)).tobytes())
    result.close()
    return found


def to_sql(plan: FilterPlan, table: Table) -> ColumnElement[bool]:
    """What has to be true of a row; never NULL, so that its opposite is the opposite."""
    match plan:
        case ColumnTest(part, operator, values):
            return test_to_sql(part, operator, values, table)
        case Both(operands):
            return and_(*(to_sql(o, table) for o in operands))
        case Either(operands):
            return or_(*(to_sql(o, table) for o in operands))
        case Others(operand):
            return not_(to_sql(operand, table))
        case _:
            raise AssertionError(f"{plan} asks of sets")


def test_to_sql(part: ContactPart, operator: str, values: Sequence[FieldValue], table: Table) -> ColumnElement[bool]:
    column, is_text = value_of(part, table), part.is_text
    if is_text:
        column, values = func.lower(column), [lower_ascii(str(value)) for value in values]
    if operator in ("=", "IN", "!="):
        given = [value for value in values if value != ""]
        found = or_(*([column.in_(given)] if given else []), *([is_empty(column)] if "" in values else []))
        is_found = func.coalesce(found, False)
        return not_(is_found) if operator == "!=" else is_found
    if values[0] == "" and operator != "~":
        # Every value is behind no value, and none is before it.
        return not_(is_empty(column)) if operator in (">", ">=") else false()
    value: Any = values[0]
    compared = sqlite.matches(column, value) if operator == "~" else ORDERS[operator](column, value)
    return func.coalesce(and_(compared, column != ""), False) if is_text else func.coalesce(compared, False)


def is_empty(column: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether there is no value: no column holds an empty text, but what is derived can."""
    return func.coalesce(cast(column, Text), "") == ""


def value_of(part: ContactPart, table: Table) -> ColumnElement[Any]:
    """What a part of a contact is compared by; system times by whole milliseconds, as they are exported."""
    field = part.field
    if field is None:
        column = table.c[SYSTEM_COLUMNS[part.kind]]
    elif field.is_derived:
        column = derived_value(field, table)
    else:
        column = table.c[field.column]
    return column // MILLISECOND * MILLISECOND if column.name in DERIVED_TIMES else column


def derived_value(field: Field, table: Table) -> ColumnElement[Any]:
    sources = DERIVATIONS[field.internal_name].columns
    if sources[0] in DERIVED_TIMES:
        return table.c[sources[0]]
    return sqlite.derived(field.internal_name, [func.coalesce(table.c[name], "") for name in sources])
