"""Syncs: start one, and read what became of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from staithe.domain.definitions import SYNC_ACTIONS, StoredDefinition, recheck_assets
from staithe.domain.elements import ELEMENTS, Element
from staithe.domain.errors import Conflict, Failure, Gone, NotFound, RequestError, ValidationFailed
from staithe.domain.list_query import ListQuery
from staithe.domain.syncs import UNFINISHED, LogEntry, Reject, Sync
from staithe.services import definitions
from staithe.services.caller import Caller
from staithe.staging.rejects import read_rejects
from staithe.storage import assets, syncs, uploads
from staithe.storage.database import Connection

DEFINITION_URI: Final = re.compile(
    r"(?:https?://[^/]+)?(?:/+api/+bulk/+2\.0)?/*(?P<element>[a-z/]+?)/+(?P<kind>[a-z]+)/+(?P<id>[0-9]{1,18})/*",
    re.IGNORECASE,
)
"""A definition's address as clients send it: relative to the Bulk API's root, or with it."""


def create(caller: Caller, properties: Mapping[str, object]) -> Sync:
    """Start a sync of everything a definition has staged.

    Raises:
        ValidationFailed: the definition does not exist or is no longer valid, or `callbackUrl` is no address.
    """
    callback_url = read_callback_url(properties.get("callbackUrl"))
    with caller.database.write() as connection:
        stored = find_by_uri(connection, properties.get("syncedInstanceUri"))
        sync = start(connection, stored, caller, callback_url)
    caller.stores.hint_pending(caller.user.company)
    return sync


def start(connection: Connection, stored: StoredDefinition, caller: Caller, callback_url: str | None = None) -> Sync:
    """Insert a pending sync, and give it every upload that waits; later ones belong to the next sync."""
    recheck_assets(stored.definition, partial(assets.asset_exists, connection))
    sync = syncs.add_sync(connection, SYNC_ACTIONS, stored.id, stored.uri, caller.now, caller.name, callback_url)
    uploads.assign_to_sync(connection, stored.id, sync.id)
    return sync


def find_by_uri(connection: Connection, uri: object) -> StoredDefinition:
    match = DEFINITION_URI.fullmatch(uri.strip()) if isinstance(uri, str) else None
    element = find_element(match["element"], match["kind"]) if match else None
    if match is None or element is None:
        rule = "Must be the uri of a sync action definition, such as /contacts/syncActions/12."
        raise ValidationFailed(Failure("syncedInstanceUri", rule, uri))
    try:
        return definitions.get_definition(connection, element, int(match["id"]))
    except RequestError as error:
        rule = f"Must be the uri of a definition that exists: {error.message}"
        raise ValidationFailed(Failure("syncedInstanceUri", rule, uri)) from error


def find_element(path: str, kind: str) -> Element | None:
    if kind.lower() != SYNC_ACTIONS.lower():
        return None
    served = (element for element in ELEMENTS if SYNC_ACTIONS in element.served and element.name)
    return next((element for element in served if element.name.lower() == path.lower()), None)


def read_callback_url(value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            parts = urlsplit(value)
            if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
                return value
        except ValueError:
            pass
    raise ValidationFailed(Failure("callbackUrl", "Must be an http or https address.", value))


def get_sync(connection: Connection, sync_id: int) -> Sync:
    """One sync.

    Raises:
        NotFound: there never was one with this id.
        Gone: there was, and its time is over.
    """
    found = syncs.find_sync(connection, sync_id)
    if found is not None:
        return found
    if syncs.was_given(connection, sync_id):
        raise Gone(f"Sync {sync_id} was removed: syncs are kept for a year.")
    raise NotFound(f"There is no sync {sync_id}.", "GET /syncs lists those that there are.")


def read(caller: Caller, sync_id: int) -> Sync:
    """One sync."""
    with caller.database.read() as connection:
        return get_sync(connection, sync_id)


def read_page(caller: Caller, query: ListQuery) -> tuple[list[Sync], int | None, bool]:
    """One page of syncs."""
    with caller.database.read() as connection:
        return syncs.read_syncs(connection, query)


def read_log(caller: Caller, sync_id: int, query: ListQuery) -> tuple[list[LogEntry], int | None, bool]:
    """One page of a sync's log."""
    with caller.database.read() as connection:
        get_sync(connection, sync_id)
        return syncs.read_log(connection, sync_id, query)


def read_rejected(caller: Caller, sync_id: int, query: ListQuery) -> tuple[list[Reject], int]:
    """One page of a sync's rejects in the order of their records, and how many there are."""
    sync = read(caller, sync_id)
    if sync.reject_file is None:
        return [], 0
    return read_rejects(caller.store.rejects, sync.reject_file, query.limit, query.offset), sync.reject_count


def refuse_data(caller: Caller, sync_id: int) -> None:
    """Only exports have data.

    Raises:
        ValidationFailed: always, for a sync that exists.
    """
    sync = read(caller, sync_id)
    rule = "Must be a sync of an export: syncs of sync actions have logs and rejects, but no data."
    raise ValidationFailed(Failure("id", rule, str(sync.id)))


def delete(caller: Caller, sync_id: int) -> None:
    """Delete a sync that has ended, with its log and rejects. What it changed stays known.

    Raises:
        Conflict: it has not ended.
    """
    with caller.database.write() as connection:
        if get_sync(connection, sync_id).status in UNFINISHED:
            raise Conflict(f"Sync {sync_id} has not ended.", "Wait until it has.")
        files = syncs.remove_sync(connection, sync_id)
    caller.store.rejects.delete(files)
