"""What a client may do to a server with connections alone: be slow, be silent, send too much, take nothing."""

from __future__ import annotations

import gzip
import json
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest

from staithe.domain.errors import ParseFailed
from staithe.domain.limits import GZIP_MEMBERS, HEADER_BYTES, URL_BYTES
from staithe.http.bodies import OBJECT_BYTES, Inflater
from tests.support import bare
from tests.support.metrics import scrape
from tests.support.pauses import pauses
from tests.support.server import RunningServer
from tests.support.waiting import LONGEST_SECONDS, until
from tests.wire.test_tls import Files

pytestmark = pytest.mark.one_database("What a connection may do is decided before a database is asked.")

MOST = 8
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
HALF_BODY = b"POST /auth/oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\ng"
QUICK = pauses(head_seconds=0.5, idle_seconds=1.0, unread_seconds=1.0)
PATIENT = pauses(head_seconds=60, idle_seconds=60)


class Wire:
    """One connection to a server."""

    def __init__(self, server: RunningServer) -> None:
        parts = urlsplit(server.url)
        address = (str(parts.hostname), int(parts.port or 0))
        self.socket = socket.create_connection(address, timeout=LONGEST_SECONDS)

    def send(self, data: bytes) -> bool:
        """Send all of it; False if the server would not take it."""
        try:
            self.socket.sendall(data)
        except OSError:
            return False
        return True

    def read(self) -> bytes:
        """Whatever comes until the server ends the connection."""
        read = b""
        try:
            while piece := self.socket.recv(1 << 20):
                read += piece
        except ConnectionResetError:
            pass
        return read

    def status(self) -> int:
        """The status of the next answer, all of which is read."""
        read = b""
        while b"\r\n\r\n" not in read:
            read += self.socket.recv(1)
        length = re.search(rb"content-length: (\d+)", read)
        left = int(length[1]) if length else 0
        while left:
            left -= len(self.socket.recv(left))
        return int(read.split()[1])

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def ended(server: RunningServer, reason: str) -> float:
    """How many connections the server has ended for a reason."""
    return scrape(server.url).value("staithe_http_connections_ended_total", reason=reason)


