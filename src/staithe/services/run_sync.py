"""Runs one sync of any kind, and sees to it that it ends, whatever goes wrong."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from staithe.domain import codes
from staithe.domain.definitions import EXPORTS, IMPORTS, SYNC_ACTIONS
from staithe.domain.errors import Busy, StagingUnavailable
from staithe.domain.limits import SECOND
from staithe.services.run_export import attempt_export
from staithe.services.run_import import attempt_import
from staithe.services.run_sync_actions import attempt_sync_actions
from staithe.services.sync_run import (
    DefinitionDeleted,
    DefinitionInvalid,
    HandedBack,
    LeaseLost,
    Run,
    SyncEnd,
    SyncTooLong,
    UploadDamaged,
    end_in_error,
    get_definition,
)
from staithe.storage import syncs
from staithe.storage.database import Connection

LOGGER: Final = logging.getLogger(__name__)
Result = TypeVar("Result")
MOST_ATTEMPTS: Final = 5
"""How often a worker may be lost with a sync that does not go forward."""

MOST_TRIES: Final = 60
TRY_PAUSE_SECONDS: Final = 1.0

FAILURES: Final[Mapping[str, codes.StatusCode]] = {
    SYNC_ACTIONS: codes.STAGING_FAILED,
    IMPORTS: codes.IMPORT_FAILED,
    EXPORTS: codes.EXPORT_FAILED,
}
DAMAGES: Final[Mapping[str, codes.StatusCode]] = {
    SYNC_ACTIONS: codes.STAGING_DAMAGED,
    IMPORTS: codes.IMPORT_DAMAGED,
}
UNUSABLE: Final[Mapping[type[Exception], codes.StatusCode]] = {
    DefinitionDeleted: codes.DEFINITION_DELETED,
    DefinitionInvalid: codes.DEFINITION_INVALID,
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
    sync, company = run.sync, run.store.company.name
    try:
        if sync.attempts > MOST_ATTEMPTS:
            end_in_error(run, codes.GAVE_UP, attempts=MOST_ATTEMPTS)
            return
        with run.limited():
            ATTEMPTS[sync.definition.kind](run)
    except LeaseLost:
        note_taken_over(run)
    except HandedBack:
        if hand_back(run):
            LOGGER.info("sync %s of company %s is handed back", sync.id, company)
    except SyncTooLong:
        end_in_error(run, codes.TOO_LONG_RUN, seconds=round(run.most_seconds))
    except (DefinitionDeleted, DefinitionInvalid) as error:
        end_in_error(run, UNUSABLE[type(error)], problem=str(error))
    except StagingUnavailable:
        LOGGER.warning("sync %s of company %s waits for the staging area", sync.id, company)
        # The object store may fail for hours: no attempt is counted.
        hand_back(run, until=run.clock() + int(run.pause_seconds * SECOND))
    except Busy:
        LOGGER.warning("sync %s of company %s: the store is busy, to be tried again", sync.id, company)
        hand_back(run)
    except Exception as error:
        end_after_failure(run, error)


def hand_back(run: Run, until: int = 0) -> bool:
    """Leave a sync to another worker as if this one had not begun; false if another has it already, or it is gone."""

    def write(connection: Connection) -> bool:
        return syncs.hand_back(connection, run.sync.id, run.owner, was_lost=run.was_lost, until=until)

    # Perhaps its end was written, but not stored.
    run.end = None
    was_held = write_at_last(run, write)
    if not was_held:
        note_taken_over(run)
    return was_held


def note_taken_over(run: Run) -> None:
    """Another worker has the sync, or it was deleted; this one lives, so it was not lost."""
    run.end = None
    LOGGER.warning("sync %s of company %s was taken over, or deleted", run.sync.id, run.store.company.name)
    write_at_last(run, lambda connection: syncs.note_alive(connection, run.sync.id))


def write_at_last(run: Run, write: Callable[[Connection], Result]) -> Result:
    """Write when the store can be had again, however long it restarts: a lease that runs out looks like a dead worker.

    Raises:
        Busy: the worker was told to stop meanwhile, or it takes too long.
    """
    tries_left = MOST_TRIES
    while True:
        try:
            with run.store.database.write(alone=False) as connection:
                return write(connection)
        except Busy:
            tries_left -= 1
            if not tries_left or run.should_stop():
                raise
            time.sleep(TRY_PAUSE_SECONDS)


def end_after_failure(run: Run, error: Exception) -> None:
    """End a sync whose attempt has raised `error`; in its handler.

    Who takes a sync over deletes what this attempt may have been reading: then there is no failure to tell of.
    """
    sync, company = run.sync, run.store.company.name
    with run.store.database.read() as connection:
        is_held = syncs.is_held(connection, sync.id, run.owner)
    if not is_held:
        note_taken_over(run)
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
