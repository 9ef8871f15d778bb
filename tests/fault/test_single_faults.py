"""One fault each, at a moment that is waited for."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select

from staithe.domain.id_set import IdSet
from staithe.processes import FORKS_VARIABLE
from staithe.services.stores import CompanyStore
from staithe.staging.local_files import UNFINISHED_ENDING
from staithe.storage import sets
from staithe.storage.tables import CHANGE, SYNC, UPLOAD
from tests.fault.conftest import StartServer
from tests.fault.processes import all_processes, child, kill_everything, paused, worker_named, write_lock
from tests.support.api import Api, add_to_list
from tests.support.audit import Replay, check_changes_of_syncs, names_in
from tests.support.server import HTTP, WORKER, RunningServer
from tests.support.waiting import LONGEST_SECONDS, until

one_database = pytest.mark.one_database("Processes start and end the same, whichever database they use.")

CONTACTS = 20_000
MOST_TRIES = 20
each_way_to_start = pytest.mark.parametrize("forks", ["1", "0"], ids=["forked", "interpreters"])


def members(store: CompanyStore, list_id: int) -> IdSet:
    with store.database.read() as connection:
        return sets.load_set(connection, f"contactList/{list_id}")


def check_audit(store: CompanyStore) -> None:
    with store.database.read() as connection:
        Replay().follow(connection)
        check_changes_of_syncs(connection)


def row_of_sync(store: CompanyStore, uri: str) -> tuple[str, str | None, int]:
    """Status, lease owner and attempts of a sync."""
    query = select(SYNC.c.status, SYNC.c.lease_owner, SYNC.c.attempts).where(SYNC.c.id == number_of(uri))
    with store.database.read() as connection:
        return tuple(connection.execute(query).one())


def number_of(uri: str) -> int:
    return int(uri.rpartition("/")[2])


def records(ids: range) -> list[dict[str, int]]:
    return [{"Id": i} for i in ids]


def start_sync(api: Api, uri: str, **more: str) -> str:
    answer = api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri, **more}).raise_for_status()
    return str(answer.json()["uri"])


def codes(api: Api, sync_uri: str) -> list[str]:
    return [line["statusCode"] for line in api.log(sync_uri)]


def test_a_sync_whose_definition_is_deleted_while_it_is_pending_has_no_effect(start: StartServer) -> None:
    server = start()
    api, store = server.new_company("acme2", CONTACTS)
    list_id = api.new_list()
    uri, other = api.define(add_to_list(list_id)), api.define(add_to_list(list_id))
    assert api.upload(uri, records(range(1, 100))).status_code == 204
    assert api.upload(other, records(range(200, 300))).status_code == 204
    assert api.sync(other)["status"] == "success"
    with paused(server, store, child(server, WORKER)):
        sync_uri = start_sync(api, uri)
        assert api.bulk("DELETE", uri).status_code == 204
        assert row_of_sync(store, sync_uri)[0] == "pending"
    assert api.wait(sync_uri)["status"] == "error"
    assert codes(api, sync_uri) == ["ELQ-00137", "ELQ-00143", "ELQ-00101"]
    assert members(store, list_id) == IdSet.of(range(200, 300))
    assert names_in(store.staging.root) == set()
    check_audit(store)


def test_a_worker_that_slept_beyond_its_lease_changes_nothing(start: StartServer) -> None:
    """It sleeps where it would hurt most: all is matched, and the commit is the next thing it does."""
    server = start("--workers", "2")
    api, store = server.new_company("acme2", CONTACTS)
    list_id = api.new_list()
    uri = api.define(add_to_list(list_id))
    # The last record is rejected, so there is a file of rejects once all are matched.
    body = ("Id\n" + "\n".join(map(str, range(1, CONTACTS + 1))) + "\n").encode() + b"1\n" * 100_000 + b"x\n"
    until(lambda: len(server.children(WORKER)) == 2, "two workers")
    for _ in range(MOST_TRIES):
        assert api.upload(uri, body, **{"content-type": "text/csv"}).status_code == 204
        files = names_in(store.rejects.root)
        sync_uri = start_sync(api, uri)
        until(lambda sync=sync_uri: row_of_sync(store, sync)[0] != "pending", "claimed")
        with write_lock(store):
            status, owner, attempts = row_of_sync(store, sync_uri)
            if status != "active":
                # This test had to wait for a processor: once more.
                assert status == "warning"
                continue
            assert attempts == 1
            sleeper = worker_named(server, str(owner).partition("/")[0])
            until(lambda before=files: has_rejects_besides(store, before), "all is matched")
            sleeper.send_signal(signal.SIGSTOP)
            until(lambda who=sleeper: who.status() == psutil.STATUS_STOPPED, "stopped")
            break
    else:
        raise AssertionError("no sync was caught before its commit")
    assert api.wait(sync_uri)["status"] == "warning"
    assert members(store, list_id) == IdSet.span(1, CONTACTS)
    before = snapshot(store)
    sleeper.send_signal(signal.SIGCONT)
    until(
        lambda: any("was taken over" in line or "to be tried again" in line for line in server.lines),
        "the sleeper notices",
    )
    assert snapshot(store) == before
    assert row_of_sync(store, sync_uri) == ("warning", None, 2)
    assert "ELQ-00145" in codes(api, sync_uri)
    assert [reject["recordIndex"] for reject in api.rejects(sync_uri)] == [CONTACTS + 100_000 + 1]
    check_audit(store)
    assert server.stop() == 0


def has_rejects_besides(store: CompanyStore, before: set[str]) -> bool:
    """Whether there is a whole file of rejects that was not there before."""
    return any(not name.endswith(UNFINISHED_ENDING) for name in names_in(store.rejects.root) - before)


def snapshot(store: CompanyStore) -> list[object]:
    with store.database.read() as connection:
        return [list(connection.execute(select(table)).all()) for table in (SYNC, CHANGE, UPLOAD)]


@one_database
@each_way_to_start
def test_children_end_when_their_supervisor_is_killed(start: StartServer, forks: str) -> None:
    server = start(is_real=True, environment={FORKS_VARIABLE: forks})
    api, store = server.new_company("acme2", CONTACTS)
    list_id = api.new_list()
    uri = api.define(add_to_list(list_id))
    assert api.upload(uri, records(range(1, 500))).status_code == 204
    _, *children = all_processes(server)
    assert len(children) == 2
    server.process.kill()
    _, alive = psutil.wait_procs(children, timeout=LONGEST_SECONDS)
    assert not alive
    server = start()
    api, store = server.api("acme2\\ann:secret"), server.stores.open(store.company)
    assert api.sync(uri)["status"] == "success"
    assert members(store, list_id) == IdSet.of(range(1, 500))


@one_database
@each_way_to_start
@pytest.mark.parametrize("role", [HTTP, WORKER])
def test_a_child_that_is_just_starting_when_its_supervisor_is_killed_ends_too(
    start: StartServer, role: str, forks: str
) -> None:
    server = start(is_real=True, environment={FORKS_VARIABLE: forks})
    old = child(server, role)
    old.kill()
    until(lambda: any(c.pid != old.pid and c.is_running() for c in server.children(role)), "a new child")
    _, *children = all_processes(server)
    server.process.kill()
    _, alive = psutil.wait_procs(children, timeout=LONGEST_SECONDS)
    for process in alive:
        process.kill()
    assert not alive


def damage_truncate(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def damage_empty(path: Path) -> None:
    path.write_bytes(b"")


def damage_overwrite(path: Path) -> None:
    path.write_bytes(b"no arrow file " * 100)


@pytest.mark.parametrize("damage", [damage_truncate, damage_empty, damage_overwrite, Path.unlink])
def test_a_staged_file_that_cannot_be_read_ends_the_sync_in_error_and_is_kept(
    company: tuple[Api, CompanyStore], tmp_path: Path, damage: object
) -> None:
    api, store = company
    list_id = api.new_list()
    uri = api.define(add_to_list(list_id))
    assert api.upload(uri, records(range(1, 51))).status_code == 204
    assert api.upload(uri, records(range(51, 61))).status_code == 204
    with store.database.read() as connection:
        first, second = connection.execute(select(UPLOAD.c.file).order_by(UPLOAD.c.id)).scalars()
    path, copy = store.staging.root / second, tmp_path / "copy"
    shutil.copy(path, copy)
    assert callable(damage)
    damage(path)
    failed = api.sync(uri)
    assert failed["status"] == "error"
    assert codes(api, failed["uri"]) == ["ELQ-00137", "ELQ-00139", "ELQ-00101"]
    assert len(members(store, list_id)) == 0
    assert (store.staging.root / first).exists(), "what could be read is kept too"
    assert names_in(store.rejects.root) == set()
    shutil.copy(copy, path)
    assert api.sync(uri)["status"] == "success"
    assert members(store, list_id) == IdSet.span(1, 60)
    check_audit(store)


class Listener(ThreadingHTTPServer):
    """A callback address. Until `answering` is set, calls hang."""

    daemon_threads = True

    def __init__(self) -> None:
        self.called = threading.Semaphore(0)
        self.answering = threading.Event()
        self.bodies: list[bytes] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.called.release()
                listener.answering.wait(LONGEST_SECONDS)
                listener.bodies.append(body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, *_: object) -> None:
        """The caller was killed, as it should be."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/ended"


