"""Reads all rows of a company for a backup: page by page, in the order of the primary keys, of one moment.

What is read says nothing of the database it comes from. Match indexes are named, not read: a restore makes them anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Connection, Double, Integer, LargeBinary, Select, Text, func, select, tuple_
from sqlalchemy import Table as Table
from sqlalchemy.types import TypeEngine

from staithe.domain.backups import Folder, TableShape, ValueKind
from staithe.domain.companies import Company
from staithe.storage import dialect
from staithe.storage.contact_fields import contact_table, load_catalogue
from staithe.storage.tables import CONTACT, IMPORT_CHUNK, METADATA, SYNC, UPLOAD, USER

Row = tuple[Any, ...]
KINDS: Final[Mapping[type[TypeEngine[Any]], ValueKind]] = {
    Text: ValueKind.TEXT,
    Integer: ValueKind.INTEGER,
    BigInteger: ValueKind.INTEGER,
    Double: ValueKind.NUMBER,
    Boolean: ValueKind.FLAG,
    LargeBinary: ValueKind.BYTES,
}
USER_COLUMNS: Final = (USER.c.name, USER.c.name_key, USER.c.password_hash, USER.c.role, USER.c.created_at)
"""What a backup holds of a user: the numbers of companies and users are the control store's own."""

FILE_COLUMNS: Final = (
    (UPLOAD.c.file, Folder.STAGING),
    (IMPORT_CHUNK.c.reject_file, Folder.REJECTS),
    (SYNC.c.data_file, Folder.EXPORTS),
    (SYNC.c.reject_file, Folder.REJECTS),
)
"""Which folder's files a column names; those first that may be deleted soonest."""


FILE_NAMES: Final = {(column.table.name, column.name): folder for column, folder in FILE_COLUMNS}
"""(table, column) -> of which folder it names files."""


def tables_of(connection: Connection) -> list[Table]:
    """The tables of a company, with the columns of its own contact fields."""
    contact = contact_table(load_catalogue(connection))
    return [contact if table is CONTACT else table for table in METADATA.sorted_tables]


def shape_of(table: Table) -> TableShape:
    """A table without its database."""
    columns = {str(column.name): KINDS[type(column.type)] for column in table.columns}
    return TableShape(name=str(table.name), columns=columns, key=tuple(str(c.name) for c in table.primary_key.columns))


USER_SHAPE: Final = TableShape(
    name=str(USER.name),
    columns={str(column.name): KINDS[type(column.type)] for column in USER_COLUMNS},
    key=(str(USER.c.name_key.name),),
)
SHAPES: Final = {table.name: shape_of(table) for table in METADATA.sorted_tables} | {USER_SHAPE.name: USER_SHAPE}
"""Every table of a backup; `contact` has further columns if the company has made fields."""


def count_rows(connection: Connection, table: Table) -> int:
    """How many rows a table has."""
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def read_page(connection: Connection, table: Table, after: Row | None, limit: int) -> Sequence[Row]:
    """The next rows behind a key, or the first ones; values as the driver gives them.

    Args:
        connection: a read transaction.
        table: of `tables_of`.
        after: the primary key of the last row that was read.
        limit: rows, at most.
    """
    result = connection.execute(page_query(table, after).limit(limit))
    # Rows of the driver, not SQLAlchemy's: no value is touched.
    rows: Sequence[Row] = result.cursor.fetchall() if result.cursor else []
    result.close()
    return rows


def page_query(table: Table, after: Row | None) -> Select[Any]:
    key = list(table.primary_key.columns)
    query = select(table).order_by(*key)
    if after is None:
        return query
    return query.where(key[0] > after[0] if len(key) == 1 else tuple_(*key) > after)


def key_of(table: Table, row: Row) -> Row:
    """The primary key of a row of `read_page`."""
    return tuple(value for column, value in zip(table.columns, row, strict=True) if column.primary_key)


def read_users(connection: Connection, company: Company) -> list[Row]:
    """The users of a company, from the control store, with the hashes of their passwords."""
    query = select(*USER_COLUMNS).where(USER.c.company_id == company.id).order_by(USER.c.name_key)
    return [tuple(row) for row in connection.execute(query)]


def match_columns(connection: Connection) -> list[str]:
    """The columns of contacts that have an index for imports."""
    return dialect.of(connection).match_index_columns(connection)


def named_files(connection: Connection) -> Iterator[tuple[Folder, str]]:
    """(folder, name) of each file that a row names; those first that may be deleted soonest."""
    for column, folder in FILE_COLUMNS:
        for name in connection.execute(select(column).where(column != "")).scalars():
            yield folder, name
