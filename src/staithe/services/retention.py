"""What expires when, and its removal. Limits and their sources: `staithe.domain.limits`."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from msgspec import Struct

from staithe.domain.definition_reader import parse_duration
from staithe.domain.definitions import DefinitionKey, ImportDefinition
from staithe.domain.errors import StagingUnavailable
from staithe.domain.limits import (
    LEAST_DATA_LIFE,
    STAGED_DATA_LIFE,
    SYNC_CREATION_LIFE,
    SYNC_LIFE,
    UNUSED_DEFINITION_LIFE,
)
from staithe.services.stores import CompanyStore
from staithe.storage import definitions, import_chunks, sync_creations, syncs, uploads
from staithe.storage.database import Connection

LOGGER: Final = logging.getLogger(__name__)
ORPHAN_MIN_AGE_SECONDS: Final = 3600.0
"""A file that no row names is swept after this: its row may be about to be committed."""


class Removed(Struct, frozen=True):
    """How much was removed: `uploads` counts files of exported data too."""

    uploads: int
    definitions: int
    syncs: int
    orphans: int

    @property
    def anything(self) -> bool:
        """Whether there was something to remove."""
        return any((self.uploads, self.definitions, self.syncs, self.orphans))


def remove_expired(store: CompanyStore, now: int) -> Removed:
    """Remove what has expired: staged data, exported data, definitions, old syncs; and files nothing names."""
    with store.database.write() as connection:
        files: list[str] = []
        for key in uploads.waiting_definitions(connection):
            files += uploads.remove_expired(connection, key, now - staged_life(connection, key))
        sync_creations.forget(connection, now - SYNC_CREATION_LIFE)
        uploads.forget_answers(connection, now - STAGED_DATA_LIFE)
        expired = list(expired_definitions(connection, now))
        for key in expired:
            files += uploads.remove_of_definition(connection, key)
            definitions.remove_definition(connection, key)
        removed_syncs = syncs.remove_expired(connection, now - SYNC_LIFE)
        data_files = syncs.expire_data(connection, now)
    store.staging.delete(files)
    store.rejects.delete(removed_syncs.reject_files)
    store.exports.delete([*data_files, *removed_syncs.data_files])
    return Removed(len(files) + len(data_files), len(expired), removed_syncs.count, sweep_if_due(store))


def staged_life(connection: Connection, key: DefinitionKey) -> int:
    """How long, in microseconds, what is uploaded to a definition waits for a sync."""
    stored = definitions.find_definition(connection, key)
    if stored is None or not isinstance(stored.definition, ImportDefinition):
        return STAGED_DATA_LIFE
    return parse_duration(stored.definition.data_retention_duration) // timedelta(microseconds=1)


def expired_definitions(connection: Connection, now: int) -> Iterator[DefinitionKey]:
    """Definitions whose own time is over, and those without one that nobody has used for a year."""
    for stored, last_used in definitions.unchanged_since(connection, now - LEAST_DATA_LIFE):
        life = stored.life
        if life is None:
            is_over = last_used < now - UNUSED_DEFINITION_LIFE
        else:
            is_over = stored.updated_at + life // timedelta(microseconds=1) <= now
        if is_over and not syncs.has_unfinished(connection, stored.key):
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
