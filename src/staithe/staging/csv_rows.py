"""Reads an upload in CSV (RFC 4180, comma, first line the field names), parsed block by block as it arrives."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.csv as pa_csv

from staithe.domain.errors import ParseFailed
from staithe.domain.limits import UPLOAD_BYTES
from staithe.staging.rows import BLOCK_BYTES, BYTE_ORDER_MARK, check_utf8, make_batch, match_names, schema_of

QUOTE: Final = b'"'
csv.field_size_limit(UPLOAD_BYTES)


class CsvRows:
    """Implements `RowReader`.

    A block ends behind a line feed that an even number of quotes stands before: one that is not inside a quoted
    value. Blank lines are no records; an empty value is written `""`.
    """

    def __init__(self, fields: Sequence[str]) -> None:
        self.fields = fields
        self.unmapped: dict[str, None] = {}
        self.has_mapped_field = False
        self.buffer = bytearray()
        self.offset = 0
        self.wanted_bytes = BLOCK_BYTES
        self.header: list[str] | None = None
        self.sent: dict[str, str] = {}

    def feed(self, data: bytes) -> Iterator[pa.RecordBatch]:
        """See `RowReader`."""
        self.buffer += data
        while len(self.buffer) >= self.wanted_bytes:
            end = self.end_of_block()
            if end == 0:
                self.wanted_bytes *= 2
                continue
            self.wanted_bytes = BLOCK_BYTES
            yield from self.take_block(end)

    def finish(self) -> Iterator[pa.RecordBatch]:
        """See `RowReader`."""
        yield from self.take_block(len(self.buffer))
        if self.header is None:
            raise ParseFailed("Must be CSV whose first line has the definition's field names, but is empty.")

    def end_of_block(self) -> int:
        """Where the last whole line of the buffer ends; 0 if that cannot be told yet."""
        end = self.buffer.rfind(b"\n", 0, self.wanted_bytes) + 1
        while end and self.buffer.count(QUOTE, 0, end) % 2:
            end = self.buffer.rfind(b"\n", 0, end - 1) + 1
        return end

    def take_block(self, end: int) -> Iterator[pa.RecordBatch]:
        block = bytes(self.buffer[:end])
        check_utf8(block, self.offset)
        del self.buffer[:end]
        self.offset += end
        if self.header is None:
            block = self.read_header(block)
        if self.header is not None and block.strip(b"\r\n"):
            yield self.parse(block)

    def read_header(self, block: bytes) -> bytes:
        """Read the field names off the first line that is not blank; gives what follows it."""
        text = block.removeprefix(BYTE_ORDER_MARK).decode().lstrip("\r\n")
        if not text.strip():
            return b""
        lines = io.StringIO(text, newline="")
        names = [name.strip() for name in next(csv.reader(lines))]
        self.header = names
        self.sent = {field: spellings[0] for field, spellings in match_names(self.fields, names).items()}
        self.has_mapped_field = bool(self.sent)
        mapped = set(self.sent.values())
        self.unmapped.update(dict.fromkeys(name for name in names if name and name not in mapped))
        return lines.read().encode()

    def parse(self, block: bytes) -> pa.RecordBatch:
        """A block of whole lines; the usual case takes the fast way, one with odd lines the careful one."""
        assert self.header is not None
        odd: list[object] = []
        names = [str(i) for i in range(len(self.header))]
        wanted = {field: str(self.header.index(name)) for field, name in self.sent.items()}
        # Arrow drops a byte order mark wherever it starts to read; at the start of a value it is a character.
        if block.startswith(BYTE_ORDER_MARK):
            block = BYTE_ORDER_MARK + block
        try:
            table = pa_csv.read_csv(
                pa.py_buffer(block),
                pa_csv.ReadOptions(use_threads=False, column_names=names, block_size=len(block) + 1),
                pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=lambda row: odd.append(row) or "skip"),
                pa_csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    include_columns=list(wanted.values()) or names[:1],
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid:
            return self.parse_carefully(block)
        if odd:
            return self.parse_carefully(block)
        columns = {field: table.column(name).combine_chunks() for field, name in wanted.items()}
        return make_batch(self.fields, columns, table.num_rows)

    def parse_carefully(self, block: bytes) -> pa.RecordBatch:
        """As `parse`, and a line with too many or too few values, or an open quote, is one unreadable record."""
        assert self.header is not None
        places = {field: self.header.index(name) for field, name in self.sent.items()}
        columns: dict[str, list[str | None]] = {field: [] for field in self.fields}
        unreadable: list[bool] = []
        for row in read_lines(block.decode()):
            is_odd = row is None or len(row) != len(self.header)
            unreadable.append(is_odd)
            for field in self.fields:
                value = None if is_odd or row is None or field not in places else row[places[field]]
                columns[field].append(value)
        arrays = [pa.array(columns[field], pa.string()) for field in self.fields]
        return pa.RecordBatch.from_arrays([*arrays, pa.array(unreadable, pa.bool_())], schema=schema_of(self.fields))


def read_lines(text: str) -> Iterator[list[str] | None]:
    """The rows of a text, without the blank ones; None for one whose quotes are broken."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield None
            continue
        if row:
            yield row
