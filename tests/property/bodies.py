"""Bodies of uploads for the property tests: records, and how they may be spelled in JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from staithe.staging.csv_rows import CsvRows
from staithe.staging.json_rows import JsonRows
from staithe.staging.rows import UNREADABLE, RowReader

FIELDS = ["Id", "Name"]
Record = dict[str, Any]

TRICKY = ["},{", '"},{"', "}, {", "]", "[{", '"', '""', "\\", "\\\"},", "\n", "\r\n", "\r", ",", "", " ", "é", "日本",
          "😀", "\u2028", "\ufeff", "\x00", "Id", "null", "0", "007", "1e3"]  # fmt: skip
TEXT = st.one_of(
    st.sampled_from(TRICKY),
    st.lists(st.sampled_from(TRICKY), max_size=4).map("".join),
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.integers(0, 10**12).map(str),
)
PIECE_SIZES = st.lists(st.integers(1, 60), min_size=1, max_size=8)
BLOCK_SIZES = st.sampled_from([1, 2, 16, 64, 300, 256 * 1024])


def pieces_of(body: bytes, sizes: Sequence[int]) -> Iterable[bytes]:
    """The body cut into pieces of these sizes, again and again."""
    start = number = 0
    while start < len(body):
        size = sizes[number % len(sizes)]
        yield body[start : start + size]
        start, number = start + size, number + 1


def read_all(reader: RowReader, body: bytes, sizes: Sequence[int] = (1 << 20,)) -> list[list[str | None]]:
    """Feed a body in pieces; gives its records as lists of the fields' values and the unreadable flag."""
    batches: list[pa.RecordBatch] = []
    for piece in pieces_of(body, sizes):
        batches += reader.feed(piece)
    batches += reader.finish()
    for batch in batches:
        batch.validate(full=True)
    return [list(row.values()) for batch in batches for row in batch.to_pylist()]


def json_reader() -> JsonRows:
    """A reader of `FIELDS`."""
    return JsonRows(FIELDS)


def csv_reader() -> CsvRows:
    """A reader of `FIELDS`."""
    return CsvRows(FIELDS)


READERS: dict[str, Callable[[], RowReader]] = {"JSON": json_reader, "CSV": csv_reader}


def spell_json(records: Sequence[Record], chance: random.Random) -> bytes:
    """The records as a JSON array with random white space, escapes and order of keys."""

    def blank() -> str:
        return "".join(chance.choices(" \t\r\n", k=chance.choice([0, 0, 0, 1, 3])))

    def spell_text(value: Any) -> str:
        return json.dumps(value, ensure_ascii=chance.random() < 0.5)

    def spell(record: Record) -> str:
        keys = chance.sample(list(record), len(record))
        members = [blank() + spell_text(k) + blank() + ":" + blank() + spell_text(record[k]) + blank() for k in keys]
        return "{" + (",".join(members) or blank()) + "}"

    inner = ",".join(blank() + spell(record) + blank() for record in records)
    return (blank() + "[" + inner + blank() + "]" + blank()).encode()


def spell_csv(names: Sequence[str], rows: Sequence[Sequence[str]], *, line_end: str, quote_all: bool) -> bytes:
    """The rows as Python's csv module writes them."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=line_end, quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL)
    writer.writerow(names)
    writer.writerows(rows)
    return out.getvalue().encode()


def without_marks(text: str) -> str:
    """A text as it is staged: the mark U+FEFF is no part of any value."""
    return text.replace("\ufeff", "")


def readable(values: Iterable[str | None]) -> list[Any]:
    """A row as `read_all` gives it for a record that could be read."""
    return [*values, False]


assert UNREADABLE == "", "the flag is the last column of a row"