def refusal(answer: bytes) -> tuple[int, str]:
    """The status of an answer and what it says."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\ncontent-type: application/json; charset=utf-8\r\n" in head
    told = json.loads(body)
    return int(head.split()[1]), str(told.get("message") or told["failures"][0]["constraint"])


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that waits for nobody for long."""
    data = tmp_path_factory.mktemp("quick") / "data"
    running = RunningServer(data, "--request-timeout", "1", environment=QUICK)
    yield running
    assert "Traceback" not in "".join(running.lines)
    assert running.stop() == 0


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that takes few connections, and waits for all of them."""
    data = tmp_path_factory.mktemp("small") / "data"
    running = RunningServer(data, "--most-connections", str(MOST), environment=PATIENT)
    yield running
    assert "Traceback" not in "".join(running.lines)
    assert running.stop() == 0


def test_a_head_that_does_not_come_in_time_is_408(quick: RunningServer) -> None:
    with Wire(quick) as wire:
        wire.send(HEALTH[:-2])
        assert refusal(wire.read()) == (408, "The headers did not come within the time limit.")
    with Wire(quick) as wire:
        wire.send(HEALTH)
        assert wire.status() == 200
        wire.send(HEALTH[:10])
        assert refusal(wire.read())[0] == 408
    assert ended(quick, "slow_head") >= 2


@pytest.mark.parametrize("dribble", [b"", b"\r\n"])
@pytest.mark.parametrize("first", [b"", HEALTH])
def test_a_connection_without_a_request_ends(quick: RunningServer, first: bytes, dribble: bytes) -> None:
    with Wire(quick) as wire:
        wire.send(first)
        if first:
            assert wire.status() == 200
        wire.socket.settimeout(0.1)
        limit = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < limit:
            try:
                wire.send(dribble)
                if not wire.socket.recv(1000):
                    return
            except TimeoutError:
                continue
            except ConnectionResetError:
                return
        raise AssertionError("it is still open")


@pytest.mark.parametrize("path", ["/auth/oauth2/token", "/healthz"])
def test_a_body_that_dribbles_ends_whether_it_is_read_or_refused(quick: RunningServer, path: str) -> None:
    """The first is read, and answered 503; the second is refused at once, and then still comes."""
    with Wire(quick) as wire:
        wire.send(b"POST %b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" % path.encode())
        limit = time.monotonic() + LONGEST_SECONDS
        while wire.send(b"1\r\nx\r\n"):
            assert time.monotonic() < limit, "it is still taken"
            time.sleep(0.1)
        assert int(wire.read().split()[1] if path == "/healthz" else 503) in (405, 503)
    assert ended(quick, "slow_body") >= 1


def test_an_answer_that_is_not_taken_is_given_up(quick: RunningServer) -> None:
    before = ended(quick, "unread_answer")
    with Wire(quick) as wire:
        wire.send(HEALTH.replace(b"healthz", b"schema") * 60)
        until(lambda: ended(quick, "unread_answer") > before, "the connection is ended")
        assert wire.read().count(b"HTTP/1.1 200") < 60


def padded(path_bytes: int, header_bytes: int) -> bytes:
    """A request whose URL and headers have so many bytes."""
    url = b"/healthz?" + b"q" * (path_bytes - 9)
    headers = b"Host: x\r\nX: " + b"v" * (header_bytes - 6)
    return b"GET " + url + b" HTTP/1.1\r\n" + headers + b"\r\n\r\n"


@pytest.mark.parametrize("step", [1000, 1 << 20])
def test_heads_are_taken_up_to_their_limits(quick: RunningServer, step: int) -> None:
    """In one piece, and in many: they are not refused before all of what is allowed has come, nor taken after it."""
    cases = ((URL_BYTES, 100, 200), (100, HEADER_BYTES, 200), (URL_BYTES + 1, 100, 414), (100, HEADER_BYTES + 1, 431))
    for path_bytes, header_bytes, status in cases:
        request = padded(path_bytes, header_bytes)
        with Wire(quick) as wire:
            for start in range(0, len(request), step):
                wire.send(request[start : start + step])
            assert wire.status() == status, (path_bytes, header_bytes)


@pytest.mark.parametrize(
    ("begin", "answer"),
    [
        (b"GET /", (414, f"The URL is over {URL_BYTES} bytes.")),
        (HEALTH[:-2] + b"X: ", (431, f"The headers are over {HEADER_BYTES} bytes.")),
        (HEALTH[:-2], (431, f"The headers are over {HEADER_BYTES} bytes.")),
        (b"POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", None),
    ],
)
def test_what_has_no_end_is_not_read(quick: RunningServer, begin: bytes, answer: tuple[int, str] | None) -> None:
    with Wire(quick) as wire:
        wire.send(begin)
        piece = b"a" * 65_536 if begin != HEALTH[:-2] else b"X: y\r\n" * 10_000
        assert not all(wire.send(piece) for _ in range(1000)), "64 MB were taken"
    with Wire(quick) as wire:
        wire.send(begin + piece * 2)
        if answer is not None:
            assert refusal(wire.read()) == answer


def test_who_sends_no_http_is_told(quick: RunningServer) -> None:
    with Wire(quick) as wire:
        wire.send(b"this is none\r\n\r\n")
        assert refusal(wire.read()) == (400, "Must be well-formed HTTP.")


@pytest.mark.parametrize(
    ("version", "hosts", "status"),
    [("1.1", 0, 400), ("1.1", 1, 200), ("1.1", 2, 400), ("1.0", 0, 200), ("1.0", 2, 400)],
)
def test_a_request_names_one_host(small: RunningServer, version: str, hosts: int, status: int) -> None:
    with Wire(small) as wire:
        wire.send(f"GET /healthz HTTP/{version}\r\n{'Host: x' + chr(13) + chr(10) if hosts else ''}".encode())
        wire.send(b"Host: y\r\n" * (hosts - 1) + b"\r\n")
        assert wire.status() == status


def test_requests_in_a_row_are_answered_and_a_flood_of_them_is_not_kept(small: RunningServer) -> None:
    with Wire(small) as wire:
        wire.send(HEALTH * 40 + HEALTH[:-2] + b"Connection: close\r\n\r\n")
        assert wire.read().count(b"HTTP/1.1 200") == 41
    with Wire(small) as wire:
        wire.send(HEALTH * 7000)
        assert wire.read().count(b"HTTP/1.1 200") < 7000
    assert ended(small, "too_many_pipelined") == 1


def test_of_too_many_connections_the_one_that_has_been_idle_longest_goes(small: RunningServer) -> None:
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(small)) for _ in range(MOST)]
        for wire in wires:
            wire.send(HEALTH)
            assert wire.status() == 200
        wires[0].send(HEALTH)
        assert wires[0].status() == 200
        assert bare.get(f"{small.url}/healthz").status_code == 200
        assert wires[1].read() == b""
        wires[0].send(HEALTH)
        assert wires[0].status() == 200


def test_too_many_requests_at_once_are_refused(small: RunningServer) -> None:
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(small)) for _ in range(MOST)]
        for wire in wires:
            wire.send(HALF_BODY)
            assert wire.status() == 100
        with Wire(small) as one_more:
            answer = one_more.read()
            assert refusal(answer) == (503, "The server has as many connections as it takes at once.")
            assert b"\r\nretry-after: 1\r\n" in answer
        wires[0].send(b"rant_typ")
        assert wires[0].status() == 401
        assert bare.get(f"{small.url}/healthz").status_code == 200


def test_silent_clients_of_https_are_counted_and_end(tmp_path_factory: pytest.TempPathFactory) -> None:
    files = Files(tmp_path_factory.mktemp("files"))
    options = ("--tls-cert", str(files.certificate), "--tls-key", str(files.key), "--most-connections", str(MOST))
    server = RunningServer(tmp_path_factory.mktemp("tls") / "data", *options, environment=QUICK)
    trust = files.trusting()
    with ExitStack() as stack:
        silent = [stack.enter_context(Wire(server)) for _ in range(2 * MOST)]
        assert httpx.get(f"{server.url}/healthz", verify=trust, trust_env=False).status_code == 200
        silent[-1].send(b"\x16\x03\x01")
        assert [wire.read() for wire in silent] == [b""] * len(silent)
        with Wire(server) as wire, trust.wrap_socket(wire.socket, server_hostname="127.0.0.1") as secured:
            secured.sendall(HEALTH[:-2])
            assert b"408" in secured.recv(4096)
        with Wire(server) as wire:
            wire.send(HEALTH)
            wire.read()
        with pytest.raises(ssl.SSLError), Wire(server) as wire:
            ssl.create_default_context().wrap_socket(wire.socket, server_hostname="127.0.0.1")
    assert "Traceback" not in "".join(server.lines)
    assert server.stop() == 0


def seconds_of(pieces: list[bytes]) -> float:
    inflater = Inflater(1 << 30)
    begun = time.perf_counter()
    for piece in pieces:
        assert list(inflater.feed(piece)) == []
    return time.perf_counter() - begun


def test_empty_gzip_members_take_time_in_proportion() -> None:
    members = gzip.compress(b"") * 20_000
    in_pieces = [members[start : start + 4000] for start in range(0, len(members), 4000)]
    assert seconds_of([members]) < 10 * seconds_of(in_pieces)
    with pytest.raises(ParseFailed):
        seconds_of([gzip.compress(b"") * (GZIP_MEMBERS + 1)])


def test_compressed_bytes_count_too(quick: RunningServer) -> None:
    body = gzip.compress(b"{}") + b"\0" * OBJECT_BYTES
    answer = bare.post(f"{quick.url}/auth/oauth2/token", content=body, headers={"content-encoding": "gzip"})
    assert answer.status_code == 413
