"""The readers of uploads: what is sent is what is staged, whatever the format, the spelling and the pieces."""

from __future__ import annotations

import contextlib
import json
import random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from staithe.domain.errors import ParseFailed
from staithe.staging import csv_rows, json_rows
from tests.property.bodies import (
    BLOCK_SIZES,
    FIELDS,
    PIECE_SIZES,
    READERS,
    TEXT,
    Record,
    csv_reader,
    json_reader,
    read_all,
    readable,
    spell_csv,
    spell_json,
    without_marks,
)
from tests.property.effort import examples

CHANCE = st.integers(0, 2**32).map(random.Random)
VALUE = st.one_of(
    TEXT, st.integers(-(2**63), 2**64 - 1), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False)
)
UNMAPPED = ["name2", "Extra", "x},{", 'q"q', ""]
ROWS = st.lists(st.tuples(TEXT, TEXT), max_size=30)


def set_block_bytes(patch: pytest.MonkeyPatch, size: int) -> None:
    for module in (json_rows, csv_rows):
        patch.setattr(module, "BLOCK_BYTES", size)


def as_text(value: Any) -> str:
    """A value of JSON as the staging area must hold it: what was sent as null is an empty text."""
    if value is None or isinstance(value, str):
        return without_marks(value or "")
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value)


def as_row(record: Record) -> list[str | None]:
    """The values of the fields; None for what was not sent."""
    return [as_text(record[name]) if name in record else None for name in FIELDS]


@examples(80)
@given(ROWS, CHANCE, PIECE_SIZES, BLOCK_SIZES, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_json_and_csv_of_the_same_records_are_the_same_table(
    rows: list[tuple[str, str]],
    chance: random.Random,
    sizes: list[int],
    block: int,
    line_end: str,
    quote_all: bool,
) -> None:
    records: list[Record] = [dict(zip(FIELDS, row, strict=True)) for row in rows]
    with pytest.MonkeyPatch.context() as patch:
        set_block_bytes(patch, block)
        from_json = read_all(json_reader(), spell_json(records, chance), sizes)
        # Python's csv module, told to end lines with a line feed, leaves a carriage return in a value unquoted.
        quote_all = quote_all or (line_end == "\n" and any("\r" in value for row in rows for value in row))
        body = spell_csv(FIELDS, rows, line_end=line_end, quote_all=quote_all)
        from_csv = read_all(csv_reader(), body, sizes)
    assert from_json == [readable(map(without_marks, row)) for row in rows]
    assert from_csv == from_json


RECORDS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"Id": VALUE}),
        st.fixed_dictionaries({}, optional={name: VALUE for name in (*FIELDS, *UNMAPPED)}),
    ),
    max_size=25,
)


@examples(80)
@given(RECORDS, CHANCE, PIECE_SIZES, BLOCK_SIZES)
@example([{"Extra": 1}, {}], random.Random(0), [7], 1)
@example([{"Id": None}], random.Random(0), [7], 1)
@example([{}], random.Random(0), [7], 1)
def test_json_records_with_any_keys_and_values(
    records: list[Record], chance: random.Random, sizes: list[int], block: int
) -> None:
    reader = json_reader()
    with pytest.MonkeyPatch.context() as patch:
        set_block_bytes(patch, block)
        rows = read_all(reader, spell_json(records, chance), sizes)
    assert rows == [readable(as_row(record)) for record in records]
    sent = {name for record in records for name in record}
    assert set(reader.unmapped) == sent - set(FIELDS)
    assert reader.has_mapped_field is bool(sent & set(FIELDS))


@examples(50)
@given(
    st.permutations([*FIELDS, "Extra", "More"]),
    st.lists(st.tuples(TEXT, TEXT, TEXT, TEXT), max_size=20),
    PIECE_SIZES,
    BLOCK_SIZES,
    st.booleans(),
)
def test_csv_columns_in_any_order(
    names: list[str], rows: list[tuple[str, ...]], sizes: list[int], block: int, with_mark: bool
) -> None:
    reader = csv_reader()
    body = (b"\xef\xbb\xbf" if with_mark else b"") + spell_csv(names, rows, line_end="\r\n", quote_all=False)
    with pytest.MonkeyPatch.context() as patch:
        set_block_bytes(patch, block)
        found = read_all(reader, body, sizes)
    assert found == [readable([without_marks(row[names.index(field)]) for field in FIELDS]) for row in rows]
    assert (set(reader.unmapped), reader.has_mapped_field) == ({"Extra", "More"}, True)


@examples(50)
@given(
    st.lists(st.lists(st.text("ab1 é", min_size=1, max_size=4), min_size=1, max_size=4), max_size=20),
    PIECE_SIZES,
    BLOCK_SIZES,
)
def test_a_csv_line_with_another_number_of_values_is_one_unreadable_record(
    rows: list[list[str]], sizes: list[int], block: int
) -> None:
    body = spell_csv(FIELDS, rows, line_end="\n", quote_all=True)
    with pytest.MonkeyPatch.context() as patch:
        set_block_bytes(patch, block)
        found = read_all(csv_reader(), body, sizes)
    assert found == [[*[*row, ""][: len(FIELDS)], len(row) != len(FIELDS)] for row in rows]


