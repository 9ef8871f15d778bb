"""What the readers of JSON and CSV have in common: bytes in, in any pieces; batches of staged rows out.

A staged row has one text column a field of the definition, exactly as received (null if the record had none), and
`unreadable`, set for records that could not be taken apart: they keep their number and the values that they have, and
are rejected by the sync.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from staithe.domain.errors import ParseFailed
from staithe.domain.limits import UNMAPPED_NAMES_LOGGED
from staithe.domain.names import MARK, fold_name

RecordBatch: TypeAlias = pa.RecordBatch
BLOCK_BYTES: Final = 256 * 1024
"""How much is parsed at once: small enough to stay in the processor's cache, which makes it faster than all at once."""

UNREADABLE: Final = ""
"""The name of the column of the flag: no field can have it."""

BYTE_ORDER_MARK: Final = MARK.encode()
NUL: Final = 0
CONTINUES, LEADS, LEADS_THREE, LEADS_FOUR = 0x80, 0xC0, 0xE0, 0xF0
"""The least bytes of UTF-8 that go on with a character, and that begin one of two, three and four bytes."""


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


def make_batch(
    fields: Sequence[str], columns: Mapping[str, pa.Array], count: int, unreadable: NDArray[np.bool_] | None = None
) -> pa.RecordBatch:
    """A batch of `count` records, all readable unless it is said; fields without a column are null."""
    arrays = [columns[name] if name in columns else pa.nulls(count, pa.string()) for name in fields]
    flags = pa.repeat(pa.scalar(False), count) if unreadable is None else pa.array(unreadable, pa.bool_())
    return pa.RecordBatch.from_arrays([*arrays, flags], schema=schema_of(fields))


def text_column(batch: pa.RecordBatch, name: str) -> pa.StringArray:
    """A field's values, empty where there are none; also if the definition had other fields at the upload."""
    if batch.schema.get_field_index(name) < 0:
        return pa.repeat(pa.scalar(""), batch.num_rows)
    return batch.column(name).fill_null("")


def match_names(fields: Sequence[str], sent: Sequence[str]) -> dict[str, list[str]]:
    """Which sent names mean which field: the same name first, then those that are spelled otherwise."""
    spellings: dict[str, list[str]] = {}
    for name in sent:
        spellings.setdefault(fold_name(name), []).append(name)
    matched = {field: spellings.get(fold_name(field), []) for field in fields}
    return {f: [n for n in names if n == f] + [n for n in names if n != f] for f, names in matched.items() if names}


def refuse_twice(sent: Mapping[str, Sequence[str]], rule: str, where: str = "") -> None:
    """Refuse names of which two mean the same field: nothing tells which one is meant.

    Args:
        sent: what `match_names` gives.
        rule: what must be, in words to follow "Must have".
        where: the names are, in words that end with a blank.

    Raises:
        ParseFailed: there are such names.
    """
    for field, spellings in sent.items():
        if len(spellings) > 1:
            both = " and ".join(map(repr, spellings[:2]))
            raise ParseFailed(f"Must have {rule}, but {where}{both} both mean {field!r}.")


def check_utf8(block: bytes, offset: int) -> None:
    """Refuse what is not UTF-8, naming the byte."""
    try:
        block.decode("utf-8")
    except UnicodeDecodeError as error:
        at = offset + error.start
        shown = f"0x{block[error.start]:02x}"
        raise ParseFailed(f"Must be UTF-8: byte {shown} at byte offset {at} is not.", shown) from None


def remember(unmapped: dict[str, None], names: Iterable[str]) -> None:
    """Remember names that no field has: as many as a sync log tells, however many there are."""
    for name in names:
        if len(unmapped) >= UNMAPPED_NAMES_LOGGED:
            return
        unmapped[name] = None


class Utf8Pieces:
    """Bytes in any pieces, given on in pieces of whole characters, without the mark U+FEFF.

    The mark is no part of any value, at the start of a file or where files were put together.
    """

    def __init__(self) -> None:
        self.held = b""
        self.offset = 0

    def feed(self, data: bytes) -> bytes:
        """The whole characters so far that were not given yet.

        Raises:
            ParseFailed: something is not UTF-8.
        """
        data = self.held + data
        stop = end_of_characters(data)
        if NUL in data[: max(2 - self.offset, 0)]:
            raise ParseFailed("Must be UTF-8, but begins with a zero byte as UTF-16 does.", "0x00")
        self.held, data = data[stop:], data[:stop]
        check_utf8(data, self.offset)
        self.offset += stop
        # To look for one byte takes a tenth of the time that looking for several takes.
        return data.replace(BYTE_ORDER_MARK, b"") if BYTE_ORDER_MARK[0] in data else data

    def finish(self) -> None:
        """There is no more.

        Raises:
            ParseFailed: the last character is not whole.
        """
        check_utf8(self.held, self.offset)


def end_of_characters(data: bytes) -> int:
    """Where the last whole character of UTF-8 ends."""
    for back in range(1, min(len(data), 3) + 1):
        byte = data[-back]
        if byte >= LEADS:
            needed = 2 + (byte >= LEADS_THREE) + (byte >= LEADS_FOUR)
            return len(data) - back if needed > back else len(data)
        if byte < CONTINUES:
            break
    return len(data)
