"""`/metrics`: exact numbers from all processes of a real server, and who may read them."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from staithe import __version__
from staithe.http.metrics import QueueGauges
from staithe.observing.access import is_local
from staithe.services.queues import QueueFigures
from tests.conftest import NewDatabase
from tests.fault.processes import child, paused
from tests.support import bare
from tests.support.api import UNSUBSCRIBE, Api, add_to_list
from tests.support.clock import Clock
from tests.support.commands import staithe
from tests.support.imports import EMAIL, define_import
from tests.support.metrics import Scrape, read_metrics, scrape_until
from tests.support.server import WORKER, RunningServer
from tests.support.waiting import LONGEST_SECONDS, until

BULK = "/api/bulk/2.0"
TOKEN = "a-token-of-the-operator"
DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "howto" / "observe.md"
REFUSAL = {
    "status": 403,
    "error": "Forbidden",
    "message": "Metrics are for callers on the server's own machine, and for those with the token of --metrics-token.",
    "advice": "Send it as Authorization: Bearer TOKEN.",
}
EXPORT = {"name": "all", "fields": {"email": EMAIL}}


@pytest.fixture(scope="module")
def busy(
    tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase
) -> Iterator[tuple[RunningServer, Scrape, Counter[str]]]:
    """A server that has done a little of everything, what it told then, and the rejects that its syncs have."""
    data = tmp_path_factory.mktemp("busy") / "data"
    server = RunningServer(data, "--metrics-token", TOKEN, database=new_database())
    api, _store = server.new_company("fair", contacts=100)
    rejects = Counter(code for sync in work(api) for code in (r["statusCode"] for r in api.rejects(sync)))

    def has_counted(found: Scrape) -> bool:
        return sum(found.by("staithe_syncs_total").values()) == 4

    yield server, scrape_until(server.url, has_counted, "the worker has counted its syncs"), rejects
    assert server.stop() == 0


BODIES = [
    (b'[{"Id":"1"},{"Id":"2"},{"Id":"2"},{"Id":"999"},{"Id":""}]', {}),
    (b"Id\n3\n4\nnot a number\n", {"content-type": "text/csv"}),
    (b'[{"Id":"5"}]' + b" " * 10_000, {"content-encoding": "gzip"}),
]


def work(api: Api) -> list[str]:
    """Uploads good and bad, two syncs of sync actions, an import, an export; gives the syncs."""
    uri = api.define(add_to_list(api.new_list()), UNSUBSCRIBE)
    for body, headers in BODIES:
        sent = gzip.compress(body) if "content-encoding" in headers else body
        assert api.upload(uri, sent, **headers).status_code == 204
    assert api.upload(uri, b'[{"Id":').status_code == 400
    assert api.upload(uri, b"<a/>", **{"content-type": "application/xml"}).status_code == 400
    assert api.upload("/contacts/syncActions/77", b"[]").status_code == 404
    anonymous = bare.post(f"{api.client.base_url}{BULK}{uri}/data", content=b"[]")
    assert anonymous.status_code == 401
    assert api.bulk("GET", "/no/such/path").status_code == 404
    first = api.sync(uri)
    assert api.upload(uri, [{"Id": "6"}]).status_code == 204
    second = api.sync(uri)
    assert [first["status"], second["status"]] == ["warning", "success"]
    imported = define_import(api)
    known = {"emailAddress": "contact-1@example.com", "firstName": "Ann"}
    new = {"emailAddress": "new@example.com", "firstName": "Bo"}
    assert api.upload(imported, [known, new, new, {"emailAddress": "none"}]).status_code == 204
    third = api.sync(imported)
    exported = api.bulk("POST", "/contacts/exports", json=EXPORT).raise_for_status().json()["uri"]
    fourth = api.sync(exported)
    assert fourth["status"] == "success"
    return [sync["uri"] for sync in (first, second, third, fourth)]


Busy = tuple[RunningServer, Scrape, Counter[str]]


def test_uploads_by_format_and_outcome(busy: Busy) -> None:
    assert busy[1].by_labels("staithe_uploads_total", "format", "outcome") == {
        ("JSON", "stored"): 4,
        ("CSV", "stored"): 1,
        ("JSON", "invalid"): 1,
        ("other", "invalid"): 1,
        ("JSON", "not_found"): 1,
        ("JSON", "not_authenticated"): 1,
    }


def test_bytes_of_uploads_are_counted_after_gunzip(busy: Busy) -> None:
    import_bytes = len(
        json.dumps(
            [
                {"emailAddress": "contact-1@example.com", "firstName": "Ann"},
                *[{"emailAddress": "new@example.com", "firstName": "Bo"}] * 2,
                {"emailAddress": "none"},
            ]
        )
    )
    sizes = [*(len(body) for body, _ in BODIES), len(b'[{"Id":'), len(json.dumps([{"Id": "6"}])), import_bytes]
    assert busy[1].value("staithe_upload_received_bytes_total") == sum(sizes)


def test_syncs_by_kind_and_status_with_their_times(busy: Busy) -> None:
    found = busy[1]
    assert found.by_labels("staithe_syncs_total", "kind", "status") == {
        ("syncActions", "warning"): 1,
        ("syncActions", "success"): 1,
        ("imports", "warning"): 1,
        ("exports", "success"): 1,
    }
    expected = {"syncActions": 2, "imports": 1, "exports": 1}
    assert found.by_label("staithe_sync_duration_seconds_count", "kind") == expected
    assert found.by_label("staithe_sync_wait_seconds_count", "kind") == expected
    assert set(found.by_label("staithe_sync_duration_seconds_sum", "kind")) == set(expected)
    assert found.by_label("staithe_syncs_taken_up_again_total", "kind") == {}
    assert found.value("staithe_syncs_running") == 0


def test_records_by_kind_and_what_became_of_them(busy: Busy) -> None:
    assert busy[1].by_labels("staithe_records_total", "kind", "result") == {
        ("syncActions", "processed"): 10,
        ("syncActions", "rejected"): 3,
        ("imports", "processed"): 4,
        ("imports", "created"): 1,
        ("imports", "updated"): 1,
        ("imports", "rejected"): 2,
        ("exports", "exported"): 101,
    }


def test_contacts_by_sync_action(busy: Busy) -> None:
    assert busy[1].by_label("staithe_sync_action_contacts_total", "action") == {
        "list_added": 6,
        "globally_unsubscribed": 6,
    }


def test_rejects_by_code_are_those_that_the_api_gives(busy: Busy) -> None:
    _server, found, rejects = busy
    assert found.by_label("staithe_rejects_total", "code") == rejects
    assert rejects.total() == 5


def test_requests_by_method_route_and_status(busy: Busy) -> None:
    _server, found, _rejects = busy
    counts = found.by_labels("staithe_http_requests_total", "method", "route", "status")
    data = f"{BULK}/contacts/syncActions/{{id}}/data"
    assert {key: value for key, value in counts.items() if key[0] == "POST"} == {
        ("POST", "/api/REST/1.0/assets/contact/list", "201"): 1,
        ("POST", f"{BULK}/contacts/syncActions", "201"): 1,
        ("POST", data, "204"): 4,
        ("POST", data, "400"): 2,
        ("POST", data, "404"): 1,
        ("POST", data, "401"): 1,
        ("POST", f"{BULK}/contacts/imports", "201"): 1,
        ("POST", f"{BULK}/contacts/imports/{{id}}/data", "204"): 1,
        ("POST", f"{BULK}/contacts/exports", "201"): 1,
        ("POST", f"{BULK}/syncs", "201"): 4,
    }
    assert counts["GET", "none", "404"] == 1
    durations = found.by_labels("staithe_http_request_duration_seconds_count", "method", "route")
    summed: Counter[tuple[str, str]] = Counter()
    for (method, route, _status), value in counts.items():
        summed[method, route] += int(value)
    assert durations == summed
    assert found.value("staithe_http_requests_running") == 1, "that which asks"


def test_processes_and_the_stores(busy: Busy) -> None:
    server, found, _rejects = busy
    assert found.by_labels("staithe_processes", "process", "version") == {
        ("http", __version__): 1,
        ("worker", __version__): 1,
    }
    assert found.by_label("staithe_process_starts_total", "process") == {"http": 1, "worker": 1}
    quiet = scrape_until(server.url, lambda s: s.value("staithe_active_syncs") == 0, "all syncs have ended")
    assert quiet.value("staithe_companies") == 2
    assert quiet.value("staithe_unreadable_companies") == 0


SELDOM = {(f"staithe_{name}_total", "counter") for name in ("callbacks", "http_connections_ended", "wrong_passwords")}
"""What a server that has done a little of everything has not yet counted."""


def test_the_document_has_every_metric_and_no_other(busy: Busy) -> None:
    """With the name by which a query asks for it."""
    found = busy[1]
    kinds = {"counter": "_total", "gauge": "", "histogram": ""}
    told = {(f"{family.name}{kinds[family.type]}", family.type) for family in found.families.values()}
    rows = re.findall(r"^\| `(staithe_\w+)` \| (\w+) \|(.*?)\| .+ \|$", DOCUMENT.read_text(), re.MULTILINE)
    assert {(name, kind) for name, kind, _labels in rows} == told | SELDOM
    labels = {name: set(re.findall(r"`(\w+)`", cell)) for name, _kind, cell in rows}
    for family in found.families.values():
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == labels[f"{family.name}{kinds[family.type]}"], sample


def test_who_may_read_them(busy: Busy) -> None:
    server, _found, _rejects = busy
    assert read_metrics(server.url).headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert read_metrics(server.url, authorization=f"Bearer {TOKEN}").status_code == 200
    behind_a_proxy = {"x-forwarded-for": "192.0.2.7"}
    assert read_metrics(server.url, authorization=f"bearer {TOKEN}", **behind_a_proxy).status_code == 200
    refused = [
        read_metrics(server.url, **behind_a_proxy),
        read_metrics(server.url, forwarded="for=192.0.2.7"),
        read_metrics(server.url, via="1.1 proxy"),
        read_metrics(server.url, authorization="Bearer another", **behind_a_proxy),
        read_metrics(server.url, authorization=f"Basic {TOKEN}", **behind_a_proxy),
        read_metrics(server.url, authorization="Bearer", **behind_a_proxy),
    ]
    for answer in refused:
        assert answer.status_code == 403
        assert answer.json() == REFUSAL


def test_without_a_token_nobody_else_may_read_them(server: RunningServer) -> None:
    for header in ("", "Bearer", "Bearer x"):
        answer = read_metrics(server.url, authorization=header, **{"x-forwarded-for": "192.0.2.7"})
        assert answer.status_code == 403, header


@pytest.mark.parametrize(
    ("host", "headers", "expected"),
    [
        ("127.0.0.1", {}, True),
        ("127.8.9.10", {}, True),
        ("::1", {}, True),
        ("::ffff:127.0.0.1", {}, True),
        ("::ffff:192.0.2.1", {}, False),
        ("192.0.2.1", {}, False),
        ("10.0.0.1", {}, False),
        ("2001:db8::1", {}, False),
        ("", {}, False),
        ("localhost", {}, False),
        ("127.0.0.1", {"x-real-ip": "127.0.0.1"}, False),
        ("127.0.0.1", {"x-forwarded-for": ""}, False),
        ("127.0.0.1", {"x-forwarded-proto": "https"}, False),
        ("127.0.0.1", {"X-Forwarded-Port": "443"}, False),
    ],
)
def test_which_callers_are_on_the_servers_own_machine(host: str, headers: dict[str, str], expected: bool) -> None:
    assert is_local(host, headers) is expected


@pytest.mark.parametrize("token", ["two words", "ümlaut", "line\nbreak"])
def test_a_token_that_no_header_can_carry_is_refused(tmp_path: Path, token: str) -> None:
    failed = staithe("serve", "--port", "0", "--data", str(tmp_path / "data"), STAITHE_METRICS_TOKEN=token)
    assert failed.returncode == 1
    assert "--metrics-token: Must have printable ASCII characters and no blanks." in failed.stderr
    assert token not in failed.stderr
    assert not (tmp_path / "data").exists()


def test_what_waits_is_read_from_the_stores(moved: RunningServer, clock: Clock) -> None:
    api, store = moved.new_company("waiting", contacts=10)
    other, _ = moved.new_company("waiting2", contacts=10)
    uris = [client.define() for client in (api, api, other)]
    for client, uri in zip((api, api, other), uris, strict=True):
        assert client.upload(uri, [{"Id": "1"}]).status_code == 204
    assert other.upload(uris[2], b"Id\n" + b"2\n" * 100_000, **{"content-type": "text/csv"}).status_code == 204
    files = [file for folder in (moved.data / "companies").glob("*/staging") for file in folder.iterdir()]
    with paused(moved, store, child(moved, WORKER)):
        created = [
            client.bulk("POST", "/syncs", json={"syncedInstanceUri": uri}).raise_for_status().json()["uri"]
            for client, uri in zip((api, other), (uris[0], uris[2]), strict=True)
        ]
        clock.forward(seconds=1000)
        found = scrape_until(
            moved.url, lambda s: s.value("staithe_oldest_pending_sync_age_seconds") >= 1000, "an old pending sync"
        )
        assert found.value("staithe_oldest_pending_sync_age_seconds") < 1000 + 120
        assert found.value("staithe_pending_syncs") == 2
        assert found.value("staithe_active_syncs") == 0
        assert found.value("staithe_staged_uploads") == 4
        assert found.value("staithe_staged_bytes") == sum(file.stat().st_size for file in files)
    assert [client.wait(uri)["status"] for client, uri in zip((api, other), created, strict=True)] == ["success"] * 2
    found = scrape_until(moved.url, lambda s: s.value("staithe_pending_syncs") == 0, "nothing waits")
    assert found.value("staithe_oldest_pending_sync_age_seconds") == 0
    assert found.value("staithe_staged_uploads") == 1


def gauges(source: QueueGauges) -> dict[str, float]:
    return {sample.name: sample.value for metric in source.collect() for sample in metric.samples}


def test_stores_that_cannot_be_read_leave_old_numbers_that_grow_old() -> None:
    answers: list[Any] = [
        QueueFigures(pending_syncs=7),
        RuntimeError("the disk is gone"),
        QueueFigures(pending_syncs=8),
    ]

    def read() -> QueueFigures:
        answer = answers.pop(0) if answers else QueueFigures()
        if isinstance(answer, Exception):
            raise answer
        return answer

    source = QueueGauges(read, 0.0)
    assert gauges(source)["staithe_pending_syncs"] == 7
    time.sleep(0.05)
    second = gauges(source)
    assert second["staithe_pending_syncs"] == 7
    assert second["staithe_queue_figures_age_seconds"] >= 0.05
    until(lambda: gauges(source)["staithe_pending_syncs"] == 8, "it is tried again")


def test_slow_stores_are_read_once_at_a_time_and_never_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("staithe.http.metrics.WAIT_SECONDS", 0.01)
    go_on = threading.Event()
    reads: list[int] = []

    def read() -> QueueFigures:
        reads.append(len(reads))
        assert go_on.wait(LONGEST_SECONDS)
        return QueueFigures(pending_syncs=9)

    source = QueueGauges(read, 3600.0)
    assert [gauges(source), gauges(source), gauges(source)] == [{}, {}, {}]
    until(lambda: bool(reads), "they are being read")
    assert reads == [0]
    go_on.set()
    assert source.begin().wait(LONGEST_SECONDS)
    assert gauges(source)["staithe_pending_syncs"] == 9
    assert reads == [0], "and they are kept for a while"


IMPORTS = """
import sys
import staithe.cli.main
heavy = {"prometheus_client", "structlog", "opentelemetry"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
import staithe.http.process, staithe.worker
from staithe.observing import logs, traces
logs.configure("http", "json")
traces.start("http")
assert not {"structlog", "opentelemetry"} & set(sys.modules)
"""


def test_what_is_not_needed_is_not_imported() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    subprocess.run([sys.executable, "-c", IMPORTS], env=environment, timeout=120, check=True)
