"""What the readers of JSON and CSV have in common: bytes in, in any pieces; batches of staged rows out.

A staged row has one text column a field of the definition, exactly as received (null if the record had none), and
`unreadable`, set for records that could not be taken apart: they keep their number, and are rejected by the sync.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

import pyarrow as pa

from staithe.domain.errors import ParseFailed

RecordBatch: TypeAlias = pa.RecordBatch
BLOCK_BYTES: Final = 256 * 1024
"""How much is parsed at once: small enough to stay in the processor's cache, which makes it faster than all at once."""

UNREADABLE: Final = ""
"""The name of the column of the flag: no field can have it."""

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class RowReader(Protocol):
    """Turns the body of an upload into batches. `unmapped` collects the names that no field has."""

    unmapped: dict[str, None]
    has_mapped_field: bool

    def feed(self, data: bytes) -> Iterator[pa.RecordBatch]:
        """Take some bytes; give what can be made of all bytes so far.

        Raises:
            ParseFailed: the body cannot be valid any more.
        """
        ...

    def finish(self) -> Iterator[pa.RecordBatch]:
        """The body is complete; give the rest.

        Raises:
            ParseFailed: the body is not valid.
        """
        ...


def schema_of(fields: Sequence[str]) -> pa.Schema:
    """The schema of staged rows of a definition with these field names."""
    return pa.schema([*((name, pa.string()) for name in fields), (UNREADABLE, pa.bool_())])


def make_batch(fields: Sequence[str], columns: Mapping[str, pa.Array], count: int) -> pa.RecordBatch:
    """A batch of `count` readable records; fields without a column are null."""
    arrays = [columns[name] if name in columns else pa.nulls(count, pa.string()) for name in fields]
    readable = pa.repeat(pa.scalar(False), count)
    return pa.RecordBatch.from_arrays([*arrays, readable], schema=schema_of(fields))


def text_column(batch: pa.RecordBatch, name: str) -> pa.StringArray:
    """A field's values, empty where there are none; also if the definition had other fields at the upload."""
    if batch.schema.get_field_index(name) < 0:
        return pa.repeat(pa.scalar(""), batch.num_rows)
    return batch.column(name).fill_null("")


def match_names(fields: Sequence[str], sent: Sequence[str]) -> dict[str, list[str]]:
    """Which sent names mean which field: the same name first, then those that differ only in case."""
    matched = {f: [n for n in sent if n == f] + [n for n in sent if n != f and n.lower() == f.lower()] for f in fields}
    return {field: names for field, names in matched.items() if names}


def check_utf8(block: bytes, offset: int) -> None:
    """Refuse what is not UTF-8, naming the byte."""
    try:
        block.decode("utf-8")
    except UnicodeDecodeError as error:
        at = offset + error.start
        shown = f"0x{block[error.start]:02x}"
        raise ParseFailed(f"Must be UTF-8: byte {shown} at byte offset {at} is not.", shown) from None