@pytest.fixture
def listener() -> Iterator[Listener]:
    with closing(ListenerThread()) as thread:
        yield thread.listener


class ListenerThread:
    """Runs a `Listener`."""

    def __init__(self) -> None:
        self.listener = Listener()
        self.thread = threading.Thread(target=self.listener.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def close(self) -> None:
        self.listener.answering.set()
        self.listener.shutdown()
        self.listener.server_close()
        self.thread.join()


@pytest.mark.parametrize("victim", ["worker", "everything"])
def test_a_callback_that_a_kill_cut_short_is_delivered_later(
    start: StartServer, listener: Listener, tmp_path: Path, victim: str
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("0")
    server: RunningServer = start("--clock-file", str(clock))
    api, _store = server.new_company("acme2", 10)
    uri = api.define()
    assert api.upload(uri, records(range(1, 11))).status_code == 204
    sync_uri = start_sync(api, uri, callbackUrl=listener.url)
    assert listener.called.acquire(timeout=LONGEST_SECONDS)
    assert api.wait(sync_uri)["status"] == "success"
    if victim == "everything":
        kill_everything(server)
        server = start("--clock-file", str(clock))
    else:
        child(server, WORKER).kill()
    listener.answering.set()
    clock.write_text("100")
    assert listener.called.acquire(timeout=LONGEST_SECONDS), "nobody took up the callback"
    until(lambda: b"success" in b"".join(listener.bodies), "the body")
    assert server.stop() == 0
