"""The statements that are PostgreSQL's own; `staithe.storage.dialect` says what each of them is for.

They keep within what Citus can do for a schema that lives on one node: docs/explanation/citus.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, cast

import msgspec
import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import ColumnElement, Connection, Select, Table, TextClause, func, literal, text
from sqlalchemy import cast as sql_cast

from staithe.domain.definitions import UpdateRule
from staithe.domain.errors import Failure, ValidationFailed
from staithe.domain.fields import EXTERNAL_ID_PREFIX, FieldValue
from staithe.domain.identifiers import NUL
from staithe.domain.wildcards import ANY_TEXT, CharacterSet, Literal, Piece, split_pattern
from staithe.storage.folding import postgres_fold
from staithe.storage.postgres import HINT_CHANNEL
from staithe.storage.postgres_exports import record_reader as record_reader
from staithe.storage.tables import TEXT

HAS_ROW_LOCKS: bool = True
WORKS_APART: bool = True
JSON_NUL: Final = "\\u0000"
MATCH_EMAILS: Final = text(
    "SELECT '[' || string_agg(((sent.place - 1) * 4294967296 + contact.id)::text, ',') || ']' "
    "FROM json_array_elements_text(cast(:emails AS json)) WITH ORDINALITY AS sent(value, place) "
    "JOIN contact ON contact.email_key = sent.value"
)
MATCH_STATES: Final = text(
    "SELECT '[' || string_agg(((sent.place - 1) * 4294967296 + state.set_id)::text, ',') || ']' "
    "FROM json_array_elements_text(cast(:emails AS json)) WITH ORDINALITY AS sent(value, place) "
    "JOIN address_state AS state ON state.email_key = sent.value"
)
INDEXED_CHARACTERS: Final = 500
"""An entry of an index has at most 2,704 bytes, and a character up to four."""


def match_emails(connection: Connection, emails: list[str]) -> list[int]:
    """Position x 2**32 + contact id, for each normal email address that a contact has."""
    return match(connection, MATCH_EMAILS, emails)


def match_states(connection: Connection, emails: list[str]) -> list[int]:
    """Position x 2**32 + set id, for each state that is kept of a normal email address without a contact."""
    return match(connection, MATCH_STATES, emails)


def match(connection: Connection, query: TextClause, emails: list[str]) -> list[int]:
    """What a query finds of addresses, which are sent as one text.

    The planner expects a hundred rows of it, whatever it holds, and so walks the index.
    """
    sent = msgspec.json.encode(emails).decode()
    if JSON_NUL in sent:
        sent = msgspec.json.encode([None if NUL in email else email for email in emails]).decode()
    found = connection.execute(query, {"emails": sent}).scalar()
    return msgspec.json.decode(found or "[]", type=list[int])


def indexed(column: str, *, is_text: bool) -> str:
    """What the index of a column has: texts without differences of case, cut to what fits into an entry."""
    return f"left({postgres_fold(column)}, {INDEXED_CHARACTERS})" if is_text else column


def make_match_index(connection: Connection, column: str, *, is_text: bool) -> None:
    """Index a column of contacts by its values, texts folded. Older versions made another index."""
    connection.exec_driver_sql(f"DROP INDEX IF EXISTS contact_match_{column}")
    by = indexed(column, is_text=is_text)
    connection.exec_driver_sql(f"CREATE INDEX IF NOT EXISTS contact_folded_{column} ON contact (({by}))")


MATCH_INDEXES: Final = text(
    "SELECT substr(indexname, length('contact_folded_') + 1) FROM pg_catalog.pg_indexes "
    "WHERE schemaname = current_schema() AND tablename = 'contact' AND starts_with(indexname, 'contact_folded_') "
    "ORDER BY indexname"
)


def match_index_columns(connection: Connection) -> list[str]:
    """The columns of contacts that have an index of `make_match_index`."""
    return list(connection.execute(MATCH_INDEXES).scalars())


MATCH_VALUES: Final = (
    "SELECT '[' || string_agg((cast(sent.key AS bigint) * 4294967296 + contact.id)::text, ',') || ']' "
    "FROM json_each_text(cast(:keys AS json)) AS sent JOIN contact ON"
)


@lru_cache(maxsize=256)
def match_query(column: str, *, is_text: bool, exact: bool) -> TextClause:
    sent = 'sent.value COLLATE "C"' if is_text else "cast(sent.value AS double precision)"
    joined = f"{indexed(f'contact.{column}', is_text=is_text)} = {indexed(sent, is_text=is_text)}"
    if is_text:
        joined += f" AND {postgres_fold(f'contact.{column}')} = {postgres_fold(sent)}"
    if is_text and exact:
        joined += f" AND contact.{column} = {sent}"
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


def matches(column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Whether a text matches a pattern of `~`. LIKE is faster than an expression, but it knows no sets."""
    pieces = list(split_pattern(pattern))
    if any(isinstance(piece, CharacterSet) for piece in pieces):
        return column.op("~", is_comparison=True)(f"^(?:{''.join(map(to_expression, pieces))})$")
    return column.like("".join(map(to_like, pieces)), escape="\\")


