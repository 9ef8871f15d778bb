"""What takes too long ends: by its deadline, by the end of its server, or when its sync is deleted."""

from __future__ import annotations

import signal
import time
from typing import Any

from sqlalchemy import func, select, text

from staithe.clock import system_clock
from staithe.services.run_sync import MOST_ATTEMPTS, run_sync
from staithe.services.stores import CompanyStore
from staithe.services.sync_run import Run
from staithe.storage import syncs
from staithe.storage.contact_fields import load_catalogue
from staithe.storage.tables import CONTACT, SYNC
from staithe.supervisor import QUICK_DEATH_SECONDS
from tests.fault.conftest import StartServer
from tests.fault.processes import TooQuick, child, until_caught
from tests.fault.test_handed_back import RECORDS, is_under_way, start_import
from tests.support.api import Api
from tests.support.audit import check_files, names_in
from tests.support.imports import records_done
from tests.support.server import WORKER
from tests.support.waiting import LONGEST_SECONDS, until
from tests.wire.test_contact_fields import new_field

CONTACTS = 500
CHARACTERS = 32_000
PATTERN = "a" * 900 + "b"
"""It is compared with each place of each text nearly to its end: some 20 seconds for all contacts."""


def make_slow(api: Api, store: CompanyStore) -> str:
    """Give every contact a long text; gives the statement of its field."""
    statement = new_field(api, "Essay", "largeText")
    with store.database.write() as connection:
        column = load_catalogue(connection).by_name["c_essay1"].column
        connection.execute(text(f"UPDATE contact SET {column} = :text"), {"text": "a" * CHARACTERS})
    return statement


def start_slow_export(api: Api, statement: str) -> str:
    """Start an export whose filter takes long, which a worker then has; gives the uri of its sync."""
    body = {"name": "slow", "fields": {"Id": "{{Contact.Id}}"}, "filter": f"'{statement}' ~ '%{PATTERN}%'"}
    uri = api.bulk("POST", "/contacts/exports", json=body).raise_for_status().json()["uri"]
    return str(api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri}).raise_for_status().json()["uri"])


def row_of(store: CompanyStore, sync_uri: str) -> tuple[Any, ...]:
    """Status, lease owner and attempts of a sync."""
    number = int(sync_uri.rpartition("/")[2])
    query = select(SYNC.c.status, SYNC.c.lease_owner, SYNC.c.attempts).where(SYNC.c.id == number)
    with store.database.read() as connection:
        return tuple(connection.execute(query).one())


def is_held(store: CompanyStore, sync_uri: str, attempt: int = 1) -> bool:
    """Whether a worker has a sync, for the so manieth time.

    Raises:
        TooQuick: it has ended.
    """
    status, owner, attempts = row_of(store, sync_uri)
    if status not in ("pending", "active"):
        raise TooQuick
    return owner is not None and attempts == attempt


def test_a_long_query_is_ended_by_the_end_of_the_server_and_its_sync_handed_back(start: StartServer) -> None:
    until_caught(lambda number: stop_amid_a_query(start, f"stopped{number}"))


def stop_amid_a_query(start: StartServer, name: str) -> None:
    server = start()
    api, store = server.new_company(name, contacts=CONTACTS)
    sync_uri, company = start_slow_export(api, make_slow(api, store)), store.company
    until(lambda: is_held(store, sync_uri), "a worker has the sync")
    server.process.send_signal(signal.SIGTERM)
    assert server.stop() == 0
    assert not any("did not stop in time" in line for line in server.lines)
    server = start("--workers", "0")
    store = server.stores.open(company)
    if row_of(store, sync_uri)[0] != "active":
        raise TooQuick
    assert row_of(store, sync_uri) == ("active", None, 0)
    check_files(store)
    assert server.stop() == 0


