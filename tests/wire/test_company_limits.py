"""The limits of a company: what is over them is refused whole, says when to come again, and hurts nobody else."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from staithe.domain.company_limits import OwnLimits
from staithe.services import accounts, company_limits
from staithe.services.stores import CompanyStore
from staithe.storage import uploads
from tests.conftest import NewDatabase, StartServer
from tests.support import bare
from tests.support.api import BULK, Api
from tests.support.clock import Clock
from tests.support.commands import staithe
from tests.support.postgres import OwnPostgres
from tests.support.server import RunningServer
from tests.support.slow import SlowUpload
from tests.support.waiting import until

NAMES = (f"limited{number}" for number in itertools.count(1))
HOUR_SECONDS = 3600
RECORDS = [{"Id": "1"}]


@pytest.fixture(scope="module")
def limited(
    tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase, clock: Clock
) -> Iterator[RunningServer]:
    """A server with small limits for every company, whose clock can be moved."""
    data = tmp_path_factory.mktemp("limited") / "data"
    limits = ("--max-uploads", "4", "--uploads-at-once", "2", "--syncs-per-hour", "3", "--staging-quota-kb", "5000")
    options = (*limits, "--request-timeout", "600", "--clock-file", str(clock.file))
    running = RunningServer(data, *options, database=new_database())
    yield running
    assert running.stop() == 0


@pytest.fixture
def party(limited: RunningServer) -> tuple[Api, CompanyStore]:
    """A company of its own on that server."""
    return limited.new_company(next(NAMES), contacts=10)


@pytest.fixture
def api(party: tuple[Api, CompanyStore]) -> Api:
    """A client of it."""
    return party[0]


@pytest.fixture
def store(party: tuple[Api, CompanyStore]) -> CompanyStore:
    """Its store."""
    return party[1]


def run_command(server: RunningServer, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `staithe company limits` beside a server."""
    return staithe("company", "limits", *words, "--data", str(server.data), STAITHE_DATABASE=server.database)


def set_limits(server: RunningServer, store: CompanyStore, *options: str) -> dict[str, Any]:
    """Change the limits of a company, or none; gives those that it then has of its own."""
    done = run_command(server, store.company.name, *options, "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def show_limits(server: RunningServer, company: str) -> list[list[str]]:
    """The rows of the table that the command prints."""
    lines = run_command(server, company).stdout.splitlines()
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if line.startswith("│")]


def start_sync(api: Api, uri: str) -> httpx.Response:
    return api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri})


def staged(store: CompanyStore) -> tuple[int, int]:
    """How many uploads are staged: their rows, their files."""
    with store.database.read() as connection:
        return uploads.count_uploads(connection), len(list(store.staging.root.iterdir()))


def check_too_many_syncs(answer: httpx.Response, store: CompanyStore, most: int) -> int:
    """The whole answer to a sync too many; gives the seconds after which there is room."""
    seconds = int(answer.headers["retry-after"])
    assert 0 < seconds <= HOUR_SECONDS
    assert (answer.status_code, answer.json()) == (
        429,
        {
            "status": 429,
            "error": "Too Many Requests",
            "message": f"Company {store.company.name} has started {most} syncs within an hour, as many as it may.",
            "advice": f"Send it again in {seconds:,} seconds; one sync takes everything that was uploaded before it.",
            "retryAfterSeconds": seconds,
        },
    )
    return seconds


def test_a_sync_too_many_is_429_until_the_oldest_is_an_hour_old(api: Api, store: CompanyStore, clock: Clock) -> None:
    uri = api.define()
    api.sync(uri)
    clock.forward(seconds=HOUR_SECONDS / 2)
    for _ in range(2):
        api.sync(uri)
    api.upload(uri, RECORDS)
    before = api.bulk("GET", "/syncs").json()
    seconds = check_too_many_syncs(start_sync(api, uri), store, 3)
    assert seconds <= HOUR_SECONDS / 2
    assert api.bulk("GET", "/syncs").json() == before
    assert staged(store) == (1, 1), "what was uploaded waits for the next sync"
    clock.forward(seconds=seconds)
    made = start_sync(api, uri)
    assert (made.status_code, made.json()["uri"]) == (201, "/syncs/4"), "the refused one has taken no number"
    assert api.wait("/syncs/4")["status"] == "success"
    assert check_too_many_syncs(start_sync(api, uri), store, 3) <= HOUR_SECONDS / 2


