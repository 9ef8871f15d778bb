"""A worker that sleeps in the middle of a sync, longer than its lease, while another ends it: it changes nothing more.

The lease of the sleeper ends by itself. What the winner has written must stand, row by row and file by file, and what
the sleeper has begun must be gone, whatever it was just doing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from staithe.services.stores import CompanyStore
from staithe.storage import sets
from staithe.storage.tables import CHANGE, CONTACT, IMPORT_CHUNK, SYNC, SYNC_LOG, UPLOAD
from tests.fault.conftest import StartServer
from tests.fault.processes import Process, TooQuick, paused, until_caught, worker_named
from tests.support.api import Api, add_to_list
from tests.support.audit import Replay, check_changes_of_syncs, check_files, names_in
from tests.support.clock import Clock
from tests.support.imports import records_done
from tests.support.server import RunningServer
from tests.support.waiting import LONGEST_SECONDS, until

RECORDS = 80_000
EXPORTED = 100_000
BAD = 50
FIELDS = {"email": "{{Contact.Field(C_EmailAddress)}}", "first": "{{Contact.Field(C_FirstName)}}"}


def rows_of_syncs(store: CompanyStore) -> list[list[Any]]:
    """Every row that a sync writes, but for the contacts, of which there are too many: their number and last change."""
    with store.database.read() as connection:
        tables = (SYNC, SYNC_LOG, CHANGE, UPLOAD, IMPORT_CHUNK)
        rows: list[list[Any]] = [list(connection.execute(select(table)).all()) for table in tables]
        return [*rows, list(connection.execute(select(func.count(), func.max(CONTACT.c.updated_at))).all())]


def files(store: CompanyStore) -> set[str]:
    return names_in(store.rejects.root) | names_in(store.exports.root) | names_in(store.staging.root)


def worker_of(server: RunningServer, store: CompanyStore) -> Process:
    """The process that runs the only sync.

    Raises:
        TooQuick: none does any more.
    """
    with store.database.read() as connection:
        held = connection.execute(select(SYNC.c.lease_owner)).scalar_one()
    if held is None:
        raise TooQuick
    return worker_named(server, held.partition("/")[0])


@contextmanager
def slept_through(
    server: RunningServer, api: Api, store: CompanyStore, sync_uri: str, reached: Callable[[], bool]
) -> Iterator[dict[str, Any]]:
    """Send the worker of a sync to sleep once it has got somewhere, until another has ended it; gives the sync.

    Behind the block it has woken, seen that it lost, and nothing is other than it was before.

    Raises:
        TooQuick: the sync has ended before.
    """
    until(lambda: reached() or status(store) not in ("pending", "active"), "the sync is under way")
    with paused(server, store, worker_of(server, store)):
        if status(store) != "active":
            raise TooQuick
        ended = api.wait(sync_uri, LONGEST_SECONDS)
        yield ended
        rows_before, files_before = rows_of_syncs(store), files(store)
    until(lambda: any("was taken over" in line for line in server.lines), "the sleeper notices")
    assert api.sync(api.define())["status"] == "warning", "workers go on"
    for before, after in zip(rows_before, rows_of_syncs(store), strict=True):
        assert [row for row in before if row not in after] == []
    assert files(store) <= files_before


def code_counts(api: Api, sync_uri: str) -> list[tuple[str, int]]:
    return [(line["statusCode"], line["count"]) for line in api.log(sync_uri)]


def check_audit(store: CompanyStore) -> None:
    with store.database.read() as connection:
        Replay().follow(connection)
        check_changes_of_syncs(connection)
    check_files(store)


def start_import(api: Api, list_id: int) -> str:
    """Start to import very many contacts, of which some have no address."""
    body = {"name": "large", "fields": FIELDS, "identifierFieldName": "email", "syncActions": [add_to_list(list_id)]}
    uri = api.bulk("POST", "/contacts/imports", json=body).raise_for_status().json()["uri"]
    every = RECORDS // BAD
    lines = [f"person-{n}{'' if n % every == 0 else '@example.com'},First {n}" for n in range(RECORDS)]
    answer = api.upload(uri, "\n".join(["email,first", *lines]).encode(), **{"content-type": "text/csv"})
    assert answer.status_code == 204, answer.text
    return str(api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri}).raise_for_status().json()["uri"])


def test_in_an_import(start: StartServer) -> None:
    server = start("--workers", "2")
    until_caught(lambda number: sleep_in_an_import(server, f"slept{number}"))
    assert server.stop() == 0


def sleep_in_an_import(server: RunningServer, company: str) -> None:
    api, store = server.new_company(company)
    list_id = api.new_list()
    sync_uri = start_import(api, list_id)
    with slept_through(server, api, store, sync_uri, lambda: records_done(store) > 0) as ended:
        assert ended["status"] == "warning"
    good = RECORDS - BAD
    assert code_counts(api, sync_uri) == [
        ("ELQ-00130", RECORDS),
        ("ELQ-00137", 0),
        ("ELQ-00145", 0),
        ("ELQ-00101", 0),
        ("ELQ-00001", RECORDS),
        ("ELQ-00002", BAD),
        ("ELQ-00003", RECORDS),
        ("ELQ-00004", good),
        ("ELQ-00022", 0),
        ("ELQ-00119", good),
    ]
    every = RECORDS // BAD
    assert [r["recordIndex"] for r in api.rejects(sync_uri)] == [n + 1 for n in range(0, RECORDS, every)]
    with store.database.read() as connection:
        assert list(sets.load_set(connection, f"contactList/{list_id}")) == list(range(1, good + 1))
    check_audit(store)


def test_in_an_export(start: StartServer) -> None:
    server = start("--workers", "2")
    until_caught(lambda number: sleep_in_an_export(server, f"slept{number}"))
    assert server.stop() == 0


def sleep_in_an_export(server: RunningServer, company: str) -> None:
    api, store = server.new_company(company, contacts=EXPORTED)
    list_id = api.new_list()
    fields = {"id": "{{Contact.Id}}", "email": FIELDS["email"], "at": "{{Contact.CreatedAt}}"}
    body = {"name": "all", "fields": fields, "syncActions": [add_to_list(list_id)]}
    uri = api.bulk("POST", "/contacts/exports", json=body).raise_for_status().json()["uri"]
    sync_uri = api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri}).raise_for_status().json()["uri"]
    with slept_through(server, api, store, sync_uri, lambda: bool(names_in(store.exports.root))) as ended:
        assert ended["status"] == "success"
    assert [code for code, _ in code_counts(api, sync_uri)] == [
        "ELQ-00145",
        "ELQ-00102",
        "ELQ-00131",
        "ELQ-00106",
        "ELQ-00119",
        "ELQ-00101",
    ]
    read = [
        item["id"]
        for offset in range(0, EXPORTED, 50_000)
        for item in api.bulk("GET", f"{sync_uri}/data?offset={offset}&limit=50000").json()["items"]
    ]
    assert read == [str(number) for number in range(1, EXPORTED + 1)]
    check_audit(store)


def test_in_a_sync_of_sync_actions(start: StartServer) -> None:
    server = start("--workers", "2")
    until_caught(lambda number: sleep_in_a_sync_of_sync_actions(server, f"slept{number}"))
    assert server.stop() == 0


def sleep_in_a_sync_of_sync_actions(server: RunningServer, company: str) -> None:
    api, store = server.new_company(company, contacts=20_000)
    list_id = api.new_list()
    uri = api.define(add_to_list(list_id))
    body = ("Id\n" + "\n".join(map(str, range(1, 20_011))) + "\n").encode() + b"1\n" * 500_000
    assert api.upload(uri, body, **{"content-type": "text/csv"}).status_code == 204
    sync_uri = api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri}).raise_for_status().json()["uri"]
    with slept_through(server, api, store, sync_uri, lambda: status(store) == "active") as ended:
        assert ended["status"] == "warning"
    assert ("ELQ-00145", 1) in code_counts(api, sync_uri)
    assert [r["recordIndex"] for r in api.rejects(sync_uri)] == list(range(20_001, 20_011))
    with store.database.read() as connection:
        assert list(sets.load_set(connection, f"contactList/{list_id}")) == list(range(1, 20_001))
    check_audit(store)


def status(store: CompanyStore) -> str:
    with store.database.read() as connection:
        return str(connection.execute(select(SYNC.c.status)).scalar_one())


def test_a_worker_that_slept_cannot_take_over_itself(start: StartServer, tmp_path: Path) -> None:
    """The only worker wakes to find its lease over. It may lose the sync to itself, but both halves do not go on."""
    clock = Clock(tmp_path / "clock")
    server = start("--clock-file", str(clock.file))
    until_caught(lambda number: sleep_alone(server, clock, f"slept{number}"))
    assert server.stop() == 0


def sleep_alone(server: RunningServer, clock: Clock, company: str) -> None:
    api, store = server.new_company(company)
    list_id = api.new_list()
    sync_uri = start_import(api, list_id)
    until(lambda: records_done(store) > 0 or status(store) not in ("pending", "active"), "the first chunk")
    with paused(server, store, worker_of(server, store)):
        if status(store) != "active":
            raise TooQuick
        clock.forward(seconds=5)
    assert api.wait(sync_uri, LONGEST_SECONDS)["status"] == "warning"
    good = RECORDS - BAD
    log = dict(code_counts(api, sync_uri))
    assert (log["ELQ-00001"], log["ELQ-00002"], log["ELQ-00004"], log["ELQ-00022"]) == (RECORDS, BAD, good, 0)
    with store.database.read() as connection:
        assert list(sets.load_set(connection, f"contactList/{list_id}")) == list(range(1, good + 1))
    until(lambda: names_in(store.staging.root) == set(), "the staged file is gone")
    check_audit(store)
