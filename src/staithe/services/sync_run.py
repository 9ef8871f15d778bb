"""What the runs of all kinds of syncs share: who runs, what takes the steps, and how a sync ends in error."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from staithe.clock import Clock
from staithe.domain import codes
from staithe.domain.definitions import StoredDefinition
from staithe.domain.errors import Damaged
from staithe.domain.id_set import IdSet, SetChange, merge_changes
from staithe.domain.limits import UNMAPPED_NAMES_LOGGED
from staithe.domain.pauses import USUAL_PAUSES
from staithe.domain.plan import SetStep, StepResult, apply_step, set_names
from staithe.domain.syncs import LogEntry, RejectFile, Sync, SyncLog, SyncStatus
from staithe.services.stores import CompanyStore
from staithe.staging.arrow_folder import GATHERED_ROWS
from staithe.staging.rows import RecordBatch
from staithe.storage import definitions, import_chunks, sets, syncs, uploads
from staithe.storage.database import Connection
from staithe.storage.uploads import Upload


class LeaseLost(Exception):
    """Another worker holds the sync now: this one must change nothing."""


class HandedBack(Exception):
    """The worker was told to stop: what this attempt has not committed is left to another worker."""


class UploadDamaged(Exception):
    """What was uploaded is not as it was written: the sync ends in error, and nothing that is wrong is applied."""

    def __init__(self, upload: Upload) -> None:
        super().__init__(f"upload {upload.id} ({upload.file}) is damaged")
        self.upload = upload


class SyncTooLong(Exception):
    """The worker has run it for as long as it may."""


class DefinitionDeleted(Exception):
    """The definition is gone: the sync ends in error and has no further effect."""


class DefinitionInvalid(Exception):
    """The definition was taken once, but cannot be synced: the sync ends in error. Its text starts with "must"."""


@dataclass(frozen=True, slots=True)
class SyncEnd:
    """How a sync has ended: its final status, and the lines of its log."""

    status: SyncStatus
    log: Sequence[LogEntry]


@dataclass(slots=True)
class Run:
    """One attempt of a worker at one sync.

    `owner` is who holds its lease, `end` what was last written as the sync's end, committed or not. When the object
    store fails, it is left alone for `pause_seconds`. It may take `most_seconds` from now on. Besides `go_on`, while it
    `limited` its store ends what runs when there is a reason to end.
    """

    store: CompanyStore
    sync: Sync
    owner: str
    clock: Clock
    should_stop: Callable[[], bool] = lambda: False
    is_lost: Callable[[], bool] = lambda: False
    pause_seconds: float = USUAL_PAUSES.staging_seconds
    most_seconds: float = math.inf
    began: float = field(default_factory=time.monotonic)
    end: SyncEnd | None = None

    @property
    def was_lost(self) -> bool:
        """Whether a worker was lost with this sync before. One that was handed back was not."""
        return self.sync.attempts > 1

    def go_on(self) -> None:
        """Asked where nothing is half done, and long work would begin.

        Raises:
            LeaseLost: another worker holds it, or it was deleted.
            HandedBack: the worker was told to stop.
            SyncTooLong: its time is over.
        """
        reason = self.reason()
        if reason is not None:
            raise reason

    def reason(self) -> Exception | None:
        """Why it has to end now; None while it may go on."""
        if self.is_lost():
            return LeaseLost()
        if self.should_stop():
            return HandedBack()
        return None if self.seconds_left() > 0 else SyncTooLong()

    def seconds_left(self) -> float:
        """How long it may go on."""
        return self.began + self.most_seconds - time.monotonic()

    @contextmanager
    def limited(self) -> Generator[None]:
        """Within the block the store ends what takes longer than the sync may go on; how it ends is written behind."""
        store = self.store
        self.store = store.limited(lambda: self)
        try:
            yield
        finally:
            self.store = store


def get_definition(connection: Connection, sync: Sync, *, hold: bool = False) -> StoredDefinition:
    """The definition of a sync; with `hold`, and in a write transaction, it stays until the end of that.

    Raises:
        DefinitionDeleted: it is gone.
    """
    stored = definitions.find_definition(connection, sync.definition, hold=hold)
    if stored is None:
        raise DefinitionDeleted
    return stored


def read_upload(run: Run, upload: Upload, rows: int = GATHERED_ROWS) -> Iterator[RecordBatch]:
    """The staged rows of an upload, each batch checked before it is given.

    Raises:
        UploadDamaged: the file is gone, or what comes next is not as it was written.
        StagingUnavailable: the object store fails.
    """
    try:
        yield from run.store.staging.read(upload.file, upload.checksums, rows)
    except (Damaged, FileNotFoundError) as error:
        raise UploadDamaged(upload) from error


def take_steps(run: Run, connection: Connection, steps: Sequence[SetStep], known: IdSet, now: int) -> list[StepResult]:
    """Take a plan's steps in order, and write the sets they changed and how."""
    reads_whole_sets = any(step.instead_of_uploaded for step in steps)
    chunks = None if reads_whole_sets else known.chunk_numbers()
    present: dict[str, IdSet] = {name: sets.load_set(connection, name, chunks) for name in set_names(steps)}
    results: list[StepResult] = []
    changes: list[tuple[str, SetChange]] = []
    for step in steps:
        result, after, made = apply_step(step, known, present)
        present |= after
        changes += made
        results.append(result)
    net: Mapping[str, SetChange] = merge_changes(changes)
    change_id = record_change(run, connection, now)
    sets.save_changes(connection, change_id, present, net)
    return results


