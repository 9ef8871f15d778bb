"""The data of an export: one immutable file whose records are JSON texts already, so that a page is a copy.

Every batch but the last has the same number of records, which the file says: the page at an offset is found without
reading what stands before it, and costs the same at any offset.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

import msgspec
import numpy as np
import pyarrow as pa

from staithe.staging.arrow_folder import ArrowFileWriter, ArrowFolder
from staithe.staging.arrow_reader import ArrowReader, open_arrow
from staithe.staging.files import DiskFullGuard, open_unnamed

MOST_BATCH_RECORDS: Final = 8192
BATCH_VALUES: Final = 262_144
LEAST_BATCH_RECORDS: Final = 256
BATCH_RECORDS_KEY: Final = b"records per batch"
FIELDS_KEY: Final = b"fields"
COLUMN: Final = "record"


class ExportWriter:
    """Writes the data of an export. Used as a block, it leaves nothing behind without `finish`."""

    def __init__(self, folder: ArrowFolder, fields: Sequence[str]) -> None:
        self.batch_records = max(LEAST_BATCH_RECORDS, min(MOST_BATCH_RECORDS, BATCH_VALUES // len(fields)))
        metadata = {
            BATCH_RECORDS_KEY: str(self.batch_records).encode(),
            FIELDS_KEY: msgspec.json.encode(list(fields)),
        }
        schema = pa.schema([(COLUMN, pa.large_binary())], metadata=metadata)
        self.file: ArrowFileWriter = folder.create(schema)

    def write(self, lines: bytes) -> None:
        """Append a batch: records as JSON texts, a line feed behind each. All but the last have `batch_records`."""
        ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == ord("\n")) + 1
        offsets = np.concatenate(([0], ends)).astype(np.int64)
        column = pa.Array.from_buffers(
            pa.large_binary(), len(ends), [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(lines)]
        )
        self.file.write(pa.RecordBatch.from_arrays([column], schema=self.file.schema))

    def finish(self) -> int:
        """Make the file durable, and give its size in bytes."""
        return self.file.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.__exit__(kind, error, trace)


class ExportReader:
    """Reads the data of an export; open from its creation on, so that a deleted file can be read to its end.

    Args:
        folder: where the file is.
        name: of the file.
        checksums: of it; None if it was written before there were any.

    Raises:
        FileNotFoundError: the file is gone.
        Damaged: it is not as it was written.
        StagingUnavailable: the object store fails.
    """

    def __init__(self, folder: ArrowFolder, name: str, checksums: bytes | None) -> None:
        self.scratch = folder.files.scratch
        self.held: HeldPieces | None = None
        self.reader: ArrowReader = open_arrow(folder.files.open(name), name, checksums)
        metadata: Any = self.reader.schema.metadata
        self.batch_records = int(metadata[BATCH_RECORDS_KEY])
        self.fields: list[str] = msgspec.json.decode(metadata[FIELDS_KEY])

    def hold(self, limit: int, offset: int) -> None:
        """Check some records, and have them on this machine if they are not: so an answer does not fail half-way.

        From then on `lines` gives these and no others.

        Raises:
            FileNotFoundError: the file was deleted meanwhile.
            Damaged: they are not as they were written.
            StagingUnavailable: the object store fails.
        """
        try:
            if self.scratch is None:
                for number in self.batches_of(limit, offset):
                    self.reader.check(number)
            else:
                self.held = HeldPieces(self.read_lines(limit, offset), self.scratch)
        except BaseException:
            self.close()
            raise

    def lines(self, limit: int, offset: int) -> Iterator[bytes]:
        """Some records as JSON texts, each with a line feed behind it, in pieces of whole records."""
        return self.read_lines(limit, offset) if self.held is None else self.held.pieces()

    def read_lines(self, limit: int, offset: int) -> Iterator[bytes]:
        end = offset + limit
        for number in self.batches_of(limit, offset):
            first = number * self.batch_records
            column = self.reader.get(number).column(0)
            _, offsets, data = column.buffers()
            places = np.frombuffer(offsets, np.int64)
            begin, stop = max(offset - first, 0), min(end - first, len(column))
            if begin < stop:
                yield data.slice(int(places[begin]), int(places[stop] - places[begin])).to_pybytes()

    def batches_of(self, limit: int, offset: int) -> range:
        """The batches that hold some records."""
        stop = -(-(offset + limit) // self.batch_records)
        return range(offset // self.batch_records, min(stop, self.reader.batches))

    def close(self) -> None:
        """Close the file."""
        self.reader.close()
        if self.held is not None:
            self.held.file.close()


class HeldPieces:
    """Pieces of bytes in an unnamed file of this machine."""

    def __init__(self, pieces: Iterator[bytes], folder: Path) -> None:
        self.file: BinaryIO = open_unnamed(folder)
        self.lengths: list[int] = []
        try:
            with DiskFullGuard():
                for piece in pieces:
                    self.lengths.append(self.file.write(piece))
                self.file.flush()
        except BaseException:
            self.file.close()
            raise

    def pieces(self) -> Iterator[bytes]:
        """The pieces in order, again and again."""
        self.file.seek(0)
        for length in self.lengths:
            yield self.file.read(length)


def json_page(reader: ExportReader, limit: int, offset: int, rest: bytes) -> Iterator[bytes]:
    """A page as a JSON object: `items`, then `rest`, the other properties without the opening brace."""
    yield b'{"items":['
    is_first = True
    for lines in reader.lines(limit, offset):
        if not is_first:
            yield b","
        is_first = False
        # A line feed stands between records only: within texts JSON writes it as \n.
        yield lines[:-1].replace(b"\n", b",")
    yield b"]," + rest


def csv_page(reader: ExportReader, limit: int, offset: int) -> Iterator[bytes]:
    """A page as CSV: a line with the fields' names, then a line a record."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(reader.fields)
    decoder = msgspec.json.Decoder(dict[str, str])
    for lines in reader.lines(limit, offset):
        writer.writerows(record.values() for record in decoder.decode_lines(lines))
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode()
