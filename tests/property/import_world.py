"""A real company and the model of its contacts: imports and exports are run on both, and compared."""

from __future__ import annotations

import csv
import io
import json
import time
from typing import Any

import msgspec
import pytest
from sqlalchemy import select, update

from staithe.clock import system_clock
from staithe.domain.definitions import EXPORTS, IMPORTS, DefinitionKey
from staithe.domain.list_query import ListQuery
from staithe.domain.syncs import Sync
from staithe.services import contact_fields, definitions, exports, run_import, syncs, uploads
from staithe.services.stores import Stores
from staithe.storage import contacts, import_chunks, sets
from staithe.storage.contact_fields import contact_table, load_catalogue
from staithe.storage.tables import IMPORT_CHUNK, SYNC
from tests.property.import_model import (
    DATE_TEXTS,
    NUMBER_TEXTS,
    TARGETS,
    Contact,
    Import,
    Sent,
)
from tests.property.import_model import run_import as run_in_model
from tests.property.world import CONTACTS_ELEMENT, MANY, World

COLUMNS = {
    "email": "c_emailaddress",
    "first": "c_firstname",
    "company": "c_company",
    "score": "c_score1",
    "birthday": "c_birthday1",
    "modified": "c_lastmodifiedbyextintegratesystem",
}
STATEMENTS = {
    "email": "{{Contact.Field(C_EmailAddress)}}",
    "first": "{{Contact.Field(C_FirstName)}}",
    "company": "{{Contact.Field(C_Company)}}",
    "score": "{{Contact.Field(C_Score1)}}",
    "birthday": "{{Contact.Field(C_Birthday1)}}",
    "modified": "{{Contact.Field(C_LastModifiedByExtIntegrateSystem)}}",
    "id": "{{Contact.Id}}",
    "ext": "{{Contact.Field(ContactIDExt)}}",
}
INTERNAL_NAMES = {target: STATEMENTS[target].split("(")[1].rstrip(")}") for target in TARGETS}


class Crash(BaseException):
    """The worker dies."""


