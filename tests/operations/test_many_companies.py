"""Many companies on SQLite: their files are open while they are used, and quiet companies are passed by."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest
from sqlalchemy import text

from staithe.clock import system_clock
from staithe.config import Settings
from staithe.domain.companies import Company
from staithe.domain.definitions import DefinitionKey, ImportDefinition
from staithe.domain.errors import StoreUnusable
from staithe.domain.limits import (
    LEAST_DATA_LIFE,
    STAGED_DATA_LIFE,
    SYNC_CREATION_LIFE,
    SYNC_LIFE,
    UNUSED_DEFINITION_LIFE,
)
from staithe.services import accounts
from staithe.services.queues import Kept, read_queue
from staithe.services.quiet import QuietCompanies, Unexpired
from staithe.services.retention import remove_expired
from staithe.services.stores import CompanyStore, Stores
from staithe.storage import callback_claims, control, counters, queue, syncs
from staithe.storage.databases import SqliteFiles
from staithe.storage.expiry import FIRST_END_QUERY, NEVER
from staithe.storage.open_files import CompanyFile
from staithe.storage.quiet import SETTLED_NANOSECONDS
from staithe.supervisor import Supervisor
from tests.fault.processes import child
from tests.support.server import HTTP, WORKER, RunningServer
from tests.support.waiting import until

OPENED = 4
HOUR_MICROSECONDS = 3600 * 1_000_000


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    made = Stores(tmp_path / "data")
    files_of(made).files.most = OPENED
    yield made
    made.close()


def files_of(stores: Stores) -> SqliteFiles:
    assert isinstance(stores.databases, SqliteFiles)
    return stores.databases


def new_companies(stores: Stores, count: int) -> list[CompanyStore]:
    made = [accounts.create_company(stores, f"company{number}", system_clock()) for number in range(count)]
    return [stores.open(company) for company in made]


def take_number(store: CompanyStore) -> int:
    """Write something, and give how often that was done."""
    with store.database.write() as connection:
        return counters.take_ids(connection, "test")


def open_files(stores: Stores) -> int:
    folder = str(stores.data / "companies")
    return sum(file.path.startswith(folder) for file in psutil.Process().open_files())


def test_files_of_the_companies_used_last_are_open(stores: Stores) -> None:
    made = new_companies(stores, 10)
    for turn in (1, 2):
        assert [take_number(store) for store in made] == [turn] * len(made)
        assert list(files_of(stores).files.files) == [Path(store.database.place) for store in made[-OPENED:]]
    assert open_files(stores) <= 3 * OPENED


def test_a_file_is_not_closed_while_it_is_used(stores: Stores) -> None:
    first, *others = new_companies(stores, 10)
    with first.database.read() as connection:
        assert counters.last_id(connection, "test") == 0
        for store in others:
            take_number(store)
        assert take_number(first) == 1
        assert counters.last_id(connection, "test") == 0, "of the moment when it began"
    assert take_number(first) == 2


def test_a_file_that_goes_while_it_is_open_takes_nothing_more(stores: Stores, tmp_path: Path) -> None:
    [store] = new_companies(stores, 1)
    assert take_number(store) == 1
    path = Path(store.database.place)
    path.rename(tmp_path / "aside")
    with pytest.raises(StoreUnusable):
        take_number(store)
    assert not path.exists()
    (tmp_path / "aside").rename(path)
    assert take_number(store) == 2


def test_a_file_that_takes_the_place_of_an_open_one_is_used(stores: Stores, tmp_path: Path) -> None:
    store, other = new_companies(stores, 2)
    take_number(store)
    assert isinstance(other.database, CompanyFile)
    other.database.close()
    shutil.copy(other.database.place, tmp_path / "copy")
    for ending in ("-wal", "-shm"):
        Path(store.database.place + ending).unlink()
    (tmp_path / "copy").replace(store.database.place)
    assert take_number(store) == 1


def settle(stores: Stores) -> None:
    """Let the clock of files go on."""
    stores.close()
    time.sleep(SETTLED_NANOSECONDS / 1e9 + 0.05)


def test_a_company_is_quiet_until_something_is_written(stores: Stores) -> None:
    [store] = new_companies(stores, 1)
    settle(stores)
    quiet = QuietCompanies(stores)
    assert quiet.is_quiet(store.company)
    assert store.company.id in quiet.states
    with store.database.read() as connection:
        counters.last_id(connection, "test")
    assert quiet.is_quiet(store.company), "to open a store makes an empty log"
    assert store.company.id in quiet.states
    take_number(store)
    assert quiet.is_quiet(store.company), "nothing is unfinished"
    assert store.company.id not in quiet.states, "it is looked into again as long as its file is that new"


def test_a_company_with_an_unfinished_sync_is_never_quiet(stores: Stores) -> None:
    """No hint says so, nor does its file change when a lease ends."""
    [store] = new_companies(stores, 1)
    quiet = QuietCompanies(stores)
    assert quiet.is_quiet(store.company)
    with store.database.write() as connection:
        syncs.add_sync(connection, DefinitionKey("syncAction", 1), "/contacts/syncActions/1", 1, "ann")
    settle(stores)
    assert not quiet.is_quiet(store.company)
    assert not stores.may_have_leases(store.company)
    with store.database.write() as connection:
        assert syncs.claim(connection, "worker/1", 1, lease_until=2) is not None
    settle(stores)
    assert not quiet.is_quiet(store.company)
    assert not quiet.is_quiet(store.company)
    assert stores.may_have_leases(store.company)
    with store.database.write() as connection:
        connection.execute(text("UPDATE sync SET status = 'success', ended_at = 3, callback_url = 'http://x'"))
    assert not quiet.is_quiet(store.company), "its callback is to be made"
    with store.database.write() as connection:
        callback_claims.mark_called_back(connection, 1, 4)
    assert quiet.is_quiet(store.company)


def test_a_company_has_time_until_something_in_it_expires(stores: Stores) -> None:
    [store] = new_companies(stores, 1)
    with store.database.write() as connection:
        connection.execute(text("INSERT INTO sync_creation VALUES (1, 0)"))
    settle(stores)
    unexpired = Unexpired(stores)
    state, removed = unexpired.state_of(store.company), remove_expired(store, HOUR_MICROSECONDS, tells_next=True)
    assert removed.next_at == 2 * HOUR_MICROSECONDS
    unexpired.note(store.company, state, removed.next_at)
    assert unexpired.has_time(store.company, 2 * HOUR_MICROSECONDS - 1)
    assert not unexpired.has_time(store.company, 2 * HOUR_MICROSECONDS)
    with store.database.write() as connection:
        connection.execute(text("INSERT INTO sync_creation VALUES (2, :at)"), {"at": -HOUR_MICROSECONDS})
    assert unexpired.has_time(store.company, HOUR_MICROSECONDS - 1)
    assert not unexpired.has_time(store.company, HOUR_MICROSECONDS), "what was written expires sooner"


DEFINED = (
    "INSERT INTO definition (kind, id, element, name, body, last_synced_at, created_at, created_by, updated_at, "
    "updated_by) VALUES ('imports', 1, 'contacts', 'x', CAST(:body AS BLOB), 5, 0, 'ann', 2, 'ann')"
)
UPLOADED = (
    "INSERT INTO upload (id, definition_kind, definition_id, file, format, records, staged_bytes, unmapped, "
    "has_mapped_field, created_at, created_by) VALUES (1, 'imports', 9, 'x', 'json', 1, 7, '', 1, 3, 'ann')"
)


@pytest.mark.parametrize(
    ("statement", "values", "first"),
    [
        ("INSERT INTO sync_creation VALUES (1, 4)", {}, 4 + SYNC_CREATION_LIFE),
        ("INSERT INTO idempotency VALUES ('imports', 1, 'k', '', NULL, 6)", {}, 6 + STAGED_DATA_LIFE),
        (UPLOADED, {}, 3 + LEAST_DATA_LIFE),
        (DEFINED, {"body": "{}"}, 5 + UNUSED_DEFINITION_LIFE),
        (DEFINED, {"body": '{"auto_delete_duration":"P2D"}'}, 2 + LEAST_DATA_LIFE),
        ("SELECT 1", {}, NEVER),
    ],
)
def test_a_quick_look_tells_before_when_nothing_expires(
    stores: Stores, statement: str, values: dict[str, str], first: int
) -> None:
    """Never later than what a look into each definition says."""
    [store] = new_companies(stores, 1)
    with store.database.write() as connection:
        connection.execute(text(statement), values)
    assert stores.databases.first_end(store.company.id) == first


def test_a_quick_look_tells_when_syncs_and_exported_data_expire(stores: Stores) -> None:
    [store] = new_companies(stores, 1)
    with store.database.write() as connection:
        syncs.add_sync(connection, DefinitionKey("exports", 1), "/contacts/exports/1", 7, "ann")
    assert stores.databases.first_end(store.company.id) == 7 + SYNC_LIFE
    with store.database.write() as connection:
        connection.execute(text("UPDATE sync SET data_file = 'x', data_kept_until = 70"))
    assert stores.databases.first_end(store.company.id) == 70


def test_the_auto_delete_duration_of_a_definition_stands_in_its_body_by_this_name() -> None:
    """The quick look searches for it."""
    made = ImportDefinition(name="x", fields={}, identifier_field_name="x", auto_delete_duration="P2D")
    assert b"auto_delete_duration" in msgspec.json.encode(made)
    assert "'auto_delete_duration'" in FIRST_END_QUERY


def test_a_quick_look_tells_what_waits_and_leaves_nothing_open(stores: Stores) -> None:
    [store] = new_companies(stores, 1)
    with store.database.write() as connection:
        connection.execute(text(UPLOADED))
        syncs.add_sync(connection, DefinitionKey("syncAction", 1), "/contacts/syncActions/1", 4, "ann")
        expected = queue.read_queue(connection)
    assert expected == queue.Queue(1, 0, 4, 1, 7)
    stores.close()
    kept: Kept = {}
    assert read_queue(stores, store.company, kept) == expected
    assert open_files(stores) == 0
    with store.database.write() as connection:
        connection.execute(text("UPDATE schema_version SET version = version + 1"))
    assert stores.databases.glance_at_queue(store.company.id) is None, "of another version nobody knows what it says"


def test_leases_of_an_earlier_server_end_bit_by_bit_and_those_of_this_one_stay(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many companies there are, to look into them keeps no process waiting."""
    made = new_companies(stores, 3)
    supervisor = Supervisor(Settings(data=stores.data, http_workers=0, workers=1), stores)
    [name] = supervisor.names
    owners = [f"{name}/1", f"{name}x/1", "worker-1-gone/1"]
    for store, owner in zip(made, owners, strict=True):
        with store.database.write() as connection:
            syncs.add_sync(connection, DefinitionKey("syncAction", 1), "/contacts/syncActions/1", 1, "ann")
            assert syncs.claim(connection, owner, 1, lease_until=2) is not None
    supervisor.unlooked = supervisor.companies()
    monkeypatch.setattr("staithe.supervisor.LOOK_SECONDS", -1)
    supervisor.look_for_leases()
    assert len(supervisor.unlooked) == len(made)
    monkeypatch.setattr("staithe.supervisor.LOOK_SECONDS", 60)
    supervisor.look_for_leases()
    assert supervisor.unlooked == []
    assert [stores.may_have_leases(store.company) for store in made] == [True, False, False]
    with stores.hints.read() as connection:
        assert list(control.hinted_companies(connection)) == [store.company.id for store in made[1:]]
    supervisor.end()


@pytest.mark.nightly("A thousand companies take a minute; which files are open, and who is quiet, the suite tests.")
def test_a_server_with_a_thousand_companies_has_few_files_open(tmp_path: Path) -> None:
    made = Stores(tmp_path / "data")
    made.databases.make_company(1)
    folder = made.data / "companies"
    for number in range(2, 1001):
        (folder / str(number)).mkdir()
        shutil.copy(folder / "1" / "company.db", folder / str(number) / "company.db")
    with made.control.write() as connection:
        for number in range(1, 1001):
            assert control.add_company(connection, f"company{number}", 1) == Company(number, f"company{number}")
    accounts.set_user(made, Company(1000, "company1000"), "ann", "secret", accounts.Role.ADMIN, 1)
    made.close()
    server = RunningServer(tmp_path / "data")
    api = server.api("company1000\\ann:secret")
    uri = api.define()
    api.upload(uri, [{"Id": 1}])
    assert api.sync(uri)["status"] == "warning"
    until(lambda: "staithe_companies 1000.0" in api.client.get("/metrics").text, "the figures of all")
    for role in (HTTP, WORKER):
        assert child(server, role).num_fds() < 300
    assert server.stop() == 0
