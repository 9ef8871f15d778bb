"""The object store of the staging area fails: nothing is lost, nothing is half-written, and all goes on by itself."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from staithe.services import retention
from staithe.services.stores import CompanyStore
from staithe.storage.tables import SYNC, UPLOAD
from tests.conftest import NewDatabase, StartServer
from tests.fault.processes import Process, child, kill_everything
from tests.support.api import BULK, Api, add_to_list
from tests.support.audit import Replay, check_changes_of_syncs, check_files
from tests.support.commands import staithe
from tests.support.imports import counts, define_import, members
from tests.support.object_store import (
    ObjectStore,
    Relay,
    Serve,
    address,
    answer,
    cut_answers,
    cut_requests,
    failing,
    hang,
    lose_answers,
    pass_on,
    reset,
)
from tests.support.pauses import pauses
from tests.support.server import HTTP, LOGIN, RunningServer
from tests.support.waiting import until

one_database = pytest.mark.one_database(
    "What the object store is sent, and what is answered when it fails, no database changes."
)

COMPANY_NUMBERS = itertools.count(1)
CONTACTS = 50
CSV = {"content-type": "text/csv"}
UNAVAILABLE = {
    "status": 503,
    "error": "Service Unavailable",
    "message": "The staging area cannot be reached.",
    "advice": "Send the request again.",
    "retryAfterSeconds": 5,
}
Fail = Callable[[Relay], None]


def body(malformed: int) -> bytes:
    """The ids of all contacts, and some records that are rejected and cannot be compressed."""
    lines = ["Id", *map(str, range(1, CONTACTS + 1)), *(os.urandom(20).hex() for _ in range(malformed))]
    return "\n".join(lines).encode()


SMALL = 1_000
LARGE = 130_000
TWO_PARTS = 300_000
"""Records whose staged file is sent in one request, in one part, and in two."""


def using(serve: Serve) -> Fail:
    return lambda relay: relay.use(serve)


FAILURES: dict[str, Fail] = {
    "refuses": Relay.refuse,
    "resets": using(reset),
    "500": using(answer(500)),
    "503": using(answer(503)),
    "cuts": using(cut_requests(20_000)),
    "loses answers": using(failing(lose_answers, "PUT")),
}
FAILURES_OF_PARTS: dict[str, Fail] = {
    "second part": using(failing(answer(503), "PUT", query="partNumber=2")),
    "completion": using(failing(answer(500), "POST", query="uploadId=")),
}


@pytest.fixture(scope="module")
def bucket(object_store: ObjectStore) -> str:
    """A bucket of this module's own."""
    return object_store.new_bucket()


@pytest.fixture(scope="module")
def relay(object_store: ObjectStore) -> Iterator[Relay]:
    """What stands between the servers and the object store."""
    between = Relay(object_store.port)
    yield between
    between.close()


@pytest.fixture(scope="module")
def staged(
    tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase, bucket: str, relay: Relay
) -> Iterator[RunningServer]:
    """A server whose staging area is in the bucket."""
    data, prefix = tmp_path_factory.mktemp("staged") / "data", f"staged-{next(COMPANY_NUMBERS)}"
    area = address(bucket, relay.port, prefix)
    often = pauses(scan_seconds=0.2)
    running = RunningServer(data, "--staging", area, database=new_database(), environment=often)
    yield running
    assert running.stop() == 0


@pytest.fixture(autouse=True)
def recovered(relay: Relay) -> Iterator[None]:
    """Whatever a test does to the object store ends with it."""
    yield
    relay.use(pass_on)


