"""Reads a backup. Nothing that it says is believed before `check` has read all of it."""

from __future__ import annotations

import hashlib
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self, cast

import msgspec
import pyarrow as pa
from msgspec import Struct

from staithe.domain.backups import (
    FORMAT,
    FORMAT_VERSION,
    FileEntry,
    Folder,
    Manifest,
    Report,
    Step,
    TableEntry,
    TableShape,
    ValueKind,
)
from staithe.domain.errors import Failure, NotFound, ValidationFailed
from staithe.staging.backup_file import MANIFEST, PIECE_BYTES, file_entry, table_entry
from staithe.staging.backup_rows import read_batches, to_columns

WIDE_TABLE: Final = "contact"
"""The table that has further columns: the contact fields that a company has made."""

MOST_MANIFEST_BYTES: Final = 1024**3
FILE_NAME: Final = re.compile(r"[0-9a-f]{32}\.arrow")
DAMAGES: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    pa.ArrowException,
    msgspec.MsgspecError,
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    OSError,
    OverflowError,
    UnicodeDecodeError,
    ValueError,
)
"""What the readers of archives, streams and JSON raise when bytes are not what they should be."""


class Heading(Struct, frozen=True, rename="camel"):
    """The part of a manifest that every version of the format has."""

    format: str
    format_version: int
    product_version: str


