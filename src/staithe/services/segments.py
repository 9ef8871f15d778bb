"""Segments and contact filters: make, read, change, delete and search them, and count their contacts."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from functools import partial
from typing import Final

import msgspec

from staithe.domain.assets import Asset
from staithe.domain.definitions import DefinitionKey
from staithe.domain.search_query import SearchQuery
from staithe.domain.segment_reader import NamedChanges, read_filter_changes, read_segment_changes
from staithe.domain.segments import Segment
from staithe.services.assets import get_asset, refuse_while_named
from staithe.services.caller import Caller
from staithe.services.finding import ContactFinder
from staithe.storage import assets
from staithe.storage.contact_fields import load_catalogue
from staithe.storage.database import Connection
from staithe.storage.definitions import forget_assets, name_assets

SEGMENT: Final = "contactsegment"
FILTER: Final = "contactfilter"
NAMING: Final = "segments"
"""What a segment is called among the definitions that name lists and filters: the name in its uri."""


def create(caller: Caller, kind: str, properties: Mapping[str, object]) -> Asset:
    """Make a segment or a filter, and count its contacts.

    Raises:
        ValidationFailed: a property is wrong.
    """
    with caller.database.write() as connection:
        changes = read_changes(connection, kind, properties, is_new=True)
        columns = {"data_lookup_id": str(uuid.uuid4()), "size": 0, "executed_at": caller.now}
        asset_id = assets.add_asset(connection, kind, columns | to_columns(changes), caller.now, caller.name)
        return finish(connection, caller, kind, asset_id, changes)


def change(caller: Caller, kind: str, asset_id: int, properties: Mapping[str, object]) -> Asset:
    """Change what the properties name of a segment or a filter, and count its contacts.

    Raises:
        ValidationFailed: a property is wrong.
    """
    with caller.database.write() as connection:
        get_asset(connection, kind, asset_id)
        changes = read_changes(connection, kind, properties, is_new=False)
        assets.change_asset(connection, kind, asset_id, to_columns(changes), caller.now, caller.name)
        return finish(connection, caller, kind, asset_id, changes)


def read_changes(connection: Connection, kind: str, properties: Mapping[str, object], *, is_new: bool) -> NamedChanges:
    catalogue = load_catalogue(connection)
    if kind == FILTER:
        return read_filter_changes(properties, catalogue, is_new=is_new)
    return read_segment_changes(properties, catalogue, partial(assets.asset_exists, connection), is_new=is_new)


def to_columns(changes: NamedChanges) -> dict[str, object]:
    content = {} if changes.content is None else {"properties": msgspec.json.encode(changes.content).decode()}
    return changes.columns() | content


def finish(connection: Connection, caller: Caller, kind: str, asset_id: int, changes: NamedChanges) -> Asset:
    if isinstance(changes.content, Segment):
        name_assets(connection, DefinitionKey(NAMING, asset_id), changes.content.assets())
    return count_contacts(connection, caller, kind, asset_id)


def count_contacts(connection: Connection, caller: Caller, kind: str, asset_id: int) -> Asset:
    found = ContactFinder(connection, load_catalogue(connection)).find_container(kind, asset_id)
    assets.save_size(connection, kind, asset_id, len(found), caller.now)
    return get_asset(connection, kind, asset_id)


def search(caller: Caller, kind: str, query: SearchQuery) -> tuple[list[Asset], int]:
    """One page of the segments or filters that a search finds, and how many there are."""
    with caller.database.read() as connection:
        return assets.search_assets(connection, kind, query)


def recount(caller: Caller, kind: str, asset_id: int) -> Asset:
    """Count the contacts of a segment or a filter anew."""
    with caller.database.write() as connection:
        get_asset(connection, kind, asset_id)
        return count_contacts(connection, caller, kind, asset_id)


def delete(caller: Caller, kind: str, asset_id: int) -> None:
    """Delete a segment or a filter.

    Raises:
        InUse: a definition or a segment names it.
    """
    with caller.database.write() as connection:
        get_asset(connection, kind, asset_id)
        refuse_while_named(connection, kind, asset_id)
        if kind == SEGMENT:
            forget_assets(connection, DefinitionKey(NAMING, asset_id))
        assets.remove_asset(connection, kind, asset_id)