def to_like(piece: Piece) -> str:
    if isinstance(piece, Literal):
        return f"\\{piece.character}" if piece.character in "\\%_" else piece.character
    return "%" if piece == ANY_TEXT else "_"


def to_expression(piece: Piece) -> str:
    match piece:
        case Literal(character):
            return f"[{code_point(character)}]"
        case CharacterSet(is_negated, ranges):
            rising = [f"{code_point(low)}-{code_point(high)}" for low, high in ranges if low <= high]
            if not rising:
                return "." if is_negated else f"[^{code_point(chr(1))}-{code_point(LAST_CHARACTER)}]"
            return f"[{'^' if is_negated else ''}{''.join(rising)}]"
        case _:
            return ".*" if piece == ANY_TEXT else "."


def code_point(character: str) -> str:
    return f"\\U{ord(character):08x}"


LAST_CHARACTER: Final = "\U0010ffff"
WHITE_SPACE: Final = "".join(chr(code) for code in range(1, 0x3001) if chr(code).isspace())
"""What Python takes for white space."""


def derived(internal_name: str, table: Table) -> ColumnElement[Any]:
    """A derived field; empty or NULL where there is no value. Equal to `domain.fields.DERIVATIONS`."""
    if internal_name == "ContactIDExt":
        return literal(EXTERNAL_ID_PREFIX, TEXT) + func.lpad(sql_cast(table.c.id, TEXT), 12, "0")
    if internal_name == "C_EmailAddressDomain":
        return func.substring(table.c.c_emailaddress, "[^@]*$")
    if internal_name == "C_FirstAndLastName":
        first, last = (func.coalesce(table.c[name], "") for name in ("c_firstname", "c_lastname"))
        return func.btrim(first + " " + last, WHITE_SPACE)
    algorithm, column = HASHES[internal_name]
    return algorithm(table.c[column])


