"""One page of any table, by a `ListQuery`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, RowMapping, Table, func, select

from staithe.domain.list_query import Condition, ListQuery


def read_page(
    connection: Connection,
    table: Table,
    columns: Mapping[str, Column[Any]],
    query: ListQuery,
    where: Sequence[ColumnElement[bool]] = (),
    tie_breaker: str = "id",
) -> tuple[list[Row[Any]], int | None, bool]:
    """Read one page: (rows, how many there are in all or None if that was not asked, whether more follow)."""
    conditions = list(where)
    if query.condition is not None:
        conditions.append(to_sql(query.condition, columns[query.condition.name]))
    order: list[ColumnElement[Any]] = [table.c[tie_breaker]]
    if query.order_by:
        column = columns[query.order_by]
        order.insert(0, column.desc() if query.descending else column.asc())
    statement = select(table).where(*conditions).order_by(*order).limit(query.limit + 1).offset(query.offset)
    rows = list(connection.execute(statement))
    total = None
    if query.with_total:
        total = connection.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one()
    return rows[: query.limit], total, len(rows) > query.limit


def columns_of(row: Row[Any]) -> RowMapping:
    """A row by column name. SQLAlchemy documents `_mapping` as public: the underscore keeps it off column names."""
    return row._mapping  # pyright: ignore[reportPrivateUsage]


def to_sql(condition: Condition, column: Column[Any]) -> ColumnElement[bool]:
    """Texts compare without regard to case, and `*` stands for anything after `=` and `!=`."""
    value: Any = condition.value
    left: Any = column
    if isinstance(value, str):
        left, value = func.lower(column), value.lower()
        if condition.operator in ("=", "!="):
            escaped = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%")
            like = left.like(escaped, escape="\\")
            return like if condition.operator == "=" else ~like
    match condition.operator:
        case "=":
            return left == value
        case "!=":
            return left != value
        case "<":
            return left < value
        case "<=":
            return left <= value
        case ">":
            return left > value
        case _:
            return left >= value
