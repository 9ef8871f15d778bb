"""Patterns of `~` and of searches: what they match on both databases, and that none takes long, whoever wrote it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import ColumnElement, func, literal, select

from staithe.clock import system_clock
from staithe.domain import segments, values
from staithe.domain.errors import ValidationFailed
from staithe.domain.list_query import Condition, PropertyType
from staithe.domain.search_query import read_search
from staithe.domain.wildcards import matches, split_pattern
from staithe.observing.logs import VALUES_OF_ROWS
from staithe.services import accounts
from staithe.services.stores import Stores
from staithe.services.syncs import DEFINITION_URI, SLASHES
from staithe.storage import dialect
from staithe.storage.database import Connection, Database
from staithe.storage.listing import like
from staithe.storage.tables import TEXT
from tests.conftest import NewDatabase
from tests.property.effort import examples
from tests.property.test_filters import like as naive_like

MARKS = "ab%_[]^-*?\\"
PATTERNS = st.one_of(st.text(MARKS, max_size=7), st.from_regex(r"(%|_|a|\[\^?[ab^*-]{1,3}\]){0,5}", fullmatch=True))
TEXTS = st.text(MARKS + "é\n", max_size=5)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase) -> Iterator[Database]:
    stores = Stores(tmp_path_factory.mktemp("patterns"), new_database())
    yield stores.open(accounts.create_company(stores, "acme", system_clock())).database
    stores.close()


def column(connection: Connection, text: str) -> ColumnElement[str]:
    """A text as columns hold it."""
    value = literal(text, TEXT)
    return value.collate("C") if connection.dialect.name == "postgresql" else value


@examples(100)
@given(st.lists(st.tuples(PATTERNS, TEXTS), min_size=1, max_size=20))
def test_the_database_and_python_match_what_like_matches(database: Database, pairs: Sequence[tuple[str, str]]) -> None:
    expected = [naive_like(pattern, text) for pattern, text in pairs]
    assert [matches(list(split_pattern(pattern)), text) for pattern, text in pairs] == expected
    with database.read() as connection:
        own = dialect.of(connection)
        found = connection.execute(select(*(own.matches(column(connection, t), p) for p, t in pairs))).one()
        assert [bool(is_match) for is_match in found] == expected


HOSTILE = {
    "many times any text": "%a%a%a%a%a%a%[b]",
    "sets": "%[ab]" * 150 + "%[b]",
    "a long set": "%" + "[a-c]" * 150 + "[b]%",
    "a long text": "%" + "a" * 900 + "b%",
    "any characters": "%_" * 400 + "b",
    "any text alone": "%" * 900 + "b",
    "halves": ("%" + "a" * 100 + "[ab]") * 8 + "%b",
    "negated": "%[^b]%[^c]%[^d]%[^e]%[^a]",
}
"""None matches a text of `a`, and each could be tried in very many ways."""


def seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    """What a clock says that something took, at best of three."""
    took: list[float] = []
    for _ in range(3):
        began = clock()
        work()
        took.append(clock() - began)
    return min(took)


def growth(
    work: Callable[[str], object], short: str, long: str, clock: Callable[[], float] = time.process_time
) -> float:
    """How many times as long the second text takes; what takes a millisecond counts as one.

    The clock is that of this process: on a busy machine it alone tells how long something takes.
    """
    return seconds(lambda: work(long), clock) / max(seconds(lambda: work(short), clock), 0.001)


def clock_of(connection: Connection) -> Callable[[], float]:
    """What measures a statement: SQLite works in this process, PostgreSQL elsewhere."""
    return time.process_time if connection.dialect.name == "sqlite" else time.perf_counter


@pytest.mark.parametrize("pattern", HOSTILE.values(), ids=list(HOSTILE))
def test_no_pattern_takes_more_than_the_product_of_the_lengths(database: Database, pattern: str) -> None:
    """A text eight times as long takes eight times as long; the square would be 64, the cube 512."""
    assert not matches(list(split_pattern(pattern)), "a" * 1000)
    with database.read() as connection:
        own = dialect.of(connection)

        def find(text: str) -> None:
            assert not connection.execute(select(own.matches(column(connection, text), pattern))).scalar_one()

        assert growth(find, "a" * 1000, "a" * 8000, clock_of(connection)) < 40


def test_no_search_takes_more_than_the_product_of_the_lengths(database: Database) -> None:
    with database.read() as connection:
        for pattern in ("*a*a*a*a*a*a*b", "*" + "a" * 100 + "b*", "*" * 900 + "b"):

            def find(text: str, pattern: str = pattern) -> None:
                found = select(func.coalesce(like(column(connection, text), pattern), False))
                assert not connection.execute(found).scalar_one()

            assert growth(find, "a" * 1000, "a" * 8000, clock_of(connection)) < 40


def read(text: str) -> tuple[tuple[Condition, ...], tuple[Condition, ...]]:
    return read_search(text, {"name": PropertyType.TEXT, "id": PropertyType.NUMBER})


def search(text: str) -> object:
    """The terms of a search, or why it is refused."""
    try:
        return read(text)
    except ValidationFailed as error:
        return error


def refused(text: str) -> bool:
    try:
        values.parse_number(text)
    except ValueError:
        return True
    return False


READERS: dict[str, tuple[Callable[[str], object], str, str, str]] = {
    "slashes in an address": (lambda t: DEFINITION_URI.fullmatch(SLASHES.sub("/", t)), "", "/", "!"),
    "parts of an address": (lambda t: DEFINITION_URI.fullmatch(SLASHES.sub("/", t)), "/api/bulk/2.0", "/a", "!"),
    "digits of a number": (refused, "", "1", "x"),
    "digits of a statement": (segments.STATEMENT.fullmatch, "", "1", "x"),
    "minus signs of a statement": (segments.STATEMENT.fullmatch, "", "-1", "x"),
    "blanks of a search": (search, "name=", " ", "x"),
    "quotes of a search": (search, "name='", "' ", "x"),
    "terms of a search": (search, "", "name='a", ""),
    "empty lines of an error": (VALUES_OF_ROWS.findall, "", "\n", "x"),
}
"""(what reads a text, how it begins, what it repeats, how it ends): each was slow once, or could easily be."""


@pytest.mark.parametrize(("reader", "begin", "repeated", "end"), READERS.values(), ids=list(READERS))
def test_no_text_takes_more_than_its_length(
    reader: Callable[[str], object], begin: str, repeated: str, end: str
) -> None:
    def text(length: int) -> str:
        return begin + repeated * (length // len(repeated)) + end

    assert growth(reader, text(1000), text(15_000)) < 100


def test_values_of_a_search_end_where_the_next_term_begins() -> None:
    def terms(text: str) -> list[tuple[str, str, object]]:
        alternatives, restrictions = read(text)
        return [(term.name, term.operator, term.value) for term in (*alternatives, *restrictions)]

    assert terms("name='a' name=\"b\"id>3") == [("name", "=", "a"), ("name", "=", "b"), ("id", ">", 3)]
    assert terms("name=a b  ID <= 4") == [("name", "=", "a b"), ("id", "<=", 4)]
    assert terms("name='it's' id>1") == [("name", "=", "it's"), ("id", ">", 1)]
    assert terms("name='open id>1") == [("name", "=", "'open"), ("id", ">", 1)]
    assert terms("name=name='x'") == [("name", "=", ""), ("name", "=", "x")]
    assert terms("name=''") == [("name", "=", "")]
