"""The filter language: text and tree are the same, and SQL with bitmaps finds what a loop over the records finds."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staithe.clock import system_clock
from staithe.domain.catalogue import Catalogue
from staithe.domain.companies import Role, User
from staithe.domain.filter_language import (
    All,
    Comparison,
    Exists,
    Filter,
    Membership,
    Negation,
    Status,
    all_of,
    any_of,
    negate,
    parse_filter,
    print_filter,
)
from staithe.domain.filter_language import Any as AnyOf
from staithe.domain.filter_plan import FilterContext, plan_filter
from staithe.domain.id_set import IdSet, SetChange
from staithe.services import accounts, contact_fields, segments
from staithe.services.caller import Caller
from staithe.services.finding import ContactFinder
from staithe.services.stores import Stores
from staithe.storage import assets, contacts, sets
from staithe.storage.contact_fields import load_catalogue
from tests.conftest import NewDatabase
from tests.property.effort import examples

# What is compared, by the loop below, without any code of the filters.

TEXTS = ("", "a", "A", "ab", "Ab%", "b_c", "é", "É", "[x]", "^", "-", "NL", "nl'd", "*?", "zz\ntop")
NUMBERS = (None, -1.5, 0.0, 2.0, 10.25)
DATES = (None, "1899-05-06 00:00:00", "2026-01-31 00:00:00", "2026-01-31 12:30:15.250")
EASTERN = ZoneInfo("America/New_York")
GUID = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
ORDERS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
Record = dict[str, Any]


def micros(text: str, zone: Any = UTC) -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=zone)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def make_records() -> list[Record]:
    return [
        {
            "id": number,
            "email": f"{text_of(number)}{number}@Example{number % 3}.com",
            "first": TEXTS[number % len(TEXTS)],
            "last": TEXTS[(number * 7) % len(TEXTS)],
            "number": NUMBERS[number % len(NUMBERS)],
            "date": DATES[number % len(DATES)],
            "created": micros("2026-03-01 10:00:00") + number * 1_500_123,
            "list": number % 3 == 0,
            "group": ("subscribed", "unsubscribed", "")[number % 3],
            "unsubscribed": number % 4 == 0,
            "bounced": number % 5 == 0,
            "pending": number % 7 == 0,
        }
        for number in range(1, 61)
    ]


def text_of(number: int) -> str:
    return "abcAB"[number % 5]


RECORDS = make_records()


class Company:
    """A company that has the records."""

    def __init__(self, folder: Path, database: str) -> None:
        self.stores = Stores(folder, database)
        company = accounts.create_company(self.stores, "acme", system_clock())
        self.store = self.stores.open(company)
        self.caller = Caller(User(1, company, "ann", Role.ADMIN), self.stores, self.store, system_clock())
        for name, kind in (("Points", "numeric"), ("Since", "date")):
            contact_fields.create(self.caller, {"name": name, "dataType": kind})
        with self.store.database.write() as connection:
            catalogue = load_catalogue(connection)
            columns = {"name": "any", "description": None, "data_lookup_id": "any"}
            assets.add_asset(connection, "contactlist", columns, 0, "ann")
            assets.add_asset(connection, "emailgroup", {**columns, "properties": "{}"}, 0, "ann")
            for record in RECORDS:
                change = sets.record_change(connection, "test", 0, "ann")
                values = {
                    "C_EmailAddress": record["email"],
                    "C_FirstName": record["first"] or None,
                    "C_LastName": record["last"] or None,
                    "C_Points1": record["number"],
                    "C_Since1": None if record["date"] is None else micros(record["date"]),
                }
                made = contacts.add_contact(connection, catalogue, values, record["created"], "ann", change)
                assert made == record["id"]
            wanted = {
                "contactList/1": lambda r: r["list"],
                "emailGroup/1/subscribed": lambda r: r["group"] == "subscribed",
                "emailGroup/1/unsubscribed": lambda r: r["group"] == "unsubscribed",
                "globalUnsubscribed": lambda r: r["unsubscribed"],
                "bounced": lambda r: r["bounced"],
                f"actioninstance/{GUID}/31/pending": lambda r: r["pending"],
            }
            changes = {
                name: SetChange(IdSet.of(r["id"] for r in RECORDS if is_in(r)), IdSet())
                for name, is_in in wanted.items()
            }
            sets.change_sets(connection, change, changes)
        segments.create(self.caller, "contactsegment", SEGMENT)

    def find(self, tree: Filter, zone: Any) -> set[int]:
        with self.store.database.read() as connection:
            catalogue: Catalogue = load_catalogue(connection)
            return set(ContactFinder(connection, catalogue).find(plan_filter(tree, FilterContext(catalogue, zone))))


SEGMENT = {
    "name": "listed, but for first names with an a",
    "elements": [
        {"type": "ContactListSegmentElement", "list": {"id": "1"}},
        {
            "type": "ContactFilterSegmentElement",
            "isIncluded": "false",
            "filter": {
                "criteria": [
                    {
                        "type": "ContactFieldCriterion",
                        "fieldId": "100002",
                        "condition": {"type": "TextValueCondition", "operator": "contains", "value": "a"},
                    }
                ]
            },
        },
    ],
}


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase) -> Iterator[Company]:
    made = Company(tmp_path_factory.mktemp("company"), new_database())
    yield made
    made.stores.close()


# The naive evaluation.

FIELDS = {
    "{{Contact.Field(C_FirstName)}}": lambda r: r["first"],
    "{{contact.field(c_lastname)}}": lambda r: r["last"],
    "{{Contact.Field(C_EmailAddress)}}": lambda r: r["email"],
    "{{Contact.Field(C_FirstAndLastName)}}": lambda r: f"{r['first']} {r['last']}".strip(),
    "{{Contact.Field(C_EmailAddressDomain)}}": lambda r: r["email"].partition("@")[2],
    "{{Contact.Field(ContactIDExt)}}": lambda r: f"CSTAI{r['id']:012}",
    "{{EmailGroup[1]}}": lambda r: r["group"],
}
STATES = {
    "{{Contact.Email.IsSubscribed}}": lambda r: not r["unsubscribed"],
    "{{Contact.Email.IsBounced}}": lambda r: r["bounced"],
    "{{ContactList[1]}}": lambda r: r["list"],
}
TRUTHS = {"True": True, "1": True, "yEs": True, " y ": True, "FALSE": False, "0": False, "no": False, "N": False}
NUMERIC = {"{{Contact.Id}}": lambda r: float(r["id"]), "{{Contact.Field(C_Points1)}}": lambda r: r["number"]}
DATED = {"{{Contact.Field(C_Since1)}}": lambda r: None if r["date"] is None else micros(r["date"])}
SYSTEM = dict.fromkeys(
    ("{{Contact.CreatedAt}}", "{{Contact.UpdatedAt}}", "{{Contact.Field(C_DateCreated)}}"),
    lambda r: r["created"] // 1000 * 1000,
)


def lower(text: str) -> str:
    return "".join(c.casefold() if len(c.casefold()) == 1 else c for c in text)


def like(pattern: str, text: str) -> bool:
    """Character by character, as SQL Server's page on LIKE tells it."""
    if not pattern:
        return not text
    if pattern[0] == "%":
        return any(like(pattern[1:], text[n:]) for n in range(len(text) + 1))
    end = pattern.find("]")
    if pattern[0] == "[" and end > 1:
        inside = pattern[1:end]
        negated = len(inside) > 1 and inside[0] == "^"
        return bool(text) and (one_of(inside[negated:], text[0]) != negated) and like(pattern[end + 1 :], text[1:])
    return bool(text) and pattern[0] in ("_", text[0]) and like(pattern[1:], text[1:])