def record_change(run: Run, connection: Connection, now: int) -> int:
    """Register that the sync changes sets, and give the change's id."""
    action = f"sync of {run.sync.definition_uri}"
    return sets.record_change(connection, action, now, run.sync.created_by, run.sync.id)


def log_oddities(log: SyncLog, needed_field: str, staged: Sequence[Upload], now: int) -> None:
    """A line for each upload without any field of the definition, and for each name in one that no field has."""
    for upload in staged:
        if upload.records and not upload.has_mapped_field:
            log.add(codes.NO_MAPPED_FIELD, now, upload.records, upload_id=upload.id, name=needed_field)
    unmapped = dict.fromkeys(name for upload in staged for name in upload.unmapped)
    for name in list(unmapped)[:UNMAPPED_NAMES_LOGGED]:
        log.add(codes.UNMAPPED, now, sum(name in upload.unmapped for upload in staged), name=name)


def log_steps(log: SyncLog, results: Iterable[StepResult], now: int) -> None:
    """A line for each sync action."""
    for result in results:
        step = result.step
        log.add(step.code, now, result.applied, target=step.target, status=step.status, changed=f"{result.changed:,}")


def finish(
    run: Run,
    connection: Connection,
    log: SyncLog,
    rejects: RejectFile | None = None,
    behind_the_end: SyncLog | None = None,
) -> None:
    """End a sync as its log says, and write the log; the line of its end is added here.

    Args:
        run: the attempt.
        connection: a write transaction.
        log: the lines before that of the end.
        rejects: the file of its rejects, if it has any.
        behind_the_end: the lines that follow it.

    Raises:
        LeaseLost: another worker holds it.
    """
    later = behind_the_end or SyncLog()
    status = SyncLog([*log.entries, *later.entries]).status()
    log.add(codes.SYNC_ENDED, run.clock(), status=status.value.capitalize())
    if not syncs.finish(connection, run.sync.id, run.owner, status, run.clock(), rejects):
        raise LeaseLost
    run.end = SyncEnd(status, [*log.entries, *later.entries])
    syncs.add_log(connection, run.sync.id, run.end.log)
    definitions.mark_synced(connection, run.sync.definition, run.clock())


def end_in_error(run: Run, code: codes.StatusCode, **places: str | int) -> None:
    """End a sync; its uploads wait for the next one, unless the definition is gone. What an import has done stays."""
    run.end = None
    with run.store.database.write(alone=False) as connection:
        chunks = import_chunks.read_chunks(connection, run.sync.id)
        done = f"{chunks[-1].records_done:,} records had been imported" if chunks else "nothing was changed"
        log = SyncLog()
        log.add(codes.READY, run.clock())
        log.add(code, run.clock(), 0, done=done, **places)
        log.add(codes.SYNC_ENDED, run.clock(), status=SyncStatus.ERROR.value.capitalize())
        if not syncs.finish(connection, run.sync.id, run.owner, SyncStatus.ERROR, run.clock()):
            return
        run.end = SyncEnd(SyncStatus.ERROR, log.entries)
        syncs.add_log(connection, run.sync.id, log.entries)
        uploads.release_from_sync(connection, run.sync.id)
        import_chunks.forget_chunks(connection, run.sync.id)
    run.store.rejects.delete(chunk.reject_file.name for chunk in chunks if chunk.reject_file is not None)
