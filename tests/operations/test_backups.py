"""Backups of a company on a running server: what is restored is what there was, in whichever database."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from staithe.clock import system_clock
from staithe.domain.backups import Step
from staithe.domain.companies import Role
from staithe.services import accounts, backups, restores
from staithe.services.stores import CompanyStore, Stores
from staithe.storage import dialect, sets
from staithe.storage.tables import CONTACT, IMPORT_CHUNK, SYNC, UPLOAD
from tests.conftest import Deployment
from tests.fault.processes import child, paused
from tests.support.api import Api, add_to_list
from tests.support.audit import staged_values
from tests.support.backups import audit, back_up, new_name, restore
from tests.support.imports import define_import
from tests.support.server import WORKER
from tests.support.waiting import LONGEST_SECONDS, until
from tests.support.whole_company import everything, files_of, fill, rows_of
from tests.wire.test_callbacks import Recorder
from tests.wire.test_callbacks import recorder as recorder

KINDS = ("sqlite", "postgresql")


def silent(_step: Step, _done: int, _total: int, _bytes: int) -> None:
    """Show nothing."""


@pytest.mark.parametrize(("source", "target"), list(itertools.product(KINDS, KINDS)))
def test_a_restored_company_is_the_one_that_was_backed_up(
    deployment: Deployment, tmp_path: Path, source: str, target: str
) -> None:
    api, store = deployment(source).new_company(new_name())
    waiting = fill(api)
    before, rows, files = everything(api), rows_of(store), files_of(store)
    figures = back_up(deployment(source), store.company.name, tmp_path / "backup.zip")
    name = new_name()
    copy, copied = restore(deployment(target), tmp_path / "backup.zip", name)
    assert everything(copy) == before
    assert rows_of(copied) == rows
    assert files_of(copied) == files
    assert (figures["contacts"], figures["syncs"], figures["files"]) == (299, len(rows["sync"]), len(files))
    with copied.database.read() as connection:
        assert dialect.of(connection).match_index_columns(connection) == ["c_own_text1"]
    audit(copied)
    for uri in (waiting.sync_actions, waiting.imports):
        assert go_on(copy, copied, uri) == go_on(api, store, uri)
    audit(copied)


def go_on(api: Api, store: CompanyStore, uri: str) -> tuple[Any, ...]:
    """Sync what waits, and give what becomes of it, but for the times.

    Sets by their names: their numbers are given when a set is first held, which SQLite need not do.
    """
    sync = api.sync(uri)
    rows = rows_of(store)
    return (
        (sync["uri"], sync["status"]),
        [without_times(line) for line in api.log(sync["uri"])],
        api.rejects(sync["uri"]),
        [without_times(contact) for contact in rows["contact"]],
        [by_name(rows, table) for table in ("id_set_chunk", "set_change")],
        [row for row in rows["counter"] if row["name"] != "idSet"],
        [rows[table] for table in ("import_chunk", "upload")],
    )


def by_name(rows: dict[str, list[dict[str, Any]]], table: str) -> list[dict[str, Any]]:
    """The rows of a table that has sets, with their names, and in the order of these."""
    names = {row["id"]: row["name"] for row in rows["id_set"]}
    return sorted(
        ({**row, "set_id": names[row["set_id"]]} for row in rows[table]),
        key=lambda row: (row["set_id"], row["chunk"], row.get("change_id", 0)),
    )


def without_times(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("created_at", "updated_at", "createdAt")}


@pytest.mark.parametrize("kind", KINDS)
def test_users_come_with_their_passwords_and_roles(deployment: Deployment, tmp_path: Path, kind: str) -> None:
    server = deployment(kind)
    _, store = server.new_company(new_name(), contacts=1)
    accounts.set_user(server.stores, store.company, "Rita", "read only", Role.READER, system_clock())
    figures = back_up(server, store.company.name, tmp_path / "backup.zip")
    assert (figures["company"], figures["contacts"], figures["users"]) == (store.company.name, 1, 2)
    name = new_name()
    restore(server, tmp_path / "backup.zip", name)
    rita = server.api(f"{name}\\rita:read only")
    assert rita.rest("GET", "/data/contact/1").status_code == 200
    assert rita.bulk("POST", "/syncs", json={}).status_code == 403
    assert server.api(f"{name}\\rita:wrong").bulk("GET", "/syncs").status_code == 401


@pytest.mark.parametrize("kind", KINDS)
def test_syncs_go_on_where_they_were_and_only_theirs_are_called_back(
    deployment: Deployment, tmp_path: Path, kind: str, recorder: Recorder
) -> None:
    server = deployment(kind)
    api, store = server.new_company(new_name(), contacts=9)
    uri = api.define()
    api.upload(uri, [{"Id": 1}, {"Id": 10}])
    request = {"syncedInstanceUri": uri, "callbackUrl": recorder.url}
    ended = api.wait(api.bulk("POST", "/syncs", json=request).json()["uri"])
    assert recorder.called.acquire(timeout=LONGEST_SECONDS)
    with store.database.write() as connection:
        # As if the server had died between the end of the sync and its callback.
        connection.execute(SYNC.update().values(called_back_at=None))
    api.upload(uri, [{"Id": 2}])
    with paused(server, store, child(server, WORKER)):
        pending = api.bulk("POST", "/syncs", json=request).json()
        with store.database.write() as connection:
            taken = {"status": "active", "lease_owner": "gone", "lease_until": 2**62, "attempts": 1}
            connection.execute(SYNC.update().where(SYNC.c.ended_at.is_(None)).values(taken))
        back_up(server, store.company.name, tmp_path / "backup.zip")
    copy, copied = restore(server, tmp_path / "backup.zip", new_name())
    done = copy.wait(pending["uri"])
    assert recorder.called.acquire(timeout=LONGEST_SECONDS)
    assert [call[2]["uri"] for call in recorder.calls] == [ended["uri"], pending["uri"]]
    assert recorder.calls[1][2] == copy.bulk("GET", pending["uri"]).json() == done
    with copied.database.read() as connection:
        told = connection.execute(select(SYNC.c.called_back_at).where(SYNC.c.ended_at.is_not(None))).scalars().all()
    assert None not in told[:1]
    audit(copied)


class Load:
    """Uploads contacts, syncs, and deletes, until it is told to stop. Each round's contacts have its number."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.imports = define_import(api)
        self.joins = api.define(add_to_list(api.new_list()))
        self.sent = self.acknowledged = 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.errors: list[BaseException] = []

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                self.round()
        except BaseException as error:
            self.errors.append(error)

    def round(self) -> None:
        self.sent += 1
        addresses = [{"emailAddress": f"r{self.sent}.{n}@x.yz"} for n in range(ROUND_RECORDS)]
        assert self.api.upload(self.imports, [*addresses, {"emailAddress": "none"}]).status_code == 204
        self.acknowledged = self.sent
        assert self.api.upload(self.joins, [{"Id": n} for n in range(1, 40)]).status_code == 204
        for uri in (self.imports, self.joins):
            self.api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri}).raise_for_status()
        if self.sent % 5 == 0:
            body = {"name": "all", "fields": {"Id": "{{Contact.Id}}"}, "maxRecords": 100}
            export = self.api.bulk("POST", "/contacts/exports", json=body).raise_for_status().json()["uri"]
            self.api.bulk("DELETE", f"{self.api.sync(export)['uri']}/data").raise_for_status()

    def __enter__(self) -> Load:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.thread.join()
        assert self.errors == []


