"""PostgreSQL goes away and comes back while clients work: what was acknowledged is there, once, and all goes on."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from sqlalchemy import func, select

from staithe.domain.id_set import IdSet
from staithe.services import retention
from staithe.services.stores import CompanyStore
from staithe.storage import sets
from staithe.storage.tables import SYNC, SYNC_LOG
from tests.support.api import Api, add_to_list
from tests.support.audit import Replay, check_changes_of_syncs, check_files
from tests.support.postgres import OwnPostgres
from tests.support.server import HTTP, WORKER, RunningServer
from tests.support.waiting import until

ROUNDS = 4
CLIENTS = 3
PER_UPLOAD = 20
PER_CLIENT = 4000
LOGIN = "acme2\\ann:secret"
STOPS = (signal.SIGINT, signal.SIGQUIT)
UNREACHABLE = {
    "status": 503,
    "error": "Service Unavailable",
    "message": "The database cannot be reached.",
    "advice": "Send the request again.",
    "retryAfterSeconds": 1,
}
KILL_BACKENDS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'staithe'"


@pytest.fixture(scope="module")
def durable_postgres() -> Iterator[OwnPostgres]:
    """A PostgreSQL of this module's own."""
    own = OwnPostgres(fsync="on", full_page_writes="on")
    yield own
    own.close()


@pytest.fixture
def own_postgres(durable_postgres: OwnPostgres) -> OwnPostgres:
    """The same, which a test stops and starts. It runs, whatever the test before has done."""
    if durable_postgres.process.poll() is not None:
        durable_postgres.start()
    return durable_postgres


@pytest.fixture
def server(tmp_path: Path, own_postgres: OwnPostgres) -> Iterator[RunningServer]:
    """A server whose database is the one above."""
    started = RunningServer(tmp_path / "data", "--workers", "2", database=own_postgres.new_database())
    yield started
    if started.process.poll() is None:
        started.kill()
    # A test looks into the stores of a server that it has stopped.
    started.stores.close()


class Uploader(threading.Thread):
    """Uploads its contacts, some at a time, each with a key until it is acknowledged; starts syncs in between."""

    def __init__(self, url: str, uri: str, first: int) -> None:
        super().__init__(daemon=True)
        self.api, self.uri, self.next = Api(url, LOGIN), uri, first
        self.last = first + PER_CLIENT
        self.stopping = threading.Event()
        self.acknowledged: list[int] = []
        self.refusals = 0
        self.problem: BaseException | None = None

    def run(self) -> None:
        """The thread."""
        try:
            while not self.stopping.is_set() and self.next + PER_UPLOAD <= self.last:
                ids = range(self.next, self.next + PER_UPLOAD)
                self.upload(ids)
                self.next = ids.stop
                if self.next % (5 * PER_UPLOAD) == 0:
                    self.expect(self.api.bulk("POST", "/syncs", json={"syncedInstanceUri": self.uri}), 201)
        except BaseException as error:
            self.problem = error
        finally:
            self.api.client.close()

    def upload(self, ids: range) -> None:
        records = [{"Id": number} for number in ids]
        while not self.expect(self.api.upload(self.uri, records, **{"idempotency-key": f"from {ids.start}"}), 204):
            time.sleep(0.02)
        self.acknowledged += ids

    def expect(self, answer: httpx.Response, status: int) -> bool:
        """Whether a request was done; if not, it is to come again, and nothing else is wrong."""
        if answer.status_code == status:
            return True
        assert answer.status_code == 503, answer.text
        self.refusals += 1
        return False


def begin(server: RunningServer) -> tuple[Api, CompanyStore, int, list[Uploader]]:
    """A company whose clients put disjoint contacts on one list, each by a definition of its own."""
    api, store = server.new_company("acme2", CLIENTS * PER_CLIENT + 1)
    list_id = api.new_list()
    uris = [api.define(add_to_list(list_id)) for _ in range(CLIENTS)]
    uploaders = [Uploader(server.url, uri, number * PER_CLIENT + 1) for number, uri in enumerate(uris)]
    for uploader in uploaders:
        uploader.start()
    return api, store, list_id, uploaders


