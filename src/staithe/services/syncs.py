"""Syncs: start one, and read what became of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from staithe.domain.company_limits import seconds_until_over
from staithe.domain.definitions import KIND_NAMES, DefinitionKey, StoredDefinition, recheck_definition
from staithe.domain.elements import ELEMENTS, ELEMENTS_BY_NAME, Element
from staithe.domain.errors import Failure, Gone, NotFound, RequestError, TooManyRequests, ValidationFailed
from staithe.domain.limits import HOUR
from staithe.domain.list_query import ListQuery
from staithe.domain.syncs import UNFINISHED, LogEntry, Reject, Sync
from staithe.services import definitions
from staithe.services.caller import Caller
from staithe.staging.reject_search import find_rejects
from staithe.storage import import_chunks, sync_creations, syncs, uploads
from staithe.storage.database import Connection
from staithe.wire.bulk import definition_properties

DEFINITION_URI: Final = re.compile(
    r"(?:https?:/[^/]+)?(?:/api/bulk/2\.0)?/?(?P<element>[a-z]+(?:/[a-z]+)?)/(?P<kind>[a-z]+)/(?P<id>[0-9]{1,18})/?",
    re.IGNORECASE,
)
"""A definition's address as clients send it: relative to the Bulk API's root, or with it; each slash is a single one.

An expression that leaves open which part takes a slash needs the cube of the time for a text of slashes.
"""
SLASHES: Final = re.compile("/+")


def create(caller: Caller, properties: Mapping[str, object]) -> Sync:
    """Start a sync of everything a definition has staged.

    Raises:
        ValidationFailed: the definition does not exist or is no longer valid, or `callbackUrl` is no address.
        TooManyRequests: the company has started as many syncs as it may in an hour.
    """
    callback_url = read_callback_url(properties.get("callbackUrl"))
    with caller.database.write() as connection:
        stored = find_by_uri(connection, properties.get("syncedInstanceUri"))
        sync = start(connection, stored, caller, callback_url)
    caller.stores.hint_pending(caller.user.company)
    return sync


def start(connection: Connection, stored: StoredDefinition, caller: Caller, callback_url: str | None = None) -> Sync:
    """Insert a pending sync, and give it every upload that waits; later ones belong to the next sync.

    Raises:
        ValidationFailed: the definition is no longer valid.
        TooManyRequests: the company has started as many syncs as it may in an hour.
    """
    element = ELEMENTS_BY_NAME[stored.element]
    around = definitions.surroundings(connection, element)
    recheck_definition(stored, definition_properties(stored), around)
    check_rate(connection, caller)
    sync = syncs.add_sync(connection, stored.key, stored.uri, caller.now, caller.name, callback_url)
    sync_creations.add(connection, sync.id, caller.now)
    uploads.assign_to_sync(connection, stored.key, sync.id)
    return sync


def check_rate(connection: Connection, caller: Caller) -> None:
    """Refuse a sync if the company has started as many as it may in the hour before.

    Raises:
        TooManyRequests: until so many are an hour old that there is room for one.
    """
    most = caller.limits.syncs_per_hour
    if not most:
        return
    oldest = sync_creations.find_newest(connection, most, since=caller.now - HOUR)
    if oldest is None:
        return
    seconds = seconds_until_over(oldest, caller.now)
    raise TooManyRequests(
        f"Company {caller.user.company.name} has started {most:,} syncs within an hour, as many as it may.",
        f"Send it again in {seconds:,} seconds; one sync takes everything that was uploaded before it.",
        retry_after_seconds=seconds,
    )


def find_by_uri(connection: Connection, uri: object) -> StoredDefinition:
    match = DEFINITION_URI.fullmatch(SLASHES.sub("/", uri.strip())) if isinstance(uri, str) else None
    found = find_kind(match["element"], match["kind"]) if match else None
    if match is None or found is None:
        rule = "Must be the uri of a definition, such as /contacts/imports/12."
        raise ValidationFailed(Failure("syncedInstanceUri", rule, uri))
    element, kind = found
    try:
        return definitions.get_definition(connection, element, DefinitionKey(kind, int(match["id"])))
    except RequestError as error:
        rule = f"Must be the uri of a definition that exists: {error.message}"
        raise ValidationFailed(Failure("syncedInstanceUri", rule, uri)) from error


def find_kind(path: str, kind: str) -> tuple[Element, str] | None:
    """The element and the kind of definition that a uri names, if they are served."""
    served = ((e, k) for e in ELEMENTS if e.name for k in KIND_NAMES if k in e.served)
    return next(((e, k) for e, k in served if (e.name.lower(), k.lower()) == (path.lower(), kind.lower())), None)


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


def get_sync(connection: Connection, sync_id: int, *, hold: bool = False) -> Sync:
    """One sync; with `hold`, and in a write transaction, it stays until the end of that.

    Raises:
        NotFound: there never was one with this id.
        Gone: there was, and its time is over.
    """
    found = syncs.find_sync(connection, sync_id, hold=hold)
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
    """One page of a sync's rejects, by the numbers of their records if no order is wanted, and how many there are.

    Raises:
        Damaged: what the disk has is not what was written.
        StagingUnavailable: the object store fails.
    """
    rejects = read(caller, sync_id).rejects
    if rejects is None:
        return [], 0
    return find_rejects(caller.store.rejects, rejects, query)


def delete(caller: Caller, sync_id: int) -> None:
    """Delete a sync with its log and rejects. What it changed stays known.

    One that has not ended does so without a trace: nothing more of it is applied, and its uploads wait for the next
    sync. The worker that runs it finds out when it renews its lease, or when it would store something.
    """
    with caller.database.write() as connection:
        # Held before all else, as its worker does when it ends it: else each could wait for the other.
        sync = get_sync(connection, sync_id, hold=True)
        chunks = import_chunks.read_chunks(connection, sync_id)
        removed = syncs.remove_sync(connection, sync_id)
        uploads.release_from_sync(connection, sync_id)
        import_chunks.forget_chunks(connection, sync_id)
    of_chunks = (chunk.reject_file.name for chunk in chunks if chunk.reject_file is not None)
    caller.store.rejects.delete([*removed.reject_files, *of_chunks])
    caller.store.exports.delete(removed.data_files)
    if sync.status in UNFINISHED:
        # The next one of its definition may run now.
        caller.stores.hint_pending(caller.user.company)
