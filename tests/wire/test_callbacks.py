"""The callback at the end of a sync."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from staithe.services import callbacks
from tests.support.api import Api
from tests.support.waiting import LONGEST_SECONDS

PIECE_BYTES = 64 * 1024


class Recorder(ThreadingHTTPServer):
    """Records what is posted, and answers with the next of `statuses` (200 when there is none)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.calls: list[tuple[str, dict[str, str], Any]] = []
        self.statuses: list[int] = []
        self.body_bytes = 0
        """How long the bodies of answers are said to be; as much is sent as is read."""
        self.sent_bytes = 0
        self.called = threading.Semaphore(0)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.server_address[1]}/hook?x=1"


class Handler(BaseHTTPRequestHandler):
    server: Recorder

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.calls.append((self.path, {k.lower(): v for k, v in self.headers.items()}, json.loads(body)))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.send_header("Location", self.server.url)
        self.send_header("Content-Length", str(self.server.body_bytes))
        self.end_headers()
        self.server.called.release()
        with contextlib.suppress(OSError):
            for _ in range(self.server.body_bytes // PIECE_BYTES):
                self.server.sent_bytes += self.wfile.write(bytes(PIECE_BYTES))

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """A server that records callbacks."""
    with Recorder() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_the_sync_is_posted_when_it_has_ended(api: Api, recorder: Recorder) -> None:
    uri = api.define()
    api.upload(uri, [{"Id": 1}])
    created = api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri, "callbackUrl": recorder.url}).json()
    assert created["callbackUrl"] == recorder.url
    assert recorder.called.acquire(timeout=LONGEST_SECONDS)
    ended = api.wait(created["uri"])
    ((path, headers, body),) = recorder.calls
    assert (path, body) == ("/hook?x=1", ended)
    assert headers["content-type"] == "application/json"
    assert headers["host"] == recorder.url.split("/")[2]
    assert body["status"] == "success"


def test_three_tries_and_no_redirect(recorder: Recorder) -> None:
    pauses: list[float] = []
    recorder.statuses = [500, 302, 200]
    assert callbacks.deliver(recorder.url, b"{}", allow_private=True, pause=pauses.append) is True
    assert (len(recorder.calls), pauses) == (3, [1.0, 2.0])
    recorder.statuses = [302, 404, 503, 200]
    assert callbacks.deliver(recorder.url, b"{}", allow_private=True, pause=pauses.append) is False
    assert (len(recorder.calls), recorder.statuses) == (6, [200])


def test_of_an_answer_no_more_than_its_status_is_read(recorder: Recorder) -> None:
    recorder.body_bytes = 1024**3
    assert callbacks.deliver(recorder.url, b"{}", allow_private=True, pause=lambda _: None) is True
    # What the system takes into its buffers, the one who answers has sent all the same.
    assert recorder.sent_bytes < 32 * 1024**2


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "10.0.0.1", "169.254.169.254"]
)
def test_private_addresses_are_not_called(recorder: Recorder, host: str) -> None:
    url = f"http://{host}:{recorder.server_address[1]}/"
    assert callbacks.deliver(url, b"{}", allow_private=False, pause=lambda _: None) is False
    assert recorder.calls == []
