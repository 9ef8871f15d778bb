"""The statements that are SQLite's own; `staithe.storage.dialect` says what each of them is for."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, repeat
from typing import Any, Final, NamedTuple, cast

import msgspec
from sqlalchemy import (
    ClauseElement,
    ColumnElement,
    Connection,
    Select,
    Table,
    TextClause,
    bindparam,
    func,
    insert,
    literal_column,
    text,
    update,
)
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.sql.compiler import SQLCompiler

from staithe.domain.definitions import UpdateRule
from staithe.domain.fields import FieldValue
from staithe.domain.identifiers import NUL
from staithe.domain.wildcards import ANY_TEXT, CharacterSet, Literal, Piece, split_pattern
from staithe.storage.folding import sqlite_fold
from staithe.storage.known_catalogues import kept_with_table
from staithe.storage.sqlite import derived as derived
from staithe.storage.sqlite_exports import record_reader as record_reader

NOTHING: Final = "[^\x01-\U0010ffff]"
"""A pattern of GLOB that no character matches."""


def matches(column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Whether a text matches a pattern of `~`.

    GLOB never comes back to a `*` once the next one is reached: it takes at most the product of both lengths in steps.
    """
    return column.op("GLOB", is_comparison=True)("".join(map(to_glob, split_pattern(pattern))))


def to_glob(piece: Piece) -> str:
    match piece:
        case Literal(character):
            return f"[{character}]" if character in "*?[" else character
        case CharacterSet(is_negated, ranges):
            return to_glob_set(is_negated, [(low, high) for low, high in ranges if low <= high])
        case _:
            return "*" if piece == ANY_TEXT else "?"


def to_glob_set(is_negated: bool, rising: list[tuple[str, str]]) -> str:
    """A set of GLOB. Each member is a range, also of one character: so a `-` stands for itself, wherever it is."""
    if not rising:
        return "?" if is_negated else NOTHING
    # In front a `^` would negate the set.
    ranges = sorted(rising, key=lambda ends: ends[0] == "^")
    if not is_negated and ranges[0][0] == "^":
        highest = max(high for _, high in ranges)
        if highest == "^":
            return highest
        ranges = [(highest, highest), *ranges]
    return f"[{'^' * is_negated}{''.join(f'{low}-{high}' for low, high in ranges)}]"


HAS_ROW_LOCKS: bool = False
WORKS_APART: bool = False
JSON_NUL: Final = "\\u0000"
MATCH_EMAILS: Final = text(
    "SELECT '[' || group_concat(sent.key * 4294967296 + contact.id) || ']' FROM json_each(:emails) AS sent "
    "CROSS JOIN contact ON contact.email_key = sent.value"
)
MATCH_STATES: Final = text(
    "SELECT '[' || group_concat(sent.key * 4294967296 + state.set_id) || ']' FROM json_each(:emails) AS sent "
    "CROSS JOIN address_state AS state ON state.email_key = sent.value"
)


def match_emails(connection: Connection, emails: list[str]) -> list[int]:
    """Position x 2**32 + contact id, for each normal email address that a contact has.

    Sorted addresses are found about twice as fast as unsorted ones: the index is walked once.
    """
    return match(connection, MATCH_EMAILS, emails)


def match_states(connection: Connection, emails: list[str]) -> list[int]:
    """Position x 2**32 + set id, for each state that is kept of a normal email address without a contact."""
    return match(connection, MATCH_STATES, emails)


def match(connection: Connection, query: TextClause, emails: list[str]) -> list[int]:
    """What a query finds of addresses. One text of numbers takes two thirds of the time of as many rows."""
    sent = msgspec.json.encode(emails).decode()
    if JSON_NUL in sent:
        # `json_each` ends a text there, and would find the contact of what stands before.
        sent = msgspec.json.encode([None if NUL in email else email for email in emails]).decode()
    found = connection.execute(query, {"emails": sent}).scalar()
    return msgspec.json.decode(found or "[]", type=list[int])


SEED_CONTACTS: Final = text(
    "WITH RECURSIVE new(id) AS (SELECT :first UNION ALL SELECT id + 1 FROM new WHERE id < :last) "
    "INSERT INTO contact (id, email_key, c_emailaddress, created_at, created_by, updated_at, updated_by) "
    "SELECT id, 'contact-' || id || '@example.com', 'contact-' || id || '@example.com', :now, :by, :now, :by FROM new"
)


def make_match_index(connection: Connection, column: str, *, is_text: bool) -> None:
    """Index a column of contacts by its values, texts folded. Older versions made another index."""
    by = sqlite_fold(column) if is_text else column
    connection.exec_driver_sql(f"DROP INDEX IF EXISTS contact_match_{column}")
    connection.exec_driver_sql(f"CREATE INDEX IF NOT EXISTS contact_folded_{column} ON contact ({by})")


MATCH_INDEXES: Final = text(
    "SELECT substr(name, length('contact_folded_') + 1) FROM sqlite_master "
    "WHERE type = 'index' AND tbl_name = 'contact' AND substr(name, 1, length('contact_folded_')) = 'contact_folded_' "
    "ORDER BY name"
)


def match_index_columns(connection: Connection) -> list[str]:
    """The columns of contacts that have an index of `make_match_index`."""
    return list(connection.execute(MATCH_INDEXES).scalars())


