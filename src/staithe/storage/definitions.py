"""Definitions: a row each, and a row for each list or email group that one names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update

from staithe.domain.definitions import SYNC_ACTIONS, StoredDefinition, SyncActionDefinition
from staithe.domain.list_query import ListQuery, PropertyType
from staithe.storage import counters
from staithe.storage.listing import read_page
from staithe.storage.tables import DEFINITION, DEFINITION_ASSET

SEARCHABLE: Final[Mapping[str, PropertyType]] = {
    "name": PropertyType.TEXT,
    "createdAt": PropertyType.TIME,
    "createdBy": PropertyType.TEXT,
    "updatedAt": PropertyType.TIME,
    "updatedBy": PropertyType.TEXT,
}
COLUMNS: Final = {
    "name": DEFINITION.c.name,
    "createdAt": DEFINITION.c.created_at,
    "createdBy": DEFINITION.c.created_by,
    "updatedAt": DEFINITION.c.updated_at,
    "updatedBy": DEFINITION.c.updated_by,
}


def to_definition(row: Row[Any]) -> StoredDefinition:
    return StoredDefinition(
        id=row.id,
        element=row.element,
        definition=msgspec.json.decode(row.body, type=SyncActionDefinition),
        created_at=row.created_at,
        created_by=row.created_by,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
    )


def find_definition(connection: Connection, element: str, definition_id: int) -> StoredDefinition | None:
    """One definition of an element's sync actions."""
    row = connection.execute(
        select(DEFINITION).where(
            DEFINITION.c.kind == SYNC_ACTIONS, DEFINITION.c.id == definition_id, DEFINITION.c.element == element
        )
    ).one_or_none()
    return None if row is None else to_definition(row)


def was_given(connection: Connection, definition_id: int) -> bool:
    """Whether this id was ever given to a definition of sync actions."""
    return 0 < definition_id <= counters.last_id(connection, SYNC_ACTIONS)


def add_definition(connection: Connection, element: str, definition: SyncActionDefinition, at: int, by: str) -> int:
    """Insert a definition and give its id."""
    definition_id = counters.take_ids(connection, SYNC_ACTIONS)
    connection.execute(
        insert(DEFINITION).values(
            kind=SYNC_ACTIONS,
            id=definition_id,
            element=element,
            name=definition.name,
            body=msgspec.json.encode(definition),
            created_at=at,
            created_by=by,
            updated_at=at,
            updated_by=by,
        )
    )
    name_assets(connection, definition_id, definition)
    return definition_id


def replace_definition(
    connection: Connection, definition_id: int, definition: SyncActionDefinition, at: int, by: str
) -> None:
    """Replace all of a definition but its id and its creation."""
    connection.execute(
        update(DEFINITION)
        .where(DEFINITION.c.kind == SYNC_ACTIONS, DEFINITION.c.id == definition_id)
        .values(name=definition.name, body=msgspec.json.encode(definition), updated_at=at, updated_by=by)
    )
    forget_assets(connection, definition_id)
    name_assets(connection, definition_id, definition)


def remove_definition(connection: Connection, definition_id: int) -> None:
    """Delete a definition; its syncs, logs and rejects stay."""
    forget_assets(connection, definition_id)
    connection.execute(delete(DEFINITION).where(DEFINITION.c.kind == SYNC_ACTIONS, DEFINITION.c.id == definition_id))


def name_assets(connection: Connection, definition_id: int, definition: SyncActionDefinition) -> None:
    rows = [
        {"asset_kind": kind, "asset_id": number, "kind": SYNC_ACTIONS, "definition_id": definition_id}
        for kind, number in definition.assets()
    ]
    if rows:
        connection.execute(insert(DEFINITION_ASSET), rows)


def forget_assets(connection: Connection, definition_id: int) -> None:
    connection.execute(
        delete(DEFINITION_ASSET).where(
            DEFINITION_ASSET.c.kind == SYNC_ACTIONS, DEFINITION_ASSET.c.definition_id == definition_id
        )
    )


def mark_synced(connection: Connection, definition_id: int, at: int) -> None:
    """Remember that a definition was used."""
    connection.execute(
        update(DEFINITION)
        .where(DEFINITION.c.kind == SYNC_ACTIONS, DEFINITION.c.id == definition_id)
        .values(last_synced_at=at)
    )


def read_definitions(
    connection: Connection, element: str | None, query: ListQuery
) -> tuple[list[StoredDefinition], int | None, bool]:
    """One page of sync action definitions: of an element, or of all."""
    where = [DEFINITION.c.kind == SYNC_ACTIONS]
    if element is not None:
        where.append(DEFINITION.c.element == element)
    rows, total, more = read_page(connection, DEFINITION, COLUMNS, query, where)
    return [to_definition(row) for row in rows], total, more


def unused_since(connection: Connection, moment: int) -> list[int]:
    """The ids of definitions neither created nor synced since a moment."""
    query = select(DEFINITION.c.id).where(
        DEFINITION.c.kind == SYNC_ACTIONS,
        and_(
            DEFINITION.c.created_at < moment,
            or_(DEFINITION.c.last_synced_at.is_(None), DEFINITION.c.last_synced_at < moment),
        ),
    )
    return list(connection.execute(query).scalars())


def count_definitions(connection: Connection) -> int:
    """How many definitions there are."""
    return connection.execute(select(func.count()).select_from(DEFINITION)).scalar_one()
