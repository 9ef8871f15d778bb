"""Runs a sync of an export: one moment of the store becomes one file of records; then the sync actions are taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any, Final

from staithe.domain import codes
from staithe.domain.catalogue import Catalogue
from staithe.domain.contact_parts import EMAIL_FORMAT, ContactPart, PartKind
from staithe.domain.definition_reader import parse_duration
from staithe.domain.definitions import ExportDefinition
from staithe.domain.export_plan import ExportColumn, ExportPlan, plan_export
from staithe.domain.fields import DERIVATIONS, DataType
from staithe.domain.id_set import IdSet
from staithe.domain.plan import StepResult
from staithe.domain.sync_actions import (
    BOUNCED_SET,
    CONTACTS_SET,
    GLOBAL_UNSUBSCRIBED_SET,
    contact_list_set,
    email_group_set,
)
from staithe.domain.syncs import SyncData, SyncLog
from staithe.domain.values import format_number
from staithe.services.finding import ContactFinder
from staithe.services.sync_run import Run, finish, get_definition, log_steps, take_steps
from staithe.staging.export_data import ExportWriter, format_dates
from staithe.storage import exports, sets, syncs
from staithe.storage.contact_fields import load_catalogue
from staithe.storage.database import Connection

SOURCES: Final = {PartKind.ID: "id", PartKind.CREATED_AT: "created_at", PartKind.UPDATED_AT: "updated_at"}
MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What an export reads beside the rows: the catalogue and the sets, all of one moment."""

    catalogue: Catalogue
    ids: IdSet
    sets: Mapping[str, IdSet]


def attempt_export(run: Run) -> None:
    """Bring a sync of an export to its end.

    Raises:
        LeaseLost: another worker holds it.
        DefinitionDeleted: its definition is gone.
    """
    with run.store.database.read() as connection:
        definition = get_definition(connection, run.sync).definition
        assert isinstance(definition, ExportDefinition)
        catalogue = load_catalogue(connection)
        plan = plan_export(definition, catalogue)
        ids = find_contacts(connection, catalogue, plan)
        needed = {name for column in plan.columns for name in sets_of(column.part)}
        snapshot = Snapshot(catalogue, ids, {name: sets.load_set(connection, name) for name in needed})
        with ExportWriter(run.store.exports, [column.name for column in plan.columns]) as writer:
            write_records(connection, plan, snapshot, writer)
            size = writer.finish()
    kept_until = run.clock() + parse_duration(definition.data_retention_duration) // MICROSECOND
    try:
        end(run, plan, ids, SyncData(writer.file.name, len(ids), size, kept_until))
    except BaseException:
        run.store.exports.delete([writer.file.name])
        raise


def find_contacts(connection: Connection, catalogue: Catalogue, plan: ExportPlan) -> IdSet:
    """The contacts that the filter finds, or all; at most `maxRecords` of them, by rising id."""
    finder = ContactFinder(connection, catalogue)
    ids = finder.everyone if plan.filter is None else finder.find(plan.filter)
    return ids if plan.max_records is None else ids.page(0, plan.max_records)


def write_records(connection: Connection, plan: ExportPlan, snapshot: Snapshot, writer: ExportWriter) -> None:
    """Write a record for each contact; memory holds one batch, however many there are."""
    names = list(dict.fromkeys(("id", *(name for column in plan.columns for name in columns_of(column.part)))))
    batches = exports.read_columns(connection, snapshot.catalogue, names, snapshot.ids, writer.batch_records)
    for columns in batches:
        values = dict(zip(names, columns, strict=True))
        writer.write([to_texts(column, plan, snapshot, values) for column in plan.columns])


def columns_of(part: ContactPart) -> tuple[str, ...]:
    """The columns that a part of a contact comes from."""
    if part.field is None:
        return (SOURCES[part.kind],) if part.kind in SOURCES else ()
    return DERIVATIONS[part.field.internal_name].columns if part.field.is_derived else (part.field.column,)


def sets_of(part: ContactPart) -> tuple[str, ...]:
    """The sets that a part of a contact comes from."""
    match part.kind:
        case PartKind.IS_SUBSCRIBED:
            return (GLOBAL_UNSUBSCRIBED_SET,)
        case PartKind.IS_BOUNCED:
            return (BOUNCED_SET,)
        case PartKind.CONTACT_LIST:
            return (contact_list_set(part.asset_id),)
        case PartKind.EMAIL_GROUP:
            return (email_group_set(part.asset_id, "subscribed"), email_group_set(part.asset_id, "unsubscribed"))
        case _:
            return ()


def to_texts(
    column: ExportColumn, plan: ExportPlan, snapshot: Snapshot, values: Mapping[str, Sequence[Any]]
) -> Iterable[str]:
    """The texts of a column for a batch of contacts, of which `values` has the columns that were read."""
    part, ids = column.part, values["id"]
    members = [snapshot.sets[name] for name in sets_of(part)]
    match part.kind:
        case PartKind.EMAIL_FORMAT:
            return [EMAIL_FORMAT] * len(ids)
        case PartKind.IS_SUBSCRIBED:
            return [str(i not in members[0]) for i in ids]
        case PartKind.IS_BOUNCED | PartKind.CONTACT_LIST:
            return [str(i in members[0]) for i in ids]
        case PartKind.EMAIL_GROUP:
            return ["subscribed" if i in members[0] else "unsubscribed" if i in members[1] else "" for i in ids]
        case _:
            return format_column(part, plan, values)


def format_column(part: ContactPart, plan: ExportPlan, values: Mapping[str, Sequence[Any]]) -> Iterable[str]:
    """The texts of a field, an id or a time."""
    sources = [values[name] for name in columns_of(part)]
    if part.field is not None and part.field.is_derived:
        stored: Sequence[Any] = list(map(DERIVATIONS[part.field.internal_name].work_out, *sources))
    else:
        stored = sources[0]
    if part.kind is PartKind.ID:
        return map(str, stored)
    match part.data_type:
        case DataType.DATE:
            return format_dates(stored, plan.system_zone if part.is_system_time else UTC)
        case DataType.NUMBER:
            return ["" if value is None else format_number(value) for value in stored]
        case _:
            return (value or "" for value in stored) if part.field and part.field.is_derived else stored


def end(run: Run, plan: ExportPlan, ids: IdSet, data: SyncData) -> None:
    """Name the file, take the sync actions, write the log, and end the sync, all in one transaction."""
    with run.store.database.write() as connection:
        get_definition(connection, run.sync)
        now = run.clock()
        # Contacts that were deleted since the file was written are no members of anything.
        present = ids & sets.load_set(connection, CONTACTS_SET, ids.chunk_numbers()) if plan.steps else ids
        results = take_steps(run, connection, plan.steps, present, now) if plan.steps else []
        syncs.save_data(connection, run.sync.id, data)
        finish(run, connection, write_log(run, data, results))


def write_log(run: Run, data: SyncData, results: Sequence[StepResult]) -> SyncLog:
    """The lines of the sync log but the last. Order and codes: docs/compatibility.md."""
    log, now = SyncLog(), run.clock()
    if run.sync.attempts > 1:
        log.add(codes.WILL_RETRY, now, run.sync.attempts - 1)
    log.add(codes.EXPORTED, now, data.records)
    log.add(codes.STAGING_REMOVED, now)
    log.add(codes.EXPORT_STORED, now, kb=-(-data.bytes // 1024))
    log_steps(log, results, now)
    return log
