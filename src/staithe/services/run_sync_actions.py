"""Runs a sync of sync actions: staged identifiers -> contact ids -> sync actions -> one commit.

The long part, matching, reads one moment of the store and locks nothing. The commit then checks that no contact
came or went since; if one did, the matching is done again, the last time inside the write transaction.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from staithe.domain import codes
from staithe.domain.definitions import StoredDefinition, SyncActionDefinition
from staithe.domain.errors import OutcomeUnknown
from staithe.domain.id_set import IdSet
from staithe.domain.identifiers import IdentifierKind
from staithe.domain.plan import StepResult, SyncPlan, plan_sync, set_names
from staithe.domain.sync_actions import CONTACTS_SET
from staithe.domain.syncs import RejectFile, SyncLog
from staithe.services.sync_run import Run, finish, get_definition, log_oddities, log_steps, read_upload, take_steps
from staithe.staging.matching import OUTCOMES, match_batch
from staithe.staging.rejects import RejectWriter
from staithe.storage import contacts, sets, uploads
from staithe.storage.database import Connection
from staithe.storage.uploads import Upload

LOGGER: Final = logging.getLogger(__name__)
OPTIMISTIC_TRIES: Final = 2


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
    reject_file: RejectFile | None = None

    def __enter__(self) -> None:
        return None

    def __exit__(self, error_type: type[BaseException] | None, _error: object, _trace: object) -> None:
        # After a commit whose outcome is unknown, a row may name the file.
        if error_type is not None and not issubclass(error_type, OutcomeUnknown):
            self.rejects.discard()


def attempt_sync_actions(run: Run) -> None:
    """Bring a sync of sync actions to its end.

    Raises:
        LeaseLost: another worker holds it.
        HandedBack: the worker was told to stop before all records were matched.
        DefinitionDeleted: its definition is gone.
    """
    with run.store.database.read() as connection:
        stored = get_definition(connection, run.sync)
        staged = uploads.uploads_of_sync(connection, run.sync.id)
    assert isinstance(stored.definition, SyncActionDefinition)
    plan = plan_sync(stored.definition)
    for _ in range(OPTIMISTIC_TRIES):
        with run.store.database.read(maps=True) as connection:
            matches = match_uploads(run, connection, plan, stored, staged)
        if commit(run, plan, staged, matches):
            return
    LOGGER.info("sync %s: contacts keep changing, so it is matched while they are held still", run.sync.id)
    with run.store.database.write(alone=False) as connection:
        hold_all(run, connection, plan)
        matches = match_uploads(run, connection, plan, stored, staged)
        with matches:
            files = write_effects(run, connection, plan, staged, matches)
    run.store.staging.delete(files)


def match_uploads(
    run: Run, connection: Connection, plan: SyncPlan, stored: StoredDefinition, staged: list[Upload]
) -> Matches:
    """Match every staged record; memory holds one batch and the bitmaps, whatever was uploaded."""
    rejects = RejectWriter(run.store.rejects, list(stored.definition.fields))
    matches = Matches(rejects, contacts.contacts_version(connection))
    all_contacts = sets.load_set(connection, CONTACTS_SET)
    find_emails = partial(contacts.match_emails, connection)
    with matches:
        for upload in staged:
            for batch in read_upload(run, upload):
                run.go_on()
                matched = match_batch(batch, plan.identifier_field, plan.identifier, all_contacts, find_emails)
                rows, numbers, reasons = matched.rejected(matches.records + 1)
                # The whole identifier is at fault in every reject of a sync action: there is no other field.
                rejects.add(rows, numbers, reasons, [[plan.identifier_field]] * len(reasons))
                matches.records += matched.records
                matches.known_records += matched.known_records
                matches.known |= matched.known
        # Before the commit, in which others wait: to make a file durable can take long.
        matches.reject_file = rejects.finish()
    return matches


def commit(run: Run, plan: SyncPlan, staged: list[Upload], matches: Matches) -> bool:
    """Make the effects durable; false, and nothing is changed, if a contact came or went since the matching."""
    with matches, run.store.database.write(alone=False) as connection:
        hold_all(run, connection, plan)
        if contacts.contacts_version(connection) != matches.contacts_version:
            matches.rejects.discard()
            return False
        files = write_effects(run, connection, plan, staged, matches)
    run.store.staging.delete(files)
    return True


def hold_all(run: Run, connection: Connection, plan: SyncPlan) -> None:
    """Hold everything that the commit stands on: the definition, the contacts, and the sets that it changes."""
    get_definition(connection, run.sync, hold=True)
    sets.hold(connection, set_names(plan.steps))


def write_effects(
    run: Run, connection: Connection, plan: SyncPlan, staged: list[Upload], matches: Matches
) -> list[str]:
    """Everything a sync changes, in one transaction; gives the staged files that are done with."""
    now = run.clock()
    results = take_steps(run, connection, plan.steps, matches.known, now)
    log = write_log(run, plan, staged, matches, results)
    finish(run, connection, log, matches.reject_file)
    return uploads.remove_of_sync(connection, run.sync.id)


def write_log(run: Run, plan: SyncPlan, staged: list[Upload], matches: Matches, results: list[StepResult]) -> SyncLog:
    """The lines of the sync log but the last. Order and codes: docs/compatibility.md."""
    log, now = SyncLog(), run.clock()
    log.add(codes.READY, now)
    if run.was_lost:
        log.add(codes.WILL_RETRY, now, run.sync.attempts - 1)
    if not staged or not matches.records:
        log.add(codes.NOTHING_STAGED, now)
    if staged:
        log.add(codes.LOCKED, now, len(staged))
    for upload in staged:
        kb = -(-upload.staged_bytes // 1024)
        log.add(codes.CONVERTED, now, upload.records, upload_id=upload.id, kb=kb, format=upload.format)
    log_oddities(log, plan.identifier_field, staged, now)
    log.add(codes.STAGED, now, matches.records)
    log.add(codes.PROCESSED, now, matches.records)
    repeated = matches.known_records - len(matches.known)
    if repeated:
        is_email = plan.identifier is IdentifierKind.EMAIL_ADDRESS
        log.add(codes.REPEATED_EMAIL if is_email else codes.REPEATED_IDENTIFIER, now, repeated)
    rejects = matches.rejects
    for outcome in OUTCOMES:
        if outcome is not None and rejects.counts[outcome.code]:
            log.add(outcome, now, rejects.counts[outcome.code])
    if rejects.counts[codes.UNKNOWN_CONTACT.code]:
        log.add(codes.UNMATCHED, now, rejects.counts[codes.UNKNOWN_CONTACT.code])
    if rejects.count:
        log.add(codes.REJECTED, now, rejects.count)
    log_steps(log, results, now)
    return log