def one_of(members: str, character: str) -> bool:
    while members:
        if len(members) > 2 and members[1] == "-":
            if members[0] <= character <= members[2]:
                return True
            members = members[3:]
        elif members[0] == character:
            return True
        else:
            members = members[1:]
    return False


def compare(value: Any, operator: str, wanted: list[Any]) -> bool:
    """None and an empty text are no value."""
    empty = value is None or value == ""
    if operator in ("=", "IN", "!="):
        found = any(empty if w == "" else (not empty and value == w) for w in wanted)
        return found != (operator == "!=")
    if empty:
        return False
    if operator == "~":
        return like(wanted[0], value)
    if wanted[0] == "":
        return operator in (">", ">=")
    return bool(ORDERS[operator](value, wanted[0]))


def holds(tree: Filter, record: Record, zone: Any) -> bool:
    match tree:
        case All(operands):
            return all(holds(o, record, zone) for o in operands)
        case AnyOf(operands):
            return any(holds(o, record, zone) for o in operands)
        case Negation(operand):
            return not holds(operand, record, zone)
        case Exists("{{ContactList[1]}}"):
            return bool(record["list"])
        case Exists():
            return record["list"] and "a" not in lower(record["first"])
        case Status():
            return bool(record["pending"])
        case Comparison(statement, comparator, value):
            return holds_test(statement, comparator, [value], record, zone)
        case Membership(statement, values):
            return holds_test(statement, "IN", list(values), record, zone)


def holds_test(statement: str, comparator: str, values: list[str], record: Record, zone: Any) -> bool:
    if statement in FIELDS:
        return compare(lower(FIELDS[statement](record)), comparator, [lower(v) for v in values])
    if statement in STATES:
        return compare(STATES[statement](record), comparator, [TRUTHS[v] for v in values])
    if statement in NUMERIC:
        return compare(NUMERIC[statement](record), comparator, [float(v) if v else "" for v in values])
    given, used = (DATED, UTC) if statement in DATED else (SYSTEM, zone)
    return compare(given[statement](record), comparator, [micros(v, used) if v else "" for v in values])


# Random filters.

PATTERNS = (
    "%",
    "a%",
    "%A",
    "_",
    "_b%",
    "[a-c]%",
    "[^a]%",
    "%[%]",
    "[z-a]",
    "[-^]",
    "[",
    "%[",
    "nl_d",
    "*?",
    "%\ntop",
    "",
)
COMPARATORS = ("=", "!=", "<", "<=", ">", ">=")
DATE_TEXTS = (
    "",
    "2026-01-31",
    "2026-01-31 12:30:15.250",
    "1899-05-06",
    "2026-03-01 10:00:16",
    "2026-03-01 05:00:16.501",
)