def test_a_deleted_sync_counts_for_its_hour(api: Api, store: CompanyStore, clock: Clock) -> None:
    uri = api.define()
    for _ in range(3):
        assert api.bulk("DELETE", api.sync(uri)["uri"]).status_code == 204
    assert api.bulk("GET", "/syncs").json()["items"] == []
    seconds = check_too_many_syncs(start_sync(api, uri), store, 3)
    clock.forward(seconds=seconds)
    assert start_sync(api, uri).status_code == 201


def test_what_is_wrong_with_a_sync_is_said_before_that_it_is_one_too_many(api: Api, store: CompanyStore) -> None:
    uri = api.define()
    for _ in range(3):
        api.sync(uri)
    assert start_sync(api, "/contacts/imports/7").status_code == 400
    check_too_many_syncs(start_sync(api, uri), store, 3)


@pytest.mark.parametrize("headers", [{}, {"idempotency-key": "another"}])
def test_an_upload_that_would_start_a_sync_too_many_is_refused_with_it(
    api: Api, store: CompanyStore, clock: Clock, headers: dict[str, str]
) -> None:
    plain, triggered = api.define(), api.define(isSyncTriggeredOnImport=True)
    first = api.upload(triggered, RECORDS, **{"idempotency-key": "first"})
    for _ in range(2):
        assert api.upload(triggered, RECORDS).status_code == 201
    for number in (1, 2, 3):
        api.wait(f"/syncs/{number}")
    seconds = check_too_many_syncs(api.upload(triggered, RECORDS, **headers), store, 3)
    assert staged(store) == (0, 0)
    assert api.bulk("GET", "/syncs").json()["totalResults"] == 3
    assert api.upload(plain, RECORDS).status_code == 204, "an upload that starts no sync is not counted"
    again = api.upload(triggered, RECORDS, **{"idempotency-key": "first"})
    assert (again.status_code, again.content) == (201, first.content), "its first answer"
    clock.forward(seconds=seconds)
    made = api.upload(triggered, RECORDS, **headers)
    assert (made.status_code, made.json()["uri"]) == (201, "/syncs/4")


def test_of_many_at_the_same_moment_exactly_so_many_are_started(
    limited: RunningServer, api: Api, store: CompanyStore
) -> None:
    set_limits(limited, store, "--syncs-per-hour", "7")
    plain, triggered = api.define(), api.define(isSyncTriggeredOnImport=True)

    def send(number: int) -> int:
        return (start_sync(api, plain) if number % 2 else api.upload(triggered, RECORDS)).status_code

    with ThreadPoolExecutor(12) as pool:
        statuses = Counter(pool.map(send, range(40)))
    assert statuses.keys() == {201, 429}
    assert statuses[201] == 7
    assert api.bulk("GET", "/syncs").json()["totalResults"] == 7


def test_a_flood_of_slow_uploads_of_one_company_leaves_room_for_another(limited: RunningServer) -> None:
    (flooder, flooded), (other, other_store) = (limited.new_company(next(NAMES)) for _ in range(2))
    uri, other_uri = flooder.define(), other.define()
    body = json.dumps(RECORDS).encode() + b" " * 100_000
    with ExitStack() as stack:
        flood = [stack.enter_context(SlowUpload(flooder, uri, body)) for _ in range(6)]
        until(lambda: len(list(flooded.staging.root.glob("*.part"))) == 2, "two of the six are received")
        for _ in range(20):
            for upload in flood:
                upload.send(1)
            assert other.upload(other_uri, RECORDS).status_code == 204
        assert staged(flooded) == (0, 2)
        assert staged(other_store) == (20, 20)
        until(lambda: sum(upload.is_answered() for upload in flood) == 4, "four are refused")
        for status, headers, answered in (upload.answer() for upload in flood if upload.is_answered()):
            assert (status, headers["retry-after"], answered) == (
                429,
                "1",
                {
                    "status": 429,
                    "error": "Too Many Requests",
                    "message": f"The server is receiving 2 uploads of company {flooded.company.name}, "
                    "as many as it takes of one at once.",
                    "advice": "Send it again when one of them is done.",
                    "retryAfterSeconds": 1,
                },
            )
    until(lambda: staged(flooded) == (0, 0), "those that went away are forgotten")
    assert flooder.upload(uri, RECORDS).status_code == 204