def md5(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.md5(column)


def sha256(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.encode(func.sha256(func.convert_to(column, "UTF8")), "hex")


HASHES: Final = {
    f"C_{name}Hashed{what}": (algorithm, column)
    for name, algorithm in (("MD5", md5), ("SHA256", sha256))
    for what, column in (
        ("EmailAddress", "c_emailaddress"),
        ("BusPhone", "c_busphone"),
        ("MobilePhone", "c_mobilephone"),
    )
}

SEED_CONTACTS: Final = text(
    "INSERT INTO contact (id, email_key, c_emailaddress, created_at, created_by, updated_at, updated_by) "
    "SELECT id, 'contact-' || id || '@example.com', 'contact-' || id || '@example.com', "
    "cast(:now AS bigint), :by, cast(:now AS bigint), :by "
    "FROM generate_series(cast(:first AS bigint), cast(:last AS bigint)) AS new(id)"
)


def seed_contacts(connection: Connection, first: int, last: int, at: int, by: str) -> None:
    """Insert contacts `contact-{id}@example.com`."""
    connection.execute(SEED_CONTACTS, {"first": first, "last": last, "now": at, "by": by})


def read_ids(connection: Connection, query: Select[tuple[int]], batch: int) -> Iterator[Iterable[int]]:
    """The ids that a query gives: from a cursor of the server, as the driver would hold all rows otherwise."""
    result = connection.execute(query.execution_options(yield_per=batch))
    for ids in result.scalars().partitions():
        yield cast("Sequence[int]", ids)


def insert_contacts(
    connection: Connection, table: Table, values: Mapping[str, Sequence[FieldValue]], audit: Mapping[str, FieldValue]
) -> None:
    """Insert rows, in which None and an empty text are no value."""
    copy_in(connection, table.name, [*values, *audit], list(values.values()), filled, to_texts(list(audit.values())))


def update_contacts(
    connection: Connection,
    table: Table,
    rules: Mapping[str, UpdateRule],
    values: Mapping[str, Sequence[FieldValue]],
    audit: Mapping[str, FieldValue],
) -> None:
    """Update rows by `id` as the rule of each column says: from a temporary table, whose values are texts."""
    declared = ", ".join(f'{name} TEXT COLLATE "C"' for name in values if name != "id")
    connection.exec_driver_sql(f"CREATE TEMP TABLE new_rows (id BIGINT{', ' * bool(declared)}{declared})")
    copy_in(connection, "new_rows", list(values), list(values.values()), known)
    types = {name: table.c[name].type.compile(dialect=connection.dialect) for name in rules}
    changes = [f"{name} = {apply_rule(rule, name, types[name])}" for name, rule in rules.items()]
    changes += [f"{name} = %({name})s" for name in audit]
    statement = " ".join(["UPDATE contact SET", ", ".join(changes), "FROM new_rows WHERE contact.id = new_rows.id"])
    connection.exec_driver_sql(statement, dict(audit))
    connection.exec_driver_sql("DROP TABLE new_rows")


def apply_rule(rule: UpdateRule, name: str, type_name: str) -> str:
    """What a field holds after an update. A new value of NULL was not sent, and an empty text is an empty value."""
    new, stored = f"new_rows.{name}", f"contact.{name}"
    value = f"nullif({new}, '')::{type_name}"
    match rule:
        case UpdateRule.IF_NEW_IS_NOT_NULL:
            return f"coalesce({value}, {stored})"
        case UpdateRule.IF_EXISTING_IS_NULL:
            return f"coalesce({stored}, {value})"
        case _:
            return f"CASE WHEN {new} IS NULL THEN {stored} ELSE {value} END"


def insert_rows(connection: Connection, table: Table, values: Mapping[str, Sequence[Any]]) -> None:
    """Insert rows as they are: the values of each column.

    Raises:
        ValidationFailed: a text has a NUL in it, which PostgreSQL cannot hold.
    """
    for name, column in values.items():
        if any(type(value) is str and NUL in value for value in column):
            rule = "Must have no text with the character U+0000, which PostgreSQL cannot hold: take it out first."
            raise ValidationFailed(Failure(f"{table.name}.{name}", rule))
    copy_in(connection, table.name, list(values), list(values.values()), known)


NULL: Final = "\\N"
ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
SPECIAL: Final = "\\\t\n\r"
ROWS_AT_ONCE: Final = 2048
"""Of a COPY: the server writes some while the next ones are made into texts."""


def to_texts(values: Sequence[Any]) -> Sequence[str]:
    """Values as COPY reads them, but for NULL: None becomes an empty text."""
    try:
        # One search of all of them is cheaper than a look at each: hardly any text has such a character.
        joined, texts = "".join(values), values
    except TypeError:
        texts = [value if type(value) is str else to_text(value) for value in values]
        joined = "".join(texts)
    return [text.translate(ESCAPES) for text in texts] if any(char in joined for char in SPECIAL) else texts


def to_text(value: bytes | FieldValue) -> str:
    if type(value) is bytes:
        return f"\\x{value.hex()}"
    return "" if value is None else str(value)


def filled(values: Sequence[Any]) -> Sequence[str]:
    """Values as COPY reads them; None and an empty text are NULL."""
    texts = to_texts(values)
    return texts if all(texts) else [text or NULL for text in texts]


def known(values: Sequence[Any]) -> Sequence[str]:
    """Values as COPY reads them; None is NULL."""
    texts = to_texts(values)
    if None not in values:
        return texts
    return [NULL if value is None else text for value, text in zip(values, texts, strict=True)]


def copy_in(
    connection: Connection,
    table: str,
    names: Sequence[str],
    columns: Sequence[Sequence[Any]],
    prepare: Callable[[Sequence[Any]], Sequence[str]],
    constants: Sequence[str] = (),
) -> None:
    """Insert rows with COPY.

    Args:
        connection: a write transaction.
        table: its name.
        names: of its columns that are written.
        columns: the values of the first of them.
        prepare: makes texts of values, as COPY reads them.
        constants: the texts of the other columns, the same in all rows.
    """
    ending = "".join(f"\t{text}" for text in constants) + "\n"
    statement = SQL("COPY {} ({}) FROM STDIN").format(Identifier(table), SQL(", ").join(map(Identifier, names)))
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for start in range(0, len(columns[0]), ROWS_AT_ONCE):
            texts = [prepare(column[start : start + ROWS_AT_ONCE]) for column in columns]
            copy.write(ending.join(map("\t".join, zip(*texts, strict=True))) + ending)


def wake(connection: Connection) -> None:
    """Tell whoever listens, once this transaction is committed, that there is a hint."""
    connection.exec_driver_sql(f"NOTIFY {HINT_CHANNEL}")