def check_outcome(api: Api, store: CompanyStore, list_id: int, uploaders: list[Uploader]) -> None:
    """End it all: every acknowledged contact is on the list, no other, and each was processed once."""
    for uploader in uploaders:
        uploader.stopping.set()
    for uploader in uploaders:
        uploader.join(120)
        assert not uploader.is_alive()
        if uploader.problem is not None:
            raise uploader.problem
        api.bulk("POST", "/syncs", json={"syncedInstanceUri": uploader.uri}).raise_for_status()
    until(lambda: count_unfinished(store) == 0, "all syncs end")
    acknowledged = [number for uploader in uploaders for number in uploader.acknowledged]
    assert acknowledged, "nothing was uploaded"
    with store.database.read() as connection:
        assert sets.load_set(connection, f"contactList/{list_id}") == IdSet.of(acknowledged)
        processed = select(func.sum(SYNC_LOG.c["count"])).where(SYNC_LOG.c.code == "ELQ-00001")
        assert connection.execute(processed).scalar_one() == len(acknowledged)
        statuses = set(connection.execute(select(SYNC.c.status)).scalars())
        assert "error" not in statuses
        Replay().follow(connection)
        check_changes_of_syncs(connection)


def count_unfinished(store: CompanyStore) -> int:
    with store.database.read() as connection:
        return connection.execute(select(func.count()).where(SYNC.c.ended_at.is_(None))).scalar_one()


def processes(server: RunningServer) -> set[int]:
    return {process.pid for role in (HTTP, WORKER) for process in server.children(role)}


def test_nothing_is_lost_or_doubled_when_postgresql_restarts(
    server: RunningServer, own_postgres: OwnPostgres, seed: int
) -> None:
    chance = random.Random(seed)
    api, store, list_id, uploaders = begin(server)
    before = processes(server)
    assert len(before) == 3
    for number in range(ROUNDS):
        time.sleep(chance.uniform(0.2, 1))
        own_postgres.stop(STOPS[number % 2])
        for path in ("/api/bulk/2.0/syncs", "/readyz"):
            answer = api.call("GET", path)
            assert (answer.status_code, answer.json()) == (503, UNREACHABLE), f"--torture-seed {seed}"
        until(
            lambda n=number: all(u.refusals > n or not u.is_alive() for u in uploaders), "clients see the database go"
        )
        own_postgres.start()
        until(lambda: api.call("GET", "/readyz").status_code == 200, "ready again")
    assert processes(server) == before, "no process had to be started anew"
    check_outcome(api, store, list_id, uploaders)
    assert sum(uploader.refusals for uploader in uploaders) > 0, "no client has seen the database go"
    assert server.stop() == 0
    # A commit whose outcome nobody knew has kept its files.
    retention.sweep(store, min_age_seconds=-60)
    check_files(store)


def test_nothing_is_lost_or_doubled_when_connections_are_cut(
    server: RunningServer, own_postgres: OwnPostgres, seed: int
) -> None:
    chance = random.Random(seed)
    api, store, list_id, uploaders = begin(server)
    with psycopg.connect(own_postgres.url("postgres"), autocommit=True) as operator:
        for _ in range(10 * ROUNDS):
            time.sleep(chance.uniform(0.01, 0.1))
            operator.execute(KILL_BACKENDS)
    check_outcome(api, store, list_id, uploaders)
    assert server.stop() == 0


def test_too_few_connections_are_told_as_a_database_that_cannot_be_reached(tmp_path: Path) -> None:
    own = OwnPostgres(max_connections="20")
    server = RunningServer(tmp_path / "data", database=own.new_database())
    held: list[psycopg.Connection] = []
    try:
        api = server.api()
        assert api.bulk("GET", "/syncs").status_code == 200
        with psycopg.connect(own.url("postgres"), autocommit=True) as operator:
            while True:
                try:
                    held.append(psycopg.connect(own.url("postgres")))
                except psycopg.OperationalError:
                    operator.execute(KILL_BACKENDS)
                    if len(held) >= 19:
                        break
            # The operator has the last of them.
            answer = api.bulk("GET", "/syncs")
            assert answer.status_code == 503, answer.text
        for connection in held:
            connection.close()
        until(lambda: api.bulk("GET", "/syncs").status_code == 200, "served again")
        assert server.stop() == 0
    finally:
        if server.process.poll() is None:
            server.kill()
        for connection in held:
            connection.close()
        own.close()


def test_two_servers_that_start_at_once_on_an_empty_database_make_one_company(
    tmp_path: Path, own_postgres: OwnPostgres
) -> None:
    database = own_postgres.new_database()
    servers: list[RunningServer] = []

    def start(name: str) -> None:
        staging = ("--staging", str(tmp_path / "staging"))
        servers.append(RunningServer(tmp_path / name, *staging, database=database))

    threads = [threading.Thread(target=start, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(servers) == 2
    for server in servers:
        assert server.api().bulk("GET", "/syncs").status_code == 200
    with servers[0].stores.control.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM company").scalar_one() == 1
    for server in servers:
        assert server.stop() == 0
