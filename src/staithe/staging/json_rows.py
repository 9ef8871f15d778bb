"""Reads an upload in JSON: an array of flat objects, parsed block by block as it arrives."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, NoReturn

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import UNSET

from staithe.domain.errors import ParseFailed
from staithe.domain.names import MARK
from staithe.staging.matching import compute
from staithe.staging.rows import (
    BLOCK_BYTES,
    BYTE_ORDER_MARK,
    check_utf8,
    make_batch,
    match_names,
    refuse_twice,
    remember,
)

Scalar = str | int | float | bool | None
SHAPE: Final = "Must be a JSON array of flat objects"
BLANKS: Final = b" \t\r\n"
QUOTE, BACKSLASH, CLOSING_BRACE, COLON, MINUS, ZERO, BLANK = b'"\\}:-0 '
NEGATIVE_ZERO: Final = re.compile(rb"[:\s]-0\s*[,}]")
KEY_END: Final = re.compile(rb'(?<!\\)"\s*:')
NO_RECORD: Final = re.compile(rb",[ \t\r\n]*\]")
ESCAPED_MARK: Final = re.compile(rb"\\u[fF][eE][fF][fF]")


class NotFlat(Exception):
    """A value is an array or an object."""


class JsonRows:
    """Implements `RowReader`.

    A block ends behind the last `}` that stands in no text. Numbers are staged with the characters that were sent. A
    record with two keys that mean the same field is refused, as a header with two such columns is.
    """

    def __init__(self, fields: Sequence[str]) -> None:
        self.fields = fields
        self.unmapped: dict[str, None] = {}
        self.has_mapped_field = False
        record = msgspec.defstruct(
            "Record",
            [(f"f{i}", Any, msgspec.field(default=UNSET, name=name)) for i, name in enumerate(fields)],
            forbid_unknown_fields=True,
            gc=False,
        )
        # A number with a fraction or an exponent becomes the text that it is.
        self.exact: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(list[record], float_hook=str)
        self.getters = {name: attrgetter(f"f{i}") for i, name in enumerate(fields)}
        self.loose = msgspec.json.Decoder(list[dict[str, Any]], float_hook=str)
        self.flat = msgspec.json.Decoder(list[dict[str, Scalar]])
        self.counts_keys = not any(name.endswith("\\") for name in fields)
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
            block = bytes(self.buffer[: self.wanted_bytes])
            end = end_of_records(block)
            if not end:
                self.wanted_bytes *= 2
                continue
            self.wanted_bytes = BLOCK_BYTES
            del self.buffer[:end]
            yield self.take_block(block[:end], b"]")
            self.offset += end

    def finish(self) -> Iterator[pa.RecordBatch]:
        """See `RowReader`."""
        if not self.is_open and not self.open_array():
            raise ParseFailed(f"{SHAPE}, but is empty.")
        block = bytes(self.buffer)
        self.buffer = bytearray()
        yield self.take_block(block, b"")

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

    def take_block(self, block: bytes, closing: bytes) -> pa.RecordBatch:
        """The records of a block, which begins with the comma behind the last record before it, if there is one.

        Args:
            block: the next part of the body.
            closing: what it lacks to be the end of an array.

        Raises:
            ParseFailed: it is not valid.
        """
        check_utf8(block, self.offset)
        array = self.to_array(block, closing)
        try:
            batch = self.parse(array)
        except (msgspec.DecodeError, NotFlat, RecursionError) as error:
            self.refuse(array, error)
        self.records += batch.num_rows
        return batch

    def to_array(self, block: bytes, closing: bytes) -> bytes:
        """A block as an array of its own, in which each byte stands one place behind its place in the block."""
        if not self.records:
            return b"".join((b"[", block, closing))
        start = len(block) - len(block.lstrip(BLANKS)) if block[:1] not in (b",", b"]") else 0
        found = block[start : start + 1]
        without_record = NO_RECORD.match(block, start)
        if without_record:
            at = self.offset + without_record.end() - 1
            raise ParseFailed(f"{SHAPE}: byte offset {at} has a ] where a record must follow the comma.")
        if found not in (b",", b"]"):
            shown = block[start : start + 20].decode("utf-8", "replace") or None
            at, reason = self.offset + start, "expected ',' or ']'" if found else "Input data was truncated"
            raise ParseFailed(f"{SHAPE}: byte offset {at} is not valid JSON ({reason}).", shown)
        behind = start + (found == b",")
        return b"".join((b" " * behind, b"[", memoryview(block)[behind:], closing))

    def parse(self, array: bytes) -> pa.RecordBatch:
        """The records of an array.

        Raises:
            msgspec.DecodeError, RecursionError: it is not valid.
            NotFlat: a value is an array or an object.
            ParseFailed: a record has two keys that mean the same field, or a text is none.
        """
        try:
            records = self.exact.decode(array)
        except msgspec.ValidationError:
            return self.parse_loosely(array)
        columns = {name: list(map(get, records)) for name, get in self.getters.items()}
        arrays = {name: to_text_array(values) for name, values in columns.items()}
        given = sum(len(records) - texts.null_count for texts in arrays.values())
        if not self.counts_keys or has_negative_zero(array) or has_more_keys(array, given):
            return self.parse_exactly(array)
        self.has_mapped_field = self.has_mapped_field or given > 0
        return self.to_batch(array, arrays, len(records))

    def parse_loosely(self, array: bytes) -> pa.RecordBatch:
        """The same of records whose keys are not exactly the definition's fields."""
        records = self.loose.decode(array)
        names = {key for record in records for key in record}
        has_odd_names = any(name.endswith("\\") for name in names)
        if has_odd_names or has_negative_zero(array) or has_more_keys(array, sum(map(len, records))):
            return self.parse_exactly(array)
        return self.pick_columns(array, records)

    def parse_exactly(self, array: bytes) -> pa.RecordBatch:
        """The same, slowly: with each key as often as it comes, and each number as it is written."""
        number = self.records

        def to_record(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            nonlocal number
            number += 1
            record = dict(pairs)
            if len(record) < len(pairs):
                self.refuse_keys([key for key, _ in pairs], number)
            return record

        decoder = json.JSONDecoder(object_pairs_hook=to_record, parse_float=str, parse_int=str)
        return self.pick_columns(array, decoder.decode(array.decode()))

    def refuse_keys(self, keys: Sequence[str], number: int) -> None:
        """Refuse a record of which two keys mean the same field.

        Raises:
            ParseFailed: there are such keys.
        """
        refuse_twice(match_names(self.fields, keys), "one value for each field", f"in record {number} ")

    def pick_columns(self, array: bytes, records: list[dict[str, Any]]) -> pa.RecordBatch:
        """The batch of records whose keys are not exactly the definition's fields."""
        names = list(dict.fromkeys(key for record in records for key in record))
        sent = match_names(self.fields, names)
        mapped = {name for spellings in sent.values() for name in spellings}
        remember(self.unmapped, (name for name in names if name not in mapped))
        self.has_mapped_field = self.has_mapped_field or bool(sent)
        if any(len(spellings) > 1 for spellings in sent.values()):
            for number, record in enumerate(records, self.records + 1):
                self.refuse_keys(list(record), number)
        columns = {field: pick_values(records, spellings) for field, spellings in sent.items()}
        if len(mapped) < len(names) and any(isinstance(v, list | dict) for record in records for v in record.values()):
            raise NotFlat
        arrays = {name: to_text_array(values) for name, values in columns.items()}
        return self.to_batch(array, arrays, len(records))

    def to_batch(self, array: bytes, columns: Mapping[str, pa.Array], count: int) -> pa.RecordBatch:
        if has_marks(array):
            columns = {name: compute.replace_substring(texts, MARK, "") for name, texts in columns.items()}
        return make_batch(self.fields, columns, count)

    def refuse(self, array: bytes, error: Exception) -> NoReturn:
        """Say where the body is wrong: the record's number, or the byte's offset.

        What comes first counts, so the records are read once more as what they must be.
        """
        try:
            self.flat.decode(array)
        except msgspec.ValidationError as found:
            text = str(found)
            place = re.search(r"\$\[(\d+)\]", text)
            number = self.records + int(place[1]) + 1 if place else self.records + 1
            reason = text.partition(" - at")[0]
            rule = f"{SHAPE} of texts, numbers and booleans: record {number} is not ({reason})."
            raise ParseFailed(rule) from error
        except msgspec.DecodeError as found:
            text = str(found)
            place = re.search(r"\(byte (\d+)\)", text)
            within = int(place[1]) if place else len(array)
            at = self.offset - 1 + within
            reason = text.removeprefix("JSON is malformed: ").partition(" (byte")[0]
            shown = array[within : within + 20].decode("utf-8", "replace") or None
            raise ParseFailed(f"{SHAPE}: byte offset {at} is not valid JSON ({reason}).", shown) from error
        raise error


def end_of_records(block: bytes) -> int:
    """Where the last record of a block ends: behind the last `}` that stands in no text; 0 if there is none.

    Args:
        block: JSON that begins outside of texts.
    """
    end = block.rfind(b"}") + 1
    data = np.frombuffer(block, np.uint8)
    is_quote = data == QUOTE
    has_escapes = BACKSLASH in block
    if not has_escapes and np.count_nonzero(is_quote[:end]) % 2 == 0:
        return end
    if has_escapes:
        # A character behind an odd number of backslashes is escaped.
        is_backslash = np.zeros(len(block) + 2, np.bool_)
        np.equal(data, BACKSLASH, out=is_backslash[1:-1])
        edges = np.flatnonzero(is_backslash[1:] != is_backslash[:-1])
        starts, stops = edges[0::2], edges[1::2]
        escaped = stops[((stops - starts) & 1) == 1]
        is_quote[escaped[escaped < len(block)]] = False
    is_inside = np.bitwise_xor.accumulate(is_quote.view(np.uint8))
    ends = np.flatnonzero((data == CLOSING_BRACE) & (is_inside == 0))
    return int(ends[-1]) + 1 if len(ends) else 0


def has_more_keys(array: bytes, least: int) -> bool:
    """Whether an array of objects has more keys than a number that it has at least. No key ends with a backslash.

    Behind each key stands a colon, perhaps after blanks, and behind no other text. Inside a text each quote follows a
    backslash.
    """
    data = np.frombuffer(array, np.uint8)
    is_colon = data == COLON
    # As a rule no text has a colon.
    if np.count_nonzero(is_colon) == least:
        return False
    colons = np.flatnonzero(is_colon)
    before = data[colons - 1]
    if (before <= BLANK).any():
        return len(KEY_END.findall(array)) > least
    ends = colons[before == QUOTE]
    return len(ends) - int(np.count_nonzero(data[ends - 2] == BACKSLASH)) > least


def has_negative_zero(array: bytes) -> bool:
    """Whether a number is perhaps -0, which is another text than 0."""
    if MINUS not in array:
        return False
    data = np.frombuffer(array, np.uint8)
    begins = (data[1:-1] == MINUS) & (data[2:] == ZERO) & ((data[:-2] == COLON) | (data[:-2] <= BLANK))
    return bool(begins.any()) and NEGATIVE_ZERO.search(array) is not None


def has_marks(array: bytes) -> bool:
    """Whether there is perhaps the mark U+FEFF, as it is or escaped."""
    # To look for one byte takes a tenth of the time that looking for several takes.
    as_it_is = BYTE_ORDER_MARK[0] in array and BYTE_ORDER_MARK in array
    return as_it_is or (BACKSLASH in array and ESCAPED_MARK.search(array) is not None)


def pick_values(records: list[dict[str, Any]], spellings: list[str]) -> list[Any]:
    """The value of one field in each record, whichever spelling it has."""
    if len(spellings) == 1:
        return [record.get(spellings[0], UNSET) for record in records]
    return [next((record[name] for name in spellings if name in record), UNSET) for record in records]


def to_text_array(values: Sequence[Any]) -> pa.Array:
    """A text column of JSON values: the usual case, texts alone, takes the short way.

    A value that was not sent is null, and one sent as null is an empty text: an import leaves the one field as it is,
    and empties the other.

    Raises:
        NotFlat: a value is an array or an object.
        ParseFailed: a text is none.
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


def to_text(value: Scalar) -> str:
    """A JSON value as CSV would hold it.

    Raises:
        NotFlat: it is an array or an object.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    raise NotFlat
