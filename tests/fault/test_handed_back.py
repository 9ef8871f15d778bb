"""A server that is told to stop hands its running sync back: the next one goes on with it, and nothing tells of it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from staithe.services.stores import CompanyStore
from staithe.storage import sets
from staithe.storage.tables import SYNC
from tests.fault.conftest import StartServer
from tests.fault.processes import TooQuick, child, is_pending, until_caught
from tests.support.api import Api, add_to_list
from tests.support.audit import Replay, check_changes_of_syncs, check_files, names_in
from tests.support.imports import records_done
from tests.support.server import WORKER, RunningServer
from tests.support.waiting import LONGEST_SECONDS, until

RECORDS, UPLOADS = 100_000, 2
PER_UPLOAD = RECORDS // UPLOADS
FIELDS = {"email": "{{Contact.Field(C_EmailAddress)}}", "first": "{{Contact.Field(C_FirstName)}}"}


def row_of_sync(store: CompanyStore) -> tuple[Any, ...]:
    """Status, who holds its lease, and attempts, of the only sync."""
    query = select(SYNC.c.status, SYNC.c.lease_owner, SYNC.c.attempts)
    with store.database.read() as connection:
        return tuple(connection.execute(query).one())


def start_import(api: Api, list_id: int) -> str:
    """Start to import very many contacts; gives the sync's uri."""
    body = {"name": "large", "fields": FIELDS, "identifierFieldName": "email", "syncActions": [add_to_list(list_id)]}
    uri = api.bulk("POST", "/contacts/imports", json=body).raise_for_status().json()["uri"]
    for first in range(0, RECORDS, PER_UPLOAD):
        lines = [f"person-{number}@example.com,First {number}" for number in range(first, first + PER_UPLOAD)]
        answer = api.upload(uri, "\n".join(["email,first", *lines]).encode(), **{"content-type": "text/csv"})
        assert answer.status_code == 204, answer.text
    return str(api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri}).raise_for_status().json()["uri"])


def is_under_way(store: CompanyStore) -> bool:
    """Whether the only sync has not ended."""
    return row_of_sync(store)[0] in ("pending", "active")


def stop_under_way(server: RunningServer, store: CompanyStore, reached: Callable[[], bool]) -> None:
    """Stop a server as soon as a sync has got somewhere: its worker sleeps until it is told, so it gets no further.

    Raises:
        TooQuick: the sync has ended before.
    """
    until(lambda: reached() or not is_under_way(store), "the sync is under way")
    worker = child(server, WORKER)
    worker.suspend()
    server.process.send_signal(signal.SIGTERM)
    until(lambda: is_pending(worker, signal.SIGTERM), "the worker is told")
    worker.resume()
    assert server.stop() == 0
    assert not any("did not stop in time" in line for line in server.lines)
    if not is_under_way(store):
        raise TooQuick
    assert any("is handed back" in line for line in server.lines)


def test_an_import_goes_on_behind_its_last_chunk_as_often_as_it_is_stopped(start: StartServer) -> None:
    until_caught(lambda number: stop_an_import_twice(start, f"stopped{number}"))


def stop_an_import_twice(start: StartServer, name: str) -> None:
    server = start()
    api, store = server.new_company(name)
    company, list_id = store.company, api.new_list()
    sync_uri = start_import(api, list_id)
    stop_under_way(server, store, lambda: records_done(store) > 0)
    stopped_at = records_done(store)
    server = start()
    store = server.stores.open(company)
    stop_under_way(server, store, lambda: records_done(store) > stopped_at)
    assert 0 < stopped_at < records_done(store) < RECORDS
    server = start()
    store, api = server.stores.open(company), server.api(f"{name}\\ann:secret")
    assert api.wait(sync_uri, LONGEST_SECONDS)["status"] == "success"
    log = [(line["statusCode"], line["count"]) for line in api.log(sync_uri)]
    assert log == [
        ("ELQ-00130", RECORDS),
        ("ELQ-00137", 0),
        ("ELQ-00101", 0),
        ("ELQ-00001", RECORDS),
        ("ELQ-00003", RECORDS),
        ("ELQ-00004", RECORDS),
        ("ELQ-00022", 0),
        ("ELQ-00119", RECORDS),
    ]
    assert row_of_sync(store) == ("success", None, 1)
    with store.database.read() as connection:
        assert list(sets.load_set(connection, f"contactList/{list_id}")) == list(range(1, RECORDS + 1))
        Replay().follow(connection)
        check_changes_of_syncs(connection)
    check_files(store)
    assert server.stop() == 0


