"""Traces: spans of a real server, as a collector gets them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from staithe import __version__
from tests.conftest import StartServer
from tests.support.commands import staithe
from tests.support.waiting import until

pytestmark = pytest.mark.one_database("Spans tell of requests and syncs, and of no statement.")

BULK = "/api/bulk/2.0"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
AT_STOP_ONLY = {"OTEL_BSP_SCHEDULE_DELAY": "3600000"}
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "50"}


class Collector(ThreadingHTTPServer):
    """Takes spans by OTLP over HTTP."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[ExportTraceServiceRequest] = []
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    @property
    def environment(self) -> dict[str, str]:
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.server_port}"}

    def spans(self) -> list[tuple[dict[str, Any], Span]]:
        """Every span so far, with the attributes of who sent it."""
        return [
            (attributes_of(resource.resource.attributes), span)
            for request in list(self.requests)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def named(self, name: str) -> list[Span]:
        return [span for _, span in self.spans() if span.name == name]

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self.thread.join()


class Handler(BaseHTTPRequestHandler):
    """One export."""

    server: Collector
    types: ClassVar[set[str]] = set()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert (self.path, self.headers["Content-Type"]) == ("/v1/traces", "application/x-protobuf")
        self.server.requests.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector without a span yet."""
    with closing(Collector()) as made:
        yield made


def attributes_of(pairs: Any) -> dict[str, Any]:
    def value_of(pair: KeyValue) -> Any:
        return getattr(pair.value, pair.value.WhichOneof("value"))

    return {pair.key: value_of(pair) for pair in pairs}


def test_an_upload_and_its_sync(servers: StartServer, collector: Collector) -> None:
    server = servers(environment={**collector.environment, **SOON})
    api, _store = server.new_company("harbour", contacts=5)
    uri = api.define()
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "x-request-id": "job-1"}
    assert api.upload(uri, [{"Id": "1"}, {"Id": "99"}], **headers).status_code == 204
    api.sync(uri)
    until(lambda: bool(collector.named("sync syncActions")), "the span of the sync")
    route = f"{BULK}/contacts/syncActions/{{id}}/data"
    until(lambda: bool(collector.named(f"POST {route}")), "the span of the upload")
    (upload,) = collector.named(f"POST {route}")
    assert (upload.trace_id.hex(), upload.parent_span_id.hex()) == (TRACE, PARENT)
    assert upload.kind == Span.SPAN_KIND_SERVER
    assert upload.status.code == Status.STATUS_CODE_UNSET
    assert attributes_of(upload.attributes) == {
        "http.request.method": "POST",
        "http.route": route,
        "http.response.status_code": 204,
        "url.scheme": "http",
        "url.path": f"{BULK}{uri}/data",
        "staithe.request_id": "job-1",
        "staithe.company": "harbour",
    }
    for name in ("receive and parse", "commit upload"):
        (part,) = collector.named(name)
        assert (part.trace_id, part.parent_span_id) == (upload.trace_id, upload.span_id)
        assert upload.start_time_unix_nano <= part.start_time_unix_nano
        assert part.end_time_unix_nano <= upload.end_time_unix_nano
    (sync,) = collector.named("sync syncActions")
    assert (sync.parent_span_id, sync.kind) == (b"", Span.SPAN_KIND_CONSUMER)
    assert attributes_of(sync.attributes) == {
        "staithe.company": "harbour",
        "staithe.sync.id": 1,
        "staithe.sync.kind": "syncActions",
        "staithe.sync.attempt": 1,
        "staithe.sync.status": "warning",
        "staithe.sync.records": 2,
    }
    senders = {span.name: sender for sender, span in collector.spans()}
    for name, process in ((f"POST {route}", "http"), ("sync syncActions", "worker")):
        sender = senders[name]
        told = {key: sender[key] for key in ("service.name", "service.version", "staithe.process")}
        assert told == {"service.name": "staithe", "service.version": __version__, "staithe.process": process}
    assert server.stop() == 0


def test_what_goes_wrong_is_marked_and_contact_data_stays_here(servers: StartServer, collector: Collector) -> None:
    environment = {**collector.environment, **SOON, "OTEL_SERVICE_NAME": "bulk-test"}
    server = servers("--access-log", "--log-format", "json", environment=environment)
    api, store = server.new_company("harbour", contacts=5)
    uri = api.define()
    assert api.upload(uri, b'[{"Id":"ann@example.com"').status_code == 400
    api.rest("GET", "/data/contact/ann@example.com", params={"search": "ann@example.com"})
    api.upload(uri, [{"Id": "1"}])
    (staged,) = store.staging.root.iterdir()
    staged.write_bytes(b"no arrow file")
    assert api.sync(uri)["status"] == "error"
    until(lambda: bool(collector.named("sync syncActions")), "the span of the sync")
    assert server.stop() == 0
    (sync,) = collector.named("sync syncActions")
    assert sync.status.code == Status.STATUS_CODE_ERROR
    assert attributes_of(sync.attributes)["staithe.sync.status"] == "error"
    route = f"{BULK}/contacts/syncActions/{{id}}/data"
    refused, _taken = sorted(collector.named(f"POST {route}"), key=lambda span: span.start_time_unix_nano)
    assert refused.status.code == Status.STATUS_CODE_UNSET, "the client's fault is none of the server's"
    failed = [part for part in collector.named("commit upload") if part.parent_span_id == refused.span_id]
    assert [part.status.message for part in failed] == ["ParseFailed"]
    assert all(b"ann@example" not in request.SerializeToString() for request in collector.requests)
    assert {sender["service.name"] for sender, _ in collector.spans()} == {"bulk-test"}
    said = "".join(server.lines)
    assert f'"trace_id":"{refused.trace_id.hex()}"' in said
    assert f'"trace_id":"{sync.trace_id.hex()}"' in said


def test_a_stop_sends_what_has_not_been_sent(servers: StartServer, collector: Collector) -> None:
    server = servers(environment={**collector.environment, **AT_STOP_ONLY})
    api, _store = server.new_company("harbour", contacts=5)
    uri = api.define()
    api.upload(uri, [{"Id": "1"}])
    api.sync(uri)
    assert collector.requests == []
    assert server.stop() == 0
    names = {span.name for _, span in collector.spans()}
    assert {"sync syncActions", f"POST {BULK}/contacts/syncActions/{{id}}/data"} <= names


def test_a_collector_that_never_answers_does_not_hold_up_a_stop(servers: StartServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, **AT_STOP_ONLY}
        server = servers(environment=environment)
        assert server.api().bulk("GET", "/syncs").status_code == 200
        assert server.stop() == 0
    assert not any("did not stop in time" in line for line in server.lines)


@pytest.mark.parametrize("off", [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}])
def test_traces_can_be_switched_off(servers: StartServer, collector: Collector, off: dict[str, str]) -> None:
    server = servers(environment={**collector.environment, **SOON, **off})
    assert server.api().bulk("GET", "/syncs").status_code == 200
    assert server.stop() == 0
    assert collector.requests == []


def test_an_exporter_that_there_is_not_is_refused(tmp_path: Path) -> None:
    failed = staithe("serve", "--port", "0", "--data", str(tmp_path / "data"), OTEL_TRACES_EXPORTER="zipkin")
    assert failed.returncode == 1
    assert failed.stderr == "staithe: OTEL_TRACES_EXPORTER: Must be otlp, console or none, not zipkin.\n"
    assert not (tmp_path / "data").exists()


WITHOUT_EXTRA = """
import sys
sys.modules["opentelemetry"] = None
from staithe.cli.main import main
main()
"""


def test_traces_that_are_wanted_without_the_extra_are_refused(tmp_path: Path) -> None:
    words = [sys.executable, "-c", WITHOUT_EXTRA, "serve", "--port", "0", "--data", str(tmp_path / "data")]
    environment = {**os.environ, "COLUMNS": "300", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    failed = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert failed.returncode == 1
    assert failed.stderr == (
        "staithe: OTEL_EXPORTER_OTLP_ENDPOINT: Must not be set unless the extra for traces is there: "
        "pip install 'staithe[otel]'.\n"
    )
    assert not (tmp_path / "data").exists()