def test_uploads_that_are_slow_but_come_are_stored_and_make_room(api: Api, store: CompanyStore) -> None:
    uri = api.define()
    body = json.dumps(RECORDS).encode()
    with SlowUpload(api, uri, body) as first, SlowUpload(api, uri, body) as second:
        until(lambda: staged(store) == (0, 2), "both are received")
        assert api.upload(uri, RECORDS).status_code == 429
        first.send(len(body))
        assert first.answer()[0] == 204
        assert api.upload(uri, RECORDS).status_code == 204
        second.send(len(body))
        assert second.answer()[0] == 204
    assert staged(store) == (3, 3)


def test_a_company_has_a_quota_of_its_own(limited: RunningServer, api: Api, store: CompanyStore) -> None:
    uri = api.define()
    assert api.bulk("GET", "/imports/data").json() == {"kbAllowed": 5000, "kbUsed": 0}
    set_limits(limited, store, "--staging-quota-kb", "12")
    until(lambda: api.bulk("GET", "/imports/data").json()["kbAllowed"] == 12, "the running server obeys")
    assert api.bulk("GET", "/exports/data").json() == {"kbAllowed": 12, "kbUsed": 0}
    records = [{"Id": str(n)} for n in range(1_000_000_000, 1_000_001_000)]
    while (answer := api.upload(uri, records)).status_code == 204:
        pass
    used = api.bulk("GET", "/imports/data").json()["kbUsed"]
    assert (answer.status_code, answer.json()) == (
        413,
        {
            "status": 413,
            "error": "Content Too Large",
            "message": f"The company's staging quota of 12 kB has {12 - used} kB left.",
            "advice": "Sync what is staged, or delete staged data that is not wanted; "
            "GET /imports/data shows the quota.",
            "kbAllowed": 12,
            "kbLeft": 12 - used,
        },
    )
    other, _ = limited.new_company(next(NAMES))
    assert other.bulk("GET", "/imports/data").json() == {"kbAllowed": 5000, "kbUsed": 0}
    assert other.upload(other.define(), records).status_code == 204
    set_limits(limited, store, "--reset")
    until(lambda: api.bulk("GET", "/imports/data").json()["kbAllowed"] == 5000, "and obeys again")
    assert api.upload(uri, records).status_code == 204


def test_a_running_server_obeys_other_limits_of_syncs_and_uploads(
    limited: RunningServer, api: Api, store: CompanyStore
) -> None:
    uri = api.define()
    for _ in range(3):
        api.sync(uri)
    check_too_many_syncs(start_sync(api, uri), store, 3)
    set_limits(limited, store, "--syncs-per-hour", "0", "--uploads-at-once", "1")
    until(lambda: start_sync(api, uri).status_code == 201, "no limit")
    for _ in range(5):
        assert start_sync(api, uri).status_code == 201
    with SlowUpload(api, uri, json.dumps(RECORDS).encode()):
        until(lambda: staged(store)[1] == 1, "one is received")
        answer = api.upload(uri, RECORDS)
        assert (answer.status_code, answer.json()["message"]) == (
            429,
            f"The server is receiving 1 uploads of company {store.company.name}, as many as it takes of one at once.",
        )
    set_limits(limited, store, "--syncs-per-hour", "2")
    until(lambda: start_sync(api, uri).status_code == 429, "a limit that is lower than what was started")
    check_too_many_syncs(start_sync(api, uri), store, 2)


def test_the_command_shows_and_sets_and_resets(limited: RunningServer, store: CompanyStore) -> None:
    unset = {"company": store.company.name, "stagingQuotaKb": None, "uploadsAtOnce": None, "syncsPerHour": None}
    assert set_limits(limited, store, "--syncs-per-hour", "0") == unset | {"syncsPerHour": 0}
    both = set_limits(limited, store, "--staging-quota-kb", "1234567", "--uploads-at-once", "3")
    assert both == unset | {"syncsPerHour": 0, "stagingQuotaKb": 1_234_567, "uploadsAtOnce": 3}
    assert show_limits(limited, store.company.name.upper()) == [
        ["staging quota", "1,234,567 kB", "staithe company limits --staging-quota-kb"],
        ["uploads at once", "3", "staithe company limits --uploads-at-once"],
        ["syncs an hour", "no limit", "staithe company limits --syncs-per-hour"],
    ]
    after = set_limits(limited, store, "--reset", "--uploads-at-once", "4")
    assert after == unset | {"uploadsAtOnce": 4}
    assert set_limits(limited, store) == after
    assert set_limits(limited, store, "--reset") == unset
    assert show_limits(limited, store.company.name.upper()) == [
        ["staging quota", "server's default", "staithe serve --staging-quota-kb"],
        ["uploads at once", "server's default", "staithe serve --uploads-at-once"],
        ["syncs an hour", "server's default", "staithe serve --syncs-per-hour"],
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["nowhere"], "There is no company nowhere."),
        (["acme", "--uploads-at-once", "0"], "uploads-at-once: Must be a whole number from 1 to 1,000,000,000,000."),
        (
            ["acme", "--uploads-at-once", "3", "--syncs-per-hour", str(10**20)],
            "syncs-per-hour: Must be a whole number from 0 to 1,000,000,000,000.",
        ),
    ],
)
def test_wrong_limits_say_so_and_change_nothing(limited: RunningServer, options: list[str], said: str) -> None:
    failed = run_command(limited, *options)
    assert failed.returncode == 1
    assert said in failed.stderr
    assert "Traceback" not in failed.stderr
    acme = accounts.find_company(limited.stores, "acme")
    assert company_limits.read_own(limited.stores, acme) == OwnLimits()


