"""Contact lists, email groups, segments and filters: their rows, and what names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Table, bindparam, delete, insert, select, update

from staithe.domain.assets import Asset
from staithe.domain.definitions import DefinitionKey
from staithe.domain.limits import SECOND
from staithe.domain.list_query import Condition, ListQuery, PropertyType
from staithe.domain.search_query import SearchQuery
from staithe.storage import counters
from staithe.storage.listing import columns_of, read_page, to_sql
from staithe.storage.searching import find_page
from staithe.storage.tables import CONTACT_FILTER, CONTACT_LIST, CONTACT_SEGMENT, DEFINITION_ASSET, EMAIL_GROUP

TABLES: Final[Mapping[str, Table]] = {
    "contactlist": CONTACT_LIST,
    "emailgroup": EMAIL_GROUP,
    "contactsegment": CONTACT_SEGMENT,
    "contactfilter": CONTACT_FILTER,
}
IS_IT: Final = {kind: table.c.id == bindparam("asset_id") for kind, table in TABLES.items()}
SELECT: Final = {kind: select(table).where(IS_IT[kind]) for kind, table in TABLES.items()}
SELECT_ID: Final = {kind: select(table.c.id).where(IS_IT[kind]) for kind, table in TABLES.items()}
INSERT: Final = {kind: insert(table) for kind, table in TABLES.items()}
UPDATE: Final = {kind: update(table).where(IS_IT[kind]) for kind, table in TABLES.items()}
"""Each sets the columns that its parameters name."""

DELETE: Final = {kind: delete(table).where(IS_IT[kind]) for kind, table in TABLES.items()}
SEARCHABLE: Final[Mapping[str, PropertyType]] = {
    "name": PropertyType.TEXT,
    "id": PropertyType.NUMBER,
    "createdAt": PropertyType.TIME,
    "createdBy": PropertyType.TEXT,
    "updatedAt": PropertyType.TIME,
    "updatedBy": PropertyType.TEXT,
}
COLUMN_NAMES: Final = {
    "name": "name",
    "id": "id",
    "createdAt": "created_at",
    "createdBy": "created_by",
    "updatedAt": "updated_at",
    "updatedBy": "updated_by",
}


def to_asset(row: Row[Any]) -> Asset:
    return Asset(**columns_of(row))


def find_asset(connection: Connection, kind: str, asset_id: int) -> Asset | None:
    """One asset (`kind` is a key of `TABLES`, as in a statement)."""
    row = connection.execute(SELECT[kind], {"asset_id": asset_id}).one_or_none()
    return None if row is None else to_asset(row)


def asset_exists(connection: Connection, kind: str, asset_id: int) -> bool:
    """Whether there is such a list or group; nothing of any other kind exists."""
    if kind not in TABLES:
        return False
    return connection.execute(SELECT_ID[kind], {"asset_id": asset_id}).first() is not None


def was_given(connection: Connection, kind: str, asset_id: int) -> bool:
    """Whether this id was ever given to a list or group."""
    return 0 < asset_id <= counters.last_id(connection, kind)


def add_asset(connection: Connection, kind: str, columns: Mapping[str, object], at: int, by: str) -> int:
    """Insert a list or group and give its id."""
    asset_id = counters.take_ids(connection, kind)
    audit = {"created_at": at, "created_by": by, "updated_at": at, "updated_by": by}
    connection.execute(INSERT[kind], {"id": asset_id, **columns, **audit})
    return asset_id


def change_asset(
    connection: Connection, kind: str, asset_id: int, columns: Mapping[str, object], at: int, by: str
) -> None:
    """Change a list or group."""
    connection.execute(UPDATE[kind], {"asset_id": asset_id, **columns, "updated_at": at, "updated_by": by})


def save_size(connection: Connection, kind: str, asset_id: int, size: int, at: int) -> None:
    """Remember how many contacts a segment or a filter has now."""
    connection.execute(UPDATE[kind], {"asset_id": asset_id, "size": size, "executed_at": at})


def remove_asset(connection: Connection, kind: str, asset_id: int) -> None:
    """Delete the row of a list or group."""
    connection.execute(DELETE[kind], {"asset_id": asset_id})


SELECT_NAMING: Final = (
    select(DEFINITION_ASSET.c.kind, DEFINITION_ASSET.c.definition_id)
    .where(
        DEFINITION_ASSET.c.asset_kind == bindparam("asset_kind"), DEFINITION_ASSET.c.asset_id == bindparam("asset_id")
    )
    .order_by(DEFINITION_ASSET.c.kind, DEFINITION_ASSET.c.definition_id)
)


def keys_naming(connection: Connection, kind: str, asset_id: int) -> list[DefinitionKey]:
    """What identifies the definitions and segments that name an asset."""
    rows = connection.execute(SELECT_NAMING, {"asset_kind": kind, "asset_id": asset_id})
    return [DefinitionKey(row[0], row[1]) for row in rows]


def read_assets(connection: Connection, kind: str, query: ListQuery) -> tuple[list[Asset], int | None, bool]:
    """One page of lists or groups."""
    table = TABLES[kind]
    columns = {name: table.c[column] for name, column in COLUMN_NAMES.items()}
    rows, total, more = read_page(connection, table, columns, query)
    return [to_asset(row) for row in rows], total, more


def search_assets(connection: Connection, kind: str, query: SearchQuery) -> tuple[list[Asset], int]:
    """One page of the lists or groups that a search finds, and how many there are."""
    table = TABLES[kind]
    columns: dict[str, ColumnElement[Any]] = {
        name: table.c[column] // SECOND if SEARCHABLE[name] is PropertyType.TIME else table.c[column]
        for name, column in COLUMN_NAMES.items()
    }

    def condition(term: Condition) -> ColumnElement[bool]:
        return to_sql(term, columns[term.name])

    rows, total = find_page(connection, table, columns, query, condition)
    return [to_asset(row) for row in rows], total


SELECT_ALL: Final = {kind: select(table).order_by(table.c.id) for kind, table in TABLES.items()}


def all_assets(connection: Connection, kind: str) -> list[Asset]:
    """Every asset of a kind, by id."""
    return [to_asset(row) for row in connection.execute(SELECT_ALL[kind])]


SELECT_LISTS: Final = (
    select(CONTACT_LIST).where(CONTACT_LIST.c.id.in_(bindparam("ids", expanding=True))).order_by(CONTACT_LIST.c.id)
)


def lists_by_id(connection: Connection, ids: list[int]) -> list[Asset]:
    """The contact lists with these ids, in the order of their ids."""
    return [to_asset(row) for row in connection.execute(SELECT_LISTS, {"ids": ids})]
