"""Contacts: one row each, a typed column a stored field, and the set of all their ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
    Row,
    Select,
    Table,
    Update,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal,
    not_,
    select,
    update,
)

from staithe.domain.catalogue import Catalogue
from staithe.domain.errors import Busy, StorageFull
from staithe.domain.fields import (
    EXTERNAL_ID_DIGITS,
    EXTERNAL_ID_PREFIX,
    LAST_CHARACTER,
    Contact,
    DataType,
    FieldValue,
    external_id_span,
)
from staithe.domain.folding import fold
from staithe.domain.id_set import IdSet, SetChange
from staithe.domain.identifiers import normal_email
from staithe.domain.limits import CHUNK_IDS, CONTACT_ID, SECOND
from staithe.domain.list_query import ORDERS, Condition, PropertyType
from staithe.domain.search_query import SearchQuery
from staithe.domain.sync_actions import CONTACTS_SET
from staithe.storage import address_states, counters, dialect, sets
from staithe.storage.contact_fields import contact_table
from staithe.storage.known_catalogues import kept_with_catalogue, kept_with_table
from staithe.storage.listing import columns_of, like, to_sql
from staithe.storage.searching import find_among, find_page
from staithe.storage.tables import CONTACT, ID_SET, ID_SET_CHUNK, TEXT

EXTERNAL_ID: Final = "ContactIDExt"
"""No column has it: it is ordered as the ids are, and what it is compared with is turned into ids."""

SEED_ROWS: Final = 100_000


def search_columns(catalogue: Catalogue) -> Iterator[tuple[str, PropertyType, ColumnElement[Any]]]:
    """(property, type, column) of everything contacts can be searched by: each field under both of its names."""
    contact = contact_table(catalogue).c
    yield "id", PropertyType.NUMBER, contact.id
    yield "name", PropertyType.TEXT, contact.email_key
    yield EXTERNAL_ID, PropertyType.TEXT, contact.id
    for name in ("createdAt", "C_DateCreated"):
        yield name, PropertyType.TIME, contact.created_at // SECOND
    for name in ("updatedAt", "C_DateModified"):
        yield name, PropertyType.TIME, contact.updated_at // SECOND
    for field in catalogue.stored:
        column = contact.email_key if field.data_type is DataType.EMAIL_ADDRESS else contact[field.column]
        if field.data_type is DataType.DATE:
            column = column // SECOND
        for name in filter(None, (field.internal_name, field.rest_name)):
            yield name, SEARCH_TYPES.get(field.data_type, PropertyType.TEXT), column


SEARCH_TYPES: Final = {DataType.DATE: PropertyType.TIME, DataType.NUMBER: PropertyType.NUMBER}


@kept_with_catalogue
def searchable(catalogue: Catalogue) -> Mapping[str, PropertyType]:
    """Everything contacts can be searched by, with its type."""
    return {name: kind for name, kind, _ in search_columns(catalogue)}


@kept_with_catalogue
def columns_by_property(catalogue: Catalogue) -> Mapping[str, ColumnElement[Any]]:
    """The column of each property that contacts can be searched by."""
    return {name: column for name, _, column in search_columns(catalogue)}


def contacts_version(connection: Connection) -> int:
    """Changes whenever a contact comes, goes, or changes its email address."""
    return counters.last_id(connection, counters.CONTACTS_VERSION)


def bump_version(connection: Connection) -> None:
    counters.take_ids(connection, counters.CONTACTS_VERSION)


def to_contact(row: Row[Any], catalogue: Catalogue) -> Contact:
    values = columns_of(row)
    return Contact(
        id=values["id"],
        values={f.internal_name: values[f.column] for f in catalogue.stored if values[f.column] is not None},
        created_at=values["created_at"],
        updated_at=values["updated_at"],
        created_by=values["created_by"],
        updated_by=values["updated_by"],
    )


def to_columns(values: Mapping[str, FieldValue], catalogue: Catalogue) -> dict[str, FieldValue]:
    """Columns of the given fields; a new email address brings its comparison key."""
    columns = {f.column: values[f.internal_name] for f in catalogue.stored if f.internal_name in values}
    if "C_EmailAddress" in values:
        email = values["C_EmailAddress"]
        columns["email_key"] = normal_email(str(email)) if email else None
    return columns


@kept_with_table
def select_contacts(table: Table) -> Select[Any]:
    return select(table).where(table.c.id.in_(bindparam("ids", expanding=True))).order_by(table.c.id)


@kept_with_table
def select_contact(table: Table) -> Select[Any]:
    return select(table).where(table.c.id == bindparam("contact_id"))


@kept_with_table
def insert_contact(table: Table) -> Insert:
    return insert(table)


@kept_with_table
def update_contact(table: Table) -> Update:
    """Sets the columns that its parameters name."""
    return update(table).where(table.c.id == bindparam("contact_id"))


def find_contact(connection: Connection, catalogue: Catalogue, contact_id: int) -> Contact | None:
    """One contact by id."""
    row = connection.execute(select_contact(contact_table(catalogue)), {"contact_id": contact_id}).one_or_none()
    return None if row is None else to_contact(row, catalogue)


SELECT_BY_EMAIL: Final = select(CONTACT.c.id).where(CONTACT.c.email_key == bindparam("email"))


def find_by_email(connection: Connection, email: str) -> int | None:
    """The id of the contact that has an email address."""
    return connection.execute(SELECT_BY_EMAIL, {"email": normal_email(email)}).scalar()


def match_emails(connection: Connection, emails: list[str]) -> list[int]:
    """Position x 2**32 + contact id, for each normal email address that a contact has."""
    return dialect.of(connection).match_emails(connection, emails)


def add_contact(
    connection: Connection, catalogue: Catalogue, values: Mapping[str, FieldValue], at: int, by: str, change_id: int
) -> int:
    """Insert one contact and give its id. It has the states that are kept of its address."""
    contact_id = counters.take_ids(connection, counters.CONTACTS)
    if contact_id > CONTACT_ID:
        raise StorageFull(f"The company has given all {CONTACT_ID} contact ids.", "Use another company.")
    audit = {"created_at": at, "created_by": by, "updated_at": at, "updated_by": by}
    columns = to_columns(values, catalogue)
    connection.execute(insert_contact(contact_table(catalogue)), {"id": contact_id, **columns, **audit})
    taken = [(str(columns["email_key"]), contact_id)] if columns.get("email_key") else []
    is_there = {CONTACTS_SET: SetChange(IdSet.of([contact_id]), IdSet())}
    address_states.settle(connection, lambda: change_id, address_states.NOTHING_LEFT, taken, is_there)
    bump_version(connection)
    return contact_id


def change_contact(
    connection: Connection, catalogue: Catalogue, contact_id: int, values: Mapping[str, FieldValue], at: int, by: str
) -> None:
    """Change the given fields of one contact."""
    columns = to_columns(values, catalogue)
    changes = {**columns, "updated_at": at, "updated_by": by}
    connection.execute(update_contact(contact_table(catalogue)), {"contact_id": contact_id, **changes})
    if "email_key" in columns:
        bump_version(connection)


DELETE_CONTACT: Final = delete(CONTACT).where(CONTACT.c.id == bindparam("contact_id"))
SELECT_NAMED_CHUNKS: Final = (
    select(ID_SET.c.name, ID_SET_CHUNK.c.bits)
    .join(ID_SET_CHUNK, ID_SET_CHUNK.c.set_id == ID_SET.c.id)
    .where(ID_SET_CHUNK.c.chunk == bindparam("chunk"))
    .order_by(ID_SET.c.id)
)


def remove_contact(connection: Connection, contact_id: int, change_id: int) -> None:
    """Delete one contact, and take it out of every set it is in; the states of its address are kept."""
    one = IdSet.of([contact_id])
    left = address_states.leave(connection, one)
    connection.execute(DELETE_CONTACT, {"contact_id": contact_id})
    gone = dict.fromkeys(sets_of(connection, contact_id), SetChange(IdSet(), one))
    address_states.settle(connection, lambda: change_id, left, [], gone)
    bump_version(connection)


def sets_of(connection: Connection, contact_id: int) -> list[str]:
    """The names of all sets that a contact is in: reads one chunk of each."""
    rows = connection.execute(SELECT_NAMED_CHUNKS, {"chunk": contact_id // CHUNK_IDS})
    return [name for name, bits in rows if contact_id in IdSet.from_chunks([bits])]


def was_given(connection: Connection, contact_id: int) -> bool:
    """Whether this id was ever given to a contact."""
    return 0 < contact_id <= counters.last_id(connection, counters.CONTACTS)


def search_contacts(connection: Connection, catalogue: Catalogue, query: SearchQuery) -> tuple[list[Contact], int]:
    """One page of the contacts that a search finds, and how many there are.

    All contacts by id, and those with given addresses, take no longer however many contacts there are.
    """
    table = contact_table(catalogue)
    refuse_deleted(query, catalogue)
    if query.has_conditions or query.descending or query.order_by not in ("", "id"):
        size = sets.set_size(connection, CONTACTS_SET)
        columns = columns_by_property(catalogue)
        rows, total = find_page(connection, table, columns, query, partial(to_condition, columns), size)
        return [to_contact(row, catalogue) for row in rows], total
    # The set knows which ids stand on a page, so that the last page is as fast as the first.
    everyone = sets.load_set(connection, CONTACTS_SET)
    page = list(everyone.page(query.offset, query.count))
    found = connection.execute(select_contacts(table), {"ids": page})
    return [to_contact(row, catalogue) for row in found], len(everyone)


def refuse_deleted(query: SearchQuery, catalogue: Catalogue) -> None:
    """A query is read before its transaction begins, so that fields can be deleted in between.

    Raises:
        Busy: it names one.
    """
    names = {term.name for term in (*query.alternatives, *query.restrictions)} | ({query.order_by} - {""})
    gone = names - searchable(catalogue).keys()
    if gone:
        raise Busy(f"The contact field {min(gone)} has just been deleted.", "Send the request again.")


def search_among(
    connection: Connection, catalogue: Catalogue, query: SearchQuery, members: IdSet
) -> tuple[list[Contact], int]:
    """One page of the contacts that a search finds among some, and how many there are; by id unless ordered."""
    refuse_deleted(query, catalogue)
    table, columns = contact_table(catalogue), columns_by_property(catalogue)
    page, total = find_among(connection, table, columns, query, partial(to_condition, columns), members)
    rows = connection.execute(select_contacts(table), {"ids": page})
    found = {row.id: to_contact(row, catalogue) for row in rows}
    return [found[contact_id] for contact_id in page if contact_id in found], total


def to_condition(columns: Mapping[str, ColumnElement[Any]], term: Condition) -> ColumnElement[bool]:
    column = columns[term.name]
    if term.name == EXTERNAL_ID:
        return external_id_condition(term.operator, fold(str(term.value)), column)
    is_email = column is columns["emailAddress"]
    if not is_email or term.operator != "=" or not isinstance(term.value, str) or not term.value:
        return to_sql(term, column)
    key = normal_email(term.value)
    if "*" not in key:
        return column == key
    # LIKE alone uses no index; the text before the first wildcard can.
    prefix = key.partition("*")[0]
    # Not BETWEEN: PostgreSQL takes no collation behind it, and every text has one here.
    return and_(column >= prefix, column <= prefix + LAST_CHARACTER, like(column, key))


def external_id_condition(operator: str, value: str, contact_id: ColumnElement[int]) -> ColumnElement[bool]:
    """What `ContactIDExt` is compared with, folded, as a condition on ids; only a `*` amid it needs every contact."""
    prefix, wildcard, rest = value.partition("*")
    if operator in ORDERS:
        return is_within(contact_id, external_id_span(operator, value))
    if rest.strip("*"):
        # The last of more digits than there are are those of the id, with zeros before it.
        digits = func.substr(cast(contact_id + 10**EXTERNAL_ID_DIGITS, TEXT), 2)
        found = like(literal(EXTERNAL_ID_PREFIX, TEXT) + digits, value)
    else:
        found = is_within(contact_id, external_id_span("*" if wildcard else "=", prefix))
    return not_(found) if operator == "!=" else found


def is_within(contact_id: ColumnElement[int], ids: range) -> ColumnElement[bool]:
    return and_(contact_id >= ids.start, contact_id < ids.stop)


SELECT_ANY: Final = select(CONTACT.c.id).limit(1)


def seed_contacts(connection: Connection, count: int, at: int, by: str, change_id: int) -> Iterator[int]:
    """Insert `count` contacts `contact-{id}@example.com` in one transaction, yielding how many are done.

    The email index is made anew at the end when the table was empty: a third of the time.
    """
    first = counters.take_ids(connection, counters.CONTACTS, count) - count + 1
    by_email = next(index for index in CONTACT.indexes if index.name == "contact_by_email")
    is_empty = connection.execute(SELECT_ANY).first() is None
    if is_empty:
        by_email.drop(connection)
    for start in range(first, first + count, SEED_ROWS):
        last = min(start + SEED_ROWS, first + count) - 1
        dialect.of(connection).seed_contacts(connection, start, last, at, by)
        yield last - first + 1
    if is_empty:
        by_email.create(connection)
    new = IdSet.span(first, first + count - 1)
    sets.change_sets(connection, change_id, {CONTACTS_SET: SetChange(new, IdSet())})
    address_states.settle_all(connection, change_id)
    bump_version(connection)
