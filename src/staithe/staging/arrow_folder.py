"""A folder of immutable Arrow IPC files: written aside, fsynced, renamed; never changed, only deleted.

A name that was given out stands for a whole file that survives a crash. What a crash leaves half-written has
another ending, and `sweep` removes it.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

import pyarrow as pa

from staithe.domain.errors import StorageFull

ENDING: Final = ".arrow"
UNFINISHED_ENDING: Final = ".part"
GATHERED_ROWS: Final = 65_536
# Handing a small batch to another thread costs more than compressing it.
WRITE_OPTIONS: Final = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
READ_OPTIONS: Final = pa.ipc.IpcReadOptions(use_threads=False)
NO_SPACE_ERRORS: Final = (28, 122)
"""ENOSPC and EDQUOT."""


class ArrowFolder:
    """The files of one kind of one company."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def create(self, schema: pa.Schema) -> ArrowFileWriter:
        """Begin a file. It comes to be when the writer's `finish` returns."""
        return ArrowFileWriter(self, schema)

    def read(self, name: str, rows: int = GATHERED_ROWS) -> Iterator[pa.RecordBatch]:
        """The rows of a file in batches of at least `rows`, if it has them; one batch is in memory at a time."""
        gathered: list[pa.RecordBatch] = []
        with pa.OSFile(str(self.root / name)) as source, pa.ipc.open_file(source, options=READ_OPTIONS) as reader:
            for number in range(reader.num_record_batches):
                gathered.append(reader.get_batch(number))
                if sum(batch.num_rows for batch in gathered) >= rows:
                    yield pa.concat_batches(gathered)
                    gathered.clear()
        if gathered:
            yield pa.concat_batches(gathered)

    def read_rows(self, name: str, limit: int, offset: int) -> list[dict[str, object]]:
        """Some rows of a file as dictionaries; only the batches that hold them are read."""
        rows: list[dict[str, object]] = []
        first = 0
        with pa.memory_map(str(self.root / name)) as source, pa.ipc.open_file(source, options=READ_OPTIONS) as reader:
            for number in range(reader.num_record_batches):
                batch = reader.get_batch(number)
                begin = max(offset - first, 0)
                if begin < batch.num_rows and len(rows) < limit:
                    rows.extend(batch.slice(begin, limit - len(rows)).to_pylist())
                first += batch.num_rows
        return rows

    def open(self, name: str) -> BinaryIO:
        """A file as its bytes; once open, it can be read to its end though it is deleted.

        Raises:
            FileNotFoundError: it is gone.
        """
        return (self.root / name).open("rb")

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        """Store a file that another folder had, under its name there.

        Raises:
            StorageFull: the disk is full.
        """
        unfinished = self.root / f"{name}{UNFINISHED_ENDING}"
        with DiskFullGuard(), unfinished.open("wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
            unfinished.rename(self.root / name)

    def settle(self) -> None:
        """Make durable that the files that were put are there."""
        sync_folder(self.root)

    def clear(self) -> None:
        """Delete all files."""
        for path in self.root.iterdir():
            path.unlink(missing_ok=True)

    def delete(self, names: Iterable[str]) -> None:
        """Delete files; those that are gone already are no error."""
        for name in names:
            (self.root / name).unlink(missing_ok=True)

    def sweep(self, keep: set[str], min_age_seconds: float) -> int:
        """Delete what nothing names: files that a crash, or a lost race, left behind; gives how many.

        Young files are spared: their row may not be committed yet.
        """
        limit = time.time() - min_age_seconds
        orphans = [p for p in self.root.iterdir() if p.name not in keep and p.stat().st_mtime < limit]
        for path in orphans:
            path.unlink(missing_ok=True)
        return len(orphans)


class ArrowFileWriter:
    """Writes one file. Leaving the block without `finish` leaves nothing behind."""

    def __init__(self, folder: ArrowFolder, schema: pa.Schema) -> None:
        self.folder = folder
        self.schema = schema
        self.name = f"{uuid.uuid4().hex}{ENDING}"
        self.unfinished = folder.root / f"{self.name}{UNFINISHED_ENDING}"
        self.file = self.unfinished.open("wb")
        self.writer = pa.ipc.new_file(self.file, schema, options=WRITE_OPTIONS)
        self.rows = 0
        self.finished = False

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch.

        Raises:
            StorageFull: the disk is full.
        """
        with DiskFullGuard():
            self.writer.write_batch(batch)
        self.rows += batch.num_rows

    def finish(self) -> int:
        """Make the file durable under its name, and give its size in bytes.

        Raises:
            StorageFull: the disk is full.
        """
        with DiskFullGuard():
            self.writer.close()
            self.file.flush()
            os.fsync(self.file.fileno())
            size = self.file.tell()
            self.file.close()
            self.unfinished.rename(self.folder.root / self.name)
            sync_folder(self.folder.root)
        self.finished = True
        return size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        if not self.finished:
            # Closing writes what is still buffered: on a full disk that fails again, and would hide the first error.
            with contextlib.suppress(OSError):
                self.file.close()
            self.unfinished.unlink(missing_ok=True)
            (self.folder.root / self.name).unlink(missing_ok=True)


class DiskFullGuard:
    """Turns the operating system's "no space" into `StorageFull`."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError) and error.errno in NO_SPACE_ERRORS:
            raise StorageFull("The server's disk is full.", "Tell the operator; nothing was stored.") from error


def sync_folder(folder: Path) -> None:
    """Make a rename durable: the folder's own entry must reach the disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
