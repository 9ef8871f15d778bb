"""Definitions: a row each, and a row for each list or email group that one names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, func, insert, select, update

from staithe.domain.definitions import TYPES, Definition, DefinitionKey, StoredDefinition, assets_of
from staithe.domain.list_query import ListQuery, PropertyType
from staithe.storage import counters
from staithe.storage.definition_keys import is_of_definition, parameters_of
from staithe.storage.listing import read_page
from staithe.storage.tables import DEFINITION, DEFINITION_ASSET

SEARCHABLE: Final[Mapping[str, PropertyType]] = {
    "name": PropertyType.TEXT,
    "createdAt": PropertyType.TIME,
    "createdBy": PropertyType.TEXT,
    "updatedAt": PropertyType.TIME,
    "updatedBy": PropertyType.TEXT,
}
COLUMNS: Final[Mapping[str, ColumnElement[Any]]] = {
    # One that has no name is stored with an empty one.
    "name": func.nullif(DEFINITION.c.name, ""),
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


IS_IT: Final = is_of_definition(DEFINITION.c.kind, DEFINITION.c.id)
SELECT_DEFINITION: Final = select(DEFINITION).where(IS_IT)
HOLD_DEFINITION: Final = SELECT_DEFINITION.with_for_update()
INSERT_DEFINITION: Final = insert(DEFINITION)
UPDATE_DEFINITION: Final = update(DEFINITION).where(IS_IT)
"""Sets the columns that its parameters name."""

DELETE_DEFINITION: Final = delete(DEFINITION).where(IS_IT)


def find_definition(connection: Connection, key: DefinitionKey, *, hold: bool = False) -> StoredDefinition | None:
    """One definition; with `hold` nobody else changes or deletes it until this write transaction ends."""
    row = connection.execute(HOLD_DEFINITION if hold else SELECT_DEFINITION, parameters_of(key)).one_or_none()
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
        INSERT_DEFINITION,
        {
            "kind": kind,
            "id": key.id,
            "element": element,
            "name": definition.name or "",
            "body": msgspec.json.encode(definition),
            "created_at": at,
            "created_by": by,
            "updated_at": at,
            "updated_by": by,
        },
    )
    name_assets(connection, key, assets_of(definition))
    return key


def replace_definition(connection: Connection, key: DefinitionKey, definition: Definition, at: int, by: str) -> None:
    """Replace all of a definition but its id and its creation."""
    body = msgspec.json.encode(definition)
    changes = {"name": definition.name or "", "body": body, "updated_at": at, "updated_by": by}
    connection.execute(UPDATE_DEFINITION, {**parameters_of(key), **changes})
    name_assets(connection, key, assets_of(definition))


def remove_definition(connection: Connection, key: DefinitionKey) -> None:
    """Delete a definition; its syncs, logs and rejects stay."""
    forget_assets(connection, key)
    connection.execute(DELETE_DEFINITION, parameters_of(key))


INSERT_ASSETS: Final = insert(DEFINITION_ASSET)
DELETE_ASSETS: Final = delete(DEFINITION_ASSET).where(
    is_of_definition(DEFINITION_ASSET.c.kind, DEFINITION_ASSET.c.definition_id)
)


def name_assets(connection: Connection, key: DefinitionKey, assets: Iterable[tuple[str, int]]) -> None:
    """Remember which assets, as (kind, id), a definition or a segment names: no others, and each once."""
    forget_assets(connection, key)
    rows = [
        {"asset_kind": kind, "asset_id": number, "kind": key.kind, "definition_id": key.id} for kind, number in assets
    ]
    if rows:
        connection.execute(INSERT_ASSETS, rows)


def forget_assets(connection: Connection, key: DefinitionKey) -> None:
    """A definition or a segment names nothing any more."""
    connection.execute(DELETE_ASSETS, parameters_of(key))


SELECT_ALL: Final = select(DEFINITION).order_by(DEFINITION.c.kind, DEFINITION.c.id)
ROWS_AT_ONCE: Final = 1000


def definitions_with(connection: Connection, text: str) -> Iterator[StoredDefinition]:
    """The definitions of all kinds in which a text of ASCII stands, in any case: reads all of them."""
    wanted = text.lower().encode()
    for row in connection.execute(SELECT_ALL, execution_options={"yield_per": ROWS_AT_ONCE}):
        if wanted in row.body.lower():
            yield to_definition(row)


def mark_synced(connection: Connection, key: DefinitionKey, at: int) -> None:
    """Remember that a definition was used."""
    connection.execute(UPDATE_DEFINITION, {**parameters_of(key), "last_synced_at": at})


def read_definitions(
    connection: Connection, kind: str, element: str | None, query: ListQuery
) -> tuple[list[StoredDefinition], int | None, bool]:
    """One page of the definitions of a kind: of an element, or of all."""
    where = [DEFINITION.c.kind == kind]
    if element is not None:
        where.append(DEFINITION.c.element == element)
    rows, total, more = read_page(connection, DEFINITION, COLUMNS, query, where)
    return [to_definition(row) for row in rows], total, more


SELECT_UNCHANGED: Final = select(DEFINITION).where(DEFINITION.c.updated_at <= bindparam("moment"))
COUNT_DEFINITIONS: Final = select(func.count()).select_from(DEFINITION)


def unchanged_since(connection: Connection, moment: int) -> list[tuple[StoredDefinition, int]]:
    """The definitions last changed before a moment, each with when it was last used: created or synced."""
    rows = connection.execute(SELECT_UNCHANGED, {"moment": moment})
    return [(to_definition(row), max(row.created_at, row.last_synced_at or 0)) for row in rows]


def count_definitions(connection: Connection) -> int:
    """How many definitions there are."""
    return connection.execute(COUNT_DEFINITIONS).scalar_one()
