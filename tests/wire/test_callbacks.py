"""The callback at the end of a sync."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import trustme

from staithe.services import callback_calls, callbacks
from staithe.services.stores import CompanyStore
from tests.conftest import StartServer
from tests.support.api import Api
from tests.support.server import RunningServer
from tests.support.waiting import LONGEST_SECONDS, until

PIECE_BYTES = 64 * 1024
TRICKLE_SECONDS = 0.02


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
        self.held = threading.Event()
        """Calls of a path that begins with /held are answered once it is set."""
        self.trickles = False
        """Whether answers come byte by byte, and have no end."""

    @property
    def url(self) -> str:
        return f"http://localhost:{self.server_address[1]}/hook?x=1"


class Handler(BaseHTTPRequestHandler):
    server: Recorder

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.calls.append((self.path, {k.lower(): v for k, v in self.headers.items()}, json.loads(body)))
        if self.path.startswith("/held"):
            self.server.called.release()
            self.server.held.wait(LONGEST_SECONDS)
        if self.server.trickles:
            self.trickle()
            return
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.send_header("Location", self.server.url)
        self.send_header("Content-Length", str(self.server.body_bytes))
        self.end_headers()
        self.server.called.release()
        with contextlib.suppress(OSError):
            for _ in range(self.server.body_bytes // PIECE_BYTES):
                self.server.sent_bytes += self.wfile.write(bytes(PIECE_BYTES))

    def trickle(self) -> None:
        """Send the head of an answer, slowly, until nobody takes it any more."""
        with contextlib.suppress(OSError):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while True:
                self.wfile.write(b"x")
                time.sleep(TRICKLE_SECONDS)
        self.server.called.release()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """A server that records callbacks."""
    with Recorder() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.held.set()
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


def no_pause(_: float) -> None:
    """Go on at once."""


def deliver(
    url: str, *, allow_private: bool = True, seconds: float = LONGEST_SECONDS, pause: Callable[[float], None] = no_pause
) -> bool:
    """Make a callback as a worker does, without pauses unless others are wanted."""
    return callbacks.deliver(url, b"{}", allow_private=allow_private, seconds=seconds, pause=pause)


def test_three_tries_and_no_redirect(recorder: Recorder) -> None:
    pauses: list[float] = []
    recorder.statuses = [500, 302, 200]
    assert deliver(recorder.url, pause=pauses.append) is True
    assert (len(recorder.calls), [pause for pause in pauses if pause]) == (3, [1.0, 2.0])
    recorder.statuses = [302, 404, 503, 200]
    assert deliver(recorder.url) is False
    assert (len(recorder.calls), recorder.statuses) == (6, [200])


def test_of_an_answer_no_more_than_its_status_is_read(recorder: Recorder) -> None:
    recorder.body_bytes = 1024**3
    assert deliver(recorder.url) is True
    # What the system takes into its buffers, the one who answers has sent all the same.
    assert recorder.sent_bytes < 32 * 1024**2


def test_an_answer_that_comes_byte_by_byte_has_its_time_all_the_same(recorder: Recorder) -> None:
    recorder.trickles = True
    assert deliver(recorder.url, seconds=10 * TRICKLE_SECONDS) is False
    assert len(recorder.calls) == 3
    # The connections were ended, and not left.
    assert all(recorder.called.acquire(timeout=LONGEST_SECONDS) for _ in range(3))


def test_the_name_of_an_address_decides_which_certificate_is_good(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(server_side)
    client_side = ssl.create_default_context()
    authority.configure_trust(client_side)
    recorder.socket = server_side.wrap_socket(recorder.socket, server_side=True)
    monkeypatch.setattr(callback_calls, "trust", lambda: client_side)
    assert deliver(recorder.url.replace("http:", "https:")) is True
    assert deliver(recorder.url.replace("http://localhost", "https://127.0.0.1")) is False
    assert len(recorder.calls) == 1


@pytest.mark.parametrize("url", ["http://host:99999/", "http://" + "a" * 64 + ".example/", "http://xn--a/"])
def test_what_is_no_address_is_given_up(url: str) -> None:
    assert deliver(url) is False


def test_a_worker_that_stops_waits_for_no_answer(recorder: Recorder) -> None:
    def stop(_: float) -> None:
        if recorder.calls:
            raise callbacks.Interrupted

    with pytest.raises(callbacks.Interrupted):
        deliver(recorder.url.replace("/hook", "/held"), pause=stop)
    assert not recorder.held.is_set()


def test_slow_answers_of_one_company_keep_no_other_waiting(
    api: Api, store: CompanyStore, server: RunningServer, recorder: Recorder
) -> None:
    uri = api.define()
    for _ in range(12):
        body = {"syncedInstanceUri": uri, "callbackUrl": recorder.url.replace("/hook", "/held")}
        api.wait(api.bulk("POST", "/syncs", json=body).raise_for_status().json()["uri"])
    assert recorder.called.acquire(timeout=LONGEST_SECONDS)
    other, _ = server.new_company(f"beside-{store.company.name}", contacts=0)
    body = {"syncedInstanceUri": other.define(), "callbackUrl": recorder.url}
    created = other.bulk("POST", "/syncs", json=body).raise_for_status().json()["uri"]
    until(lambda: any(path == "/hook?x=1" for path, *_ in recorder.calls), "the callback of the other company")
    assert not recorder.held.is_set()
    assert [body["uri"] for path, _, body in recorder.calls if path == "/hook?x=1"] == [created]
    # Two at a time of one company: those that were answered make room for the next.
    recorder.held.set()
    until(lambda: sum(path.startswith("/held") for path, *_ in recorder.calls) >= 12, "all others")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "10.0.0.1", "169.254.169.254", "0177.1"],
)
def test_private_addresses_are_not_called(recorder: Recorder, host: str) -> None:
    assert deliver(f"http://{host}:{recorder.server_address[1]}/", allow_private=False) is False
    assert recorder.calls == []


def test_a_server_on_loopback_calls_none_either_unless_it_is_told_to(servers: StartServer, recorder: Recorder) -> None:
    running = servers("--no-allow-private-callbacks")
    api = running.api()
    body = {"syncedInstanceUri": api.define(), "callbackUrl": recorder.url}
    api.wait(api.bulk("POST", "/syncs", json=body).raise_for_status().json()["uri"])
    until(lambda: "is the private address" in "".join(running.lines), "the callback is refused")
    assert recorder.calls == []
