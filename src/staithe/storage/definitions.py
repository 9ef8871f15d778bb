"""Definitions: a row each, and a row for each list or email group that one names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, insert, select, update

from staithe.domain.definitions import TYPES, Definition, DefinitionKey, StoredDefinition, assets_of
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
        key=DefinitionKey(row.kind, row.id),
        element=row.element,
        definition=msgspec.json.decode(row.body, type=TYPES[row.kind]),
        created_at=row.created_at,
        created_by=row.created_by,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
    )


def is_definition(key: DefinitionKey) -> ColumnElement[bool]:
    return and_(DEFINITION.c.kind == key.kind, DEFINITION.c.id == key.id)


def find_definition(connection: Connection, key: DefinitionKey, *, hold: bool = False) -> StoredDefinition | None:
    """One definition; with `hold` nobody else changes or deletes it until this write transaction ends."""
    query = select(DEFINITION).where(is_definition(key))
    row = connection.execute(query.with_for_update() if hold else query).one_or_none()
    return None if row is None else to_definition(row)


def was_given(connection: Connection, key: DefinitionKey) -> bool:
    """Whether this id was ever given to a definition of this kind."""
    return 0 < key.id <= counters.last_id(connection, key.kind)


def add_definition(
    connection: Connection, kind: str, element: str, definition: Definition, at: int, by: str
) -> DefinitionKey:
    """Insert a definition and give what identifies it."""
    key = DefinitionKey(kind, counters.take_ids(connection, kind))
    connection.execute(
        insert(DEFINITION).values(
            kind=kind,
            id=key.id,
            element=element,
            name=definition.name,
            body=msgspec.json.encode(definition),
            created_at=at,
            created_by=by,
            updated_at=at,
            updated_by=by,
        )
    )
    name_assets(connection, key, assets_of(definition))
    return key


def replace_definition(connection: Connection, key: DefinitionKey, definition: Definition, at: int, by: str) -> None:
    """Replace all of a definition but its id and its creation."""
    connection.execute(
        update(DEFINITION)
        .where(is_definition(key))
        .values(name=definition.name, body=msgspec.json.encode(definition), updated_at=at, updated_by=by)
    )
    name_assets(connection, key, assets_of(definition))


def remove_definition(connection: Connection, key: DefinitionKey) -> None:
    """Delete a definition; its syncs, logs and rejects stay."""
    forget_assets(connection, key)
    connection.execute(delete(DEFINITION).where(is_definition(key)))


def name_assets(connection: Connection, key: DefinitionKey, assets: Iterable[tuple[str, int]]) -> None:
    """Remember which assets, as (kind, id), a definition or a segment names: no others, and each once."""
    forget_assets(connection, key)
    rows = [
        {"asset_kind": kind, "asset_id": number, "kind": key.kind, "definition_id": key.id} for kind, number in assets
    ]
    if rows:
        connection.execute(insert(DEFINITION_ASSET), rows)


def forget_assets(connection: Connection, key: DefinitionKey) -> None:
    """A definition or a segment names nothing any more."""
    connection.execute(
        delete(DEFINITION_ASSET).where(DEFINITION_ASSET.c.kind == key.kind, DEFINITION_ASSET.c.definition_id == key.id)
    )


def mark_synced(connection: Connection, key: DefinitionKey, at: int) -> None:
    """Remember that a definition was used."""
    connection.execute(update(DEFINITION).where(is_definition(key)).values(last_synced_at=at))


def read_definitions(
    connection: Connection, kind: str, element: str | None, query: ListQuery
) -> tuple[list[StoredDefinition], int | None, bool]:
    """One page of the definitions of a kind: of an element, or of all."""
    where = [DEFINITION.c.kind == kind]
    if element is not None:
        where.append(DEFINITION.c.element == element)
    rows, total, more = read_page(connection, DEFINITION, COLUMNS, query, where)
    return [to_definition(row) for row in rows], total, more


def unchanged_since(connection: Connection, moment: int) -> list[tuple[StoredDefinition, int]]:
    """The definitions last changed before a moment, each with when it was last used: created or synced."""
    rows = connection.execute(select(DEFINITION).where(DEFINITION.c.updated_at <= moment))
    return [(to_definition(row), max(row.created_at, row.last_synced_at or 0)) for row in rows]


def count_definitions(connection: Connection) -> int:
    """How many definitions there are."""
    return connection.execute(select(func.count()).select_from(DEFINITION)).scalar_one()