MATCH_VALUES: Final = (
    "SELECT '[' || group_concat(sent.key * 4294967296 + contact.id) || ']' FROM "
    "(SELECT CAST(key AS INTEGER) AS key, value FROM json_each(:keys)) AS sent CROSS JOIN contact ON"
)


@lru_cache(maxsize=256)
def match_query(column: str, *, is_text: bool, exact: bool) -> TextClause:
    same = f"{sqlite_fold(f'contact.{column}')} = {sqlite_fold('sent.value')}"
    joined = same if is_text else f"contact.{column} = sent.value"
    if is_text and exact:
        joined += f" AND contact.{column} = sent.value"
    return text(f"{MATCH_VALUES} {joined}")


def match_values(
    connection: Connection, column: str, keys: Mapping[int, str | float], *, is_text: bool, exact: bool
) -> list[int]:
    """Position x 2**32 + contact id, for each contact whose column has the value of a position.

    Args:
        connection: any.
        column: of contacts, indexed by `make_match_index`.
        keys: position -> value; folded texts unless `exact`, without NUL.
        is_text: whether the column holds texts.
        exact: whether capitals matter.
    """
    query = match_query(column, is_text=is_text, exact=exact)
    found = connection.execute(query, {"keys": msgspec.json.encode(keys).decode()}).scalar()
    return msgspec.json.decode(found or "[]", type=list[int])


DIALECT: Final = sqlite_dialect.dialect()
EMPTY: Final = literal_column("''")


def seed_contacts(connection: Connection, first: int, last: int, at: int, by: str) -> None:
    """Insert contacts `contact-{id}@example.com`."""
    connection.execute(SEED_CONTACTS, {"first": first, "last": last, "now": at, "by": by})


def read_ids(connection: Connection, query: Select[tuple[int]], batch: int) -> Iterator[Iterable[int]]:
    """The ids that a query gives, as rows of the driver: making SQLAlchemy's would take most of the time."""
    result = connection.execute(query)
    while result.cursor is not None and (rows := result.cursor.fetchmany(batch)):
        yield chain.from_iterable(rows)
    result.close()


def insert_contacts(
    connection: Connection, table: Table, values: Mapping[str, Sequence[FieldValue]], audit: Mapping[str, FieldValue]
) -> None:
    """Insert rows, in which None and an empty text are no value."""
    run_many(connection, insert_of(table, tuple(values), tuple(audit)), values, audit)


def update_contacts(
    connection: Connection,
    table: Table,
    rules: Mapping[str, UpdateRule],
    values: Mapping[str, Sequence[FieldValue]],
    audit: Mapping[str, FieldValue],
) -> None:
    """Update rows by `id` as the rule of each column says."""
    run_many(connection, update_of(table, tuple(rules.items()), tuple(audit)), values, audit)


def insert_rows(connection: Connection, table: Table, values: Mapping[str, Sequence[Any]]) -> None:
    """Insert rows as they are: the values of each column."""
    run_many(connection, insert_of(table, (), tuple(values)), values, {})


class ForMany(NamedTuple):
    """A statement for many rows, and the columns whose values it takes, in their order."""

    sql: str
    columns: list[str]


@kept_with_table
def insert_of(table: Table, filled: tuple[str, ...], known: tuple[str, ...]) -> ForMany:
    """An INSERT of columns that hold no empty text, and of others.

    It says nothing of its rows: with a RETURNING, `executemany` fails from Python 3.12 on.
    """
    columns = {name: func.nullif(value_of(name), EMPTY) for name in filled} | {name: value_of(name) for name in known}
    return for_many(insert(table).values(columns).inline())


@kept_with_table
def update_of(table: Table, rules: tuple[tuple[str, UpdateRule], ...], known: tuple[str, ...]) -> ForMany:
    """An UPDATE of columns as their rules say, and of others."""
    columns = {name: apply_rule(rule, value_of(name), table.c[name]) for name, rule in rules}
    columns |= {name: value_of(name) for name in known}
    return for_many(update(table).where(table.c.id == value_of("id")).values(columns))


def for_many(statement: ClauseElement) -> ForMany:
    compiled = cast(SQLCompiler, statement.compile(dialect=DIALECT))
    return ForMany(str(compiled), [name.removeprefix("new_") for name in compiled.positiontup or ()])


def value_of(column: str) -> ColumnElement[Any]:
    return bindparam(f"new_{column}")


def apply_rule(rule: UpdateRule, new: ColumnElement[Any], stored: ColumnElement[Any]) -> ColumnElement[Any]:
    """What a field holds after an update. A new value of NULL was not sent, and an empty text is an empty value."""
    match rule:
        case UpdateRule.IF_NEW_IS_NOT_NULL:
            return func.coalesce(func.nullif(new, EMPTY), stored)
        case UpdateRule.IF_EXISTING_IS_NULL:
            return func.coalesce(stored, func.nullif(new, EMPTY))
        case _:
            return func.nullif(func.coalesce(new, stored), EMPTY)


def run_many(
    connection: Connection,
    statement: ForMany,
    values: Mapping[str, Sequence[FieldValue]],
    audit: Mapping[str, FieldValue],
) -> None:
    """Run a statement for each row. The rows are never all in memory, which makes a fifth of the time of an import."""
    columns = (values[name] if name in values else repeat(audit[name]) for name in statement.columns)
    driver = cast(sqlite3.Connection, connection.connection.driver_connection)
    driver.executemany(statement.sql, zip(*columns, strict=False))


def wake(connection: Connection) -> None:
    """Nothing: whoever watches sees every commit."""
