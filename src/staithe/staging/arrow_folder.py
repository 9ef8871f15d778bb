"""A folder of immutable Arrow IPC files, in a file system or an object store: written once, never changed, deleted.

A name that was given out stands for a whole file that survives a crash. What nothing names, `sweep` removes.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

import pyarrow as pa

from staithe.domain.errors import StagingUnavailable
from staithe.staging.arrow_reader import open_arrow
from staithe.staging.checksums import PieceWriter
from staithe.staging.files import DiskFullGuard, Files
from staithe.staging.local_files import LocalFiles

LOGGER: Final = logging.getLogger(__name__)
ENDING: Final = ".arrow"
GATHERED_ROWS: Final = 65_536
# Handing a small batch to another thread costs more than compressing it.
WRITE_OPTIONS: Final = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)


class ArrowFolder:
    """The files of one kind of one company."""

    def __init__(self, files: Files) -> None:
        self.files = files

    @property
    def root(self) -> Path:
        """The folder, if it is one of a file system.

        Raises:
            TypeError: it is in an object store.
        """
        if not isinstance(self.files, LocalFiles):
            raise TypeError("the files are in an object store")
        return self.files.root

    def create(self, schema: pa.Schema) -> ArrowFileWriter:
        """Begin a file. It comes to be when the writer's `finish` returns."""
        return ArrowFileWriter(self, schema)

    def read(self, name: str, checksums: bytes | None, rows: int = GATHERED_ROWS) -> Iterator[pa.RecordBatch]:
        """The rows of a file in batches of at least `rows`, if it has them; one batch is in memory at a time.

        Args:
            name: of the file.
            checksums: of it, as its writer had them; None if it was written before there were any.
            rows: as many as a batch should have.

        Raises:
            FileNotFoundError: there is no such file.
            Damaged: what comes next is not as it was written.
            StagingUnavailable: the object store fails.
        """
        gathered: list[pa.RecordBatch] = []
        with open_arrow(self.files.open_whole(name), name, checksums) as reader:
            for number in range(reader.batches):
                gathered.append(reader.get(number))
                if sum(batch.num_rows for batch in gathered) >= rows:
                    yield pa.concat_batches(gathered)
                    gathered.clear()
        if gathered:
            yield pa.concat_batches(gathered)

    def read_rows(self, name: str, checksums: bytes | None, limit: int, offset: int) -> list[dict[str, object]]:
        """Some rows of a file as dictionaries; only the batches that hold them, or come before, are read.

        Raises:
            FileNotFoundError: there is no such file.
            Damaged: what was read is not as it was written.
            StagingUnavailable: the object store fails.
        """
        rows: list[dict[str, object]] = []
        first = 0
        with open_arrow(self.files.open(name), name, checksums) as reader:
            for number in range(reader.batches):
                if len(rows) == limit:
                    break
                batch = reader.get(number)
                begin = max(offset - first, 0)
                if begin < batch.num_rows:
                    rows.extend(batch.slice(begin, limit - len(rows)).to_pylist())
                first += batch.num_rows
        return rows

    def open(self, name: str) -> BinaryIO:
        """A file as its bytes; once open, it can be read to its end though it is deleted.

        Raises:
            FileNotFoundError: it is gone.
            StagingUnavailable: the object store fails.
        """
        return self.files.open_bytes(name)

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        """Store a file that another folder had, under its name there; it is durable then.

        Raises:
            StorageFull: the disk is full.
            StagingUnavailable: the object store fails.
        """
        new = self.files.begin(name)
        try:
            with DiskFullGuard():
                for piece in pieces:
                    new.file.write(piece)
            new.finish()
        except BaseException:
            new.discard()
            raise

    def clear(self) -> None:
        """Delete all files.

        Raises:
            StagingUnavailable: the object store fails.
        """
        self.files.delete(self.files.ages())

    def delete(self, names: Iterable[str]) -> None:
        """Delete files; those that are gone already are no error. What an object store does not delete is swept."""
        try:
            self.files.delete(names)
        except StagingUnavailable as error:
            LOGGER.warning("files that are done with are not deleted now, but by a later sweep: %s", error)

    def sweep(self, keep: set[str], min_age_seconds: float) -> int:
        """Delete what nothing names: files that a crash, or a lost race, left behind; gives how many.

        Young files are spared: their row may not be committed yet.

        Raises:
            StagingUnavailable: the object store fails.
        """
        ages = self.files.ages()
        orphans = [name for name, age in ages.items() if name not in keep and age > min_age_seconds]
        self.files.delete(orphans)
        return len(orphans)


class ArrowFileWriter:
    """Writes one file. Leaving the block without `finish` leaves nothing behind."""

    def __init__(self, folder: ArrowFolder, schema: pa.Schema) -> None:
        self.schema = schema
        self.name = f"{uuid.uuid4().hex}{ENDING}"
        self.new = folder.files.begin(self.name)
        self.pieces = PieceWriter(self.new.file)
        self.writer = pa.ipc.new_file(self.pieces.sink, schema, options=WRITE_OPTIONS)
        self.rows = 0
        self.finished = False

    @property
    def checksums(self) -> bytes:
        """Those of what is written, for the row that names the file."""
        return bytes(self.pieces.packed)

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch.

        Raises:
            StorageFull: the disk is full.
        """
        with DiskFullGuard():
            self.writer.write_batch(batch)
            self.pieces.end_piece()
        self.rows += batch.num_rows

    def finish(self) -> int:
        """Make the file durable under its name, and give its size in bytes.

        Raises:
            StorageFull: the disk is full.
            StagingUnavailable: the object store fails.
        """
        with DiskFullGuard():
            self.writer.close()
            self.pieces.end_piece()
        size = self.new.finish()
        self.finished = True
        return size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        if not self.finished:
            self.new.discard()
