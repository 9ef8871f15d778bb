"""One page of any table, by a `ListQuery`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, RowMapping, Table, false, func, select

from staithe.domain.folding import fold
from staithe.domain.list_query import Condition, ListQuery
from staithe.domain.search_query import SearchQuery
from staithe.storage.folding import folded


def read_page(
    connection: Connection,
    table: Table,
    columns: Mapping[str, ColumnElement[Any]],
    query: ListQuery,
    where: Sequence[ColumnElement[bool]] = (),
    tie_breaker: str = "id",
) -> tuple[list[Row[Any]], int | None, bool]:
    """Read one page: (rows, how many there are in all or None if that was not asked, whether more follow)."""
    conditions = list(where)
    if query.condition is not None:
        conditions.append(to_sql(query.condition, columns[query.condition.name]))
    order = to_order(query, columns, table.c[tie_breaker])
    statement = select(table).where(*conditions).order_by(*order).limit(query.limit + 1).offset(query.offset)
    rows = list(connection.execute(statement))
    total = None
    if query.with_total:
        total = connection.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one()
    return rows[: query.limit], total, len(rows) > query.limit


def to_order(
    query: ListQuery | SearchQuery, columns: Mapping[str, ColumnElement[Any]], tie_breaker: ColumnElement[Any]
) -> list[ColumnElement[Any]]:
    """The wanted order, if there is one; rows that are alike in it, and all others, come by the tie breaker."""
    if not query.order_by:
        return [tie_breaker]
    column = columns[query.order_by]
    # No value comes before every value, as SQLite has it; PostgreSQL would put it behind.
    return [column.desc().nulls_last() if query.descending else column.asc().nulls_first(), tie_breaker]


def columns_of(row: Row[Any]) -> RowMapping:
    """A row by column name. SQLAlchemy documents `_mapping` as public: the underscore keeps it off column names."""
    return row._mapping  # pyright: ignore[reportPrivateUsage]


def to_sql(condition: Condition, column: ColumnElement[Any]) -> ColumnElement[bool]:
    """Texts compare without regard to case; `*` stands for anything after `=` and `!=`; an empty text is no value."""
    value: Any = condition.value
    left: Any = column
    if isinstance(value, str):
        if condition.operator in ("=", "!="):
            matches = like(column, value)
            return matches if condition.operator == "=" else ~func.coalesce(matches, false())
        left, value = folded(column), fold(value)
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


def like(column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """The column matches a pattern in which `*` stands for anything; an empty one matches no value."""
    if not pattern:
        return column.is_(None)
    escaped = fold(pattern).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%")
    return folded(column).like(escaped, escape="\\")
