"""What expires when, and its removal. Limits and their sources: `staithe.domain.limits`."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from staithe.domain.limits import STAGED_DATA_LIFE, SYNC_LIFE, UNUSED_DEFINITION_LIFE
from staithe.services.stores import CompanyStore
from staithe.storage import definitions, syncs, uploads

ORPHAN_MIN_AGE_SECONDS: Final = 3600.0
"""A file that no row names is swept after this: its row may be about to be committed."""


class Removed(Struct, frozen=True):
    """How much was removed."""

    uploads: int
    definitions: int
    syncs: int
    orphans: int

    @property
    def anything(self) -> bool:
        """Whether there was something to remove."""
        return any((self.uploads, self.definitions, self.syncs, self.orphans))


def remove_expired(store: CompanyStore, now: int) -> Removed:
    """Remove staged data after 7 days, unused definitions and old syncs after a year, and files nothing names."""
    with store.database.write() as connection:
        files = uploads.remove_expired(connection, now - STAGED_DATA_LIFE)
        uploads.forget_answers(connection, now - STAGED_DATA_LIFE)
        unused = [
            definition_id
            for definition_id in definitions.unused_since(connection, now - UNUSED_DEFINITION_LIFE)
            if not syncs.has_unfinished(connection, definitions.SYNC_ACTIONS, definition_id)
        ]
        for definition_id in unused:
            files += uploads.remove_of_definition(connection, definition_id)
            definitions.remove_definition(connection, definition_id)
        old_syncs, reject_files = syncs.remove_expired(connection, now - SYNC_LIFE)
    store.staging.delete(files)
    store.rejects.delete(reject_files)
    return Removed(len(files), len(unused), old_syncs, sweep(store))


def sweep(store: CompanyStore, min_age_seconds: float = ORPHAN_MIN_AGE_SECONDS) -> int:
    """Delete the files that a crash left and no row names."""
    with store.database.read() as connection:
        staged, rejected = uploads.all_files(connection), syncs.reject_files(connection)
    return store.staging.sweep(staged, min_age_seconds) + store.rejects.sweep(rejected, min_age_seconds)
