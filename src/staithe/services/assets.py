"""Contact lists and email groups: make, read, change, delete, search."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Final

import msgspec

from staithe.domain.assets import Asset, AssetChanges, GroupProperties, read_asset_changes
from staithe.domain.definition_reader import ASSET_NAMES
from staithe.domain.errors import Failure, Gone, InUse, NotFound, ValidationFailed
from staithe.domain.id_set import IdSet, SetChange
from staithe.domain.limits import CONTACT_ID, UNKNOWN_IDS_NAMED
from staithe.domain.list_query import ListQuery
from staithe.domain.properties import Requirement
from staithe.domain.search_query import SearchQuery
from staithe.domain.sync_actions import CONTACTS_SET, contact_list_set, email_group_set
from staithe.services.caller import Caller
from staithe.storage import address_states, assets, sets
from staithe.storage.database import Connection

CONTACT_LIST: Final = "contactlist"
EMAIL_GROUP: Final = "emailgroup"


def get_asset(connection: Connection, kind: str, asset_id: int) -> Asset:
    """One asset; its kind is a key of `ASSET_NAMES`.

    Raises:
        NotFound: there never was one with this id.
        Gone: there was, and it was deleted.
    """
    found = assets.find_asset(connection, kind, asset_id)
    if found is not None:
        return found
    what = describe(kind, asset_id)
    if assets.was_given(connection, kind, asset_id):
        raise Gone(f"The {what} was deleted.")
    raise NotFound(f"There is no {what}.")


def describe(kind: str, asset_id: int) -> str:
    return f"{ASSET_NAMES[kind]} {asset_id}"


def read(caller: Caller, kind: str, asset_id: int) -> Asset:
    """One list or group."""
    with caller.database.read() as connection:
        return get_asset(connection, kind, asset_id)


def read_sized(caller: Caller, kind: str, asset_id: int) -> tuple[Asset, int]:
    """One list or group, and how many members a list has."""
    with caller.database.read() as connection:
        return get_sized(connection, kind, asset_id)


def get_sized(connection: Connection, kind: str, asset_id: int) -> tuple[Asset, int]:
    return get_asset(connection, kind, asset_id), sizes_of_lists(connection, [asset_id])[asset_id]


def read_page(caller: Caller, kind: str, query: ListQuery) -> tuple[list[Asset], int | None, bool]:
    """One page of lists or groups."""
    with caller.database.read() as connection:
        return assets.read_assets(connection, kind, query)


def search(caller: Caller, kind: str, query: SearchQuery) -> tuple[list[tuple[Asset, int]], int]:
    """One page of the lists or groups that a search finds, each with the members it has, and how many there are."""
    with caller.database.read() as connection:
        found, total = assets.search_assets(connection, kind, query)
        sizes = sizes_of_lists(connection, [asset.id for asset in found])
        return [(asset, sizes[asset.id]) for asset in found], total


def list_sizes(caller: Caller, list_ids: list[int]) -> dict[int, int]:
    """How many members each contact list has."""
    with caller.database.read() as connection:
        return sizes_of_lists(connection, list_ids)


def sizes_of_lists(connection: Connection, list_ids: list[int]) -> dict[int, int]:
    sizes = sets.sizes_of(connection, [contact_list_set(i) for i in list_ids])
    return {i: sizes[contact_list_set(i)] for i in list_ids}


def create(caller: Caller, kind: str, properties: Mapping[str, object]) -> tuple[Asset, int]:
    """Make a list or a group; gives it with the members a list has.

    Raises:
        ValidationFailed: a property is wrong, or a contact to add does not exist.
    """
    changes = read_asset_changes(properties, is_new=True)
    with caller.database.write() as connection:
        columns = kind_columns(kind, changes, GroupProperties()) | {"data_lookup_id": str(uuid.uuid4())}
        asset_id = assets.add_asset(connection, kind, columns, caller.now, caller.name)
        change_members(connection, caller, kind, asset_id, changes)
        return get_sized(connection, kind, asset_id)


def change(caller: Caller, kind: str, asset_id: int, properties: Mapping[str, object]) -> tuple[Asset, int]:
    """Change what the properties name of a list or a group; gives it with the members a list has.

    Raises:
        ValidationFailed: a property is wrong, or a contact to add does not exist.
    """
    with caller.database.write() as connection:
        found = get_asset(connection, kind, asset_id)
        changes = read_asset_changes(properties, is_new=False)
        columns = kind_columns(kind, changes, msgspec.json.decode(found.properties, type=GroupProperties))
        assets.change_asset(connection, kind, asset_id, columns, caller.now, caller.name)
        change_members(connection, caller, kind, asset_id, changes)
        return get_sized(connection, kind, asset_id)


def kind_columns(kind: str, changes: AssetChanges, before: GroupProperties) -> dict[str, object]:
    if kind == CONTACT_LIST:
        return changes.columns()
    properties = msgspec.json.encode(changes.group_properties(before)).decode()
    return changes.columns() | {"properties": properties}


def change_members(connection: Connection, caller: Caller, kind: str, asset_id: int, changes: AssetChanges) -> None:
    """Add and remove a list's members; who is in both is added. Contacts to remove need not exist."""
    if kind != CONTACT_LIST or not (changes.additions or changes.deletions):
        return
    sets.hold(connection, [contact_list_set(asset_id)])
    additions = IdSet.of(i for i in changes.additions if i <= CONTACT_ID)
    contacts = sets.load_set(connection, CONTACTS_SET, additions.chunk_numbers())
    unknown = [i for i in dict.fromkeys(changes.additions) if i not in contacts]
    if unknown:
        named = ", ".join(map(str, unknown[:UNKNOWN_IDS_NAMED]))
        rule = "Must be ids of contacts that exist."
        raise ValidationFailed(Failure("membershipAdditions", rule, named, Requirement.RELATIONSHIP))
    deletions = IdSet.of(i for i in changes.deletions if i <= CONTACT_ID)
    change_id = sets.record_change(connection, f"change of {describe(kind, asset_id)}", caller.now, caller.name)
    sets.change_sets(connection, change_id, {contact_list_set(asset_id): SetChange(additions, deletions)})


