"""Runs a sync of an import, chunk by chunk.

Each chunk of records is one transaction: the contacts it makes and changes, and a row of the ledger that says so.
Other writers get in between, and a worker that takes a sync up again goes on behind the last row. When all records
are done, a last transaction takes the sync actions, writes the log, and ends the sync.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import chain
from typing import Any, NamedTuple

from staithe.domain import codes
from staithe.domain.definitions import ImportDefinition, UpdateRule
from staithe.domain.errors import OutcomeUnknown
from staithe.domain.fields import FieldValue
from staithe.domain.id_set import IdSet, SetChange
from staithe.domain.import_plan import ImportPlan, plan_import
from staithe.domain.plan import StepResult, set_names
from staithe.domain.sync_actions import CONTACTS_SET
from staithe.domain.syncs import SyncLog
from staithe.services.ahead import Ahead
from staithe.services.sync_run import (
    LeaseLost,
    Run,
    finish,
    get_definition,
    log_oddities,
    log_steps,
    read_upload,
    record_change,
    take_steps,
)
from staithe.staging.import_rows import ImportRows, Key, prepare_rows
from staithe.staging.rejects import RejectWriter
from staithe.staging.rows import RecordBatch
from staithe.storage import address_states, dialect, import_chunks, imports, sets, syncs, uploads
from staithe.storage.address_states import NOTHING_LEFT
from staithe.storage.contact_fields import load_catalogue
from staithe.storage.database import Connection
from staithe.storage.import_chunks import ImportChunk
from staithe.storage.imports import EMAIL_KEY, ContactWriter, Found
from staithe.storage.uploads import Upload

CHUNK_RECORDS = 16_384
"""Records in one transaction: a few tenths of a second, in which other writers of the company wait."""


@dataclass(slots=True)
class ImportRun:
    """One attempt at an import: what is imported, how, and what is done so far."""

    run: Run
    plan: ImportPlan
    fields: Sequence[str]
    staged: Sequence[Upload]
    writer: ContactWriter
    chunks: list[ImportChunk]
    touched: IdSet = field(default_factory=IdSet)

    @property
    def records_done(self) -> int:
        """How many records of the sync the ledger has."""
        return self.chunks[-1].records_done if self.chunks else 0


def attempt_import(run: Run) -> None:
    """Bring a sync of an import to its end.

    Raises:
        LeaseLost: another worker holds it.
        HandedBack: the worker was told to stop, between two chunks.
        DefinitionDeleted: its definition is gone; what was imported stays.
    """
    under_way = begin(run)
    with Ahead(prepare_rows(batch, under_way.plan) for batch in batches_left(under_way)) as chunks:
        while (rows := chunks.take()) is not None:
            run.go_on()
            commit_chunk(under_way, rows, chunks)
    if under_way.plan.empties_identifier:
        empty_identifiers(under_way)
    end(under_way)


def begin(run: Run) -> ImportRun:
    with run.store.database.write() as connection:
        definition = get_definition(connection, run.sync).definition
        assert isinstance(definition, ImportDefinition)
        catalogue = load_catalogue(connection)
        plan = plan_import(definition, catalogue)
        if plan.identifier.field is not None and not (plan.identifies_by_email or plan.identifies_by_id):
            imports.make_match_index(connection, plan.identifier.field)
        chunks = import_chunks.read_chunks(connection, run.sync.id)
        return ImportRun(
            run=run,
            plan=plan,
            fields=list(definition.fields),
            staged=uploads.uploads_of_sync(connection, run.sync.id),
            writer=ContactWriter(catalogue, plan),
            chunks=chunks,
            touched=IdSet.union(chunk.contacts for chunk in chunks),
        )


def batches_left(under_way: ImportRun) -> Iterator[RecordBatch]:
    """The staged rows that no chunk has had yet. Files never change, so every attempt cuts them alike."""
    done, position = under_way.records_done, 0
    for upload in under_way.staged:
        if position + upload.records <= done:
            position += upload.records
            continue
        for batch in read_upload(under_way.run, upload, CHUNK_RECORDS):
            # A file can have a batch without rows, which is no chunk.
            if batch.num_rows and position + batch.num_rows > done:
                yield batch.slice(max(done - position, 0))
            position += batch.num_rows


def commit_chunk(under_way: ImportRun, rows: ImportRows, chunks: Ahead[ImportRows]) -> None:
    """Import the rows of one chunk, all or none of them.

    The next is prepared while the commit waits for the disk, or while a database of another process is at work.
    """
    run = under_way.run
    rejects = RejectWriter(run.store.rejects, under_way.fields)
    try:
        with run.store.database.write(alone=False) as connection:
            hold_on(run, connection, goes_forward=True)
            sets.hold(connection, contacts_change=True)
            if dialect.of(connection).WORKS_APART:
                chunks.begin()
            created, updated = write_contacts(under_way, connection, rows)
            rejects.add(*rows.rejects(under_way.records_done + 1))
            chunk = ImportChunk(
                records_done=under_way.records_done + rows.batch.num_rows,
                created=len(created),
                updated=len(updated),
                contacts=created | updated,
                reject_counts=dict(rejects.counts),
                american_dates=rows.count_imported(rows.american_dates),
                ignored=rows.count_imported(rows.ignored),
                reject_file=rejects.finish(),
            )
            import_chunks.add_chunk(connection, run.sync.id, chunk)
            chunks.begin()
    except OutcomeUnknown:
        # A row may name the file.
        raise
    except BaseException:
        rejects.discard()
        raise
    under_way.chunks.append(chunk)
    under_way.touched |= chunk.contacts


def hold_on(run: Run, connection: Connection, *, goes_forward: bool) -> None:
    """Make sure that the sync may still write.

    Raises:
        LeaseLost: another worker holds it.
        DefinitionDeleted: its definition is gone.
    """
    get_definition(connection, run.sync, hold=True)
    if goes_forward:
        is_held = syncs.check_lease(connection, run.sync.id, run.owner)
    else:
        is_held = syncs.is_held(connection, run.sync.id, run.owner, hold=True)
    if not is_held:
        raise LeaseLost


class Sorted(NamedTuple):
    """What becomes of records: the positions of new contacts, contact to change -> position, contact -> new address."""

    new: list[int]
    changed: dict[int, int]
    renamed: dict[int, str]


def write_contacts(under_way: ImportRun, connection: Connection, rows: ImportRows) -> tuple[IdSet, IdSet]:
    """Insert and update contacts; gives the ids of both. What only the store can tell is refused here."""
    run, plan = under_way.run, under_way.plan
    sort = sort_by_email if plan.identifies_by_email else sort_records
    new, changed, renamed = sort(under_way, connection, rows)
    now, by = run.clock(), run.sync.created_by
    change_id = cache(partial(record_change, run, connection, now))
    left = address_states.leave(connection, IdSet.of(renamed)) if renamed else NOTHING_LEFT
    if changed:
        under_way.writer.change(connection, list(changed), pick_values(plan, rows, list(changed.values())), now, by)
    created = IdSet()
    # A new contact may take the address that a changed one has just given up, never the other way round.
    if new:
        created = under_way.writer.add(connection, pick_values(plan, rows, new), now, by, change_id())
    if new or renamed or plan.states:
        made = chain(zip(created, new, strict=True), changed.items())
        wishes = state_changes(plan, rows, made) if plan.states else {}
        takers = ((str(rows.email_keys[position]), i) for i, position in zip(created, new, strict=True))
        others = ((address, i) for i, address in renamed.items())
        address_states.settle(connection, change_id, left, chain(takers, others), wishes)
    return created, IdSet.of(changed)


def state_changes(plan: ImportPlan, rows: ImportRows, positions: Iterable[tuple[int, int]]) -> dict[str, SetChange]:
    """What the records make of sets, given (contact id, position) of those that are imported."""
    imported = list(positions)
    changes: dict[str, SetChange] = {}
    for state, values in zip(plan.states, rows.states, strict=True):
        is_in = IdSet.of(i for i, position in imported if values[position] is state.is_in)
        is_out = IdSet.of(i for i, position in imported if values[position] is (not state.is_in))
        change = SetChange(is_in, is_out if state.takes_out else IdSet())
        if change:
            changes[state.set_name] = change
    return changes


def sort_by_email(under_way: ImportRun, connection: Connection, rows: ImportRows) -> Sorted:
    """As `sort_records`, for all records at once: those with different addresses cannot meet the same contact."""
    plan, name = under_way.plan, under_way.plan.identifier_name
    usable = rows.batch.num_rows - len(rows.refused)
    firsts = first_positions(rows)
    found = imports.match_emails(connection, {position: key for key, position in firsts.items()})
    new = [position for position in firsts.values() if position not in found]
    if not under_way.touched.isdisjoint(IdSet.of(found.values())):
        done = [position for position, contact_id in found.items() if contact_id in under_way.touched]
        rows.refuse_all(done, codes.REPEATED_RECORD, name)
    if not plan.updates:
        rows.refuse_all(found, codes.CONTACT_EXISTS, name)
    if not plan.creates:
        rows.refuse_all(new, codes.UNMATCHED, name)
    if len(firsts) < usable:
        for position, key in enumerate(rows.keys):
            first = firsts.get(key, position)
            if first != position:
                rows.refuse(position, *rows.refused.get(first, (codes.REPEATED_RECORD, name)))
    rising = sorted((p for p in found if p not in rows.refused), key=found.__getitem__)
    return Sorted([p for p in new if p not in rows.refused], {found[position]: position for position in rising}, {})


def first_positions(rows: ImportRows) -> dict[Any, int]:
    """Identifier -> where it was sent first, in records that are not refused."""
    count = len(rows.keys)
    # As a rule all are good and different, which needs no loop.
    if not rows.refused and len(positions := dict(zip(rows.keys, range(count), strict=True))) == count:
        return positions
    positions = {}
    for position, key in enumerate(rows.keys):
        if position not in rows.refused:
            positions.setdefault(key, position)
    return positions


def find_contacts(connection: Connection, plan: ImportPlan, rows: ImportRows) -> Found:
    """The contacts that the records match. Each key is looked up once, however often it was sent."""
    positions = first_positions(rows)
    by_key = look_up(connection, plan, {position: key for key, position in positions.items()})
    same = ((p, by_key.get(positions[key])) for p, key in enumerate(rows.keys) if p not in rows.refused)
    return {position: ids for position, ids in same if ids}


def look_up(connection: Connection, plan: ImportPlan, keys: dict[int, Any]) -> Found:
    if plan.identifies_by_id:
        return imports.match_ids(connection, keys)
    assert plan.identifier.field is not None
    return imports.match_field(connection, plan.identifier.field, keys, exact=plan.is_case_sensitive)


def find_owners(connection: Connection, rows: ImportRows) -> dict[int, int]:
    """Who has the email addresses that the records bring beside another identifier."""
    keys = {p: key for p, key in enumerate(rows.email_keys) if key is not None and p not in rows.refused}
    return imports.match_emails(connection, keys) if keys else {}


def sort_records(under_way: ImportRun, connection: Connection, rows: ImportRows) -> Sorted:
    """Decide about each record.

    Each is judged as if those before it had been imported one by one, so that it does not matter where chunks end.
    The changes must be written in their order, in which one may take the email address that another has given up.
    """
    plan = under_way.plan
    found = find_contacts(connection, plan, rows)
    new: list[int] = []
    changed: dict[int, int] = {}
    new_keys: set[Key] = set()
    emails = Emails(find_owners(connection, rows))
    for position in range(rows.batch.num_rows):
        if position in rows.refused:
            continue
        matches = found.get(position, [])
        ids = matches if plan.updates_all_matches else matches[:1]
        is_repeated = rows.keys[position] in new_keys or any(i in changed or i in under_way.touched for i in ids)
        reason = refuse_match(plan, ids, is_repeated=is_repeated) or refuse_email(plan, rows, position, ids, emails)
        if reason is not None:
            rows.refuse(position, *reason)
            continue
        emails.give(plan, position, rows.email_keys[position], ids)
        if ids:
            changed.update(dict.fromkeys(ids, position))
        else:
            new_keys.add(rows.keys[position])
            new.append(position)
    return Sorted(new, changed, emails.renamed)


class Emails:
    """Who has which email address, while the records of a chunk are judged. Not used where they are the identifier.

    `renamed` are the contacts that get another address than they have in the store, with it.
    """

    def __init__(self, owners: Mapping[int, int]) -> None:
        self.owners = owners
        self.claimed: set[str] = set()
        self.given: dict[int, str] = {}
        self.renamed: dict[int, str] = {}

    def is_taken(self, position: int, email_key: str, ids: Sequence[int]) -> bool:
        """Whether another contact than those in `ids` has the address of a record."""
        if email_key in self.claimed:
            return True
        owner = self.owners.get(position)
        # Whoever had it in the store may have been given another since.
        return owner is not None and self.given.get(owner, email_key) == email_key and [owner] != ids

    def give(self, plan: ImportPlan, position: int, email_key: str | None, ids: Sequence[int]) -> None:
        """A record was accepted: its contact has its address, unless the update rule keeps the one it has."""
        if email_key is None or plan.email_position is None:
            return
        if ids and plan.columns[plan.email_position].rule is UpdateRule.IF_EXISTING_IS_NULL:
            return
        self.claimed.add(email_key)
        self.given.update(dict.fromkeys(ids, email_key))
        if self.owners.get(position) not in ids:
            self.renamed.update(dict.fromkeys(ids, email_key))


def refuse_match(plan: ImportPlan, ids: Sequence[int], *, is_repeated: bool) -> tuple[codes.StatusCode, str] | None:
    """Why the contacts that a record matches, or that it matches none, keep it from being imported."""
    if is_repeated:
        return codes.REPEATED_RECORD, plan.identifier_name
    if ids and not plan.updates:
        return codes.CONTACT_EXISTS, plan.identifier_name
    if not ids and (not plan.creates or plan.identifies_by_id):
        return codes.UNMATCHED, plan.identifier_name
    return None


def refuse_email(
    plan: ImportPlan, rows: ImportRows, position: int, ids: Sequence[int], emails: Emails
) -> tuple[codes.StatusCode, str] | None:
    """Why the email address of a record keeps it from being imported: contacts need one, and each its own."""
    if plan.email_position is None:
        return None if ids else (codes.NO_ADDRESS, "C_EmailAddress")
    column = plan.columns[plan.email_position]
    email_key = rows.email_keys[position]
    if email_key is None:
        return None if ids else (codes.REQUIRED_MISSING, column.name)
    if ids and column.rule is UpdateRule.IF_EXISTING_IS_NULL:
        return None
    return (codes.EMAIL_TAKEN, column.name) if emails.is_taken(position, email_key, ids) else None


def pick_values(plan: ImportPlan, rows: ImportRows, positions: Sequence[int]) -> dict[str, Sequence[FieldValue]]:
    """The values of some records by column."""
    by_column: dict[str, Sequence[FieldValue]] = {
        column.field.column: values for column, values in zip(plan.columns, rows.values, strict=True)
    }
    if plan.email_position is not None:
        by_column[EMAIL_KEY] = rows.email_keys
    if positions == list(range(rows.batch.num_rows)):
        return by_column
    return {name: [values[position] for position in positions] for name, values in by_column.items()}


def empty_identifiers(under_way: ImportRun) -> None:
    """Take the value they were matched by from all contacts of the import; again after a crash, which does no harm.

    Records must find what those before them have made, so it is done when all have been.
    """
    run, field_ = under_way.run, under_way.plan.identifier.field
    assert field_ is not None
    for offset in range(0, len(under_way.touched), CHUNK_RECORDS):
        run.go_on()
        with run.store.database.write(alone=False) as connection:
            # The same is done anew after a crash: that is no step forward.
            hold_on(run, connection, goes_forward=False)
            sets.hold(connection, contacts_change=True)
            ids = under_way.touched.page(offset, CHUNK_RECORDS)
            imports.empty_field(connection, load_catalogue(connection), field_, ids)


def end(under_way: ImportRun) -> None:
    """All records are done: take the sync actions, write the log, and end the sync."""
    run, plan = under_way.run, under_way.plan
    counts: Counter[str] = Counter()
    rejects = RejectWriter(run.store.rejects, under_way.fields)
    files = [chunk.reject_file for chunk in under_way.chunks if chunk.reject_file is not None]
    try:
        for file in files:
            rejects.append(file.name, file.checksums)
        for chunk in under_way.chunks:
            counts.update(chunk.reject_counts)
        reject_file = rejects.finish()
        with run.store.database.write(alone=False) as connection:
            get_definition(connection, run.sync, hold=True)
            sets.hold(connection, set_names(plan.steps))
            now = run.clock()
            touched = under_way.touched
            contacts = touched & sets.load_set(connection, CONTACTS_SET, touched.chunk_numbers())
            results = take_steps(run, connection, plan.steps, contacts, now) if plan.steps else []
            begun, done = write_log(under_way, counts, results)
            finish(run, connection, begun, reject_file, behind_the_end=done)
            import_chunks.forget_chunks(connection, run.sync.id)
            staged_files = uploads.remove_of_sync(connection, run.sync.id)
    except OutcomeUnknown:
        # A row may name the file.
        raise
    except BaseException:
        rejects.discard()
        raise
    run.store.staging.delete(staged_files)
    run.store.rejects.delete(file.name for file in files)


def write_log(under_way: ImportRun, counts: Counter[str], results: Sequence[StepResult]) -> tuple[SyncLog, SyncLog]:
    """The lines of the sync log before and behind that of its end: so they stand in the log that was recorded.

    That has no line of how uploads were read, nor of all rejects. Order and codes: docs/compatibility.md.
    """
    begun, log, now = SyncLog(), SyncLog(), under_way.run.clock()
    records = under_way.records_done
    begun.add(codes.STAGED_FOR_IMPORT, now, records)
    begun.add(codes.READY, now)
    if under_way.run.was_lost:
        begun.add(codes.WILL_RETRY, now)
    if not records:
        begun.add(codes.NOTHING_STAGED, now)
    log_oddities(begun, under_way.plan.identifier_name, under_way.staged, now)
    american_dates: Counter[str] = Counter()
    ignored: Counter[str] = Counter()
    for chunk in under_way.chunks:
        american_dates.update(chunk.american_dates)
        ignored.update(chunk.ignored)
    for code, found in ((codes.DATES_READ, american_dates), (codes.IGNORED, ignored)):
        for name, count in sorted(found.items()):
            begun.add(code, now, count, name=name)
    repeated, unusable = counts[codes.REPEATED_RECORD.code], counts[codes.UNUSABLE_VALUE.code]
    log.add(codes.PROCESSED, now, records)
    for code in sorted(counts):
        log.add(codes.REJECT_CODES[code], now, counts[code])
    log.add(codes.LEFT_TO_IMPORT, now, records - repeated)
    log.add(codes.CREATED, now, sum(chunk.created for chunk in under_way.chunks))
    log.add(codes.UPDATED, now, sum(chunk.updated for chunk in under_way.chunks))
    if unusable:
        log.add(codes.VALUES_REFUSED, now, unusable)
    log_steps(log, results, now)
    return begun, log
