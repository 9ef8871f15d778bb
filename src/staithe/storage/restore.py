"""Writes the rows of a backup into the empty store of a company that nobody sees yet.

Each call is a transaction of its own, so that it stays small; a restore that breaks off leaves a store to be erased.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Table, bindparam, update

from staithe.domain.syncs import UNFINISHED
from staithe.storage import dialect
from staithe.storage.contact_fields import add_column, load_catalogue, own_fields
from staithe.storage.imports import make_match_index
from staithe.storage.tables import CONTACT_FIELD, METADATA, SYNC

FIRST_TABLE: Final = CONTACT_FIELD.name
"""The table that must be loaded first: its rows say which columns contacts have."""


def drop_indexes(connection: Connection) -> None:
    """Drop all indexes but the primary keys: to make them of all rows at once takes a fraction of the time."""
    for table in METADATA.sorted_tables:
        for index in table.indexes:
            index.drop(connection)


def insert_rows(connection: Connection, table: Table, values: Mapping[str, Sequence[Any]]) -> None:
    """Insert rows: the values of each column that has any.

    Raises:
        ValidationFailed: a text is none that this database can hold.
    """
    dialect.of(connection).insert_rows(connection, table, values)


def make_indexes(connection: Connection, table: Table) -> None:
    """Make the indexes of a table."""
    for index in table.indexes:
        index.create(connection)


def make_match_indexes(connection: Connection, columns: Iterable[str]) -> None:
    """Make the indexes by which imports have found contacts; columns that are no field's are left out."""
    fields = {field.column: field for field in load_catalogue(connection).stored}
    for column in columns:
        if column in fields:
            make_match_index(connection, fields[column])


def add_own_columns(connection: Connection) -> None:
    """Give contacts a column for each contact field of the company's own."""
    for field in own_fields(connection):
        add_column(connection, field)


FREE_SYNCS: Final = (
    update(SYNC)
    .where(SYNC.c.status.in_(UNFINISHED), SYNC.c.lease_until.is_not(None))
    .values(lease_owner=None, lease_until=0)
)
FREE_CALLBACKS: Final = update(SYNC).where(SYNC.c.callback_until.is_not(None)).values(callback_until=None)
END_CALLBACKS: Final = (
    update(SYNC)
    .where(SYNC.c.ended_at.is_not(None), SYNC.c.callback_url.is_not(None), SYNC.c.called_back_at.is_(None))
    .values(called_back_at=bindparam("now"))
)


def settle_syncs(connection: Connection, now: int) -> None:
    """No worker holds a sync, so that active ones are taken up again; and those that ended have told their callers."""
    connection.execute(FREE_SYNCS)
    connection.execute(FREE_CALLBACKS)
    connection.execute(END_CALLBACKS, {"now": now})