FRAGMENTS = [b"[", b"]", b"{", b"}", b"},", b",", b":", b'"', b'"Id"', b'"Name"', b'{"Id":1}', b"1", b"-", b"1e999",
             b"null", b"NaN", b"true", b"\\", b"\\ud800", b"\n", b"\r", b"\r\n", b"Id", b"Name", b"Id,Name\n", b'""',
             b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\x00", b" ", b"9" * 23, b"\xe6\x97"]  # fmt: skip
BYTES = st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(FRAGMENTS), max_size=14).map(b"".join))


@pytest.mark.parametrize("kind", READERS)
@examples(130)
@given(BYTES, PIECE_SIZES, BLOCK_SIZES)
def test_any_bytes_parse_or_are_refused(kind: str, body: bytes, sizes: list[int], block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        set_block_bytes(patch, block)
        with contextlib.suppress(ParseFailed):
            read_all(READERS[kind](), body, sizes)


class NoJsonOfOurs(Exception):
    """JSON by its grammar, with a text that no encoding can hold, or a key of a field that comes twice."""


def refuse_constant(name: str) -> None:
    raise ValueError(name)


def check_members(members: list[tuple[str, Any]]) -> Record:
    """Makes an object of its members, also of those that later ones replace."""
    texts = [text for member in members for text in member if isinstance(text, str)]
    if any("\ud800" <= c <= "\udfff" for text in texts for c in text):
        raise NoJsonOfOurs
    keys = [key for key, _ in members if key in FIELDS]
    if len(keys) > len(set(keys)):
        raise NoJsonOfOurs
    return dict(members)


def load_flat_records(body: bytes) -> list[Record] | None:
    """What the standard library makes of a body; None if it is not an array of flat objects in JSON."""
    try:
        records = json.loads(
            body.decode("utf-8-sig"),
            parse_constant=refuse_constant,
            parse_float=str,
            parse_int=str,
            object_pairs_hook=check_members,
        )
    except ValueError:
        return None
    if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
        return None
    if any(isinstance(value, dict | list) for record in records for value in record.values()):
        return None
    return records


NUMBER = st.one_of(
    st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
    st.integers(2**63 - 2, 2**64 + 2).map(str),
)
MEMBER = st.builds(
    lambda name, value: f"{json.dumps(name)}:{value}",
    st.sampled_from(["Id", "Id", "Name", "Extra"]),
    st.one_of(NUMBER, TEXT.map(json.dumps), st.sampled_from(["null", "true", "false"])),
)
DOCUMENT = st.lists(st.lists(MEMBER, max_size=4).map(lambda m: "{" + ",".join(m) + "}"), max_size=6).map(
    lambda records: ("[" + ",".join(records) + "]").encode()
)
EDITS = st.lists(st.tuples(st.integers(0, 200), st.sampled_from(FRAGMENTS + [b""] * 4)), max_size=2)


def edited(document: bytes, edits: list[tuple[int, bytes]]) -> bytes:
    for position, fragment in edits:
        at = position % (len(document) + 1)
        document = document[:at] + fragment + document[at + 1 :]
    return document


@examples(170)
@given(st.builds(edited, DOCUMENT, EDITS), PIECE_SIZES, BLOCK_SIZES)
@example(b'[{"Id":1,"Id":2}]', [3], 1)
@example(b'[{"Id":1},]', [3], 1)
@example(b'[{"Id":1}', [3], 1)
@example(b'[{"Id":NaN}]', [3], 1)
@example(b'[{"Id":"\\ud800"}]', [3], 1)
@example(b'[{"Id":123456789012345678901234567890}]', [3], 1)
@example(b'[{"Id":-0.0},{"Id":-0}]', [3], 1)
def test_json_is_what_the_standard_library_takes_for_json(body: bytes, sizes: list[int], block: int) -> None:
    try:
        expected = load_flat_records(body)
    except NoJsonOfOurs:
        expected = None
    with pytest.MonkeyPatch.context() as patch:
        set_block_bytes(patch, block)
        try:
            found: list[list[str | None]] | None = read_all(json_reader(), body, sizes)
        except ParseFailed:
            found = None
    if expected is None:
        assert found is None, "the reader took what is no JSON array of flat objects"
    else:
        assert found == [readable(as_row(record)) for record in expected]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  ",
        b"{}",
        b"null",
        b"[",
        b"[{}",
        b"[{},]",
        b"[,]",
        b"[[]]",
        b'[{"Id":[]}]',
        b'[{"Id":{}}]',
        b'[{"Id":NaN}]',
        b'[{"Id":Infinity}]',
        b'[{"Id":1,"Id":1}]',
        b'[{"Id":1,"iD":1}]',
        b'[{"Id":' + b"[" * 20_000,
        b'[{"Id":"\\ud800"}]',
        b'[{"Id":"\xff"}]',
        b'[{"Id":01}]',
        b"[{'Id':1}]",
        b'[{"Id":1}] x',
        b'[{"Id":1}][]',
    ],
)
@pytest.mark.parametrize("block", [1, 256 * 1024])
def test_what_is_no_json_array_of_flat_objects_is_refused(
    body: bytes, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_block_bytes(monkeypatch, block)
    with pytest.raises(ParseFailed):
        read_all(json_reader(), body, [1])