def test_a_sync_and_a_query_end_when_their_time_is_over(start: StartServer) -> None:
    server = start("--sync-timeout", "1", "--query-timeout", "0.5")
    api, store = server.new_company("slow", contacts=CONTACTS)
    statement = make_slow(api, store)
    sync_uri = start_slow_export(api, statement)
    answer = api.rest("GET", "/data/contacts", params={"search": f"C_Essay1='*{PATTERN}*'"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert answer.json()["message"] == "The query took more than 0.5 seconds, so it was ended; nothing was stored."
    assert "--query-timeout" in answer.json()["advice"]
    assert api.wait(sync_uri, LONGEST_SECONDS)["status"] == "error"
    lines = [(line["statusCode"], line["severity"]) for line in api.log(sync_uri)]
    assert lines == [("ELQ-00137", "information"), ("ELQ-00107", "error"), ("ELQ-00101", "information")]
    assert api.log(sync_uri)[1]["message"].startswith(
        "The sync took more than 1 seconds, so it was ended; nothing was changed."
    )
    assert row_of(store, sync_uri)[1] is None
    # What was interrupted is as good as new.
    assert api.rest("GET", "/data/contacts", params={"search": "id=3"}).json()["total"] == 1
    uri = api.define()
    api.upload(uri, [{"Id": "1"}])
    assert api.sync(uri)["status"] == "success"
    check_files(store)
    assert server.stop() == 0


def test_a_sync_that_runs_can_be_deleted(start: StartServer) -> None:
    until_caught(lambda number: delete_amid_a_query(start, f"deleted{number}"))


def delete_amid_a_query(start: StartServer, name: str) -> None:
    server = start()
    api, store = server.new_company(name, contacts=CONTACTS)
    sync_uri = start_slow_export(api, make_slow(api, store))
    until(lambda: is_held(store, sync_uri), "a worker has the sync")
    assert api.bulk("DELETE", sync_uri).status_code == 204
    assert api.bulk("GET", sync_uri).status_code == 410
    until(lambda: any("taken over, or deleted" in line for line in server.lines), "the worker notices")
    assert names_in(store.exports.root) == set()
    with store.database.read() as connection:
        assert connection.execute(select(SYNC.c.id)).all() == []
    check_files(store)
    assert server.stop() == 0


def test_a_sync_that_takes_its_workers_with_it_is_given_up(start: StartServer) -> None:
    server = start()
    api, store = server.new_company("slow", contacts=CONTACTS)
    statement = make_slow(api, store)
    # A worker that dies as soon as it is started, again and again, is the end of its server. The system tells when a
    # process was started by a clock that may be a second off.
    child(server, WORKER)
    seen_at = time.monotonic()
    until(lambda: time.monotonic() - seen_at > QUICK_DEATH_SECONDS, "the worker is no beginner")
    sync_uri = start_slow_export(api, statement)
    for attempt in range(1, MOST_ATTEMPTS + 1):
        until(lambda attempt=attempt: is_held(store, sync_uri, attempt), "a worker has the sync")
        child(server, WORKER).kill()
    assert api.wait(sync_uri, LONGEST_SECONDS)["status"] == "error"
    assert [line["statusCode"] for line in api.log(sync_uri)] == ["ELQ-00137", "ELQ-00146", "ELQ-00101"]
    assert "The worker was lost 5 times with this sync" in api.log(sync_uri)[1]["message"]
    assert row_of(store, sync_uri) == ("error", None, MOST_ATTEMPTS + 1)
    assert server.stop() == 0


def test_an_import_that_runs_can_be_deleted_and_what_it_has_done_stays(start: StartServer) -> None:
    until_caught(lambda number: delete_an_import(start, f"imported{number}"))


def delete_an_import(start: StartServer, name: str) -> None:
    server = start()
    api, store = server.new_company(name)
    sync_uri = start_import(api, api.new_list())
    until(lambda: records_done(store) > 0 or not is_under_way(store), "the first chunk")
    assert api.bulk("DELETE", sync_uri).status_code == 204
    assert records_done(store) == 0, "its ledger is gone"
    with store.database.read() as connection:
        imported = connection.execute(select(func.count()).select_from(CONTACT)).scalar_one()
    if imported == RECORDS:
        server.kill()
        raise TooQuick
    until(lambda: any("taken over, or deleted" in line for line in server.lines), "the worker notices")
    with store.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(CONTACT)).scalar_one() == imported
    again = api.sync("/contacts/imports/1")
    assert again["status"] == "success"
    counts = {line["statusCode"]: line["count"] for line in api.log(again["uri"])}
    assert (counts["ELQ-00004"], counts["ELQ-00022"]) == (RECORDS - imported, imported)
    check_files(store)
    assert server.stop() == 0


def test_a_worker_that_was_only_slow_was_not_lost(start: StartServer) -> None:
    server = start("--workers", "0")
    api, store = server.new_company("slow", contacts=10)
    body = {"name": "all", "fields": {"Id": "{{Contact.Id}}"}}
    uri = api.bulk("POST", "/contacts/exports", json=body).raise_for_status().json()["uri"]
    sync_uri = str(api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri}).raise_for_status().json()["uri"])
    now = system_clock()
    with store.database.write() as connection:
        slow = syncs.claim(connection, "slow/1", now, now - 1)
    with store.database.write() as connection:
        assert syncs.claim(connection, "other/1", now, now + 10**9) is not None
        assert syncs.renew_leases(connection, ["slow/1", "other/1"], now + 10**9) == {"slow/1"}
    assert slow is not None
    assert row_of(store, sync_uri) == ("active", "other/1", 2)
    assert run_sync(Run(store, slow, "slow/1", system_clock)) is None
    assert row_of(store, sync_uri) == ("active", "other/1", 1)
    assert names_in(store.exports.root) == set()
    assert server.stop() == 0
