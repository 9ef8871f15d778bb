"""Contacts: one row each, a typed column a stored field, and the set of all their ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, select, update

from staithe.domain.errors import StorageFull
from staithe.domain.fields import STORED_FIELDS, Contact, DataType, FieldValue
from staithe.domain.id_set import IdSet, SetChange
from staithe.domain.identifiers import normal_email
from staithe.domain.limits import CHUNK_IDS, CONTACT_ID, SECOND
from staithe.domain.list_query import Condition, PropertyType
from staithe.domain.search_query import SearchQuery
from staithe.domain.sync_actions import CONTACTS_SET
from staithe.storage import counters, sets, sqlite
from staithe.storage.listing import columns_of, like, to_sql
from staithe.storage.searching import find_page
from staithe.storage.tables import CONTACT, ID_SET, ID_SET_CHUNK

SEED_ROWS: Final = 100_000
LAST_CHARACTER: Final = "\U0010ffff"


def search_columns() -> Iterator[tuple[str, PropertyType, ColumnElement[Any]]]:
    """(property, type, column) of everything contacts can be searched by: each field under both of its names."""
    contact = CONTACT.c
    yield "id", PropertyType.NUMBER, contact.id
    yield "name", PropertyType.TEXT, contact.email_key
    for name in ("createdAt", "C_DateCreated"):
        yield name, PropertyType.TIME, contact.created_at // SECOND
    for name in ("updatedAt", "C_DateModified"):
        yield name, PropertyType.TIME, contact.updated_at // SECOND
    for field in STORED_FIELDS:
        is_date = field.data_type is DataType.DATE
        column = contact.email_key if field.data_type is DataType.EMAIL_ADDRESS else contact[field.column]
        for name in filter(None, (field.internal_name, field.rest_name)):
            yield name, PropertyType.TIME if is_date else PropertyType.TEXT, column // SECOND if is_date else column


SEARCHABLE: Final[Mapping[str, PropertyType]] = {name: kind for name, kind, _ in search_columns()}
SEARCH_COLUMNS: Final[Mapping[str, ColumnElement[Any]]] = {name: column for name, _, column in search_columns()}


def contacts_version(connection: Connection) -> int:
    """Changes whenever a contact comes, goes, or changes its email address."""
    return counters.last_id(connection, counters.CONTACTS_VERSION)


def bump_version(connection: Connection) -> None:
    counters.take_ids(connection, counters.CONTACTS_VERSION)


def to_contact(row: Row[Any]) -> Contact:
    values = columns_of(row)
    return Contact(
        id=values["id"],
        values={f.internal_name: values[f.column] for f in STORED_FIELDS if values[f.column] is not None},
        created_at=values["created_at"],
        updated_at=values["updated_at"],
        created_by=values["created_by"],
        updated_by=values["updated_by"],
    )


def to_columns(values: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
    """Columns of the given fields; a new email address brings its comparison key."""
    columns = {f.column: values[f.internal_name] for f in STORED_FIELDS if f.internal_name in values}
    if "C_EmailAddress" in values:
        email = values["C_EmailAddress"]
        columns["email_key"] = normal_email(str(email)) if email else None
    return columns


def find_contact(connection: Connection, contact_id: int) -> Contact | None:
    """One contact by id."""
    row = connection.execute(select(CONTACT).where(CONTACT.c.id == contact_id)).one_or_none()
    return None if row is None else to_contact(row)


def find_by_email(connection: Connection, email: str) -> int | None:
    """The id of the contact that has an email address."""
    return connection.execute(select(CONTACT.c.id).where(CONTACT.c.email_key == normal_email(email))).scalar()


def match_emails(connection: Connection, emails: list[str]) -> list[int]:
    """Position x 2**32 + contact id, for each normal email address that a contact has."""
    return sqlite.match_emails(connection, emails)


def add_contact(connection: Connection, values: Mapping[str, FieldValue], at: int, by: str, change_id: int) -> int:
    """Insert one contact and give its id."""
    contact_id = counters.take_ids(connection, counters.CONTACTS)
    if contact_id > CONTACT_ID:
        raise StorageFull(f"The company has given all {CONTACT_ID} contact ids.", "Use another company.")
    audit = {"created_at": at, "created_by": by, "updated_at": at, "updated_by": by}
    connection.execute(insert(CONTACT).values(id=contact_id, **to_columns(values), **audit))
    sets.change_sets(connection, change_id, {CONTACTS_SET: SetChange(IdSet.of([contact_id]), IdSet())})
    bump_version(connection)
    return contact_id


def change_contact(connection: Connection, contact_id: int, values: Mapping[str, FieldValue], at: int, by: str) -> None:
    """Change the given fields of one contact."""
    columns = to_columns(values)
    connection.execute(
        update(CONTACT).where(CONTACT.c.id == contact_id).values(**columns, updated_at=at, updated_by=by)
    )
    if "email_key" in columns:
        bump_version(connection)


def remove_contact(connection: Connection, contact_id: int, change_id: int) -> None:
    """Delete one contact, and take it out of every set it is in."""
    connection.execute(delete(CONTACT).where(CONTACT.c.id == contact_id))
    gone = SetChange(IdSet(), IdSet.of([contact_id]))
    sets.change_sets(connection, change_id, dict.fromkeys(sets_of(connection, contact_id), gone))
    bump_version(connection)


def sets_of(connection: Connection, contact_id: int) -> list[str]:
    """The names of all sets that a contact is in: reads one chunk of each."""
    chunk = contact_id // CHUNK_IDS
    query = select(ID_SET.c.name, ID_SET_CHUNK.c.bits).join(ID_SET_CHUNK, ID_SET_CHUNK.c.set_id == ID_SET.c.id)
    rows = connection.execute(query.where(ID_SET_CHUNK.c.chunk == chunk).order_by(ID_SET.c.id))
    return [name for name, bits in rows if contact_id in IdSet.from_chunks([bits])]


def was_given(connection: Connection, contact_id: int) -> bool:
    """Whether this id was ever given to a contact."""
    return 0 < contact_id <= counters.last_id(connection, counters.CONTACTS)


def search_contacts(connection: Connection, query: SearchQuery) -> tuple[list[Contact], int]:
    """One page of the contacts that a search finds, and how many there are.

    All contacts by id, and those with given addresses, take no longer however many contacts there are.
    """
    if query.has_conditions or query.descending or query.order_by not in ("", "id"):
        size = sets.set_size(connection, CONTACTS_SET)
        rows, total = find_page(connection, CONTACT, SEARCH_COLUMNS, query, to_condition, size)
        return [to_contact(row) for row in rows], total
    # The set knows which ids stand on a page, so that the last page is as fast as the first.
    everyone = sets.load_set(connection, CONTACTS_SET)
    page = list(everyone.page(query.offset, query.count))
    found = connection.execute(select(CONTACT).where(CONTACT.c.id.in_(page)).order_by(CONTACT.c.id))
    return [to_contact(row) for row in found], len(everyone)


def to_condition(term: Condition) -> ColumnElement[bool]:
    column = SEARCH_COLUMNS[term.name]
    if column is not CONTACT.c.email_key or term.operator != "=" or not isinstance(term.value, str) or not term.value:
        return to_sql(term, column)
    key = normal_email(term.value)
    if "*" not in key:
        return CONTACT.c.email_key == key
    # LIKE alone uses no index; the text before the first wildcard can.
    prefix = key.partition("*")[0]
    return and_(CONTACT.c.email_key.between(prefix, prefix + LAST_CHARACTER), like(CONTACT.c.email_key, key))


def seed_contacts(connection: Connection, count: int, at: int, by: str, change_id: int) -> Iterator[int]:
    """Insert `count` contacts `contact-{id}@example.com` in one transaction, yielding how many are done.

    The email index is made anew at the end when the table was empty: a third of the time.
    """
    first = counters.take_ids(connection, counters.CONTACTS, count) - count + 1
    by_email = next(index for index in CONTACT.indexes if index.name == "contact_by_email")
    is_empty = connection.execute(select(CONTACT.c.id).limit(1)).first() is None
    if is_empty:
        by_email.drop(connection)
    for start in range(first, first + count, SEED_ROWS):
        last = min(start + SEED_ROWS, first + count) - 1
        connection.execute(sqlite.SEED_CONTACTS, {"first": start, "last": last, "now": at, "by": by})
        yield last - first + 1
    if is_empty:
        by_email.create(connection)
    new = IdSet.span(first, first + count - 1)
    sets.change_sets(connection, change_id, {CONTACTS_SET: SetChange(new, IdSet())})
    bump_version(connection)
