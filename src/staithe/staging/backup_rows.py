"""Rows of tables as Arrow IPC streams: what a database gives, in a form that any database takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import RawIOBase
from typing import Any, Final, Protocol

import pyarrow as pa

from staithe.domain.backups import ValueKind
from staithe.staging.arrow_folder import WRITE_OPTIONS
from staithe.staging.arrow_reader import READ_OPTIONS

Row = tuple[Any, ...]
TYPES: Final[Mapping[ValueKind, pa.DataType]] = {
    ValueKind.TEXT: pa.string(),
    ValueKind.INTEGER: pa.int64(),
    ValueKind.NUMBER: pa.float64(),
    ValueKind.FLAG: pa.bool_(),
    ValueKind.BYTES: pa.binary(),
}


def schema_of(columns: Mapping[str, ValueKind]) -> pa.Schema:
    """The Arrow schema of a table."""
    return pa.schema([(name, TYPES[kind]) for name, kind in columns.items()])


class Target(Protocol):
    """What bytes are written to."""

    def write(self, data: bytes, /) -> int:
        """Append bytes."""
        ...


class RowWriter:
    """Writes the rows of a table into a stream, a batch at each call."""

    def __init__(self, target: Target, columns: Mapping[str, ValueKind]) -> None:
        self.kinds = list(columns.values())
        self.schema = schema_of(columns)
        self.writer = pa.ipc.new_stream(target, self.schema, options=WRITE_OPTIONS)
        self.rows = 0

    def write(self, rows: Sequence[Row]) -> int:
        """Append rows as the database gave them; gives the bytes they take in memory."""
        arrays = [to_array(kind, values) for kind, values in zip(self.kinds, zip(*rows, strict=True), strict=True)]
        batch = pa.RecordBatch.from_arrays(arrays, schema=self.schema)
        self.writer.write_batch(batch)
        self.rows += len(rows)
        return int(batch.nbytes)

    def finish(self) -> None:
        """Write the end of the stream."""
        self.writer.close()


def to_array(kind: ValueKind, values: Sequence[Any]) -> pa.Array:
    if kind is ValueKind.FLAG:
        # SQLite has 0 and 1.
        values = [None if value is None else bool(value) for value in values]
    return pa.array(values, TYPES[kind])


def read_batches(source: RawIOBase, columns: Mapping[str, ValueKind]) -> Iterator[pa.RecordBatch]:
    """The batches of a table.

    Raises:
        pyarrow.ArrowInvalid: the stream is no stream, is cut off, or has other columns.
    """
    with pa.ipc.open_stream(source, options=READ_OPTIONS) as reader:
        if reader.schema != schema_of(columns):
            raise pa.ArrowInvalid("the columns are not those that the manifest tells")
        yield from reader


def to_columns(batch: pa.RecordBatch) -> dict[str, Sequence[Any]]:
    """The values of each column that has any: contacts have many fields, of which few are in use."""
    columns = zip(batch.schema.names, batch.columns, strict=True)
    return {name: to_values(column) for name, column in columns if column.null_count < len(column)}


def to_values(column: pa.Array) -> Sequence[Any]:
    if pa.types.is_string(column.type) or not column.null_count:
        # Several times as fast; a number that is not there would become a NaN.
        return column.to_numpy(zero_copy_only=False).tolist()
    return column.to_pylist()