def test_help_teaches() -> None:
    shown = staithe("company", "limits", "--help").stdout
    for words in ("--staging-quota-kb", "--uploads-at-once", "--syncs-per-hour", "--reset", "server's default", "429"):
        assert words in shown


def test_a_company_has_half_of_the_places_unless_it_was_said(servers: StartServer) -> None:
    server = servers("--max-uploads", "3")
    api, store = server.new_company("half")
    uri = api.define()
    with SlowUpload(api, uri, b"[]"):
        until(lambda: staged(store)[1] == 1, "one is received")
        assert api.upload(uri, RECORDS).status_code == 429
        other, _ = server.new_company("other")
        assert other.upload(other.define(), RECORDS).status_code == 204
    until(lambda: api.upload(uri, RECORDS).status_code == 204, "the place is free again")
    assert server.stop() == 0


def test_each_http_process_has_places_and_all_count_syncs_together(servers: StartServer) -> None:
    limits = ("--uploads-at-once", "1", "--syncs-per-hour", "7")
    server = servers("--http-workers", "2", *limits, "--request-timeout", "600")
    api, store = server.new_company("spread")
    uri, body = api.define(), json.dumps(RECORDS).encode()
    with ExitStack() as stack:
        flood: list[SlowUpload] = []

        def is_received_by_both() -> bool:
            """Whether each process has taken one: who takes a connection is up to the operating system."""
            flood.append(stack.enter_context(SlowUpload(api, uri, body)))
            return staged(store)[1] == 2

        until(is_received_by_both, "each process receives one")
        # One that is still on its way would take the place of one that is done.
        until(lambda: sum(upload.is_answered() for upload in flood) == len(flood) - 2, "all others are refused")
        for _ in range(6):
            # On a connection of its own, so by either process.
            answer = bare.post(f"{server.url}{BULK}{uri}/data", json=RECORDS, auth=api.client.auth)
            assert answer.status_code == 429
        for upload in flood:
            if not upload.is_answered():
                upload.send(len(body))
        answers = Counter(upload.answer()[0] for upload in flood)
    assert answers == Counter({204: 2, 429: len(flood) - 2})
    assert staged(store) == (2, 2)
    with ThreadPoolExecutor(12) as pool:
        assert Counter(pool.map(lambda _: start_sync(api, uri).status_code, range(40))) == {201: 7, 429: 33}
    assert server.stop() == 0


def test_servers_that_share_a_database_count_syncs_together(postgres: OwnPostgres, tmp_path: Path) -> None:
    database = postgres.new_database()
    options = ("--syncs-per-hour", "7", "--staging", str(tmp_path / "staging"))
    first, second = (RunningServer(tmp_path / name, *options, database=database) for name in ("first", "second"))
    apis = (first.new_company("shared")[0], second.api("shared\\ann:secret"))
    uri = apis[0].define()
    with ThreadPoolExecutor(12) as pool:
        statuses = Counter(pool.map(lambda number: start_sync(apis[number % 2], uri).status_code, range(40)))
    assert statuses == {201: 7, 429: 33}
    assert [server.stop() for server in (first, second)] == [0, 0]


def test_the_document_knows_429_and_its_header(limited: RunningServer) -> None:
    paths = bare.get(f"{limited.url}/schema").json()["paths"]
    for path in ("/api/bulk/2.0/syncs", "/api/bulk/2.0/contacts/syncActions/{id}/data"):
        answer = paths[path]["post"]["responses"]["429"]
        assert answer == {
            "description": "The company is over a limit of its own: see Retry-After.",
            "headers": {
                "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
            },
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
