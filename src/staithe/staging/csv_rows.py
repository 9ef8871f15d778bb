"""Reads an upload in CSV (RFC 4180, comma, first line the field names), parsed block by block as it arrives.

What becomes of a record depends on its own bytes alone, wherever a block ends and whatever stands beside it: one set of
rules (`staithe.staging.quotes`) tells where records end and which are broken, and Arrow reads the values by the same.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from msgspec import Struct

from staithe.domain.errors import ParseFailed
from staithe.domain.limits import UPLOAD_BYTES
from staithe.staging.quotes import COMMA, LINE_FEED, Flags, Places, QuoteScanner, last_line_end, line_ends
from staithe.staging.rows import BLOCK_BYTES, Utf8Pieces, make_batch, match_names, refuse_twice, remember

csv.field_size_limit(UPLOAD_BYTES)


class CsvRows:
    """Implements `RowReader`.

    A record with another number of values than there are columns, or with a broken quote, is unreadable; it keeps the
    values that it has. A line without a byte is no record: an empty value of a file with one column is written `""`.
    """

    def __init__(self, fields: Sequence[str]) -> None:
        self.fields = fields
        self.unmapped: dict[str, None] = {}
        self.has_mapped_field = False
        self.pieces = Utf8Pieces()
        self.buffer = bytearray()
        self.records = 0
        self.columns: dict[str, int] = {}
        """The column of each field that has one."""
        self.width = 0
        """How many columns there are; 0 until the first line was read."""
        self.scanner = QuoteScanner(BLOCK_BYTES)
        self.broken: list[int] = []
        """Where broken quotes stand in the buffer: the first and the last of each piece that was looked at."""

    def feed(self, data: bytes) -> Iterator[pa.RecordBatch]:
        """See `RowReader`."""
        self.buffer += self.pieces.feed(data)
        yield from self.take_blocks(is_all=False)

    def finish(self) -> Iterator[pa.RecordBatch]:
        """See `RowReader`."""
        self.pieces.finish()
        yield from self.take_blocks(is_all=True)
        if self.scanner.is_inside:
            where = f"record {self.records + 1}" if self.width else "the first line"
            raise ParseFailed(f"Must be CSV whose quotes are closed, but {where} opens one that never closes.")
        yield from self.take_block(len(self.buffer))
        if not self.width:
            raise ParseFailed("Must be CSV whose first line has the definition's field names, but is empty.")

    def take_blocks(self, *, is_all: bool) -> Iterator[pa.RecordBatch]:
        """Parse the buffer up to the last record that is known to end."""
        for start, piece, quotes in self.scanner.pieces(self.buffer, is_all=is_all):
            if len(quotes.broken):
                self.broken += (quotes.broken[[0, -1]] + start).tolist()
            end = last_line_end(piece, quotes) + 1
            if end:
                yield from self.take_block(start + end)

    def take_block(self, end: int) -> Iterator[pa.RecordBatch]:
        """Parse the buffer up to the end of a record, and forget it."""
        block = bytes(self.buffer[:end])
        del self.buffer[:end]
        self.scanner.place -= end
        is_broken = any(place < end for place in self.broken)
        self.broken = [place - end for place in self.broken if place >= end]
        if not self.width:
            block = self.read_header(block)
        if self.width and block.strip(b"\r\n"):
            batch = self.parse(block, is_broken=is_broken)
            self.records += batch.num_rows
            yield batch

    def read_header(self, block: bytes) -> bytes:
        """Read the field names off the first line that is not blank; gives what follows it."""
        text = block.decode().lstrip("\r\n")
        if not text.strip():
            return b""
        lines = io.StringIO(text, newline="")
        names = [read_name(name) for name in next(csv.reader(lines))]
        self.width = len(names)
        sent = match_names(self.fields, names)
        refuse_twice(sent, "one column for each field")
        self.columns = {field: names.index(spelling) for field, (spelling,) in sent.items()}
        self.has_mapped_field = bool(sent)
        mapped = set(self.columns.values())
        remember(self.unmapped, (name for place, name in enumerate(names) if name and place not in mapped))
        return lines.read().encode()

    def parse(self, block: bytes, *, is_broken: bool) -> pa.RecordBatch:
        """The records of a block of whole lines."""
        if not is_broken:
            try:
                return self.to_batch(self.parse_even(block, self.width))
            except pa.ArrowInvalid:
                pass  # A record has another number of values.
        lines = measure_lines(block, self.width)
        tables, places = [], []
        for width, chosen in lines.groups(self.width):
            tables.append(self.parse_even(lines.fit(chosen, width), width + 1))
            places.append(np.flatnonzero(chosen))
        order = np.argsort(np.concatenate(places), kind="stable")
        table = pa.concat_tables(tables, promote_options="default").take(pa.array(order))
        return self.to_batch(table, (lines.counts != self.width) | lines.is_broken)

    def parse_even(self, block: bytes, width: int) -> pa.Table:
        """The mapped columns among the first so many, of records that have so many values.

        Raises:
            pa.ArrowInvalid: one has not.
        """
        names = [str(place) for place in range(width)]
        wanted = [str(place) for place in self.columns.values() if place < min(width, self.width)]
        return pa_csv.read_csv(
            pa.py_buffer(block),
            pa_csv.ReadOptions(use_threads=False, column_names=names, block_size=len(block) + 1),
            pa_csv.ParseOptions(newlines_in_values=True),
            pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                include_columns=wanted or names[:1],
                strings_can_be_null=False,
            ),
        )

    def to_batch(self, table: pa.Table, unreadable: Flags | None = None) -> pa.RecordBatch:
        """The batch of a table, in which what a record lacks is empty; all of it is readable unless it is said."""
        lacking = pa.repeat(pa.scalar(""), table.num_rows)
        texts = {name: table.column(name).combine_chunks().fill_null("") for name in table.column_names}
        columns = {field: texts.get(str(place), lacking) for field, place in self.columns.items()}
        return make_batch(self.fields, columns, table.num_rows, unreadable)


def read_name(text: str) -> str:
    """The name of a column. Some programs write a blank before a quote, which makes the quote a character."""
    name = text.strip()
    return name[1:-1].strip() if len(name) > 1 and name[0] == name[-1] == '"' else name


class Lines(Struct, frozen=True):
    """The lines of a block that have a byte.

    `starts` and `ends` are where each begins and where what ends it stands, `counts` how many values it has, and `cuts`
    where the last value ends for which there is a column.
    """

    block: bytes
    starts: Places
    ends: Places
    counts: Places
    cuts: Places
    is_broken: Flags

    def groups(self, width: int) -> Iterator[tuple[int, Flags]]:
        """(number of values, which lines) of groups that are parsed together, for a file with so many columns.

        Lines with fewer values are read as if they had up to twice as many, so groups are few and little is added.
        """
        least, most = 0, 1
        while least < width:
            chosen = (self.counts > least) & ((self.counts <= most) | (most == width))
            if chosen.any():
                yield most, chosen
            least, most = most, min(2 * most, width)

    def fit(self, chosen: Flags, width: int) -> bytes:
        """The chosen lines, each with so many values and an empty one, so that no line is without a byte."""
        starts, cuts = self.starts[chosen], self.cuts[chosen]
        steps = np.zeros(len(self.block) + 1, np.int8)
        steps[starts] += 1
        steps[cuts] -= 1
        is_kept = np.cumsum(steps[:-1], dtype=np.int8).view(np.bool_)
        kept = np.frombuffer(self.block, np.uint8)[is_kept]
        # Behind the values of each line: a comma for each that it lacks and the empty one, and a line feed.
        added = width - np.minimum(self.counts[chosen], width) + 2
        filling = np.full(added.sum(), COMMA, np.uint8)
        filling[np.cumsum(added) - 1] = LINE_FEED
        return np.insert(kept, np.repeat(np.cumsum(cuts - starts), added), filling).tobytes()


def measure_lines(block: bytes, width: int) -> Lines:
    """The lines of a block, in a file with so many columns.

    It looks at a piece at a time, as a line may have as many commas as an upload has bytes.
    """
    if not block.endswith((b"\n", b"\r")):
        block += b"\n"
    ends: list[Places] = []
    commas: list[Places] = []
    broken: list[Places] = []
    cuts: list[Places] = []
    cut_lines: list[Places] = []
    comma_count = line_count = first = 0
    for start, piece, quotes in QuoteScanner(BLOCK_BYTES).pieces(block, is_all=True):
        data = np.frombuffer(piece, np.uint8)
        found_ends = quotes.outside(line_ends(data))
        found_commas = quotes.outside(np.flatnonzero(data == COMMA))
        before = np.searchsorted(found_commas, found_ends)
        # By line, the last being open: its first comma, the one behind which there is no column, and its last one.
        firsts = np.concatenate(([first - comma_count], before))
        wanted = firsts + width - 1
        is_here = (wanted >= 0) & (wanted < np.concatenate((before, [len(found_commas)])))
        cuts.append(found_commas[wanted[is_here]] + start)
        cut_lines.append(np.flatnonzero(is_here) + line_count)
        ends.append(found_ends + start)
        commas.append(before + comma_count)
        broken.append(quotes.broken + start)
        first = int(firsts[-1]) + comma_count
        comma_count += len(found_commas)
        line_count += len(found_ends)
    all_ends = np.concatenate(ends)
    starts = np.concatenate(([0], all_ends[:-1] + 1))
    counts = np.diff(np.concatenate(commas), prepend=0) + 1
    all_cuts = all_ends.copy()
    all_cuts[np.concatenate(cut_lines)] = np.concatenate(cuts)
    is_broken = np.zeros(len(all_ends), np.bool_)
    is_broken[np.searchsorted(all_ends, np.concatenate(broken))] = True
    kept = all_ends > starts
    return Lines(block, starts[kept], all_ends[kept], counts[kept], all_cuts[kept], is_broken[kept])
