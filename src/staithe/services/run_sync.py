"""Runs one sync: staged identifiers -> contact ids -> sync actions -> one commit.

The long part, matching, reads one moment of the store and locks nothing. The commit then checks that no contact
came or went since; if one did, the matching is done again, the last time inside the write transaction.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from staithe.clock import Clock
from staithe.domain import codes
from staithe.domain.definitions import SYNC_ACTIONS, StoredDefinition
from staithe.domain.elements import ELEMENTS
from staithe.domain.errors import Busy
from staithe.domain.id_set import IdSet, SetChange, merge_changes
from staithe.domain.identifiers import IdentifierKind
from staithe.domain.limits import UNMAPPED_NAMES_LOGGED
from staithe.domain.plan import StepResult, SyncPlan, apply_step, plan_sync
from staithe.domain.sync_actions import CONTACTS_SET
from staithe.domain.syncs import Sync, SyncLog, SyncStatus
from staithe.services.stores import CompanyStore
from staithe.staging.matching import OUTCOMES, UNKNOWN, match_batch
from staithe.staging.rejects import RejectWriter
from staithe.storage import contacts, definitions, sets, syncs, uploads
from staithe.storage.database import Connection
from staithe.storage.uploads import Upload

LOGGER: Final = logging.getLogger(__name__)
OPTIMISTIC_TRIES: Final = 2
MOST_ATTEMPTS: Final = 5
SYNCED_ELEMENTS: Final = tuple(e.name for e in ELEMENTS if SYNC_ACTIONS in e.served and e.name)


class LeaseLost(Exception):
    """Another worker holds the sync now: this one must change nothing."""


class DefinitionDeleted(Exception):
    """The definition is gone: the sync ends in error and has no effect."""


@dataclass(slots=True)
class Matches:
    """What the staged records came to: the contacts, the counts, and the rejects on their way to a file.

    A block that has it and raises leaves no file of rejects behind.
    """

    rejects: RejectWriter
    contacts_version: int
    known: IdSet = field(default_factory=IdSet)
    records: int = 0
    known_records: int = 0

    def __enter__(self) -> None:
        return None

    def __exit__(self, error_type: type[BaseException] | None, _error: object, _trace: object) -> None:
        if error_type is not None:
            self.rejects.discard()


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt of a worker at one sync."""

    store: CompanyStore
    sync: Sync
    owner: str
    clock: Clock


def run_sync(store: CompanyStore, sync: Sync, owner: str, clock: Clock) -> None:
    """Bring a claimed sync to its end: what goes wrong ends it in error, and is logged."""
    run = Run(store, sync, owner, clock)
    try:
        if sync.attempts > MOST_ATTEMPTS:
            end_in_error(run, codes.GAVE_UP, attempts=MOST_ATTEMPTS)
            return
        attempt_sync(run)
    except LeaseLost:
        LOGGER.warning("sync %s of company %s was taken over", sync.id, store.company.name)
    except DefinitionDeleted:
        end_in_error(run, codes.DEFINITION_DELETED)
    except Busy:
        LOGGER.warning("sync %s of company %s: the store is busy, to be tried again", sync.id, store.company.name)
        with store.database.write() as connection:
            syncs.release_leases(connection, owner, sync.id)
    except Exception:
        if not definition_exists(run):
            end_in_error(run, codes.DEFINITION_DELETED)
            return
        error_id = uuid.uuid4().hex
        LOGGER.exception("error %s: sync %s of company %s failed", error_id, sync.id, store.company.name)
        end_in_error(run, codes.STAGING_FAILED, error_id=error_id)


def attempt_sync(run: Run) -> None:
    with run.store.database.read() as connection:
        stored = get_definition(connection, run.sync)
        staged = uploads.uploads_of_sync(connection, run.sync.id)
    plan = plan_sync(stored.definition)
    for _ in range(OPTIMISTIC_TRIES):
        with run.store.database.read() as connection:
            matches = match_uploads(run, connection, plan, stored, staged)
        if commit(run, plan, staged, matches):
            return
    LOGGER.info("sync %s: contacts keep changing, so it is matched while they are held still", run.sync.id)
    with run.store.database.write() as connection:
        matches = match_uploads(run, connection, plan, stored, staged)
        with matches:
            files = write_effects(run, connection, plan, staged, matches)
    run.store.staging.delete(files)


def get_definition(connection: Connection, sync: Sync) -> StoredDefinition:
    for element in SYNCED_ELEMENTS:
        stored = definitions.find_definition(connection, element, sync.definition_id)
        if stored is not None:
            return stored
    raise DefinitionDeleted


def definition_exists(run: Run) -> bool:
    try:
        with run.store.database.read() as connection:
            get_definition(connection, run.sync)
    except DefinitionDeleted:
        return False
    return True


def match_uploads(
    run: Run, connection: Connection, plan: SyncPlan, stored: StoredDefinition, staged: list[Upload]
) -> Matches:
    """Match every staged record; memory holds one batch and the bitmaps, whatever was uploaded."""
    fields = list(stored.definition.fields)
    rejects = RejectWriter(run.store.rejects, fields, plan.identifier_field)
    matches = Matches(rejects, contacts.contacts_version(connection))
    all_contacts = sets.load_set(connection, CONTACTS_SET)
    find_emails = partial(contacts.match_emails, connection)
    with matches:
        for upload in staged:
            for batch in run.store.staging.read(upload.file):
                matched = match_batch(batch, plan.identifier_field, plan.identifier, all_contacts, find_emails)
                rejects.add(matched, matches.records + 1)
                matches.records += matched.records
                matches.known_records += matched.known_records
                matches.known |= matched.known
    return matches


