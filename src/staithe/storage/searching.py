"""One page of any table, by a `SearchQuery`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Table, func, or_, select

from staithe.domain.id_set import IdSet
from staithe.domain.limits import CHUNK_IDS
from staithe.domain.list_query import Condition
from staithe.domain.search_query import SearchQuery
from staithe.storage import dialect
from staithe.storage.listing import to_order

FEW_MEMBERS: Final = 1000
"""Of so many the rows are looked up, of more all rows are read: databases take no statement of any length."""

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


def find_among(
    connection: Connection,
    table: Table,
    columns: Mapping[str, ColumnElement[Any]],
    query: SearchQuery,
    to_sql: ToSql,
    members: IdSet,
) -> tuple[list[int], int]:
    """One page of the rows that a search finds among some, by id if no order is given: (their ids, how many in all).

    Memory holds the members and a page, however many rows there are.
    """
    is_by_id = query.order_by in ("", "id")
    if is_by_id and not query.has_conditions:
        return page_of(members, query), len(members)
    where = to_where(query, to_sql)
    if len(members) <= FEW_MEMBERS:
        where.append(table.c.id.in_(list(members)))
    statement = select(table.c.id).where(*where)
    read_ids = dialect.of(connection).read_ids
    if is_by_id:
        found = IdSet.union(map(IdSet.of, read_ids(connection, statement, CHUNK_IDS))) & members
        return page_of(found, query), len(found)
    page: list[int] = []
    total = 0
    for ids in read_ids(connection, statement.order_by(*to_order(query, columns, table.c.id)), CHUNK_IDS):
        for row_id in ids:
            if row_id in members:
                if query.offset <= total < query.offset + query.count:
                    page.append(row_id)
                total += 1
    return page, total


def page_of(found: IdSet, query: SearchQuery) -> list[int]:
    """The ids on a page by rising id, or by falling id."""
    if not query.descending:
        return list(found.page(query.offset, query.count))
    end = max(len(found) - query.offset, 0)
    first = max(end - query.count, 0)
    return list(found.page(first, end - first))[::-1]


def to_where(query: SearchQuery, to_sql: ToSql) -> list[ColumnElement[bool]]:
    """What has to be true of a row."""
    where = [to_sql(term) for term in query.restrictions]
    if query.alternatives:
        where.append(or_(*map(to_sql, query.alternatives)))
    return where
