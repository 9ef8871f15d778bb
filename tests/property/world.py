"""A real company in a temporary directory and the naive model of it, changed by the same operations, compared."""

from __future__ import annotations

import csv
import io
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from staithe.clock import system_clock
from staithe.domain.catalogue import STANDARD
from staithe.domain.companies import Role, User
from staithe.domain.definitions import SYNC_ACTIONS, DefinitionKey
from staithe.domain.elements import ELEMENTS
from staithe.domain.identifiers import IdentifierKind
from staithe.domain.list_query import ListQuery
from staithe.domain.syncs import Sync
from staithe.services import accounts, definitions, seeding, syncs, uploads
from staithe.services.caller import Caller
from staithe.services.run_sync import run_sync
from staithe.services.stores import Stores
from staithe.services.sync_run import Run
from staithe.storage import assets, contacts, counters, sets
from staithe.storage import syncs as sync_rows
from staithe.storage.tables import SYNC, UPLOAD
from tests.property import model
from tests.property.model import Action, Staged
from tests.support.audit import Replay, check_changes_of_syncs, check_files, kept_states, stored_sets

CONTACTS_ELEMENT = next(e for e in ELEMENTS if e.name == "contacts")
STATEMENTS = {
    IdentifierKind.CONTACT_ID: "{{Contact.Id}}",
    IdentifierKind.EMAIL_ADDRESS: "{{Contact.Field(C_EmailAddress)}}",
    IdentifierKind.EXTERNAL_ID: "{{Contact.Field(ContactIDExt)}}",
}
BEFORE_A_BORDER = 65_533
MANY = ListQuery(limit=1000)


@dataclass
class Defined:
    """A definition of the model, with what waits for a sync of it."""

    id: int
    kind: IdentifierKind
    actions: list[Action]
    is_triggered: bool
    waiting: list[Staged] = field(default_factory=list)
    is_deleted: bool = False

    @property
    def key(self) -> DefinitionKey:
        """What identifies it in the store."""
        return DefinitionKey(SYNC_ACTIONS, self.id)


