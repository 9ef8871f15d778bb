"""Answers `/metrics` for workers that have no HTTP process beside them, from a thread of their supervisor."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry

from staithe.observing.access import ADVICE, REFUSED, may_read
from staithe.observing.exposition import registry_of_server, render


class MetricsServer(ThreadingHTTPServer):
    """Knows what is told, and to whom."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], registry: CollectorRegistry, token: str) -> None:
        self.registry = registry
        self.token = token
        super().__init__(address, Handler)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    timeout = 20
    """Seconds for which a client may send and take nothing."""

    def do_GET(self) -> None:
        """Tell the metrics, and nothing else."""
        assert isinstance(self.server, MetricsServer)
        if self.path.partition("?")[0] != "/metrics":
            self.refuse(HTTPStatus.NOT_FOUND, f"No path {self.path}.", "GET /metrics.")
        elif not may_read(str(self.client_address[0]), dict_of(self), self.server.token):
            self.refuse(HTTPStatus.FORBIDDEN, REFUSED, ADVICE)
        else:
            self.give(HTTPStatus.OK, *render(self.server.registry, self.headers.get("accept", "")))

    def refuse(self, status: HTTPStatus, message: str, advice: str) -> None:
        """Say what is wrong as all servers of Staithe do."""
        body = {"status": status.value, "error": status.phrase, "message": message, "advice": advice}
        self.give(status, msgspec.json.encode(body), "application/json; charset=utf-8")

    def give(self, status: HTTPStatus, body: bytes, media_type: str) -> None:
        """Send an answer."""
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Requests for metrics are not logged."""


def dict_of(handler: BaseHTTPRequestHandler) -> dict[str, str]:
    """The headers by lower-case name."""
    return {name.lower(): value for name, value in handler.headers.items()}


@contextmanager
def serving_metrics(folder: Path | None, host: str, port: int, token: str) -> Generator[int]:
    """Answer `/metrics` within the block; gives the port.

    Args:
        folder: that of the metrics.
        host: the address to listen on.
        port: the port; 0 takes a free one.
        token: who has it may read them from anywhere; empty for none.

    Raises:
        OSError: the port cannot be had.
    """
    with MetricsServer((host, port), registry_of_server(folder), token) as server:
        thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
