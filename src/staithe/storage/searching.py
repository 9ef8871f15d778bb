"""One page of any table, by a `SearchQuery`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, func, or_, select

from staithe.domain.list_query import Condition
from staithe.domain.search_query import SearchQuery
from staithe.storage.listing import to_order

ToSql = Callable[[Condition], ColumnElement[bool]]


def find_page(
    connection: Connection,
    table: Table,
    columns: Mapping[str, ColumnElement[Any]],
    query: SearchQuery,
    to_sql: ToSql,
    size: int | None = None,
) -> tuple[list[Row[Any]], int]:
    """Read one page, by id if no order is given: (rows, how many there are in all).

    `size` is how many rows the table has, if that is known without counting.
    """
    where = to_where(query, to_sql)
    order = to_order(query, columns, table.c.id)
    statement = select(table).where(*where).order_by(*order).limit(query.count).offset(query.offset)
    rows = list(connection.execute(statement))
    if len(rows) < query.count and query.page == 1:
        return rows, len(rows)
    if size is not None and not query.has_conditions:
        return rows, size
    return rows, connection.execute(select(func.count()).select_from(table).where(*where)).scalar_one()


def to_where(query: SearchQuery, to_sql: ToSql) -> list[ColumnElement[bool]]:
    """What has to be true of a row."""
    where = [to_sql(term) for term in query.restrictions]
    if query.alternatives:
        where.append(or_(*map(to_sql, query.alternatives)))
    return where