class Case:
    """A company whose staged files are in the object store, with a contact list and a definition that fills it."""

    def __init__(self, server: RunningServer, object_store: ObjectStore) -> None:
        self.server, self.object_store = server, object_store
        self.api, self.store = server.new_company(f"staged{next(COMPANY_NUMBERS)}", CONTACTS)
        self.list_id = self.api.new_list()
        self.uri = self.api.define(add_to_list(self.list_id))

    def upload(self, content: bytes) -> httpx.Response:
        return self.api.upload(self.uri, content, **CSV)

    def objects(self) -> set[str]:
        """The company's objects, asked without the relay."""
        root = self.server.stores.area.bucket.address.root
        return self.object_store.names(f"{root}/companies/{self.store.company.id}")

    def rows(self) -> int:
        """How many uploads wait."""
        with self.store.database.read() as connection:
            return connection.execute(select(func.count()).select_from(UPLOAD)).scalar_one()

    def start_sync(self, uri: str = "") -> str:
        answered = self.api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri or self.uri}).raise_for_status()
        return str(answered.json()["uri"])

    def await_pause(self, sync_uri: str) -> None:
        """Wait until a worker has given a sync up for a while."""
        number = sync_uri.rpartition("/")[2]
        line = f"sync {number} of company {self.store.company.name} waits for the staging area"
        until(lambda: any(line in printed for printed in self.server.lines), line)
        assert self.api.bulk("GET", sync_uri).json()["status"] == "active"

    def attempts(self, sync_uri: str) -> int:
        with self.store.database.read() as connection:
            number = int(sync_uri.rpartition("/")[2])
            return connection.execute(select(SYNC.c.attempts).where(SYNC.c.id == number)).scalar_one()

    def check(self) -> None:
        """Sets and files are as the rows say."""
        with self.store.database.read() as connection:
            Replay().follow(connection)
            check_changes_of_syncs(connection)
        check_files(self.store)


@pytest.fixture
def case(staged: RunningServer, object_store: ObjectStore) -> Case:
    """A company of a test's own."""
    return Case(staged, object_store)


LEFT_OUT = pytest.mark.nightly("A large body that cannot even be begun fails as it does with 503, which is kept.")
NEVER_BEGUN = ("refuses", "resets", "500")
UPLOADS = [
    *(pytest.param(fail, SMALL, id=f"{name}-small") for name, fail in FAILURES.items()),
    *(
        pytest.param(fail, LARGE, id=f"{name}-large", marks=LEFT_OUT if name in NEVER_BEGUN else ())
        for name, fail in FAILURES.items()
    ),
    *(pytest.param(fail, TWO_PARTS, id=name) for name, fail in FAILURES_OF_PARTS.items()),
]


@one_database
@pytest.mark.parametrize(("fail", "size"), UPLOADS)
def test_an_upload_that_cannot_be_staged_stores_nothing_and_can_be_sent_again(
    case: Case, relay: Relay, fail: Fail, size: int
) -> None:
    check_upload(case, relay, fail, size)


def check_upload(case: Case, relay: Relay, fail: Fail, size: int) -> None:
    content = body(size)
    fail(relay)
    refused = case.upload(content)
    assert (refused.status_code, refused.json(), refused.headers["retry-after"]) == (503, UNAVAILABLE, "5")
    assert (case.rows(), case.objects()) == (0, set())
    relay.use(pass_on)
    assert case.upload(content).status_code == 204
    assert (case.rows(), len(case.objects())) == (1, 1)
    sync = case.api.sync(case.uri)
    assert sync["status"] == "warning"
    assert members(case.store, f"contactList/{case.list_id}") == list(range(1, CONTACTS + 1))
    rejects = case.api.bulk("GET", f"{sync['uri']}/rejects", params={"limit": 10, "offset": size - 10}).json()
    assert rejects["totalResults"] == size
    sent = content.decode().split("\n")[-10:]
    assert [item["fieldValues"]["Id"] for item in rejects["items"]] == sent
    case.check()


@one_database
def test_an_upload_to_an_object_store_that_hangs_stores_nothing_and_can_be_sent_again(
    servers: StartServer, object_store: ObjectStore, relay: Relay
) -> None:
    area, impatient = address(object_store.new_bucket(), relay.port), pauses(silent_seconds=1, hasty_seconds=1)
    server = servers("--staging", area, environment=impatient)
    check_upload(Case(server, object_store), relay, using(hang), SMALL)
    assert server.stop() == 0


def test_an_object_whose_every_answer_was_lost_is_named_by_nothing_and_swept(case: Case, relay: Relay) -> None:
    """Whether it is there, nobody can know then: an upload that is told 503 may have left a whole file."""
    relay.use(failing(lose_answers, "PUT", otherwise=answer(503)))
    refused = case.upload(body(SMALL))
    assert (refused.status_code, refused.json()) == (503, UNAVAILABLE)
    relay.use(pass_on)
    assert (case.rows(), len(case.objects())) == (0, 1)
    assert retention.sweep(case.store) == 0, "it is young"
    assert retention.sweep(case.store, min_age_seconds=-60) == 1
    assert case.objects() == set()