class World:
    """One company. Contacts 1 to 3 and five around the first border of chunks; lists and groups 1 and 2."""

    def __init__(self, stores: Stores, name: str) -> None:
        company = accounts.create_company(stores, name, system_clock())
        self.stores, self.store = stores, stores.open(company)
        self.user = User(1, company, "ann", Role.ADMIN)
        self.contacts: dict[int, str] = {}
        self.sets: dict[str, set[int]] = {}
        self.kept: set[tuple[str, str]] = set()
        self.replay = Replay()
        self.seed(3)
        with self.store.database.write() as connection:
            counters.take_ids(connection, counters.CONTACTS, BEFORE_A_BORDER - 3)
            for _ in range(2):
                columns = {"name": "any", "description": None, "data_lookup_id": "any"}
                assets.add_asset(connection, "contactlist", columns, 0, "ann")
                assets.add_asset(connection, "emailgroup", {**columns, "properties": "{}"}, 0, "ann")
        self.seed(5)

    def seed(self, count: int) -> None:
        first, last = seeding.seed(self.store, count, system_clock(), lambda _: None)
        self.contacts |= {n: f"contact-{n}@example.com" for n in range(first, last + 1)}

    @property
    def caller(self) -> Caller:
        """The user, now."""
        return Caller(self.user, self.stores, self.store, system_clock())

    def define(self, kind: IdentifierKind, actions: list[Action], *, is_triggered: bool) -> Defined:
        """Make a definition whose field is called Id."""
        properties = {
            "name": "any",
            "fields": {"Id": STATEMENTS[kind]},
            "identifierFieldName": "Id",
            "syncActions": [action.wire for action in actions],
            "isSyncTriggeredOnImport": is_triggered,
        }
        stored = definitions.create(self.caller, CONTACTS_ELEMENT, SYNC_ACTIONS, properties)
        return Defined(stored.key.id, kind, actions, is_triggered)

    def send(self, defined: Defined, kind: str, body: bytes) -> Sync | None:
        """Upload a body in pieces."""
        request = uploads.UploadRequest(kind, "", time.monotonic() + 60)
        with uploads.ReceivingUpload(self.caller, CONTACTS_ELEMENT, defined.key, request) as upload:
            for start in range(0, len(body), 50):
                upload.feed(body[start : start + 50])
            return upload.finish()

    def upload_json(self, defined: Defined, records: list[dict[str, Any]]) -> None:
        """Upload records; those without the field have no identifier."""
        rows = [(None if (v := r.get("Id")) is None else str(v), True) for r in records]
        names = {name for record in records for name in record}
        self.keep(defined, "JSON", json.dumps(records).encode(), Staged(rows, names - {"Id"}, "Id" in names))

    def upload_csv(self, defined: Defined, names: list[str], lines: list[list[str]]) -> None:
        """Upload lines; one with another number of values than there are names cannot be read."""
        out = io.StringIO(newline="")
        csv.writer(out, quoting=csv.QUOTE_ALL).writerows([names, *lines])
        place = names.index("Id") if "Id" in names else None
        rows: list[tuple[str | None, bool]] = []
        for line in lines:
            is_whole = len(line) == len(names)
            has_value = place is not None and place < len(line)
            rows.append((line[place] if place is not None and has_value else None, is_whole))
        staged = Staged(rows, set(names) - {"Id"}, place is not None)
        self.keep(defined, "CSV", out.getvalue().encode(), staged)

    def keep(self, defined: Defined, kind: str, body: bytes, staged: Staged) -> None:
        sync = self.send(defined, kind, body)
        defined.waiting.append(staged)
        assert (sync is not None) is defined.is_triggered
        if sync is not None:
            self.work_off(defined, sync)

    def sync(self, defined: Defined) -> None:
        """Start a sync, run it, and compare."""
        self.work_off(defined, syncs.create(self.caller, {"syncedInstanceUri": f"/contacts/syncActions/{defined.id}"}))

    def work_off(self, defined: Defined, sync: Sync) -> None:
        self.work()
        expected = model.run(defined.kind, defined.actions, defined.waiting, self.contacts, self.sets)
        defined.waiting = []
        ended = syncs.read(self.caller, sync.id)
        log, _, _ = syncs.read_log(self.caller, sync.id, MANY)
        rejects, reject_count = syncs.read_rejected(self.caller, sync.id, MANY)
        assert ended.status == expected.status
        assert Counter((line.code, line.count) for line in log) == expected.log
        found = [(r.record_index, r.reason, r.field_values, r.invalid_fields) for r in rejects]
        assert found == [(index, code, {"Id": value}, ("Id",)) for index, code, value in expected.rejects]
        assert reject_count == len(expected.rejects)

    def work(self) -> None:
        """Be the worker until nothing is pending."""
        while True:
            now = system_clock()
            with self.store.database.write() as connection:
                sync = sync_rows.claim(connection, "worker", now, now + 60_000_000)
            if sync is None:
                return
            run_sync(Run(self.store, sync, "worker", system_clock))

    def delete_before_it_runs(self, defined: Defined) -> None:
        """Start a sync and delete its definition before a worker takes it up."""
        sync = syncs.create(self.caller, {"syncedInstanceUri": f"/contacts/syncActions/{defined.id}"})
        self.delete(defined)
        self.work()
        log, _, _ = syncs.read_log(self.caller, sync.id, MANY)
        assert syncs.read(self.caller, sync.id).status == "error"
        assert [line.code for line in log] == ["ELQ-00137", "ELQ-00143", "ELQ-00101"]

    def delete(self, defined: Defined) -> None:
        """Delete a definition."""
        definitions.delete(self.caller, CONTACTS_ELEMENT, defined.key)
        defined.is_deleted, defined.waiting = True, []

    def clear(self, defined: Defined) -> None:
        """Delete what waits."""
        definitions.clear_staged_data(self.caller, CONTACTS_ELEMENT, defined.key)
        defined.waiting = []

    def add_contact(self, email: str) -> None:
        """Add a contact."""
        with self.store.database.write() as connection:
            change_id = sets.record_change(connection, "test", system_clock(), "ann")
            values = {"C_EmailAddress": email}
            number = contacts.add_contact(connection, STANDARD, values, system_clock(), "ann", change_id)
        self.follow({**self.contacts, number: email})

    def remove_contact(self, number: int) -> None:
        """Delete a contact: it leaves every set, and its address keeps its states."""
        with self.store.database.write() as connection:
            change_id = sets.record_change(connection, "test", system_clock(), "ann")
            contacts.remove_contact(connection, number, change_id)
        self.follow({known: email for known, email in self.contacts.items() if known != number})

    def follow(self, contacts_now: dict[int, str]) -> None:
        """The contacts are others now, or have other addresses."""
        model.follow_addresses(self.contacts, contacts_now, self.sets, self.kept)
        self.contacts = contacts_now

    def compare(self) -> None:
        """The whole store against the model."""
        with self.store.database.read() as connection:
            found = {name: set(ids) for name, ids in stored_sets(connection).items() if ids}
            self.replay.follow(connection)
            kept = kept_states(connection)
            check_changes_of_syncs(connection)
            unfinished = connection.execute(select(SYNC.c.id).where(SYNC.c.ended_at.is_(None))).all()
        expected = {name: ids for name, ids in {**self.sets, "contacts": set(self.contacts)}.items() if ids}
        assert found == expected
        assert kept == self.kept
        assert unfinished == []
        check_files(self.store)

    def check_waiting(self, every: list[Defined]) -> None:
        """What waits for a sync is what the model says."""
        with self.store.database.read() as connection:
            rows = connection.execute(select(UPLOAD.c.definition_id, UPLOAD.c.records, UPLOAD.c.sync_id)).all()
        assert Counter(rows) == Counter((d.id, len(s.rows), None) for d in every for s in d.waiting)
