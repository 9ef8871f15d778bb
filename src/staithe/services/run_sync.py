"""Runs one sync of any kind, and sees to it that it ends, whatever goes wrong."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from typing import Final

from staithe.domain import codes
from staithe.domain.definitions import EXPORTS, IMPORTS, SYNC_ACTIONS
from staithe.domain.errors import Busy, StagingUnavailable
from staithe.domain.limits import SECOND
from staithe.services.run_export import attempt_export
from staithe.services.run_import import attempt_import
from staithe.services.run_sync_actions import attempt_sync_actions
from staithe.services.sync_run import (
    DefinitionDeleted,
    HandedBack,
    LeaseLost,
    Run,
    SyncEnd,
    UploadDamaged,
    end_in_error,
    get_definition,
)
from staithe.storage import syncs

LOGGER: Final = logging.getLogger(__name__)
MOST_ATTEMPTS: Final = 5

FAILURES: Final[Mapping[str, codes.StatusCode]] = {
    SYNC_ACTIONS: codes.STAGING_FAILED,
    IMPORTS: codes.IMPORT_FAILED,
    EXPORTS: codes.EXPORT_FAILED,
}
DAMAGES: Final[Mapping[str, codes.StatusCode]] = {
    SYNC_ACTIONS: codes.STAGING_DAMAGED,
    IMPORTS: codes.IMPORT_DAMAGED,
}
ATTEMPTS: Final[Mapping[str, Callable[[Run], None]]] = {
    SYNC_ACTIONS: attempt_sync_actions,
    IMPORTS: attempt_import,
    EXPORTS: attempt_export,
}


def run_sync(run: Run) -> SyncEnd | None:
    """Bring a claimed sync to its end, or hand it back: what goes wrong ends it in error, and is logged.

    Returns:
        Its end; None if it has not ended, or another worker has ended it.
    """
    bring_to_end(run)
    return run.end


def bring_to_end(run: Run) -> None:
    sync, store = run.sync, run.store
    try:
        if sync.attempts > MOST_ATTEMPTS:
            end_in_error(run, codes.GAVE_UP, attempts=MOST_ATTEMPTS)
            return
        ATTEMPTS[sync.definition.kind](run)
    except LeaseLost:
        LOGGER.warning("sync %s of company %s was taken over", sync.id, store.company.name)
    except HandedBack:
        hand_back(run)
    except DefinitionDeleted:
        end_in_error(run, codes.DEFINITION_DELETED)
    except StagingUnavailable:
        run.end = None
        LOGGER.warning("sync %s of company %s waits for the staging area", sync.id, store.company.name)
        # The object store may fail for hours: no attempt is counted.
        until = run.clock() + int(run.pause_seconds * SECOND)
        with store.database.write(alone=False) as connection:
            syncs.hand_back(connection, sync.id, run.owner, was_lost=run.was_lost, until=until)
    except Busy:
        # Also at the commit, when its end was written but not stored.
        run.end = None
        LOGGER.warning("sync %s of company %s: the store is busy, to be tried again", sync.id, store.company.name)
        with store.database.write(alone=False) as connection:
            syncs.release_lease(connection, sync.id, run.owner)
    except Exception as error:
        end_after_failure(run, error)


def hand_back(run: Run) -> None:
    """Leave a sync to another worker, which goes on at once; it has not failed, and its log will not tell."""
    with run.store.database.write(alone=False) as connection:
        was_held = syncs.hand_back(connection, run.sync.id, run.owner, was_lost=run.was_lost)
    if was_held:
        LOGGER.info("sync %s of company %s is handed back", run.sync.id, run.store.company.name)


def end_after_failure(run: Run, error: Exception) -> None:
    """End a sync whose attempt has raised `error`; in its handler.

    Who takes a sync over deletes what this attempt may have been reading: then there is no failure to tell of.
    """
    sync, company = run.sync, run.store.company.name
    with run.store.database.read() as connection:
        is_held = syncs.is_held(connection, sync.id, run.owner)
    if not is_held:
        LOGGER.warning("sync %s of company %s was taken over", sync.id, company)
        return
    if not definition_exists(run):
        end_in_error(run, codes.DEFINITION_DELETED)
        return
    error_id = uuid.uuid4().hex
    what = "error %s: sync %s of company %s failed"
    LOGGER.exception(what, error_id, sync.id, company, extra={"error_id": error_id})
    if isinstance(error, UploadDamaged):
        end_in_error(run, DAMAGES[sync.definition.kind], error_id=error_id, upload_id=error.upload.id)
    else:
        end_in_error(run, FAILURES[sync.definition.kind], error_id=error_id)


def definition_exists(run: Run) -> bool:
    try:
        with run.store.database.read() as connection:
            get_definition(connection, run.sync)
    except DefinitionDeleted:
        return False
    return True