SYNC_FAILURES: dict[str, Fail] = {
    "refuses": Relay.refuse,
    "503": using(answer(503)),
    "takes no rejects": using(failing(answer(500), "PUT")),
    "cuts": using(cut_answers(5_000)),
}


@pytest.mark.parametrize("fail", SYNC_FAILURES.values(), ids=SYNC_FAILURES.keys())
def test_a_sync_waits_until_the_object_store_is_back(case: Case, relay: Relay, fail: Fail) -> None:
    assert case.upload(body(SMALL)).status_code == 204
    fail(relay)
    sync_uri = case.start_sync()
    case.await_pause(sync_uri)
    assert members(case.store, f"contactList/{case.list_id}") == []
    relay.use(pass_on)
    assert case.api.wait(sync_uri)["status"] == "warning"
    assert members(case.store, f"contactList/{case.list_id}") == list(range(1, CONTACTS + 1))
    assert case.attempts(sync_uri) == 1, "failures of the object store are no attempts"
    assert case.api.bulk("GET", f"{sync_uri}/rejects").json()["totalResults"] == SMALL
    assert "ELQ-00145" not in [line["statusCode"] for line in case.api.log(sync_uri)]
    case.check()


def test_an_import_goes_on_behind_the_chunk_whose_rejects_could_not_be_stored(case: Case, relay: Relay) -> None:
    """Two uploads are two chunks, each with a reject: the file of the second cannot be stored at first."""
    uri = define_import(case.api)
    for name in ("a", "b"):
        records = [{"emailAddress": f"{name}@x.yz", "firstName": name}, {"emailAddress": "no address"}]
        assert case.api.upload(uri, records).status_code == 204
    relay.use(failing(answer(503), "PUT", query=".arrow", after=1))
    sync_uri = case.start_sync(uri)
    case.await_pause(sync_uri)
    relay.use(pass_on)
    sync = case.api.wait(sync_uri)
    assert sync["status"] == "warning"
    assert counts(case.api, sync)["004"] == 2, "created"
    assert [(r["recordIndex"], r["statusCode"]) for r in case.api.rejects(sync_uri)] == [
        (2, "ELQ-00002"),
        (4, "ELQ-00002"),
    ]
    assert case.attempts(sync_uri) == 1
    case.check()


def define_export(api: Api) -> str:
    body = {"name": "all", "fields": {"Id": "{{Contact.Id}}", "Email": "{{Contact.Field(C_EmailAddress)}}"}}
    return str(api.bulk("POST", "/contacts/exports", json=body).raise_for_status().json()["uri"])


def exported() -> list[dict[str, str]]:
    return [{"Id": str(i), "Email": f"contact-{i}@example.com"} for i in range(1, CONTACTS + 1)]


def test_an_export_waits_until_its_data_can_be_stored(case: Case, relay: Relay) -> None:
    uri = define_export(case.api)
    relay.use(failing(answer(503), "PUT"))
    sync_uri = case.start_sync(uri)
    case.await_pause(sync_uri)
    assert case.objects() == set()
    relay.use(pass_on)
    assert case.api.wait(sync_uri)["status"] == "success"
    assert case.api.bulk("GET", f"{sync_uri}/data").json()["items"] == exported()
    case.check()


READ_FAILURES: dict[str, Fail] = {
    "refuses": Relay.refuse,
    "503": using(answer(503)),
    "cuts": using(failing(cut_answers(700), "GET")),
}


@one_database
@pytest.mark.parametrize("fail", READ_FAILURES.values(), ids=READ_FAILURES.keys())
def test_what_cannot_be_read_is_503_and_not_half_a_page(case: Case, relay: Relay, fail: Fail) -> None:
    uri = define_export(case.api)
    data = f"{case.api.sync(uri)['uri']}/data"
    assert case.upload(body(SMALL)).status_code == 204
    rejects = f"{case.api.sync(case.uri)['uri']}/rejects"
    paths = (rejects, data, f"{uri}/data")
    before = [case.api.bulk("GET", path).json() for path in paths]
    assert before[1]["items"] == exported()
    fail(relay)
    for path in paths:
        refused = case.api.bulk("GET", path)
        assert (refused.status_code, refused.json()) == (503, UNAVAILABLE)
    refused = case.api.bulk("GET", data, headers={"accept": "text/csv"})
    assert (refused.status_code, refused.json()) == (503, UNAVAILABLE)
    relay.use(pass_on)
    assert [case.api.bulk("GET", path).json() for path in paths] == before