def test_an_import_that_is_handed_back_counts_no_attempt_and_is_free_at_once(start: StartServer) -> None:
    until_caught(lambda number: stop_an_import(start, f"stopped{number}"))


def stop_an_import(start: StartServer, name: str) -> None:
    server = start()
    api, store = server.new_company(name)
    company = store.company
    sync_uri = start_import(api, api.new_list())
    stop_under_way(server, store, lambda: records_done(store) > 0)
    server = start("--workers", "0")
    store, api = server.stores.open(company), server.api(f"{name}\\ann:secret")
    assert row_of_sync(store) == ("active", None, 0)
    assert api.bulk("GET", sync_uri).json()["status"] == "active"
    assert server.stop() == 0


def test_an_export_that_is_stopped_begins_anew_and_leaves_nothing(start: StartServer) -> None:
    until_caught(lambda number: stop_an_export(start, f"stopped{number}"))


def stop_an_export(start: StartServer, name: str) -> None:
    server = start()
    api, store = server.new_company(name, contacts=RECORDS)
    company = store.company
    fields = {"id": "{{Contact.Id}}", "email": FIELDS["email"], "at": "{{Contact.CreatedAt}}"}
    body = {"name": "all", "fields": fields}
    uri = api.bulk("POST", "/contacts/exports", json=body).raise_for_status().json()["uri"]
    sync_uri = api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri}).raise_for_status().json()["uri"]
    stop_under_way(server, store, lambda: bool(names_in(store.exports.root)))
    server = start()
    store, api = server.stores.open(company), server.api(f"{name}\\ann:secret")
    assert api.wait(sync_uri, LONGEST_SECONDS)["status"] == "success"
    assert [line["statusCode"] for line in api.log(sync_uri)] == ["ELQ-00102", "ELQ-00131", "ELQ-00106", "ELQ-00101"]
    assert row_of_sync(store) == ("success", None, 1)
    last = api.bulk("GET", f"{sync_uri}/data?offset={RECORDS - 2}").json()
    assert last["totalResults"] == RECORDS
    assert [item["id"] for item in last["items"]] == [str(RECORDS - 1), str(RECORDS)]
    check_files(store)
    assert server.stop() == 0


def test_what_was_lost_before_it_was_handed_back_stays_in_the_log(start: StartServer) -> None:
    until_caught(lambda number: kill_and_stop_an_import(start, f"stopped{number}"))


def kill_and_stop_an_import(start: StartServer, name: str) -> None:
    server = start()
    api, store = server.new_company(name)
    company = store.company
    sync_uri = start_import(api, api.new_list())
    until(lambda: records_done(store) > 0 or not is_under_way(store), "the first chunk")
    server.kill()
    server = start()
    store = server.stores.open(company)
    stopped_at = records_done(store)
    if not is_under_way(store):
        server.kill()
        raise TooQuick
    assert 0 < stopped_at < RECORDS
    stop_under_way(server, store, lambda: records_done(store) > stopped_at)
    server = start()
    store, api = server.stores.open(company), server.api(f"{name}\\ann:secret")
    assert api.wait(sync_uri, LONGEST_SECONDS)["status"] == "success"
    log = {line["statusCode"]: line["count"] for line in api.log(sync_uri)}
    assert "ELQ-00145" in log
    assert (log["ELQ-00001"], log["ELQ-00004"], log["ELQ-00022"]) == (RECORDS, RECORDS, 0)
    assert server.stop() == 0
