"""Several processes on one store behave as one server: HTTP processes, servers, workers alone; and how they stop."""

from __future__ import annotations

import re
import socket
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.conftest import StartServer
from tests.support import bare
from tests.support.api import Api, add_to_list
from tests.support.commands import staithe
from tests.support.imports import members, run_import
from tests.support.postgres import OwnPostgres
from tests.support.server import HTTP, WORKER, RunningServer
from tests.support.waiting import LONGEST_SECONDS, until
from tests.support.workers import RunningWorkers

one_database = pytest.mark.one_database("Processes start and end the same, whichever database they use.")

LOGIN = b"flight\\ann:secret"
StartWorkers = Callable[..., RunningWorkers]
Connect = Callable[[str], "Connection"]


@pytest.fixture
def start_workers(tmp_path: Path, database: str) -> Iterator[StartWorkers]:
    """Starts workers of the deployment of `servers`; whatever is left of them is ended with the test."""
    started: list[RunningWorkers] = []

    def start(*options: str) -> RunningWorkers:
        started.append(RunningWorkers(tmp_path / "data", *options, database=database))
        return started[-1]

    yield start
    for workers in started:
        if workers.process.poll() is None:
            workers.kill()


class Connection:
    """One connection to a server, byte by byte."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=LONGEST_SECONDS)

    def send(self, *lines: str, body: bytes = b"") -> None:
        self.socket.sendall("\r\n".join([*lines, "Host: staithe", "", ""]).encode() + body)

    def answer(self) -> bytes:
        """The next answer with its body, which is short; empty once the server has closed."""
        received = b""
        while piece := self.socket.recv(65536):
            received += piece
            head, end, body = received.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: ([0-9]+)", head)
            if end and len(body) >= (int(length[1]) if length else 0):
                break
        return received

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def connect() -> Iterator[Callable[[str], Connection]]:
    """Makes connections, which are closed with the test."""
    with ExitStack() as made:
        yield lambda url: made.enter_context(closing(Connection(url)))


def is_refused(url: str) -> bool:
    """Whether nobody takes connections any more."""
    try:
        with closing(Connection(url)) as connection:
            connection.send("GET /healthz HTTP/1.1")
            connection.answer()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        return False
    return False


def served_by(processes: list[psutil.Process]) -> list[int]:
    """How many connections each process has."""
    return [sum(c.status == "ESTABLISHED" for c in process.net_connections("tcp")) for process in processes]


@one_database
def test_every_http_process_takes_connections_of_the_one_port(servers: StartServer, connect: Connect) -> None:
    server = servers("--http-workers", "3")
    processes = server.children(HTTP)
    assert len(processes) == 3
    connections: list[Connection] = []

    def everyone_has_some() -> bool:
        connections.extend(connect(server.url) for _ in range(10))
        for connection in connections:
            connection.send("GET /healthz HTTP/1.1")
            assert connection.answer().startswith(b"HTTP/1.1 200")
        return min(served_by(processes)) > 0

    until(everyone_has_some, "connections in every process")
    assert server.stop() == 0


def connection_of_its_own(url: str, login: tuple[str, str]) -> httpx.Client:
    """A client that some process serves: who takes a connection is up to the operating system."""
    return httpx.Client(base_url=url, auth=login, trust_env=False, timeout=LONGEST_SECONDS, verify=bare.TRUST)


def test_what_one_http_process_was_told_all_know(servers: StartServer) -> None:
    """Requests on connections of their own, so by whichever process: each sees what those before have done."""
    server = servers("--http-workers", "3", is_real=True)
    api, store = server.new_company("spread", contacts=10)
    del api
    login = ("spread\\ann", "secret")
    list_uri = ""
    for number in range(1, 16):
        with connection_of_its_own(server.url, login) as client:
            made = client.post("/api/REST/1.0/assets/contact/list", json={"name": f"list {number}"})
            assert made.json()["id"] == str(number)
            field = {"name": f"Field {number}", "dataType": "text", "displayType": "text", "updateType": "always"}
            client.post("/api/REST/1.0/assets/contact/field", json=field).raise_for_status()
        with connection_of_its_own(server.url, login) as client:
            page = client.get("/api/bulk/2.0/contacts/lists").json()
            list_uri = page["items"][-1]["uri"]
            assert [item["name"] for item in page["items"]] == [f"list {n}" for n in range(1, number + 1)]
            found = client.get("/api/bulk/2.0/contacts/fields?q='name=Field %d'" % number).json()
            assert found["totalResults"] == 1
    assert list_uri == "/contacts/lists/15"
    assert members(store, "contactList/15") == []
    assert server.stop() == 0


@one_database
def test_others_serve_on_while_a_killed_http_process_is_started_anew(servers: StartServer, connect: Connect) -> None:
    server = servers("--http-workers", "2")
    victim, other = server.children(HTTP)
    victim.kill()
    until(lambda: not victim.is_running() or victim.status() == psutil.STATUS_ZOMBIE, "dead")

    def new_one_takes_connections() -> bool:
        connection = connect(server.url)
        connection.send("GET /healthz HTTP/1.1")
        assert connection.answer().startswith(b"HTTP/1.1 200")
        return sum(served_by([p for p in server.children(HTTP) if p.pid != other.pid])) > 0

    until(new_one_takes_connections, "the new process takes its share")
    assert other.is_running()
    assert server.stop() == 0


def test_an_upload_in_flight_ends_idle_connections_are_closed_and_new_ones_refused(
    servers: StartServer, connect: Connect
) -> None:
    server = servers("--http-workers", "2", is_real=True)
    api, store = server.new_company("flight", contacts=10)
    list_id = api.new_list()
    uri = api.define(add_to_list(list_id))
    login = f"Authorization: Basic {b64encode(LOGIN).decode()}"
    idle, busy = connect(server.url), connect(server.url)
    idle.send("GET /healthz HTTP/1.1")
    assert idle.answer().startswith(b"HTTP/1.1 200")
    first, second = b'[{"Id": 1},', b'{"Id": 2}]'
    busy.send(
        f"POST /api/bulk/2.0{uri}/data HTTP/1.1",
        login,
        "Content-Type: application/json",
        f"Content-Length: {len(first + second)}",
        body=first,
    )
    until(lambda: bool(list(store.staging.root.iterdir())), "the upload has begun")
    server.process.terminate()
    assert idle.answer() == b"", "closed"
    until(lambda: is_refused(server.url), "no new connections")
    assert server.process.poll() is None, "it waits for the upload"
    busy.socket.sendall(second)
    answer = busy.answer()
    assert answer.startswith(b"HTTP/1.1 204"), answer
    assert b"\r\nconnection: close\r\n" in answer.lower()
    assert busy.answer() == b"", "closed"
    assert server.process.wait(LONGEST_SECONDS) == 0
    server.close()
    server = servers()
    api = server.api("flight\\ann:secret")
    assert api.sync(uri)["status"] == "success"
    assert members(server.stores.open(store.company), f"contactList/{list_id}") == [1, 2]
    assert server.stop() == 0


def test_a_server_without_workers_takes_what_workers_alone_then_do(
    servers: StartServer, start_workers: StartWorkers, database: str
) -> None:
    server = servers("--workers", "0")
    assert server.children(WORKER) == []
    api, store = server.new_company("apart")
    uri = api.bulk(
        "POST",
        "/contacts/imports",
        json={"name": "i", "fields": {"e": "{{Contact.Field(C_EmailAddress)}}"}, "identifierFieldName": "e"},
    ).json()["uri"]
    assert api.upload(uri, [{"e": f"person-{n}@example.com"} for n in range(50)]).status_code == 204
    sync_uri = api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri}).json()["uri"]
    if not database:
        assert server.stop() == 0
    workers = start_workers("--workers", "2")
    if not database:
        until(lambda: not list(store.staging.root.iterdir()), "the workers run the sync")
        assert workers.stop() == 0
        server = servers("--workers", "0")
        api = server.api("apart\\ann:secret")
    ended = api.wait(sync_uri)
    assert ended["status"] == "success"
    assert members(server.stores.open(store.company), "contacts") == list(range(1, 51))
    assert api.bulk("GET", "/syncs").json()["totalResults"] == 1
    if database:
        assert workers.stop() == 0
    assert server.stop() == 0


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_store_in_a_data_directory_has_the_processes_of_one_server(tmp_path: Path, command: str) -> None:
    server = RunningServer(tmp_path / "data")
    options = ["--port", "0"] if command == "serve" else []
    failed = staithe(command, *options, "--data", str(tmp_path / "data"))
    assert failed.returncode == 1
    assert failed.stderr.splitlines() == [
        f"staithe: Another staithe serves the data directory {tmp_path / 'data'}, or works off its syncs.",
        "A store in a data directory has the processes of one server: give that one more with --workers and "
        "--http-workers, or stop it, or give this one another directory with --data. "
        "Several servers share a store with --database postgresql://...",
    ]
    assert server.stop() == 0
    workers = RunningWorkers(tmp_path / "data")
    failed = staithe("serve", "--port", "0", "--data", str(tmp_path / "data"))
    assert "Another staithe serves the data directory" in failed.stderr
    assert workers.stop() == 0


def test_workers_say_that_there_is_no_store(tmp_path: Path) -> None:
    failed = staithe("worker", "--data", str(tmp_path / "data"))
    assert failed.returncode == 1
    assert failed.stderr.splitlines() == [
        f"staithe: There is no store in the data directory {tmp_path / 'data'}.",
        f"Name the one that staithe serve has, with --data DIRECTORY or STAITHE_DATA, or its database, with --database "
        f"URL; or make one with: staithe serve --data {tmp_path / 'data'}",
    ]
    assert not (tmp_path / "data").exists()


def sync_side_by_side(apis: list[Api]) -> None:
    """Imports through each of several servers, one after the other, each run by whichever worker is first."""
    for number in range(12):
        api = apis[number % len(apis)]
        sync = run_import(api, [{"emailAddress": f"p{number}-{n}@example.com"} for n in range(40)])
        assert sync["status"] == "success"
        assert {line["statusCode"] for line in apis[-1].log(sync["uri"])}.isdisjoint({"ELQ-00145"})


def test_two_servers_and_workers_elsewhere_behave_as_one(tmp_path: Path, postgres: OwnPostgres) -> None:
    database = postgres.new_database()
    servers = [RunningServer(tmp_path / "data", "--http-workers", "2", database=database) for _ in range(2)]
    workers = [RunningWorkers(tmp_path / "data", "--workers", "2", database=database) for _ in range(2)]
    _, store = servers[0].new_company("shared")
    apis = [server.api("shared\\ann:secret") for server in servers]
    sync_side_by_side(apis)
    assert members(store, "contacts") == list(range(1, 12 * 40 + 1))
    # One leaves, with the workers it has itself: the others do all.
    assert servers[0].stop() == 0
    assert workers[0].stop() == 0
    sync = run_import(apis[1], [{"emailAddress": "last@example.com"}])
    assert sync["status"] == "success"
    assert (tmp_path / "data" / "serve.url").read_text() == servers[1].url
    assert workers[1].stop() == 0
    assert servers[1].stop() == 0
