"""Runs a sync of an export: one moment of the store becomes one file of records; then the sync actions are taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from staithe.domain import codes
from staithe.domain.catalogue import Catalogue
from staithe.domain.definition_reader import parse_duration
from staithe.domain.definitions import ExportDefinition
from staithe.domain.errors import OutcomeUnknown
from staithe.domain.export_plan import ExportPlan, plan_export
from staithe.domain.id_set import IdSet
from staithe.domain.plan import StepResult, set_names
from staithe.domain.sync_actions import CONTACTS_SET
from staithe.domain.syncs import SyncData, SyncLog
from staithe.services.ahead import Ahead
from staithe.services.finding import ContactFinder
from staithe.services.sync_run import DefinitionInvalid, Run, finish, get_definition, log_steps, take_steps
from staithe.staging.export_data import ExportWriter
from staithe.storage import exports, sets, syncs
from staithe.storage.contact_fields import load_catalogue
from staithe.storage.database import Connection

MICROSECOND: Final = timedelta(microseconds=1)


def attempt_export(run: Run) -> None:
    """Bring a sync of an export to its end.

    Raises:
        LeaseLost: another worker holds it.
        HandedBack: the worker was told to stop before all records were written.
        DefinitionDeleted: its definition is gone.
        DefinitionInvalid: it cannot be synced.
    """
    with run.store.database.read() as connection:
        definition = get_definition(connection, run.sync).definition
        assert isinstance(definition, ExportDefinition)
        catalogue = load_catalogue(connection)
        plan = make_plan(definition, catalogue)
        ids = find_contacts(connection, catalogue, plan)
        named = {name: sets.load_set(connection, name) for column in plan.columns for name in column.part.sets}
        with ExportWriter(run.store.exports, [column.name for column in plan.columns]) as writer:
            batches = exports.read_records(connection, catalogue, plan, ids, named, writer.batch_records)
            write_all(run, batches, writer)
            size = writer.finish()
    kept_until = run.clock() + parse_duration(definition.data_retention_duration) // MICROSECOND
    try:
        end(run, plan, ids, SyncData(writer.file.name, len(ids), size, kept_until, writer.file.checksums))
    except OutcomeUnknown:
        # A row may name the file.
        raise
    except BaseException:
        run.store.exports.delete([writer.file.name])
        raise


def make_plan(definition: ExportDefinition, catalogue: Catalogue) -> ExportPlan:
    try:
        return plan_export(definition, catalogue)
    except ValueError as error:
        raise DefinitionInvalid(str(error)) from error


def write_all(run: Run, batches: Iterator[bytes], writer: ExportWriter) -> None:
    """Write the records, one batch while the next is read; memory holds two, however many there are."""
    with Ahead(batches) as ahead:
        while (lines := ahead.take()) is not None:
            run.go_on()
            ahead.begin()
            writer.write(lines)


def find_contacts(connection: Connection, catalogue: Catalogue, plan: ExportPlan) -> IdSet:
    """The contacts that the filter finds, or all; at most `maxRecords` of them, by rising id."""
    finder = ContactFinder(connection, catalogue)
    ids = finder.everyone if plan.filter is None else finder.find(plan.filter)
    return ids if plan.max_records is None else ids.page(0, plan.max_records)


def end(run: Run, plan: ExportPlan, ids: IdSet, data: SyncData) -> None:
    """Name the file, take the sync actions, write the log, and end the sync, all in one transaction."""
    with run.store.database.write(alone=False) as connection:
        get_definition(connection, run.sync, hold=True)
        sets.hold(connection, set_names(plan.steps))
        now = run.clock()
        # Contacts that were deleted since the file was written are no members of anything.
        present = ids & sets.load_set(connection, CONTACTS_SET, ids.chunk_numbers()) if plan.steps else ids
        results = take_steps(run, connection, plan.steps, present, now) if plan.steps else []
        syncs.save_data(connection, run.sync.id, data)
        finish(run, connection, write_log(run, plan, data, results))


def write_log(run: Run, plan: ExportPlan, data: SyncData, results: Sequence[StepResult]) -> SyncLog:
    """The lines of the sync log but the last. Order and codes: docs/compatibility.md."""
    log, now = SyncLog(), run.clock()
    if run.was_lost:
        log.add(codes.WILL_RETRY, now, run.sync.attempts - 1)
    log.add(codes.EXPORTED, now, data.records)
    log.add(codes.STAGING_REMOVED, now)
    log.add(codes.EXPORT_STORED, now, kb=-(-data.bytes // 1024))
    if plan.of_accounts:
        log.add(codes.NO_ACCOUNTS, now, len(plan.of_accounts), statements=", ".join(plan.of_accounts))
    log_steps(log, results, now)
    return log
