"""Contacts: one row each, a typed column a stored field, and the set of all their ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, or_, select, update

from staithe.domain.fields import STORED_FIELDS, Contact, FieldValue
from staithe.domain.id_set import IdSet, SetChange
from staithe.domain.identifiers import normal_email
from staithe.domain.sync_actions import CONTACTS_SET
from staithe.storage import counters, sets, sqlite
from staithe.storage.listing import columns_of
from staithe.storage.tables import CONTACT

SEED_ROWS = 100_000


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


def match_emails(connection: Connection, emails: list[str]) -> list[tuple[int, int]]:
    """(position, contact id) for each normal email address that a contact has."""
    return sqlite.match_emails(connection, emails)


def add_contact(connection: Connection, values: Mapping[str, FieldValue], at: int, by: str, change_id: int) -> int:
    """Insert one contact and give its id."""
    contact_id = counters.take_ids(connection, counters.CONTACTS)
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
    holding = [n for n in sets.names_with_prefix(connection, "") if sets.contains(connection, n, contact_id)]
    sets.change_sets(connection, change_id, dict.fromkeys(holding, gone))
    bump_version(connection)


def search_contacts(
    connection: Connection, where: Sequence[ColumnElement[bool]], limit: int, offset: int
) -> tuple[list[Contact], int]:
    """One page of the contacts that meet all conditions, by id, and how many there are."""
    rows = connection.execute(select(CONTACT).where(*where).order_by(CONTACT.c.id).limit(limit).offset(offset))
    total = connection.execute(select(func.count()).select_from(CONTACT).where(*where)).scalar_one()
    return [to_contact(row) for row in rows], total


def any_of(column_name: str, patterns: Iterable[str]) -> ColumnElement[bool]:
    """A text column matches one of the patterns: `*` stands for anything, case is ignored."""
    column = CONTACT.c[column_name]
    conditions: list[ColumnElement[bool]] = []
    for pattern in patterns:
        key = pattern.lower()
        if "*" in key:
            escaped = key.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%")
            conditions.append(func.lower(column).like(escaped, escape="\\"))
        else:
            conditions.append(column == key if column_name == "email_key" else func.lower(column) == key)
    return or_(*conditions)


def with_id(contact_ids: Iterable[int]) -> ColumnElement[bool]:
    """The contact's id is one of these."""
    return CONTACT.c.id.in_(list(contact_ids))


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
