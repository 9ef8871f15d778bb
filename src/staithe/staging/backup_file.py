"""The file of a backup: a zip archive whose entries are stored as they are, and a manifest that is written last.

    tables/NAME.arrows      the rows of a table, an Arrow IPC stream
    files/FOLDER/NAME       a staged file, rejects, or exported data, byte for byte
    manifest.json           what is in it, of which moment, with a SHA-256 of each entry

The format is written down in docs/decisions/0013-backup-format.md.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import zipfile
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self, cast

import msgspec

from staithe.domain.backups import FileEntry, Folder, Manifest, TableEntry, TableShape
from staithe.domain.errors import Conflict, StorageFull
from staithe.staging.backup_rows import Row, RowWriter
from staithe.staging.checksums import PieceChecker
from staithe.staging.files import NO_SPACE_ERRORS
from staithe.staging.local_files import UNFINISHED_ENDING, sync_folder

MANIFEST: Final = "manifest.json"
PIECE_BYTES: Final = 1024 * 1024
WAIT: Final = "Wait for its end, or choose another name."
OWNER_ONLY: Final = 0o600
"""A backup has all contacts in it, and the hashes of passwords."""


def table_entry(name: str) -> str:
    """The entry of a table."""
    return f"tables/{name}.arrows"


def file_entry(folder: Folder, name: str) -> str:
    """The entry of a file."""
    return f"files/{folder.value}/{name}"


class BackupWriter:
    """Writes a backup beside its final name. Leaving the block without `finish` leaves nothing behind.

    Raises:
        Conflict: the file exists and is not to be replaced, or another backup is being written to it.
        StorageFull: the disk is full; any method may raise it.
    """

    def __init__(self, path: Path, *, replace: bool) -> None:
        self.path = path
        self.replaces = replace
        self.check_name()
        self.unfinished = path.with_name(path.name + UNFINISHED_ENDING)
        self.target = open_alone(self.unfinished)
        self.archive = zipfile.ZipFile(self.target, "w", zipfile.ZIP_STORED)
        self.tables: list[TableEntry] = []
        self.files: dict[tuple[Folder, str], FileEntry] = {}
        self.finished = False

    @property
    def bytes(self) -> int:
        """How much is written."""
        return self.target.tell()

    def check_name(self) -> None:
        if self.path.exists() and not self.replaces:
            raise Conflict(f"{self.path} exists already.", "Choose another name, or replace it with --force.")

    def add_file(self, folder: Folder, name: str, source: BinaryIO, checksums: bytes | None) -> int:
        """Copy a file into the backup, and give its bytes.

        Raises:
            Damaged: it is not as it was written.
        """
        checker = None if checksums is None else PieceChecker(f"{folder.value}/{name}", checksums)
        with BackupDiskGuard(), closing(EntryWriter(self.archive, file_entry(folder, name))) as entry:
            while piece := source.read(PIECE_BYTES):
                if checker is not None:
                    checker.feed(piece)
                entry.write(piece)
        if checker is not None:
            checker.finish()
        self.files[folder, name] = FileEntry(folder=folder, name=name, bytes=entry.bytes, sha256=entry.sha256)
        return entry.bytes

    def begin_table(self, shape: TableShape) -> TableWriter:
        """Begin a table; one at a time can be written."""
        return TableWriter(self, shape)

    def finish(self, manifest: Manifest) -> int:
        """Write the manifest, make the file durable under its name, and give its size in bytes."""
        with BackupDiskGuard():
            self.archive.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
            self.archive.close()
            self.target.flush()
            os.fsync(self.target.fileno())
            size = self.target.tell()
            self.check_name()
            self.unfinished.rename(self.path)
            sync_folder(self.path.absolute().parent)
        self.finished = True
        self.target.close()
        return size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        if not self.finished:
            self.unfinished.unlink(missing_ok=True)
            # Closing writes what is still buffered: on a full disk that fails again, and would hide the first error.
            with suppress(OSError, ValueError):
                self.archive.close()
            with suppress(OSError):
                self.target.close()


class TableWriter:
    """Writes one table into a backup; used as a block, which completes it."""

    def __init__(self, backup: BackupWriter, shape: TableShape) -> None:
        self.backup = backup
        self.shape = shape
        self.entry = EntryWriter(backup.archive, table_entry(shape.name))
        with BackupDiskGuard():
            self.rows = RowWriter(self.entry, shape.columns)

    def write(self, rows: Sequence[Row]) -> int:
        """Append rows as the database gave them; gives the bytes they take in memory."""
        with BackupDiskGuard():
            return self.rows.write(rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is not None:
            with suppress(OSError):
                self.entry.close()
            return
        with BackupDiskGuard():
            self.rows.finish()
            self.entry.close()
        self.backup.tables.append(
            TableEntry(
                name=self.shape.name,
                columns=self.shape.columns,
                rows=self.rows.rows,
                bytes=self.entry.bytes,
                sha256=self.entry.sha256,
            )
        )


class EntryWriter:
    """One entry of the archive, as a file to write to: counts and digests what is written."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self.target = archive.open(name, "w", force_zip64=True)
        self.digest = hashlib.sha256()
        self.bytes = 0

    @property
    def sha256(self) -> str:
        """The digest of what was written, as hexadecimal digits."""
        return self.digest.hexdigest()

    @property
    def closed(self) -> bool:
        """Whether the entry is complete: Arrow asks."""
        return self.target.closed

    def write(self, data: bytes, /) -> int:
        """Append bytes."""
        self.digest.update(data)
        self.bytes += len(data)
        return self.target.write(data)

    def flush(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        """Complete the entry."""
        self.target.close()


class BackupDiskGuard:
    """Turns the operating system's "no space" into `StorageFull`."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError) and error.errno in NO_SPACE_ERRORS:
            raise StorageFull("The disk of the backup is full.", "Write it to a disk with room.") from error


def open_alone(path: Path) -> BinaryIO:
    """Open a file to write, empty, for this process alone.

    Raises:
        Conflict: another process writes it, or it cannot be made.
    """
    try:
        target = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, OWNER_ONLY), "r+b")
    except OSError as error:
        raise Conflict(f"Cannot write {path}: {error.strerror}.", "Choose another name or folder.") from error
    try:
        fcntl.flock(target, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        target.close()
        raise Conflict(f"Another backup is being written to {path}.", WAIT) from None
    if not path.exists() or not os.path.samestat(os.fstat(target.fileno()), path.stat()):
        # What was opened has meanwhile become the backup of someone else.
        target.close()
        raise Conflict(f"Another backup was written to {path} just now.", WAIT)
    target.truncate()
    return cast(BinaryIO, target)
