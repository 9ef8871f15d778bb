"""Whatever is asked of a server, it answers, and says whose fault it is; and nobody else notices.

`make fuzz` sends 100,000 requests on each database. A run that failed has printed the seed and the request.
"""

from __future__ import annotations

import http.client
import json
import random
import socket
from collections import Counter
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from tests.conftest import StartServer
from tests.fault.processes import all_processes
from tests.fuzz.seeds import seeds
from tests.fuzz.spoiling import spoil, spoil_framing, written
from tests.support.nightly import effort
from tests.support.server import RunningServer
from tests.support.waiting import LONGEST_SECONDS
from tests.support.whole_company import everything, fill

FRAMING_PART = 0.05
SHOWN_BYTES = 3000
MOST_SHOWN = 10
OF_THE_BYSTANDER = b"what nobody else sees"


@pytest.fixture
def requests(pytestconfig: pytest.Config) -> int:
    """How many requests to send."""
    given = pytestconfig.getoption("fuzz_requests", None)
    return int(given) if given is not None else effort("spoilt requests on each database")


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> int:
    """The seed of everything random."""
    given = pytestconfig.getoption("fuzz_seed", None)
    return int(given) if given is not None else 1


class Wire:
    """A connection that is made anew whenever it was closed."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.place = parts.hostname or "", parts.port or 0
        self.socket: socket.socket | None = None

    def exchange(self, method: str, content: bytes) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Send the bytes of a whole request; its answer.

        Raises:
            OSError, http.client.HTTPException: none came.
        """
        for attempt in (1, 2):
            is_new = self.socket is None
            if self.socket is None:
                self.socket = socket.create_connection(self.place, timeout=LONGEST_SECONDS)
            try:
                return self.answer(self.socket, method, content)
            except (OSError, http.client.HTTPException):
                self.close()
                # The server may close a connection after any answer; a new one it takes.
                if is_new or attempt == 2:
                    raise
        raise AssertionError

    def answer(
        self, connection: socket.socket, method: str, content: bytes
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        # Who is refused early may not have been heard out.
        with suppress(ConnectionError):
            connection.sendall(content)
        response = http.client.HTTPResponse(connection, method=method)
        response.begin()
        body = response.read()
        if response.will_close:
            self.close()
        return response.status, response.headers, body

    def send_alone(self, content: bytes) -> bytes:
        """Send bytes and no more; whatever comes back until the server closes. No answer is one as well."""
        with socket.create_connection(self.place, timeout=LONGEST_SECONDS) as connection:
            try:
                connection.sendall(content)
                connection.shutdown(socket.SHUT_WR)
                received = b""
                while piece := connection.recv(65536):
                    received += piece
            except OSError:
                return b""
        return received

    def close(self) -> None:
        """End it."""
        if self.socket is not None:
            self.socket.close()
        self.socket = None


@pytest.mark.timeout(4 * 3600)
def test_whatever_is_asked_no_request_is_the_servers_fault_and_nobody_else_notices(
    servers: StartServer, requests: int, seed: int
) -> None:
    server = servers()
    api, _ = server.new_company("spoilt")
    fill(api)
    bystander, _ = server.new_company("bystander", contacts=10)
    bystander.sync(bystander.define())
    bystander.new_list(OF_THE_BYSTANDER.decode())
    before = everything(bystander)
    processes = all_processes(server)
    login = api.bulk("GET", "/contacts/lists").request.headers["authorization"]
    statuses, faults = send_all(Wire(server.url), login, requests, random.Random(seed))
    assert not faults, "\n".join([f"{len(faults)} of seed {seed}:", *faults[:MOST_SHOWN], *tracebacks(server)])
    print(f"seed {seed}:", ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items())))
    assert all(statuses[status] for status in (200, 201, 204, 400, 401, 404, 405))
    assert all_processes(server) == processes
    assert everything(bystander) == before
    assert everything(api)
    assert server.stop() == 0
    assert "Traceback" not in "".join(server.lines)


def send_all(wire: Wire, login: str, requests: int, chance: random.Random) -> tuple[Counter[int], list[str]]:
    """Send so many requests; how often each status was answered, and what is the server's fault."""
    statuses: Counter[int] = Counter()
    faults: list[str] = []
    host = ":".join(str(part) for part in wire.place)
    for number in range(requests):
        request = spoil(chance, chance.choice(seeds()))
        content = written(request, login, host)
        if chance.random() < FRAMING_PART:
            content = spoil_framing(chance, content)
            answers = wire.send_alone(content)
            if b"HTTP/1.1 500" in answers:
                faults.append(shown(number, content, answers))
            continue
        try:
            status, headers, body = wire.exchange(request.method, content)
            if body and headers.get_content_type() == "application/json":
                json.loads(body)
        except (OSError, ValueError, http.client.HTTPException) as error:
            faults.append(shown(number, content, repr(error).encode()))
            continue
        statuses[status] += 1
        if OF_THE_BYSTANDER in body:
            faults.append(f"another company's: {shown(number, content, body)}")
        if status >= 500:
            faults.append(shown(number, content, body))
    wire.close()
    return statuses, faults


def shown(number: int, content: bytes, answer: bytes) -> str:
    """A request and its answer, for whoever looks into it."""
    return f"request {number}: {content[:SHOWN_BYTES]!r}\n{answer[:SHOWN_BYTES]!r}"


def tracebacks(server: RunningServer) -> list[str]:
    """What the server's log says of its mistakes."""
    text = "".join(server.lines)
    return [f"Traceback{part[:SHOWN_BYTES]}" for part in text.split("Traceback")[1 : MOST_SHOWN + 1]]
