"""Measure 17: how many reads of a sync a server answers in a second, against bare answers of the same server.

The client is as small as it can be, since it takes its processor time from the server: it compares no answer but the
first, and of all others looks at the status and the length.
"""

from __future__ import annotations

import base64
import selectors
import socket
import statistics
import time
from contextlib import ExitStack
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import httpx
from tests.support.api import BULK
from tests.support.server import LOGIN, RunningServer

from bench.processor import processor_seconds
from bench.report import Measure, say
from bench.sizes import Sizes

CONNECTIONS: Final = 16
LEAST_RATIO: Final = 0.35
BARE: Final = "/healthz"
WARM_UP_PART: Final = 0.2
PIECE_BYTES: Final = 65536


class Reader:
    """Reads one path over and over, on kept connections, each with one request under way.

    Raises:
        RuntimeError: an answer is no 200.
    """

    def __init__(self, server: RunningServer, path: str) -> None:
        place = urlsplit(server.url)
        self.address = (str(place.hostname), place.port or 80)
        login = base64.b64encode(LOGIN.encode()).decode()
        headers = {"Host": place.netloc, "Authorization": f"Basic {login}"}
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        self.request = "\r\n".join(lines).encode()
        answer = httpx.get(server.url + path, headers=headers, trust_env=False)
        if answer.status_code != HTTPStatus.OK:
            raise RuntimeError(f"GET {path} was answered {answer.status_code}: {answer.text}")
        self.body_bytes = len(answer.content)

    def run(self, seconds: float) -> float:
        """Requests answered in a second."""
        answered = 0
        with ExitStack() as stack:
            selector = stack.enter_context(selectors.DefaultSelector())
            for _ in range(CONNECTIONS):
                connection = stack.enter_context(socket.create_connection(self.address))
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.sendall(self.request)
                selector.register(connection, selectors.EVENT_READ, (connection, bytearray()))
            began = time.perf_counter()
            while (now := time.perf_counter()) - began < seconds:
                for key, _ in selector.select(1):
                    answered += self.receive(*key.data)
        return answered / (now - began)

    def receive(self, connection: socket.socket, received: bytearray) -> bool:
        """Receive what has come; whether that ends an answer, after which the next request is sent."""
        piece = connection.recv(PIECE_BYTES)
        received += piece
        head_bytes = received.find(b"\r\n\r\n") + 4
        if piece and (head_bytes < 4 or len(received) < head_bytes + self.body_bytes):
            return False
        if not received.startswith(b"HTTP/1.1 200 ") or len(received) != head_bytes + self.body_bytes:
            raise RuntimeError(f"a read was answered {bytes(received)!r}")
        received.clear()
        connection.sendall(self.request)
        return True


def measure_reads(server: RunningServer, sizes: Sizes) -> Measure:
    """Measure 17, by turns with its floor."""
    api = server.api()
    sync = api.sync(api.define())
    readers = (Reader(server, BARE), Reader(server, BULK + str(sync["uri"])))
    rates: list[tuple[float, float]] = []
    costs: list[tuple[float, float]] = []
    for run in range(sizes.runs):
        taken = [take(server, reader, sizes.reads_seconds) for reader in readers]
        rates.append((taken[0][0], taken[1][0]))
        costs.append((taken[0][1], taken[1][1]))
        say(f"17: run {run + 1} of {sizes.runs}: bare answers {rates[-1][0]:,.0f} a second, syncs {rates[-1][1]:,.0f}")
    ratios = [read / bare for bare, read in rates]
    ratio = statistics.median(ratios)
    bare_cost, read_cost = (statistics.median(column) * 1e6 for column in zip(*costs, strict=True))
    return Measure(
        number=17,
        name=f"GET of a sync, {CONNECTIONS} connections\nfloor: GET {BARE}",
        floor=a_second([bare for bare, _ in rates]),
        staithe=a_second([read for _, read in rates]),
        ratio=f"{ratio:.2f}\n{min(ratios):.2f} to {max(ratios):.2f}",
        target=f"at least {LEAST_RATIO}",
        is_met=ratio >= LEAST_RATIO,
        notes=(f"processor time of the server: floor {bare_cost:.0f} us a request, a sync {read_cost:.0f} us.",),
        figures={
            "requests_a_second": rates,
            "processor_seconds_a_request": costs,
            "ratios": ratios,
            "median_of_ratios": ratio,
            "target": LEAST_RATIO,
        },
    )


def take(server: RunningServer, reader: Reader, seconds: float) -> tuple[float, float]:
    """Requests a second, and the processor seconds of the server for each."""
    reader.run(seconds * WARM_UP_PART)
    before = processor_seconds(server)
    rate = reader.run(seconds)
    return rate, (processor_seconds(server) - before) / max(rate * seconds, 1)


def a_second(rates: list[float]) -> str:
    return f"{statistics.median(rates):,.0f} a second\n{min(rates):,.0f} to {max(rates):,.0f}"
