"""What a backup of a company says of itself: its manifest. How it is written: `staithe.staging.backup_file`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, Protocol

from msgspec import Struct

FORMAT: Final = "staithe backup"
FORMAT_VERSION: Final = 1
"""Raised when older programs could no longer read what is written."""


class ValueKind(StrEnum):
    """What a column holds, in any database. Times are integers: microseconds since 1970 in UTC."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    FLAG = "flag"
    BYTES = "bytes"


class Folder(StrEnum):
    """The kinds of files that rows of a company name."""

    STAGING = "staging"
    REJECTS = "rejects"
    EXPORTS = "exports"


class TableShape(Struct, frozen=True, kw_only=True):
    """A table: the kinds of its columns by name, in their order."""

    name: str
    columns: Mapping[str, ValueKind]


class TableEntry(Struct, frozen=True, kw_only=True, rename="camel"):
    """A table in a backup: an Arrow IPC stream, with the SHA-256 of its bytes."""

    name: str
    columns: Mapping[str, ValueKind]
    rows: int
    bytes: int
    sha256: str


class FileEntry(Struct, frozen=True, kw_only=True, rename="camel"):
    """A file of the company in a backup, byte for byte."""

    folder: Folder
    name: str
    bytes: int
    sha256: str


class Manifest(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a backup holds, and of which moment.

    `schema_version` is that of the company's store; `match_columns` are the columns of contacts that had an index for
    imports; `created_at` is the moment, in microseconds.
    """

    format: str
    format_version: int
    product_version: str
    schema_version: int
    company: str
    created_at: int
    match_columns: Sequence[str]
    tables: Sequence[TableEntry]
    files: Sequence[FileEntry]

    def rows_of(self, table: str) -> int:
        """How many rows a table has."""
        return sum(entry.rows for entry in self.tables if entry.name == table)

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(entry.rows for entry in self.tables)

    @property
    def bytes(self) -> int:
        """Bytes of all tables and files, as they are stored."""
        return sum(entry.bytes for entry in (*self.tables, *self.files))


class Step(StrEnum):
    """The parts of the work, as they are shown to whoever waits."""

    FILES = "files"
    ROWS = "rows"
    CHECK = "entries checked"
    INDEXES = "indexes"


class Report(Protocol):
    """Told how far the work is: steps come one after another, and one may come again."""

    def __call__(self, step: Step, done: int, total: int, done_bytes: int) -> None:
        """So much of a step is done: `done` of `total`, and so many bytes of it."""
        ...
