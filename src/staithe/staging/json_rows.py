"""Reads an upload in JSON: an array of flat objects, parsed block by block as it arrives."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, NoReturn

import msgspec
import pyarrow as pa
from msgspec import UNSET, UnsetType

from staithe.domain.errors import ParseFailed
from staithe.staging.rows import BLOCK_BYTES, BYTE_ORDER_MARK, check_utf8, make_batch, match_names

Scalar = str | int | float | bool | None
SHAPE: Final = "Must be a JSON array of flat objects"
BLANKS: Final = b" \t\r\n"


class JsonRows:
    """Implements `RowReader`.

    A block ends behind a `}` that a comma follows. If that was not the end of a record but stood inside a text,
    the block does not parse, because a text cannot be left open; then the reader waits for twice as much. So a
    valid body is never refused, and one that is not is at worst parsed twice.
    """

    def __init__(self, fields: Sequence[str]) -> None:
        self.fields = fields
        self.unmapped: dict[str, None] = {}
        self.has_mapped_field = False
        record = msgspec.defstruct(
            "Record",
            [(f"f{i}", Scalar | UnsetType, msgspec.field(default=UNSET, name=name)) for i, name in enumerate(fields)],
            forbid_unknown_fields=True,
            gc=False,
        )
        self.exact: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(list[record])
        self.getters = {name: attrgetter(f"f{i}") for i, name in enumerate(fields)}
        self.loose = msgspec.json.Decoder(list[dict[str, Scalar]])
        self.buffer = bytearray()
        self.offset = 0
        self.records = 0
        self.wanted_bytes = BLOCK_BYTES
        self.is_open = False

    def feed(self, data: bytes) -> Iterator[pa.RecordBatch]:
        """See `RowReader`."""
        self.buffer += data
        if not self.is_open and not self.open_array():
            return
        while len(self.buffer) >= self.wanted_bytes:
            end = self.buffer.rfind(b"},", 0, max(self.wanted_bytes, BLOCK_BYTES)) + 1
            batch = self.try_block(end) if end else None
            if batch is None:
                self.wanted_bytes *= 2
                continue
            del self.buffer[: end + 1]
            self.offset += end + 1
            self.wanted_bytes = BLOCK_BYTES
            yield batch

    def finish(self) -> Iterator[pa.RecordBatch]:
        """See `RowReader`."""
        if not self.is_open and not self.open_array():
            raise ParseFailed(f"{SHAPE}, but is empty.")
        if self.records and bytes(self.buffer).strip(BLANKS) == b"]":
            raise ParseFailed(f"{SHAPE}: byte offset {self.offset} has a ] where a record must follow the comma.")
        block = b"[" + self.buffer
        self.buffer = bytearray()
        check_utf8(block, self.offset - 1)
        try:
            yield self.parse(block)
        except msgspec.DecodeError as error:
            self.refuse(block, error)

    def open_array(self) -> bool:
        """Consume everything up to the opening bracket; false if it has not come yet."""
        mark = len(BYTE_ORDER_MARK) if self.buffer.startswith(BYTE_ORDER_MARK) else 0
        start = mark + len(self.buffer[mark:]) - len(self.buffer[mark:].lstrip(BLANKS))
        if start == len(self.buffer):
            return False
        if bytes(self.buffer[start : start + 1]) != b"[":
            check_utf8(bytes(self.buffer[start : start + 1]), start)
            found = chr(self.buffer[start])
            raise ParseFailed(f"{SHAPE}, but byte offset {start} has {found!r} where [ is expected.", found)
        del self.buffer[: start + 1]
        self.offset = start + 1
        self.is_open = True
        return True

    def try_block(self, end: int) -> pa.RecordBatch | None:
        """Parse the buffer up to `end`; None if that is no end of a record, or an error that `finish` will name."""
        block = b"[" + self.buffer[:end] + b"]"
        try:
            block.decode("utf-8")
            return self.parse(block)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def parse(self, block: bytes) -> pa.RecordBatch:
        try:
            records = self.exact.decode(block)
            columns = {name: list(map(get, records)) for name, get in self.getters.items()}
            if not self.has_mapped_field:
                self.has_mapped_field = any(v is not UNSET for values in columns.values() for v in values)
        except msgspec.ValidationError:
            records = self.loose.decode(block)
            columns = self.pick_columns(records)
        self.records += len(records)
        arrays = {name: to_text_array(values) for name, values in columns.items()}
        return make_batch(self.fields, arrays, len(records))

    def pick_columns(self, records: list[dict[str, Scalar]]) -> Mapping[str, list[Scalar | UnsetType]]:
        """Columns of records whose keys are not exactly the definition's fields."""
        names = list(dict.fromkeys(key for record in records for key in record))
        sent = match_names(self.fields, names)
        mapped = {name for spellings in sent.values() for name in spellings}
        self.unmapped.update(dict.fromkeys(name for name in names if name not in mapped))
        self.has_mapped_field = self.has_mapped_field or bool(sent)
        return {field: pick_values(records, spellings) for field, spellings in sent.items()}

    def refuse(self, block: bytes, error: msgspec.DecodeError) -> NoReturn:
        """Say where the body is wrong: the record's number, or the byte's offset."""
        text = str(error)
        if isinstance(error, msgspec.ValidationError):
            place = re.search(r"\$\[(\d+)\]", text)
            number = self.records + int(place[1]) + 1 if place else self.records + 1
            reason = text.partition(" - at")[0]
            raise ParseFailed(f"{SHAPE} of texts, numbers and booleans: record {number} is not ({reason}).") from error
        place = re.search(r"\(byte (\d+)\)", text)
        within = int(place[1]) if place else len(block)
        at = self.offset - 1 + within
        reason = text.removeprefix("JSON is malformed: ").partition(" (byte")[0]
        shown = block[within : within + 20].decode("utf-8", "replace") or None
        raise ParseFailed(f"{SHAPE}: byte offset {at} is not valid JSON ({reason}).", shown) from error


def pick_values(records: list[dict[str, Scalar]], spellings: list[str]) -> list[Scalar | UnsetType]:
    """The value of one field in each record: of the first spelling that the record has."""
    if len(spellings) == 1:
        return [record.get(spellings[0], UNSET) for record in records]
    return [next((record[name] for name in spellings if name in record), UNSET) for record in records]


def to_text_array(values: Sequence[Scalar | UnsetType]) -> pa.Array:
    """A text column of JSON values: the usual case, texts alone, takes the short way.

    A value that was not sent is null, and one sent as null is an empty text: an import leaves the one field as it is,
    and empties the other.
    """
    try:
        texts = pa.array(values, pa.string())
        if not texts.null_count:
            return texts
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        pass
    except UnicodeEncodeError:
        refuse_surrogate()
    try:
        return pa.array([None if value is UNSET else to_text(value) for value in values], pa.string())
    except UnicodeEncodeError:
        refuse_surrogate()


def refuse_surrogate() -> NoReturn:
    raise ParseFailed(f"{SHAPE}: a text has half of a surrogate pair, which is no character.") from None


def to_text(value: Scalar | UnsetType) -> str:
    """A JSON value as CSV would hold it; a number that is whole has no decimals, as in JSON 1.0 and 1 are the same."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)
