"""Reads all rows of a company for a backup: page by page, in the order of the primary keys, of one moment.

What is read says nothing of the database it comes from. Match indexes are named, not read: a restore makes them anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Integer,
    LargeBinary,
    Select,
    Text,
    func,
    select,
    tuple_,
)
from sqlalchemy import Table as Table
from sqlalchemy.types import TypeEngine

from staithe.domain.backups import Folder, TableShape, ValueKind
from staithe.domain.companies import Company
from staithe.storage import dialect
from staithe.storage.contact_fields import contact_table, load_catalogue
from staithe.storage.tables import COMPANY_LIMITS, CONTACT, IMPORT_CHUNK, METADATA, SYNC, UPLOAD, USER

Row = tuple[Any, ...]
KINDS: Final[Mapping[type[TypeEngine[Any]], ValueKind]] = {
    Text: ValueKind.TEXT,
    Integer: ValueKind.INTEGER,
    BigInteger: ValueKind.INTEGER,
    Double: ValueKind.NUMBER,
    Boolean: ValueKind.FLAG,
    LargeBinary: ValueKind.BYTES,
}
CONTROL_TABLES: Final = (USER, COMPANY_LIMITS)
"""What a backup holds of the control store: the rows of its company."""

FILE_COLUMNS: Final = (
    (UPLOAD.c.file, UPLOAD.c.checksums, Folder.STAGING),
    (IMPORT_CHUNK.c.reject_file, IMPORT_CHUNK.c.reject_checksums, Folder.REJECTS),
    (SYNC.c.data_file, SYNC.c.data_checksums, Folder.EXPORTS),
    (SYNC.c.reject_file, SYNC.c.reject_checksums, Folder.REJECTS),
)
"""Which folder's files a column names, and the column of their checksums; those first that may be deleted soonest."""


FILE_NAMES: Final = {(column.table.name, column.name): folder for column, _, folder in FILE_COLUMNS}
"""(table, column) -> of which folder it names files."""


def tables_of(connection: Connection) -> list[Table]:
    """The tables of a company, with the columns of its own contact fields."""
    contact = contact_table(load_catalogue(connection))
    return [contact if table is CONTACT else table for table in METADATA.sorted_tables]


def shape_of(table: Table) -> TableShape:
    """A table without its database."""
    return TableShape(name=str(table.name), columns={str(c.name): KINDS[type(c.type)] for c in columns_of(table)})


def columns_of(table: Table) -> list[Column[Any]]:
    """The columns that a backup holds: in the control store numbers of companies and users are its own affair."""
    return [c for c in table.columns if table not in CONTROL_TABLES or c.name not in ("id", "company_id")]


SHAPES: Final = {table.name: shape_of(table) for table in (*CONTROL_TABLES, *METADATA.sorted_tables)}
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


def read_control(connection: Connection, company: Company, table: Table) -> list[Row]:
    """The rows of a company in a table of the control store: users come with the hashes of their passwords."""
    query = select(*columns_of(table)).where(table.c.company_id == company.id).order_by(*table.primary_key.columns)
    return [tuple(row) for row in connection.execute(query)]


def match_columns(connection: Connection) -> list[str]:
    """The columns of contacts that have an index for imports."""
    return dialect.of(connection).match_index_columns(connection)


def named_files(connection: Connection) -> Iterator[tuple[Folder, str, bytes | None]]:
    """(folder, name, checksums) of each file that a row names; those first that may be deleted soonest."""
    for column, checksums, folder in FILE_COLUMNS:
        for name, packed in connection.execute(select(column, checksums).where(column != "")):
            yield folder, name, packed