def delete(caller: Caller, kind: str, asset_id: int) -> None:
    """Delete a list or a group, and take everyone out of it, addresses without a contact too.

    Raises:
        InUse: a definition of sync actions names it.
    """
    with caller.database.write() as connection:
        get_asset(connection, kind, asset_id)
        refuse_while_named(connection, kind, asset_id)
        sets.hold(connection, set_names(kind, asset_id))
        emptied = {name: SetChange(IdSet(), sets.load_set(connection, name)) for name in set_names(kind, asset_id)}
        change_id = sets.record_change(connection, f"deletion of {describe(kind, asset_id)}", caller.now, caller.name)
        sets.change_sets(connection, change_id, emptied)
        address_states.empty_sets(connection, change_id, emptied)
        assets.remove_asset(connection, kind, asset_id)


def refuse_while_named(connection: Connection, kind: str, asset_id: int) -> None:
    """Let nothing be deleted that a definition or a segment names.

    Raises:
        InUse: one does.
    """
    naming = assets.keys_naming(connection, kind, asset_id)
    if naming:
        uris = ", ".join(f"/contacts/{key.kind}/{key.id}" for key in naming)
        raise InUse(
            f"The {describe(kind, asset_id)} cannot be deleted while definitions name it: {uris}.",
            "Delete those definitions first, or replace them.",
        )


def set_names(kind: str, asset_id: int) -> list[str]:
    if kind == CONTACT_LIST:
        return [contact_list_set(asset_id)]
    return [email_group_set(asset_id, status) for status in ("subscribed", "unsubscribed")]
