"""HTTP messages over a stream of bytes: h11 reads and writes them, a block at a time."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import anyio
import h11
from anyio.abc import ByteStream

BLOCK_BYTES: Final = 65536
LARGEST_HEAD_BYTES: Final = 256 * 1024
OF_ONE_CONNECTION: Final = frozenset(
    {
        b"connection",
        b"proxy-connection",
        b"keep-alive",
        b"proxy-authorization",
        b"proxy-authenticate",
        b"te",
        b"trailer",
        b"upgrade",
    }
)
"""Headers that are not passed on [RFC 9110, 7.6.1]. Transfer-Encoding is: h11 makes and undoes it on either side."""

Headers = list[tuple[bytes, bytes]]
LOST: Final = (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, h11.ProtocolError)
"""What a connection that ends too early, or is no HTTP, raises."""


class Peer:
    """One end of an HTTP/1.1 connection: a client, or the server that is asked in its place."""

    def __init__(self, stream: ByteStream, role: type[h11.CLIENT] | type[h11.SERVER]) -> None:
        self.stream = stream
        self.http = h11.Connection(role, max_incomplete_event_size=LARGEST_HEAD_BYTES)

    async def receive(self) -> h11.Event | type[h11.PAUSED]:
        """The next event that the other end causes.

        Raises:
            one of LOST: there is none.
        """
        while True:
            event = self.http.next_event()
            if not isinstance(event, type) or event is h11.PAUSED:
                return event
            try:
                self.http.receive_data(await self.stream.receive(BLOCK_BYTES))
            except anyio.EndOfStream:
                self.http.receive_data(b"")

    async def send(self, event: h11.Event) -> None:
        """Tell the other end."""
        if data := self.http.send(event):
            await self.stream.send(data)

    async def answer(self, status: int, text: str, reason: str = "") -> None:
        """Give the client an answer of our own, after which the connection is of no more use.

        Many clients send all of a body before they look at the answer: it is read first.
        """
        await self.read_rest()
        body = f"staithe run: {text}\n".encode()
        headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
        ]
        phrase = (reason or HTTPStatus(status).phrase).encode("latin-1", "replace")
        await self.send(h11.Response(status_code=status, headers=headers, reason=phrase))
        await self.send(h11.Data(data=body))
        await self.send(h11.EndOfMessage())

    async def read_rest(self) -> None:
        """Read what is left of a request's body, unless the client waits to be asked for it."""
        while self.http.their_state is h11.SEND_BODY and not self.http.they_are_waiting_for_100_continue:
            await self.receive()


def passed_on(message: h11.Request | h11.Response | h11.InformationalResponse) -> Headers:
    """The headers that are meant for who is at the far end, in the case they came in."""
    given = message.headers.raw_items()
    named = {
        name.strip().lower() for key, value in given if key.lower() == b"connection" for name in value.split(b",")
    } - {b"transfer-encoding", b"content-length", b"host"}
    return [(key, value) for key, value in given if key.lower() not in OF_ONE_CONNECTION | named]
