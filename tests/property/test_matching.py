"""Matching of identifiers against the plainest function that could do it."""

from __future__ import annotations

import re

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from staithe.domain.fields import external_id
from staithe.domain.id_set import IdSet
from staithe.domain.identifiers import IdentifierKind, is_email_address
from staithe.domain.limits import CONTACT_ID
from staithe.staging.import_rows import not_plain
from staithe.staging.matching import OUTCOMES, match_batch
from staithe.staging.rows import UNREADABLE
from tests.property.effort import examples
from tests.property.model import normal, outcome_of

FIELD = "Id"
CONTACTS = {n: f"contact-{n}@example.com" for n in (1, 2, 7, 10, 65_535, 65_536, 65_537, 999_999_999, CONTACT_ID)}
CONTACTS |= {20: "Ünal@Exämple.com", 21: "MIXED.case+tag@Example.COM", 22: "日本@例え.jp", 23: "İ@x.tr", 24: ""}

BLANK = st.text(" \t\r\n\f\v", max_size=3)
ODD_BLANK = st.sampled_from(["", "", "", "\u00a0", "\u2003", "\u200b", "\x1c", "\x00"])
NUMBER = st.one_of(
    st.sampled_from([*CONTACTS, 0, 3, CONTACT_ID + 1, 2**32 + 1, 2**63, 2**64 + 1, 10**17, 10**18, 10**30]),
    st.integers(0, 2**33),
)
NUMBER_TEXT = st.builds(
    lambda sign, zeros, number, tail: f"{sign}{'0' * zeros}{number}{tail}",
    st.sampled_from(["", "", "", "", "+", "-"]),
    st.sampled_from([0, 0, 0, 1, 3, 30]),
    NUMBER,
    st.sampled_from(["", "", "", "", ".0", "e0", "a", " 1", "_0", ",0", "٣", "３"]),
)
EXTERNAL_TEXT = st.builds(
    lambda prefix, digits: prefix + digits,
    st.sampled_from(["CSTAI", "cstai", "CStai", "CSTA", "CTOOL", "XCSTAI", ""]),
    st.one_of(NUMBER.map(lambda n: f"{n:012d}"), st.text("0123456789", max_size=14), st.just("00000000000a")),
)
EMAIL = st.one_of(
    st.sampled_from(
        [*CONTACTS.values(), "nobody@example.com", "no", "a@b", "a@b@c.de", "a b@c.de", "<a@b.de>", "@b.de"]
    ),
    st.builds(lambda name: f"{name}@x.y", st.text("aBçİ🙂-.+", max_size=260)),
)
EMAIL_TEXT = st.builds(
    lambda text, change: change(text), EMAIL, st.sampled_from([str, str.upper, str.lower, str.title])
)
HEX = st.sampled_from(["0x1", "0X07", "1F", "0b1", "deadbeef", "1e1", "inf", "nan", "²", "①", "１", "", "null"])
TEXT = st.one_of(NUMBER_TEXT, EXTERNAL_TEXT, EMAIL_TEXT, HEX, st.text(max_size=5))
VALUE = st.one_of(
    st.none(), st.builds(lambda a, x, text, y, b: a + x + text + y + b, BLANK, ODD_BLANK, TEXT, ODD_BLANK, BLANK)
)
EASY = st.sampled_from([1, 2, 3, 7, 10, 65_536, 999_999_999]).map(str)
VALUES = st.one_of(st.lists(VALUE, max_size=30), st.lists(EASY, max_size=30))


def look_up(keys: list[str]) -> list[int]:
    assert keys == sorted(keys, key=str.encode), "the index is walked in order"
    by_key = {normal(email): number for number, email in CONTACTS.items() if email}
    return [(position << 32) + by_key[key] for position, key in enumerate(keys) if key in by_key]


@examples(350)
@given(st.sampled_from(list(IdentifierKind)), VALUES, st.sets(st.integers(0, 29)))
@example(IdentifierKind.CONTACT_ID, ["0"], set())
@example(IdentifierKind.CONTACT_ID, ["1", ""], set())
@example(IdentifierKind.EXTERNAL_ID, [external_id(1), external_id(3), " " + external_id(1).lower() + "\n"], {2})
def test_matches_as_the_plain_function_does(
    kind: IdentifierKind, values: list[str | None], unreadable: set[int]
) -> None:
    flags = [position in unreadable for position in range(len(values))]
    batch = pa.RecordBatch.from_arrays(
        [
            pa.array([None if f else v for v, f in zip(values, flags, strict=True)], pa.string()),
            pa.array(flags, pa.bool_()),
        ],
        names=[FIELD, UNREADABLE],
    )
    found = match_batch(batch, FIELD, kind, IdSet.of(CONTACTS), look_up)
    expected = [outcome_of(kind, v or "", CONTACTS, unreadable=f) for v, f in zip(values, flags, strict=True)]
    codes = [None if (code := OUTCOMES[int(o)]) is None else code.code for o in found.outcomes]
    assert codes == [code for _, code in expected]
    known = [number for number, code in expected if code is None]
    assert set(found.known) == set(known)
    assert (found.known_records, found.records) == (len(known), len(values))
    rows, numbers, reasons = found.rejected(first_record=7)
    rejected = [(p + 7, code) for p, (_, code) in enumerate(expected) if code is not None]
    assert list(zip(numbers, reasons, strict=True)) == rejected
    assert rows.column(FIELD).to_pylist() == [batch.column(FIELD)[number - 7].as_py() for number, _ in rejected]


@examples(100)
@given(st.sampled_from(list(IdentifierKind)), st.integers(0, 3))
def test_a_batch_without_the_field_has_no_identifiers(kind: IdentifierKind, count: int) -> None:
    batch = pa.RecordBatch.from_arrays(
        [pa.array(["1"] * count, pa.string()), pa.array([False] * count, pa.bool_())], names=["Other", UNREADABLE]
    )
    found = match_batch(batch, FIELD, kind, IdSet.of(CONTACTS), look_up)
    assert [OUTCOMES[int(o)].code for o in found.outcomes] == ["ELQ-00061"] * count


WORD = re.compile(r"[a-z]+")


@examples(300)
@given(st.text("ab@.", max_size=12))
def test_an_email_address_has_one_at_and_a_dot_behind_it(text: str) -> None:
    name, at, domain = text.partition("@")
    has_words = all(WORD.fullmatch(word) for word in [*name.split("."), *domain.split(".")])
    assert is_email_address(text) is (bool(at) and has_words and "." in domain)


@given(st.lists(st.text(alphabet='ab@@..,"<\n\0 é~!', max_size=12) | st.just("a" * 250 + "@b.c"), max_size=20))
@example(["a@b.c\n", "a@b.c", "é@b.c"])
@examples(300)
def test_a_text_that_looks_like_nearly_all_addresses_is_one(texts: list[str]) -> None:
    looked_at = not_plain(pa.array(texts, pa.string()))
    assert looked_at == sorted(looked_at)
    assert [p for p in looked_at if not is_email_address(texts[p])] == [
        p for p, text in enumerate(texts) if not is_email_address(text)
    ]