class ImportWorld:
    """One company with two fields of its own; the model starts with the contacts of `World`."""

    def __init__(self, stores: Stores, name: str) -> None:
        self.world = World(stores, name)
        self.store = self.world.store
        for field in (
            {"name": "Score", "dataType": "numeric", "updateType": "newNotBlank"},
            {"name": "Birthday", "dataType": "date", "updateType": "existingBlank"},
        ):
            contact_fields.create(self.world.caller, field)
        self.contacts: dict[int, Contact] = {
            number: dict.fromkeys(TARGETS) | {"email": email} for number, email in self.world.contacts.items()
        }
        self.next_id = max(self.contacts) + 1

    def add(self, contact: Contact) -> None:
        """Add a contact to both, unless its address is taken."""
        if any(contact["email"].lower() == known["email"].lower() for known in self.contacts.values()):
            return
        values = {INTERNAL_NAMES[target]: value for target, value in contact.items() if value is not None}
        with self.store.database.write() as connection:
            change_id = sets.record_change(connection, "test", system_clock(), "ann")
            catalogue = load_catalogue(connection)
            number = contacts.add_contact(connection, catalogue, values, system_clock(), "ann", change_id)
        assert number == self.next_id
        self.add_to_model(contact)

    def add_to_model(self, values: Contact) -> None:
        """Add a contact to the model alone."""
        self.contacts[self.next_id] = dict.fromkeys(TARGETS) | values
        self.world.contacts[self.next_id] = values["email"]
        self.next_id += 1

    def define(self, kind: str, properties: dict[str, Any]) -> DefinitionKey:
        """Make a definition."""
        return definitions.create(self.world.caller, CONTACTS_ELEMENT, kind, properties).key

    def define_import(self, spec: Import) -> DefinitionKey:
        """Make the import; what is not set is not sent."""
        optional = {
            "updateRule": spec.update_rule,
            "updateRuleByField": spec.update_rule_by_field or None,
            "importRule": spec.import_rule,
            "isUpdatingMultipleMatchedRecords": spec.updates_all or None,
            "isIdentifierFieldCaseSensitive": spec.is_case_sensitive or None,
            "nullIdentifierFieldName": spec.empties_identifier or None,
            "syncActions": [action.wire for action in spec.actions] or None,
        }
        needed = {
            "name": "any",
            "fields": {name: STATEMENTS[target] for name, target in spec.fields},
            "identifierFieldName": spec.identifier,
        }
        return self.define(IMPORTS, needed | {name: value for name, value in optional.items() if value is not None})

    def upload(self, key: DefinitionKey, sent: Sent, names: list[str], kind: str) -> None:
        """Upload records as JSON, or as CSV with some of the fields."""
        if kind == "JSON":
            body = json.dumps([{**row, **dict.fromkeys(sent.unmapped, 1)} for row in sent.rows if row is not None])
        else:
            out = io.StringIO(newline="")
            lines = [[row[n] for n in names] if row else [*sent.broken.values(), "more"] for row in sent.rows]
            csv.writer(out, quoting=csv.QUOTE_ALL).writerows([names, *lines])
            body = out.getvalue()
        request = uploads.UploadRequest(kind, "", time.monotonic() + 60)
        with uploads.ReceivingUpload(self.world.caller, CONTACTS_ELEMENT, key, request) as upload:
            upload.feed(body.encode())
            upload.finish()

    def run(self, key: DefinitionKey, spec: Import, sent: list[Sent], crashes: list[tuple[int, bool]]) -> None:
        """Sync, with the worker dying on the way, and compare all that it leaves behind.

        Args:
            key: of the definition.
            spec: the import.
            sent: what waits for the sync.
            crashes: of each worker that dies, how many chunks it does before, and whether the last one is committed.
        """
        sync = syncs.create(self.world.caller, {"syncedInstanceUri": f"/contacts/imports/{key.id}"})
        died = [self.work_and_die(sync, *crash) for crash in crashes]
        self.world.work()
        model = self.contacts, self.next_id, self.world.sets, self.world.kept
        expected = run_in_model(spec, sent, *model, resumed=any(died))
        self.next_id = max(self.next_id, max(self.contacts) + 1)
        self.world.contacts = {number: contact["email"] for number, contact in self.contacts.items()}
        log, _, _ = syncs.read_log(self.world.caller, sync.id, MANY)
        assert [(line.code, line.count) for line in log] == expected.log
        assert syncs.read(self.world.caller, sync.id).status == expected.status
        rejects, count = syncs.read_rejected(self.world.caller, sync.id, MANY)
        found = [(r.record_index, r.reason[:9], dict(r.field_values), list(r.invalid_fields)) for r in rejects]
        assert found == [(r.index, r.code, r.values, r.invalid) for r in expected.rejects]
        assert count == len(expected.rejects)

    def work_and_die(self, sync: Sync, chunks: int, is_committed: bool) -> bool:
        """Be a worker that dies after some chunks; false if the sync had ended before."""
        if syncs.read(self.world.caller, sync.id).ended_at is not None:
            return False
        left = [chunks]
        real_add, real_commit = import_chunks.add_chunk, run_import.commit_chunk

        def add_chunk(*arguments: Any) -> None:
            real_add(*arguments)
            if not is_committed and left[0] == 0:
                raise Crash

        def commit_chunk(*arguments: Any) -> None:
            real_commit(*arguments)
            left[0] -= 1
            if is_committed and left[0] < 0:
                raise Crash

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(import_chunks, "add_chunk", add_chunk)
            patch.setattr(run_import, "commit_chunk", commit_chunk)
            try:
                self.world.work()
            except Crash:
                with self.store.database.write() as connection:
                    connection.execute(update(SYNC).where(SYNC.c.id == sync.id).values(lease_until=0))
                return True
        return False

    def compare(self) -> None:
        """The whole store against the model."""
        with self.store.database.read() as connection:
            table = contact_table(load_catalogue(connection))
            wanted = [table.c.id, table.c.email_key, *(table.c[COLUMNS[target]] for target in TARGETS)]
            rows = connection.execute(select(*wanted).order_by(table.c.id)).all()
            ledger = connection.execute(select(IMPORT_CHUNK)).all()
        expected = [
            (number, contact["email"].lower(), *(contact[target] for target in TARGETS))
            for number, contact in sorted(self.contacts.items())
        ]
        assert [tuple(row) for row in rows] == expected
        assert ledger == []
        self.world.compare()

    def check_export(self, *, in_utc: bool, most: int | None, limit: int) -> None:
        """Export everything, page by page, and compare."""
        statements = {**STATEMENTS, "list": "{{ContactList[1]}}", "group": "{{EmailGroup[1]}}",
                      "subscribed": "{{Contact.Email.IsSubscribed}}"}  # fmt: skip
        body: dict[str, Any] = {"name": "any", "fields": statements, "areSystemTimestampsInUTC": in_utc}
        key = self.define(EXPORTS, body | ({} if most is None else {"maxRecords": most}))
        sync = syncs.create(self.world.caller, {"syncedInstanceUri": f"/contacts/exports/{key.id}"})
        self.world.work()
        wanted = [self.as_text(number, in_utc=in_utc) for number in sorted(self.contacts)[:most]]
        found: list[Any] = []
        lines: list[dict[str, str]] = []
        for offset in range(0, len(wanted) + 1, limit):
            query = ListQuery(limit=limit, offset=offset)
            page = msgspec.json.decode(b"".join(exports.read_of_sync(self.world.caller, sync.id, query).to_json()))
            assert page["totalResults"] == len(wanted)
            assert page["hasMore"] is (offset + limit < len(wanted))
            found += page["items"]
            text = b"".join(exports.read_of_sync(self.world.caller, sync.id, query).to_csv()).decode()
            lines += csv.DictReader(io.StringIO(text, newline=""))
        assert found == wanted
        assert lines == wanted
        exports.delete_of_sync(self.world.caller, sync.id)

    def as_text(self, number: int, *, in_utc: bool) -> dict[str, str]:
        """A contact as exports write it."""
        contact, members = self.contacts[number], self.world.sets

        def is_in(name: str) -> bool:
            return number in members.get(name, set())

        def date(value: int | None, *, eastern: bool) -> str:
            return "" if value is None else DATE_TEXTS[value][eastern]

        def system_time(value: int | None, *, eastern: bool) -> str:
            text = date(value, eastern=eastern)
            return text if not text or "." in text else f"{text}.000"

        group = "subscribed" if is_in("emailGroup/1/subscribed") else ""
        group = "unsubscribed" if is_in("emailGroup/1/unsubscribed") else group
        return {
            **{target: contact[target] or "" for target in ("email", "first", "company")},
            "score": "" if contact["score"] is None else NUMBER_TEXTS[contact["score"]],
            "birthday": date(contact["birthday"], eastern=False),
            "modified": system_time(contact["modified"], eastern=not in_utc),
            "id": str(number),
            "ext": f"CSTAI{number:012}",
            "list": str(is_in("contactList/1")),
            "group": group,
            "subscribed": str(not is_in("globalUnsubscribed")),
        }
