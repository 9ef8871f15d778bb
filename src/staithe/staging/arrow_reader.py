"""Reads an Arrow file batch by batch, each checked before it is decoded."""

from __future__ import annotations

import errno
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, Self, TypeAlias

import pyarrow as pa

from staithe.staging.checksums import MAGIC_BYTES, Piece, check, damaged, unpack

READ_OPTIONS: Final = pa.ipc.IpcReadOptions(use_threads=False)


class Closing:
    """A reader that closes its file with the block."""

    source: pa.NativeFile

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.source.close()


class CheckedReader(Closing):
    """The batches of a file that has checksums. Its pieces: the schema, a piece for each batch, the end.

    Args:
        source: the open file; it is closed with the reader.
        name: of the file, for messages.
        checksums: of the file.

    Raises:
        Damaged: its schema, or its length, is not as it was written.
        StagingUnavailable: the object store fails.
    """

    def __init__(self, source: pa.NativeFile, name: str, checksums: bytes) -> None:
        self.source = source
        self.name = name
        self.pieces: list[Piece] = unpack(checksums)
        with reading(name):
            size, written = source.size(), self.pieces[-1][1]
        if size != written:
            raise damaged(name, f"it has {size:,} bytes of {written:,}")
        self.head = b""
        self.head = self.read_piece(0).to_pybytes()[MAGIC_BYTES:]
        self.schema: pa.Schema = pa.ipc.read_schema(pa.py_buffer(self.head))

    @property
    def batches(self) -> int:
        """How many there are."""
        return len(self.pieces) - 2

    def read_piece(self, number: int) -> pa.Buffer:
        """A piece behind the schema, as an Arrow stream of one batch; checked."""
        start, stop, _ = piece = self.pieces[number]
        data = pa.allocate_buffer(len(self.head) + stop - start)
        with reading(self.name), memoryview(data).cast("B") as whole:
            whole[: len(self.head)] = self.head
            body = whole[len(self.head) :]
            self.source.seek(start)
            count = self.source.readinto(body)
            check(body[:count], piece, self.name)
        return data

    def check(self, number: int) -> None:
        """Make sure that a batch is as it was written.

        Raises:
            Damaged: it is not.
            StagingUnavailable: the object store fails.
        """
        self.read_piece(number + 1)

    def get(self, number: int) -> pa.RecordBatch:
        """A batch, by its place.

        Raises:
            Damaged: it is not as it was written.
            StagingUnavailable: the object store fails.
        """
        return pa.ipc.open_stream(self.read_piece(number + 1), options=READ_OPTIONS).read_next_batch()


class UncheckedReader(Closing):
    """The batches of a file of before there were checksums. What it is for: `CheckedReader`."""

    def __init__(self, source: pa.NativeFile, name: str) -> None:
        self.source = source
        self.name = name
        with reading(name):
            self.reader = pa.ipc.open_file(source, options=READ_OPTIONS)
        self.schema: pa.Schema = self.reader.schema
        self.batches: int = self.reader.num_record_batches

    def check(self, number: int) -> None:
        """Nothing can be checked."""

    def get(self, number: int) -> pa.RecordBatch:
        """A batch, by its place."""
        with reading(self.name):
            return self.reader.get_batch(number)


ArrowReader: TypeAlias = CheckedReader | UncheckedReader


def open_arrow(source: pa.NativeFile, name: str, checksums: bytes | None) -> ArrowReader:
    """A reader of an open file; if there is none, the file is closed.

    Args:
        source: the open file.
        name: of it, for messages.
        checksums: of it; None if it was written before there were any.

    Raises:
        Damaged: the file is not as it was written.
        StagingUnavailable: the object store fails.
    """
    try:
        return UncheckedReader(source, name) if checksums is None else CheckedReader(source, name, checksums)
    except BaseException:
        source.close()
        raise


@contextmanager
def reading(name: str) -> Generator[None]:
    """Say of what cannot be read that the file is damaged.

    Raises:
        Damaged: the disk fails, or the bytes are not Arrow's.
    """
    try:
        yield
    except pa.ArrowInvalid as error:
        raise damaged(name, str(error)) from error
    except OSError as error:
        if error.errno == errno.EIO:
            raise damaged(name, "the disk fails to read it") from error
        raise