def commit(run: Run, plan: SyncPlan, staged: list[Upload], matches: Matches) -> bool:
    """Make the effects durable; false, and nothing is changed, if a contact came or went since the matching."""
    with matches, run.store.database.write() as connection:
        if contacts.contacts_version(connection) != matches.contacts_version:
            matches.rejects.discard()
            return False
        files = write_effects(run, connection, plan, staged, matches)
    run.store.staging.delete(files)
    return True


def write_effects(
    run: Run, connection: Connection, plan: SyncPlan, staged: list[Upload], matches: Matches
) -> list[str]:
    """Everything a sync changes, in one transaction; gives the staged files that are done with."""
    get_definition(connection, run.sync)
    now = run.clock()
    results = take_steps(run, connection, plan, matches.known, now)
    reject_file = matches.rejects.finish()
    log = write_log(run, plan, staged, matches, results)
    status = log.status()
    log.add(codes.SYNC_ENDED, run.clock(), sync_id=run.sync.id, status=status.value.capitalize())
    rejects = (reject_file, matches.rejects.count)
    if not syncs.finish(connection, run.sync.id, run.owner, status, run.clock(), rejects):
        raise LeaseLost
    syncs.add_log(connection, run.sync.id, log.entries)
    definitions.mark_synced(connection, run.sync.definition_id, now)
    return uploads.remove_of_sync(connection, run.sync.id)


def take_steps(run: Run, connection: Connection, plan: SyncPlan, known: IdSet, now: int) -> list[StepResult]:
    """Take the plan's steps in order, and write the sets they changed and how."""
    reads_whole_sets = any(step.instead_of_uploaded for step in plan.steps)
    chunks = None if reads_whole_sets else known.chunk_numbers()
    present: dict[str, IdSet] = {name: sets.load_set(connection, name, chunks) for name in plan.set_names()}
    results: list[StepResult] = []
    changes: list[tuple[str, SetChange]] = []
    for step in plan.steps:
        result, after, made = apply_step(step, known, present)
        present |= after
        changes += made
        results.append(result)
    net: Mapping[str, SetChange] = merge_changes(changes)
    action = f"sync of {run.sync.definition_uri}"
    change_id = sets.record_change(connection, action, now, run.sync.created_by, run.sync.id)
    sets.save_changes(connection, change_id, present, net)
    return results


def write_log(run: Run, plan: SyncPlan, staged: list[Upload], matches: Matches, results: list[StepResult]) -> SyncLog:
    """The lines of the sync log but the last. Order and codes: docs/compatibility.md."""
    log, now = SyncLog(), run.clock()
    log.add(codes.READY, now)
    if run.sync.attempts > 1:
        log.add(codes.WILL_RETRY, now, run.sync.attempts - 1)
    if not staged or not matches.records:
        log.add(codes.NOTHING_STAGED, now)
    if staged:
        log_uploads(log, plan, staged, now)
    log.add(codes.STAGED, now, matches.records)
    log.add(codes.PROCESSED, now, matches.records)
    repeated = matches.known_records - len(matches.known)
    if repeated:
        is_email = plan.identifier is IdentifierKind.EMAIL_ADDRESS
        log.add(codes.REPEATED_EMAIL if is_email else codes.REPEATED_IDENTIFIER, now, repeated)
    for outcome, count in zip(OUTCOMES, matches.rejects.counts, strict=True):
        if outcome is not None and count:
            log.add(outcome, now, count)
    if matches.rejects.counts[UNKNOWN]:
        log.add(codes.UNMATCHED, now, matches.rejects.counts[UNKNOWN])
    if matches.rejects.count:
        log.add(codes.REJECTED, now, matches.rejects.count)
    for result in results:
        step = result.step
        log.add(step.code, now, result.applied, target=step.target, status=step.status, changed=f"{result.changed:,}")
    return log


def log_uploads(log: SyncLog, plan: SyncPlan, staged: list[Upload], now: int) -> None:
    log.add(codes.LOCKED, now, len(staged))
    for upload in staged:
        kb = -(-upload.staged_bytes // 1024)
        log.add(codes.CONVERTED, now, upload.records, upload_id=upload.id, kb=kb, format=upload.format)
        if upload.records and not upload.has_mapped_field:
            log.add(codes.NO_MAPPED_FIELD, now, upload.records, upload_id=upload.id, name=plan.identifier_field)
    unmapped = dict.fromkeys(name for upload in staged for name in upload.unmapped)
    for name in list(unmapped)[:UNMAPPED_NAMES_LOGGED]:
        log.add(codes.UNMAPPED, now, sum(name in upload.unmapped for upload in staged), name=name)


def end_in_error(run: Run, code: codes.StatusCode, **places: str | int) -> None:
    """End a sync without effect; its uploads wait for the next sync, unless the definition is gone."""
    log = SyncLog()
    log.add(codes.READY, run.clock())
    log.add(code, run.clock(), 0, **places)
    log.add(codes.SYNC_ENDED, run.clock(), sync_id=run.sync.id, status=SyncStatus.ERROR.value.capitalize())
    with run.store.database.write() as connection:
        if not syncs.finish(connection, run.sync.id, run.owner, SyncStatus.ERROR, run.clock()):
            return
        syncs.add_log(connection, run.sync.id, log.entries)
        uploads.release_from_sync(connection, run.sync.id)
