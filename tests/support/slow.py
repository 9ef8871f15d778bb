"""An upload that comes slowly, byte by byte, over a socket of its own."""

from __future__ import annotations

import json
import select
import socket
from http.client import HTTPResponse
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tests.support.api import BULK, Api
from tests.support.waiting import LONGEST_SECONDS


class SlowUpload:
    """Sends the head of an upload and the first byte of its body at once, and the rest when it is told to."""

    def __init__(self, api: Api, uri: str, body: bytes) -> None:
        address = urlsplit(str(api.client.base_url))
        login = api.bulk("GET", uri).request.headers["authorization"]
        head = (
            f"POST {BULK}{uri}/data HTTP/1.1",
            f"Host: {address.netloc}",
            f"Authorization: {login}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        )
        self.rest = body
        self.connection = socket.create_connection(
            (str(address.hostname), int(address.port or 80)), timeout=LONGEST_SECONDS
        )
        self.connection.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
        self.send(1)

    def send(self, count: int) -> None:
        """Send some more of the body."""
        self.connection.sendall(self.rest[:count])
        self.rest = self.rest[count:]

    def is_answered(self) -> bool:
        """Whether an answer has come."""
        return bool(select.select([self.connection], [], [], 0)[0])

    def answer(self) -> tuple[int, dict[str, str], Any]:
        """Status, headers by lower-case name, and body of the answer; waits for it."""
        response = HTTPResponse(self.connection)
        response.begin()
        content = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return response.status, headers, json.loads(content) if content else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()