ROUND_RECORDS = 50
BACKUPS_UNDER_LOAD = 5


@pytest.mark.parametrize("kind", KINDS)
def test_each_backup_under_load_is_of_one_moment(deployment: Deployment, tmp_path: Path, kind: str) -> None:
    """Each restored into a data directory that no server changes: all files are there, and every sum agrees."""
    server = deployment(kind)
    api, store = server.new_company(new_name())
    moments: list[tuple[Path, int, int]] = []
    with Load(api) as load:
        for number in range(BACKUPS_UNDER_LOAD):
            until(lambda before=load.sent: load.sent > before + 1 or bool(load.errors), "more load")
            file, acknowledged = tmp_path / f"{number}.zip", load.acknowledged
            target = backups.Target(file, replaces=False)
            backups.back_up(server.stores, store.company, target, system_clock, silent)
            moments.append((file, acknowledged, load.sent))
    stores = Stores(tmp_path / "data")
    for file, acknowledged, sent in moments:
        restored = restores.restore_company(stores, file, file.stem, system_clock, silent)
        copied = stores.open(restored.company)
        audit(copied)
        rounds = rounds_of(copied)
        assert set(range(1, acknowledged + 1)) <= rounds <= set(range(1, sent + 1))
    stores.close()
    assert moments[-1][1] > moments[0][1], "the load went on beside the backups"


def rounds_of(store: CompanyStore) -> set[int]:
    """The rounds whose contacts a company has, imported or staged; none is there in part, and none twice.

    What a sync has imported stays staged until it ends: its one chunk is in the ledger.
    """
    left = select(UPLOAD.c.file).where(
        UPLOAD.c.definition_kind == "imports",
        func.coalesce(UPLOAD.c.sync_id, 0).not_in(select(IMPORT_CHUNK.c.sync_id)),
    )
    with store.database.read() as connection:
        imported = connection.execute(select(CONTACT.c.c_emailaddress)).scalars().all()
        files = connection.execute(left).scalars().all()
        assert len(imported) == sets.set_size(connection, "contacts")
    staged = [staged_values(store, file, "emailAddress") for file in files]
    addresses = [a for a in itertools.chain(imported, *staged) if a is not None and a.startswith("r")]
    assert len(addresses) == len(set(addresses))
    rounds = [int(address[1:].partition(".")[0]) for address in addresses]
    assert all(rounds.count(number) == ROUND_RECORDS for number in set(rounds))
    return set(rounds)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_a_sync_deletes_first_leads_to_a_later_moment(
    deployment: Deployment, tmp_path: Path, kind: str
) -> None:
    server = deployment(kind)
    api, store = server.new_company(new_name(), contacts=9)
    uri = api.define()
    for number in range(1, 4):
        api.upload(uri, [{"Id": number}, {"Id": "x"}])
    steps: list[tuple[Step, int, int]] = []

    def sync_between(step: Step, done: int, total: int, _bytes: int) -> None:
        steps.append((step, done, total))
        if len(steps) == 1:
            api.sync(uri)

    target = backups.Target(tmp_path / "backup.zip", replaces=False)
    written = backups.back_up(server.stores, store.company, target, system_clock, sync_between)
    assert [step for step in steps if step[0] is Step.FILES] == [
        (Step.FILES, 1, 3),
        (Step.FILES, 2, 3),
        (Step.FILES, 3, 3),
        (Step.FILES, 1, 1),
    ]
    assert [file.folder.value for file in written.manifest.files] == ["rejects"]
    copy, copied = restore(server, target.path, new_name())
    audit(copied)
    assert rows_of(copied) == rows_of(store)
    assert len(copy.rejects("/syncs/1")) == 3