def test_what_cannot_be_deleted_now_is_swept_later(case: Case, relay: Relay) -> None:
    assert case.upload(body(SMALL)).status_code == 204
    assert case.upload(body(SMALL)).status_code == 204
    relay.use(failing(answer(503), "DELETE"))
    sync = case.api.sync(case.uri)
    assert sync["status"] == "warning"
    assert case.rows() == 0
    assert len(case.objects()) == 3, "two uploads that are done with, and the rejects"
    assert case.upload(body(SMALL)).status_code == 204
    assert case.api.bulk("DELETE", f"{case.uri}/data").status_code == 204
    assert case.rows() == 0
    relay.use(pass_on)
    assert retention.sweep(case.store) == 0, "they are young"
    assert retention.sweep(case.store, min_age_seconds=-60) == 3
    assert case.api.bulk("GET", f"{sync['uri']}/rejects").json()["totalResults"] == 2 * SMALL
    case.check()


def half_an_upload(url: str, path: str) -> socket.socket:
    """Send half of a body, and leave the connection open."""
    login = b64encode(LOGIN.encode()).decode()
    head = f"POST {BULK}{path}/data HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {login}\r\n"
    head += "Content-Type: text/csv\r\nContent-Length: 8000000\r\n\r\n"
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    connection.sendall(head.encode() + body(50_000)[:1_500_000])
    return connection


@one_database
@pytest.mark.parametrize("moment", ["receiving", "storing"])
def test_a_kill_during_an_upload_leaves_nothing_that_is_named(
    servers: StartServer, object_store: ObjectStore, relay: Relay, tmp_path: Path, moment: str
) -> None:
    area = address(object_store.new_bucket(), relay.port)
    server = servers("--staging", area)
    api = server.api()
    uri = api.define()
    root = server.stores.area.bucket.address.root
    if moment == "receiving":
        connection = half_an_upload(server.url, uri)
        until(lambda: has_unnamed_file(child(server, HTTP), server.data), "it is received")
        kill_everything(server)
        connection.close()
    else:
        relay.use(hang)
        sending = threading.Thread(target=upload_in_vain, args=(api, uri))
        sending.start()
        until(lambda: relay.served > 0, "the upload is on its way to the object store")
        kill_everything(server)
        sending.join()
        relay.use(pass_on)
    assert object_store.names(f"{root}/companies") == set()
    assert [path.name for path in (tmp_path / "data").iterdir() if path.suffix == ".arrow"] == []
    server = servers("--staging", area)
    api = server.api()
    assert api.upload(uri, [{"Id": "1"}]).status_code == 204
    assert len(object_store.names(f"{root}/companies")) == 1
    assert server.stop() == 0


def has_unnamed_file(process: Process, folder: Path) -> bool:
    """Whether a process has a file open in a folder that has no name there."""
    opened: list[str] = []
    for number in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            opened.append(str(number.readlink()))
    return any(Path(name).parent == folder and name.endswith(" (deleted)") for name in opened)


def upload_in_vain(api: Api, uri: str) -> None:
    with pytest.raises(httpx.HTTPError):
        api.upload(uri, [{"Id": "1"}])


@one_database
def test_a_server_does_not_start_without_its_staging_area(
    object_store: ObjectStore, relay: Relay, tmp_path: Path, database: str
) -> None:
    area = address(object_store.new_bucket(), relay.port, "a/b")
    relay.refuse()
    ended = serve(tmp_path / "data", database, area)
    assert ended.returncode == 1
    bucket = area.partition("@")[2].partition("/")[0]
    assert f"staithe: The staging area s3://{bucket}/a/b cannot be reached: " in ended.stderr
    assert "See whether the object store runs, whether the bucket is there, and whether" in ended.stderr
    assert "secret" not in ended.stderr


def serve(data: Path, database: str, staging: str) -> subprocess.CompletedProcess[str]:
    """Start a server that ends by itself."""
    words = ("serve", "--port", "0", "--data", str(data), "--staging", staging)
    return staithe(*words, COLUMNS="500", STAITHE_DATABASE=database)


def test_the_company_store_is_what_its_files_are_in(case: Case) -> None:
    """The tests above would say nothing if the files were on this machine."""
    assert isinstance(case.store, CompanyStore)
    assert case.store.staging.files.scratch is not None