class BackupReader:
    """An open backup. Used as a block, which closes it.

    Raises:
        NotFound: there is no such file.
        ValidationFailed: it is no backup, is cut off, or is of a newer format; every method may raise it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.source = path.open("rb")
        except OSError as error:
            raise NotFound(f"Cannot read {path}: {error.strerror}.", "Name the file of a backup.") from error
        try:
            with DamageGuard(path):
                self.archive = zipfile.ZipFile(self.source)
                self.manifest = self.read_manifest()
        except BaseException:
            self.source.close()
            raise

    def read_manifest(self) -> Manifest:
        if self.archive.getinfo(MANIFEST).file_size > MOST_MANIFEST_BYTES:
            raise zipfile.BadZipFile("the manifest is too large")
        text = self.archive.read(MANIFEST)
        heading = msgspec.json.decode(text, type=Heading)
        if heading.format != FORMAT:
            raise zipfile.BadZipFile("it is an archive of something else")
        if heading.format_version != FORMAT_VERSION:
            rule = (
                f"Must have the format version {FORMAT_VERSION}, not {heading.format_version}: "
                f"restore it with staithe {heading.product_version}, which wrote it, or a newer one."
            )
            raise ValidationFailed(Failure(str(self.path), rule))
        return msgspec.json.decode(text, type=Manifest)

    def check(
        self, shapes: Mapping[str, TableShape], file_columns: Mapping[tuple[str, str], Folder], report: Report
    ) -> None:
        """Read all of it, and compare with the manifest: digests, columns, numbers of rows, and which files rows name.

        Args:
            shapes: the tables that there must be, by name; `contact` may have more columns.
            file_columns: (table, column) that names files -> of which folder.
            report: told the entries that are checked.
        """
        manifest = self.manifest
        total = len(manifest.tables) + len(manifest.files)
        done_bytes = 0
        with DamageGuard(self.path):
            self.check_tables(shapes)
            named: set[tuple[Folder, str]] = set()
            for number, table in enumerate(manifest.tables, start=1):
                columns = {column: folder for (name, column), folder in file_columns.items() if name == table.name}
                named |= self.check_table(table, columns)
                done_bytes += table.bytes
                report(Step.CHECK, number, total, done_bytes)
            for number, file in enumerate(manifest.files, start=len(manifest.tables) + 1):
                self.check_file(file)
                done_bytes += file.bytes
                report(Step.CHECK, number, total, done_bytes)
            held = [(file.folder, file.name) for file in manifest.files]
            if len(held) != len(set(held)) or named != set(held):
                raise zipfile.BadZipFile("its files are not those that its rows name")

    def check_tables(self, shapes: Mapping[str, TableShape]) -> None:
        """The tables are those of the store, and so are their columns but for further ones of contacts."""
        tables = {table.name: table for table in self.manifest.tables}
        if tables.keys() != shapes.keys() or len(tables) != len(self.manifest.tables):
            raise zipfile.BadZipFile("its tables are not those of its schema version")
        for name, shape in shapes.items():
            columns = tables[name].columns
            if columns != shape.columns and not (name == WIDE_TABLE and shape.columns.items() <= columns.items()):
                raise zipfile.BadZipFile(f"table {name} has not the columns of its schema version")

    def check_table(self, table: TableEntry, file_columns: Mapping[str, Folder]) -> set[tuple[Folder, str]]:
        """Read a table; gives the files that it names."""
        named: set[tuple[Folder, str]] = set()
        rows = 0
        with self.open(table_entry(table.name)) as entry:
            for batch in read_batches(entry, table.columns):
                rows += batch.num_rows
                for column, folder in file_columns.items():
                    named |= {(folder, name) for name in batch.column(column).to_pylist() if name}
            entry.read_rest()
            entry.compare(table)
        if rows != table.rows:
            raise zipfile.BadZipFile(f"table {table.name} has {rows} rows, not {table.rows}")
        return named

    def check_file(self, file: FileEntry) -> None:
        if not FILE_NAME.fullmatch(file.name):
            raise zipfile.BadZipFile("a file has a name that no file has")
        with self.open(file_entry(file.folder, file.name)) as entry:
            entry.read_rest()
            entry.compare(file)

    def open(self, name: str) -> EntryReader:
        return EntryReader(cast(BinaryIO, self.archive.open(name)), name)

    def batches(self, table: str) -> Iterator[dict[str, Sequence[Any]]]:
        """The rows of a table in batches: the values of each column that has any."""
        with DamageGuard(self.path), self.open(table_entry(table)) as entry:
            for batch in read_batches(entry, self.columns(table)):
                yield to_columns(batch)

    @property
    def read_bytes(self) -> int:
        """Where in the file it reads."""
        return self.source.tell()

    def columns(self, table: str) -> Mapping[str, ValueKind]:
        """The columns of a table, in the order of its rows' values."""
        (columns,) = [entry.columns for entry in self.manifest.tables if entry.name == table]
        return columns

    def pieces(self, file: FileEntry) -> Iterator[bytes]:
        """The bytes of a file."""
        with DamageGuard(self.path), self.open(file_entry(file.folder, file.name)) as entry:
            while piece := entry.read(PIECE_BYTES):
                yield piece

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self.archive.close()
        self.source.close()


class EntryReader(io.RawIOBase):
    """One entry of the archive, as a file to read from: counts and digests what is read."""

    def __init__(self, source: BinaryIO, name: str) -> None:
        super().__init__()
        self.source = source
        self.name = name
        self.digest = hashlib.sha256()
        self.bytes = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes; all that are left if `size` is negative."""
        data = self.source.read(size)
        self.digest.update(data)
        self.bytes += len(data)
        return data

    def readinto(self, buffer: Any, /) -> int:
        """The same, into a buffer."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read_rest(self) -> None:
        """Read to the end; the archive's own checksum is compared there."""
        while self.read(PIECE_BYTES):
            pass

    def compare(self, told: TableEntry | FileEntry) -> None:
        """Compare what was read with the manifest."""
        if self.bytes != told.bytes or self.digest.hexdigest() != told.sha256:
            raise zipfile.BadZipFile(f"{self.name} is not what was written")

    def close(self) -> None:
        """Close the entry."""
        self.source.close()
        super().close()


class DamageGuard:
    """Turns what readers raise over wrong bytes into `ValidationFailed`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, DAMAGES):
            rule = f"Must be a whole backup, as staithe backup writes it: {error}. Nothing was restored from it."
            raise ValidationFailed(Failure(str(self.path), rule)) from error
