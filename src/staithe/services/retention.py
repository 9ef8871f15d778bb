"""What expires when, and its removal. Limits and their sources: `staithe.domain.limits`."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from msgspec import Struct

from staithe.domain.definition_reader import parse_duration
from staithe.domain.definitions import DefinitionKey, ImportDefinition, StoredDefinition
from staithe.domain.errors import StagingUnavailable
from staithe.domain.limits import (
    LEAST_DATA_LIFE,
    STAGED_DATA_LIFE,
    SYNC_CREATION_LIFE,
    SYNC_LIFE,
    UNUSED_DEFINITION_LIFE,
)
from staithe.services.stores import CompanyStore
from staithe.storage import definitions, expiry, import_chunks, sync_creations, syncs, uploads
from staithe.storage.database import Connection

LOGGER: Final = logging.getLogger(__name__)
EVER: Final = 2**62
ORPHAN_MIN_AGE_SECONDS: Final = 3600.0
"""A file that no row names is swept after this: its row may be about to be committed."""


class Removed(Struct, frozen=True):
    """How much was removed: `uploads` counts files of exported data too."""

    uploads: int
    definitions: int
    syncs: int
    orphans: int
    next_at: int | None = None
    """When something expires next, if nothing is written until then; None if nothing does, or nobody has asked."""

    @property
    def anything(self) -> bool:
        """Whether there was something to remove."""
        return any((self.uploads, self.definitions, self.syncs, self.orphans))


def remove_expired(store: CompanyStore, now: int, *, tells_next: bool = False) -> Removed:
    """Remove what has expired: staged data, exported data, definitions, old syncs; and files nothing names.

    Args:
        store: of the company.
        now: the time.
        tells_next: whether it is asked for when something expires next.
    """
    with store.database.write() as connection:
        files: list[str] = []
        for key in expiry.oldest_staged(connection):
            files += uploads.remove_expired(connection, key, now - staged_life(connection, key))
        sync_creations.forget(connection, now - SYNC_CREATION_LIFE)
        uploads.forget_answers(connection, now - STAGED_DATA_LIFE)
        expired = list(expired_definitions(connection, now))
        for key in expired:
            files += uploads.remove_of_definition(connection, key)
            definitions.remove_definition(connection, key)
        removed_syncs = syncs.remove_expired(connection, now - SYNC_LIFE)
        data_files = syncs.expire_data(connection, now)
        next_at = next_expiry(connection) if tells_next else None
    store.staging.delete(files)
    store.rejects.delete(removed_syncs.reject_files)
    store.exports.delete([*data_files, *removed_syncs.data_files])
    return Removed(len(files) + len(data_files), len(expired), removed_syncs.count, sweep_if_due(store), next_at)


def next_expiry(connection: Connection) -> int | None:
    """When something expires next; a moment that is over if it waits for a sync to end. None if nothing will."""
    ends = expiry.other_ends(connection)
    ends += [oldest + staged_life(connection, key) for key, oldest in expiry.oldest_staged(connection).items()]
    ends += [end_of(stored, last_used) for stored, last_used in definitions.unchanged_since(connection, EVER)]
    return min(ends, default=None)


def end_of(stored: StoredDefinition, last_used: int) -> int:
    """When a definition expires: its own time is over, or it has none, and nobody has used it for a year."""
    if stored.life is None:
        return last_used + UNUSED_DEFINITION_LIFE + 1
    return stored.updated_at + stored.life // timedelta(microseconds=1)


def staged_life(connection: Connection, key: DefinitionKey) -> int:
    """How long, in microseconds, what is uploaded to a definition waits for a sync."""
    stored = definitions.find_definition(connection, key)
    if stored is None or not isinstance(stored.definition, ImportDefinition):
        return STAGED_DATA_LIFE
    return parse_duration(stored.definition.data_retention_duration) // timedelta(microseconds=1)


def expired_definitions(connection: Connection, now: int) -> Iterator[DefinitionKey]:
    """Definitions whose own time is over, and those without one that nobody has used for a year."""
    for stored, last_used in definitions.unchanged_since(connection, now - LEAST_DATA_LIFE):
        if end_of(stored, last_used) <= now and not syncs.has_unfinished(connection, stored.key):
            yield stored.key


def sweep_if_due(store: CompanyStore) -> int:
    """Sweep, if the last time is long enough ago; gives how many files that removed."""
    if time.monotonic() < store.sweep_at:
        return 0
    store.sweep_at = time.monotonic() + store.staging.files.sweep_pause_seconds
    try:
        return sweep(store)
    except StagingUnavailable as error:
        LOGGER.warning("company %s is swept another time: %s", store.company.name, error)
        return 0


def sweep(store: CompanyStore, min_age_seconds: float = ORPHAN_MIN_AGE_SECONDS) -> int:
    """Delete the files that a crash left and no row names.

    Old are those that were so when the rows were read: this process may have been stopped since.
    """
    began = time.time()
    with store.database.read() as connection:
        named = {
            store.staging: uploads.all_files(connection),
            store.rejects: syncs.reject_files(connection) | import_chunks.reject_files(connection),
            store.exports: syncs.data_files(connection),
        }
    return sum(folder.sweep(files, min_age_seconds + time.time() - began) for folder, files in named.items())