def comparisons(
    statements: Any, values: tuple[str, ...], comparators: tuple[str, ...] = COMPARATORS
) -> st.SearchStrategy[Filter]:
    names, value = st.sampled_from(sorted(statements)), st.sampled_from(values)
    return st.one_of(
        st.builds(Comparison, names, st.sampled_from(comparators), value),
        st.builds(Membership, names, st.lists(value, min_size=1, max_size=4).map(tuple)),
    )


VALUES = (*TEXTS, "True", "false", "Subscribed", "example1.com", "c7@Example1.com", "CSTAI000000000007")
LEAVES = st.one_of(
    comparisons(FIELDS, VALUES),
    st.builds(Comparison, st.sampled_from(sorted(FIELDS)), st.just("~"), st.sampled_from(PATTERNS)),
    comparisons(STATES, tuple(TRUTHS), ("=", "!=")),
    comparisons(NUMERIC, ("", "0", "-1.5", "2", "10.25", "33")),
    comparisons(DATED, DATE_TEXTS),
    comparisons(SYSTEM, DATE_TEXTS),
    st.sampled_from([Exists("{{ContactList[1]}}"), Exists("{{ContactSegment[1]}}")]),
    st.just(Status(f"{{{{ActionInstance({GUID}).Execution[31]}}}}", "Pending")),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map(all_of),
        st.lists(inner, min_size=2, max_size=4).map(any_of),
        inner.map(negate),
    ),
    max_leaves=8,
)
ANY_TEXT = st.text(max_size=12)
ANY_LEAVES = st.one_of(
    st.builds(Comparison, ANY_TEXT, st.sampled_from([*COMPARATORS, "~"]), ANY_TEXT),
    st.builds(Membership, ANY_TEXT, st.lists(ANY_TEXT, min_size=1, max_size=3).map(tuple)),
    st.builds(Exists, ANY_TEXT),
    st.builds(Status, ANY_TEXT, ANY_TEXT),
)
ANY_TREES = st.recursive(
    ANY_LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(all_of),
        st.lists(inner, min_size=2, max_size=3).map(any_of),
        inner.map(negate),
    ),
    max_leaves=10,
)


@examples(700)
@given(ANY_TREES)
def test_a_printed_filter_is_parsed_to_the_same_tree(tree: Filter) -> None:
    assert parse_filter(print_filter(tree)) == tree


@examples(350)
@given(TREES, st.randoms(use_true_random=False))
def test_keywords_and_blanks_are_free(tree: Filter, chance: Any) -> None:
    pieces = re.split(r"('(?:[^']|'')*')", print_filter(tree))
    blanks = ["", " ", "\n\t"]
    loose = [
        piece
        if number % 2
        else "".join(
            chance.choice(blanks) + chance.choice([word.upper(), word.lower()]) + chance.choice(blanks)
            for word in re.findall(r"[A-Z]+|[()]|[<>!]?=|[<>~,]", piece)
        )
        for number, piece in enumerate(pieces)
    ]
    # A keyword must not run into the next.
    text = re.sub(r"(?i)(AND|OR|NOT)(?=AND|OR|NOT|EXISTS|STATUS)", r"\1 ", "".join(loose))
    assert parse_filter(text) == tree


@examples(1300)
@given(st.text(alphabet="'()=!<>~, ANDORTINEXSU{}a", max_size=40))
def test_any_text_is_a_filter_or_refused_with_a_place(text: str) -> None:
    problem = ""
    try:
        tree = parse_filter(text)
        assert parse_filter(print_filter(tree)) == tree
    except ValueError as error:
        problem = str(error)
    assert not problem or re.match(r"must .*(at character \d+|at its end|of character \d+)", problem, re.DOTALL)


@examples(500)
@given(tree=TREES, in_utc=st.booleans())
def test_sql_and_bitmaps_find_what_a_loop_over_the_records_finds(company: Company, tree: Filter, in_utc: bool) -> None:
    zone = UTC if in_utc else EASTERN
    expected = {record["id"] for record in RECORDS if holds(tree, record, zone)}
    assert company.find(tree, zone) == expected, print_filter(tree)


@pytest.mark.parametrize("statement", [*FIELDS, *STATES, *NUMERIC, *DATED, *SYSTEM])
def test_the_random_filters_can_find_some_and_not_all(company: Company, statement: str) -> None:
    values: tuple[str, ...] = VALUES
    if statement in (*DATED, *SYSTEM):
        values = DATE_TEXTS
    elif statement in NUMERIC:
        values = ("0", "33", "2")
    comparators = COMPARATORS
    if statement in STATES:
        values, comparators = tuple(TRUTHS), ("=", "!=")
    trees = [Comparison(statement, comparator, value) for comparator in comparators for value in values]
    assert any(0 < len(company.find(tree, UTC)) < len(RECORDS) for tree in trees)
