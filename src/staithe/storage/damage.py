"""Whether the rows of a store fit together: what rows name is there, and sets hold contacts that exist."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Select, and_, cast, exists, func, select

from staithe.domain.definitions import KIND_NAMES
from staithe.domain.id_set import IdSet
from staithe.domain.limits import CHUNK_IDS
from staithe.domain.sync_actions import CONTACTS_SET, EMAIL_GROUP_SETS
from staithe.storage.tables import (
    ADDRESS_STATE,
    ADDRESS_STATE_CHANGE,
    CHANGE,
    COMPANY,
    COMPANY_LIMITS,
    CONTACT,
    DEFINITION,
    DEFINITION_ASSET,
    EMAIL_GROUP,
    ID_SET,
    ID_SET_CHUNK,
    IMPORT_CHUNK,
    OAUTH_CLIENT,
    OAUTH_GRANT,
    OAUTH_TOKEN,
    SET_CHANGE,
    SYNC,
    SYNC_LOG,
    TEXT,
    UPLOAD,
    USER,
)

PAGE_IDS: Final = 100_000
Columns = Sequence[Column[Any]]
OF_DEFINITION: Final = (DEFINITION.c.kind, DEFINITION.c.id)
ASSET_OF: Final = (DEFINITION_ASSET.c.kind, DEFINITION_ASSET.c.definition_id)


def count_lost(naming: Columns, named: Columns, *conditions: Any) -> Select[Any]:
    """Counts the rows whose columns have values that no row of another table has."""
    is_there = exists().where(*(a == b for a, b in zip(naming, named, strict=True)))
    has_value = and_(*(column.is_not(None) for column in naming))
    return select(func.count()).select_from(naming[0].table).where(has_value, ~is_there, *conditions)


def count_rows(condition: ColumnElement[bool]) -> Select[Any]:
    """Counts the states of addresses of which something is so."""
    return select(func.count()).select_from(ADDRESS_STATE).where(condition)


SETS_OF_GONE_GROUPS: Final = select(ID_SET.c.id).where(
    ID_SET.c.name.startswith(EMAIL_GROUP_SETS),
    ~exists().where(ID_SET.c.name.startswith(EMAIL_GROUP_SETS + cast(EMAIL_GROUP.c.id, TEXT) + "/")),
)
COMPANY_ROWS: Final = {
    "uploads without their definition": count_lost((UPLOAD.c.definition_kind, UPLOAD.c.definition_id), OF_DEFINITION),
    "uploads without their sync": count_lost((UPLOAD.c.sync_id,), (SYNC.c.id,)),
    "lines of logs without their sync": count_lost((SYNC_LOG.c.sync_id,), (SYNC.c.id,)),
    "chunks of imports without their sync": count_lost((IMPORT_CHUNK.c.sync_id,), (SYNC.c.id,)),
    "assets without the definition that names them": count_lost(
        ASSET_OF, OF_DEFINITION, DEFINITION_ASSET.c.kind.in_(list(KIND_NAMES))
    ),
    "chunks of sets without their set": count_lost((ID_SET_CHUNK.c.set_id,), (ID_SET.c.id,)),
    "changes of sets without their set": count_lost((SET_CHANGE.c.set_id,), (ID_SET.c.id,)),
    "changes of sets without what made them": count_lost((SET_CHANGE.c.change_id,), (CHANGE.c.id,)),
    "states of addresses without their set": count_lost((ADDRESS_STATE.c.set_id,), (ID_SET.c.id,)),
    "states of addresses in email groups that are gone": count_rows(ADDRESS_STATE.c.set_id.in_(SETS_OF_GONE_GROUPS)),
    "states kept of addresses that a contact has": count_rows(
        exists().where(CONTACT.c.email_key == ADDRESS_STATE.c.email_key)
    ),
    "changes of states of addresses without their set": count_lost((ADDRESS_STATE_CHANGE.c.set_id,), (ID_SET.c.id,)),
    "changes of states of addresses without what made them": count_lost(
        (ADDRESS_STATE_CHANGE.c.change_id,), (CHANGE.c.id,)
    ),
}
CONTROL_ROWS: Final = {
    "users without their company": count_lost((USER.c.company_id,), (COMPANY.c.id,)),
    "limits without their company": count_lost((COMPANY_LIMITS.c.company_id,), (COMPANY.c.id,)),
    "clients without their company": count_lost((OAUTH_CLIENT.c.company_id,), (COMPANY.c.id,)),
    "consents without their client": count_lost((OAUTH_GRANT.c.client_id,), (OAUTH_CLIENT.c.id,)),
    "tokens without their consent": count_lost((OAUTH_TOKEN.c.grant_id,), (OAUTH_GRANT.c.id,)),
}


def row_faults(connection: Connection, *, is_company: bool) -> Iterator[str]:
    """Which rows name what is not there."""
    if connection.dialect.name == "sqlite":
        for table, row, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
            yield f"row {row} of {table} without its row of {parent}"
    for what, query in (COMPANY_ROWS if is_company else CONTROL_ROWS).items():
        if count := connection.execute(query).scalar_one():
            yield f"{count:,} {what}"


def set_faults(connection: Connection) -> Iterator[str]:
    """Which sets cannot be read, count wrongly, or hold contacts that do not exist.

    One set is in memory at a time, with that of all contacts.
    """
    everyone = IdSet.union(contact_pages(connection))
    sets = connection.execute(select(ID_SET.c.id, ID_SET.c.name).order_by(ID_SET.c.id)).all()
    for number, name in sets:
        ids, faults = read_set(connection, number)
        yield from (f"{name}: {fault}" for fault in faults)
        if strangers := len(ids - everyone):
            yield f"{name}: {strangers:,} ids of contacts that do not exist"
        if name == CONTACTS_SET and (missing := len(everyone - ids)):
            yield f"{name}: {missing:,} contacts are not in it"
    if everyone and CONTACTS_SET not in {name for _, name in sets}:
        yield f"{CONTACTS_SET}: it is not there"


def contact_pages(connection: Connection) -> Iterator[IdSet]:
    """The ids of the contact table, in pages."""
    after = 0
    while True:
        query = select(CONTACT.c.id).where(CONTACT.c.id > after).order_by(CONTACT.c.id).limit(PAGE_IDS)
        ids = list(connection.execute(query).scalars())
        if not ids:
            return
        yield IdSet.of(ids)
        after = ids[-1]


def read_set(connection: Connection, number: int) -> tuple[IdSet, list[str]]:
    """What can be read of a set, and what is wrong with it."""
    columns = ID_SET_CHUNK.c.chunk, ID_SET_CHUNK.c.size, ID_SET_CHUNK.c.bits
    chunks: list[IdSet] = []
    faults: list[str] = []
    for chunk, size, bits in connection.execute(select(*columns).where(ID_SET_CHUNK.c.set_id == number)):
        try:
            ids = IdSet.from_chunks([bits])
        except ValueError:
            faults.append(f"chunk {chunk} cannot be read")
            continue
        chunks.append(ids)
        if len(ids) != size:
            faults.append(f"chunk {chunk} has {len(ids):,} ids and says {size:,}")
        if set(ids.chunk_numbers()) - {chunk}:
            faults.append(f"chunk {chunk} has ids of another, which begins at each multiple of {CHUNK_IDS:,}")
    return IdSet.union(chunks), faults
