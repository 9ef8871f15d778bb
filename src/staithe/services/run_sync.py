"""Runs one sync of any kind, and sees to it that it ends, whatever goes wrong."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from typing import Final

from staithe.clock import Clock
from staithe.domain import codes
from staithe.domain.definitions import EXPORTS, IMPORTS, SYNC_ACTIONS
from staithe.domain.errors import Busy
from staithe.domain.syncs import Sync
from staithe.services.run_export import attempt_export
from staithe.services.run_import import attempt_import
from staithe.services.run_sync_actions import attempt_sync_actions
from staithe.services.stores import CompanyStore
from staithe.services.sync_run import DefinitionDeleted, LeaseLost, Run, end_in_error, get_definition
from staithe.storage import syncs

LOGGER: Final = logging.getLogger(__name__)
MOST_ATTEMPTS: Final = 5
FAILURES: Final[Mapping[str, codes.StatusCode]] = {
    SYNC_ACTIONS: codes.STAGING_FAILED,
    IMPORTS: codes.IMPORT_FAILED,
    EXPORTS: codes.EXPORT_FAILED,
}
ATTEMPTS: Final[Mapping[str, Callable[[Run], None]]] = {
    SYNC_ACTIONS: attempt_sync_actions,
    IMPORTS: attempt_import,
    EXPORTS: attempt_export,
}


def run_sync(store: CompanyStore, sync: Sync, owner: str, clock: Clock) -> None:
    """Bring a claimed sync to its end: what goes wrong ends it in error, and is logged."""
    run = Run(store, sync, owner, clock)
    try:
        if sync.attempts > MOST_ATTEMPTS:
            end_in_error(run, codes.GAVE_UP, attempts=MOST_ATTEMPTS)
            return
        ATTEMPTS[sync.definition.kind](run)
    except LeaseLost:
        LOGGER.warning("sync %s of company %s was taken over", sync.id, store.company.name)
    except DefinitionDeleted:
        end_in_error(run, codes.DEFINITION_DELETED)
    except Busy:
        LOGGER.warning("sync %s of company %s: the store is busy, to be tried again", sync.id, store.company.name)
        with store.database.write(alone=False) as connection:
            syncs.release_leases(connection, owner, sync.id)
    except Exception:
        if not definition_exists(run):
            end_in_error(run, codes.DEFINITION_DELETED)
            return
        error_id = uuid.uuid4().hex
        LOGGER.exception("error %s: sync %s of company %s failed", error_id, sync.id, store.company.name)
        end_in_error(run, FAILURES[sync.definition.kind], error_id=error_id)


def definition_exists(run: Run) -> bool:
    try:
        with run.store.database.read() as connection:
            get_definition(connection, run.sync)
    except DefinitionDeleted:
        return False
    return True
