"""The connections of an HTTP process: how many there are, how long each may wait, how large a request's head may be.

uvicorn with httptools bounds none of this: its `limit_concurrency` counts connections only once a whole head has been
read. What a client does too slowly is looked for once a second in all connections, which costs less than timers.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from http import HTTPStatus
from typing import Any, Final, cast

import httptools
from msgspec import Struct
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from staithe.domain.errors import Busy, Failure, ValidationFailed
from staithe.domain.limits import HEADER_BYTES, URL_BYTES
from staithe.domain.pauses import Pauses
from staithe.http.calls import Answer
from staithe.http.errors import error_body, to_answer
from staithe.http.phrases import BULK_STATUS_LINES, row_of_url
from staithe.observing.metrics import CONNECTIONS, CONNECTIONS_ENDED

LOGGER: Final = logging.getLogger(__name__)
STATUS_LINE.update(BULK_STATUS_LINES)

MOST_BARREN_BYTES: Final = 2 * HEADER_BYTES
"""What may come in a row that is neither body nor the end of a head: an endless head, or what stands behind a body."""

MOST_PIPELINED: Final = 64
"""Requests that may wait behind one that is being answered. No client that is known sends a second."""

PROGRESS_BYTES: Final = 16 * 1024
"""So much of an answer must be taken within `unread_seconds`, or it is given up."""

LINGER_SECONDS: Final = 2.0
"""How long what still comes is read and forgotten after a refusal: a socket that is closed with unread bytes in it
takes the answer along."""

MOST_LINGERING_BYTES: Final = 4 * 1024 * 1024
MOST_LINGERING: Final = 100
LOG_SECONDS: Final = 60.0
"""Who makes many connections end does not fill the log."""

MALFORMED: Final = to_answer(ValidationFailed(Failure("request", "Must be well-formed HTTP.")))
FULL: Final = to_answer(Busy("The server has as many connections as it takes at once.", "Come again."))
LONG_URL: Final = Answer(
    HTTPStatus.REQUEST_URI_TOO_LONG,
    error_body(HTTPStatus.REQUEST_URI_TOO_LONG, f"The URL is over {URL_BYTES} bytes.", "Ask for less at once."),
)
LARGE_HEADERS: Final = Answer(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    error_body(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"The headers are over {HEADER_BYTES} bytes.", "Send fewer."
    ),
)
SLOW_HEAD: Final = Answer(
    HTTPStatus.REQUEST_TIMEOUT,
    error_body(HTTPStatus.REQUEST_TIMEOUT, "The headers did not come within the time limit.", "Send it again."),
)


class Fault(Struct, frozen=True):
    """Why a connection ends: as the log and the metrics call it, and the answer if one is due."""

    reason: str
    answer: Answer | None = None


IDLE: Final = Fault("")
"""It ends as connections do."""

SLOW: Final = Fault("slow_head", SLOW_HEAD)
SILENT: Final = Fault("slow_head")
UNREAD: Final = Fault("unread_answer")
TURNED_AWAY: Final = Fault("too_many", FULL)
MADE_ROOM: Final = Fault("made_room")
BAD_HANDSHAKE: Final = Fault("bad_handshake")
NO_HTTP: Final = Fault("malformed", MALFORMED)
LONG: Final = Fault("long_url", LONG_URL)
LARGE: Final = Fault("large_headers", LARGE_HEADERS)
PIPELINED: Final = Fault("too_many_pipelined")
UNSENT: Final = Fault("slow_body")


class Door:
    """All connections of a process.

    Args:
        most: so many may be open. For one more the connection is closed that has been without a request for longest;
            if all have one, the new one is refused with 503.
        pauses: how long each may wait.
    """

    def __init__(self, most: int, pauses: Pauses) -> None:
        self.most = most
        self.pauses = pauses
        self.tls: ssl.SSLContext | None = None
        self.open: set[Connection] = set()
        self.waiting: dict[Connection, None] = {}
        """Those that have no request under way, longest first."""
        self.lingering = 0
        self.handshakes: set[asyncio.Task[None]] = set()
        self.logged: dict[str, tuple[float, int]] = {}
        """Reason -> when it was last logged, and how many have come since."""

    def enter(self, connection: Connection) -> bool:
        """Take one more connection; False if there is no room."""
        if len(self.open) >= self.most:
            oldest = next(iter(self.waiting), None)
            if oldest is None:
                return False
            self.note(MADE_ROOM, oldest)
            self.leave(oldest)
            oldest.transport.abort()
        self.open.add(connection)
        self.waiting[connection] = None
        return True

    def leave(self, connection: Connection) -> None:
        """A connection has ended."""
        self.open.discard(connection)
        self.waiting.pop(connection, None)

    def sweep(self) -> None:
        """End every connection whose client takes too long."""
        CONNECTIONS.set(len(self.open))
        now = asyncio.get_running_loop().time()
        for connection in tuple(self.open):
            connection.check(now)

    def note(self, fault: Fault, connection: Connection) -> None:
        """Count and log the end of a connection."""
        if not fault.reason:
            return
        CONNECTIONS_ENDED.labels(fault.reason).inc()
        now = asyncio.get_running_loop().time()
        logged_at, since = self.logged.get(fault.reason, (float("-inf"), 0))
        if now - logged_at < LOG_SECONDS:
            self.logged[fault.reason] = logged_at, since + 1
            return
        self.logged[fault.reason] = now, 0
        address = (connection.transport.get_extra_info("peername") or ("unknown",))[0]
        more = f" ({since} more since the last line of this kind)" if since else ""
        LOGGER.warning("a connection of %s was ended: %s%s", address, fault.reason, more)


class Connection(HttpToolsProtocol):
    """One connection.

    Args:
        door: that of the process.
        given: what uvicorn gives to a protocol.
    """

    def __init__(self, door: Door, **given: Any) -> None:
        super().__init__(**given)
        self.door = door
        self.deadline = float("inf")
        """Until when the client must have done something, by the loop's clock: `late` says what becomes of it else."""
        self.late = SILENT
        self.has_moved = False
        """Whether what is being read had body in it, or the end of a head or a request."""
        self.fresh_bytes = 0
        self.barren_bytes = 0
        self.fault: Fault | None = None
        self.url = b""
        self.behind = 0
        """Requests whose head has come and whose answer has not begun."""
        self.running: RequestResponseCycle | None = None
        """What is being answered, or was last. `cycle` is what was last read."""
        self.has_begun = self.is_refused = self.is_lost = False
        self.early = b""
        """What came before the end of the handshake was known."""
        self.unread: tuple[int, float] | None = None
        """Bytes of an answer that were left when some were last taken, and when that was."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody has connected."""
        self.transport = transport
        if not self.door.enter(self):
            self.turn_away(transport)
        elif self.door.tls is None:
            self.begin(transport)
        else:
            # Known to the server, which closes all that is idle when it stops.
            self.connections.add(self)
            task = self.loop.create_task(self.shake_hands(transport, self.door.tls))
            self.door.handshakes.add(task)
            task.add_done_callback(self.door.handshakes.discard)

    def turn_away(self, transport: asyncio.Transport) -> None:
        if self.door.tls is not None or self.door.lingering >= MOST_LINGERING:
            self.door.note(TURNED_AWAY, self)
            self.is_refused = True
            transport.abort()
        else:
            super().connection_made(transport)
            self.end(TURNED_AWAY)

    async def shake_hands(self, transport: asyncio.Transport, context: ssl.SSLContext) -> None:
        """Speak TLS. What uvicorn would have done is bounded by nothing as long as the handshake lasts."""
        if transport.is_closing():
            self.forget()
            return
        starting = self.loop.create_task(
            self.loop.start_tls(
                transport, self, context, server_side=True, ssl_handshake_timeout=self.door.pauses.head_seconds
            )
        )
        # By now the loop has begun to read: what has come since is the handshake's, once that has begun.
        await asyncio.sleep(0)
        hello, self.early = self.early, b""
        if not starting.done():
            self.loop.call_soon(feed, transport, hello)
        try:
            secured = await starting
        except OSError:
            secured = None
        if secured is None or self.is_lost or transport.is_closing():
            self.door.note(BAD_HANDSHAKE, self)
            transport.abort()
            self.forget()
            return
        self.begin(secured)
        early, self.early = self.early, b""
        if early:
            self.data_received(early)

    def begin(self, transport: asyncio.Transport) -> None:
        """The first request may come."""
        super().connection_made(transport)
        self.has_begun = True
        self.expect(self.door.pauses.head_seconds, SILENT)

    def forget(self) -> None:
        self.connections.discard(self)
        self.door.leave(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self.is_lost = True
        self.forget()
        self.give_up()
        super().connection_lost(exc)

    def give_up(self) -> None:
        """Let what is answered know that nobody listens: uvicorn tells it to the request that came last alone."""
        if self.running is not None:
            self.running.disconnected = True
            self.running.message_event.set()

    def expect(self, seconds: float, late: Fault) -> None:
        """Give the client so long for its next step."""
        self.deadline, self.late = self.loop.time() + seconds, late

    @property
    def is_answering(self) -> bool:
        """Whether a request is under way."""
        return self.behind > 0 or (self.running is not None and not self.running.response_complete)

    def data_received(self, data: bytes) -> None:
        """Read what has come."""
        if self.is_refused:
            self.barren_bytes += len(data)
            if self.barren_bytes > MOST_LINGERING_BYTES:
                self.transport.abort()
            return
        if not self.has_begun:
            self.early += data
            return
        self.has_moved = False
        self.fresh_bytes = len(data)
        try:
            cast("httptools.HttpRequestParser", self.parser).feed_data(data)
        except httptools.HttpParserUpgrade:
            return
        except httptools.HttpParserError:
            self.end(self.fault or NO_HTTP)
            return
        self.barren_bytes = 0 if self.has_moved else self.barren_bytes + len(data)
        if self.barren_bytes > MOST_BARREN_BYTES:
            self.end(LONG if len(self.url) > URL_BYTES else LARGE)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self.expect(self.door.pauses.head_seconds, SLOW)

    def on_headers_complete(self) -> None:
        """A whole head: its request can begin.

        Raises:
            ValueError: it must not. It ends the parsing; `fault` says why.
        """
        self.has_moved = True
        if self.barren_bytes + self.fresh_bytes > HEADER_BYTES:
            self.fault = self.find_excess()
        if self.behind >= MOST_PIPELINED:
            self.fault = PIPELINED
        if self.fault is not None:
            raise ValueError(self.fault.reason)
        self.deadline = float("inf")
        self.door.waiting.pop(self, None)
        super().on_headers_complete()
        self.behind += 1

    def find_excess(self) -> Fault | None:
        """What is too large in a head."""
        if len(self.url) > URL_BYTES:
            return LONG
        return LARGE if sum(len(name) + len(value) for name, value in self.headers) > HEADER_BYTES else None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self.running = cycle
        self.behind -= 1
        super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        """Some of a body."""
        self.has_moved = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        self.has_moved = True
        super().on_message_complete()
        if not self.is_answering:
            self.expect(self.door.pauses.idle_seconds, IDLE)

    def on_response_complete(self) -> None:
        """The last byte of an answer."""
        super().on_response_complete()
        # Any byte stops uvicorn's timer, and none need follow.
        self._unset_keepalive_if_required()
        if self.transport.is_closing() or self.is_answering:
            return
        self.door.waiting[self] = None
        if self.cycle.more_body:
            self.expect(LINGER_SECONDS, UNSENT)
        else:
            self.expect(self.door.pauses.idle_seconds, IDLE)

    def check(self, now: float) -> None:
        """End the connection if the client takes too long."""
        if not self.has_begun:
            return
        if self.flow.write_paused or self.transport.is_closing():
            self.check_unread(now)
            return
        self.unread = None
        if now > self.deadline and not (self.is_answering or self.is_refused):
            self.end(self.late)

    def check_unread(self, now: float) -> None:
        left = self.transport.get_write_buffer_size()
        if self.unread is None or left <= self.unread[0] - PROGRESS_BYTES:
            self.unread = left, now
        elif now - self.unread[1] > self.door.pauses.unread_seconds:
            if left:
                self.door.note(UNREAD, self)
            self.transport.abort()

    def end(self, fault: Fault) -> None:
        """End the connection: with an answer if one is due, and none is being sent."""
        self.door.note(fault, self)
        self.is_refused = True
        if fault.answer is None or self.is_answering or self.door.lingering >= MOST_LINGERING:
            self.give_up()
            self.transport.close()
            return
        self.transport.write(self.encode(fault.answer))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.door.lingering += 1
        self.loop.call_later(LINGER_SECONDS, self.stop_lingering)

    def stop_lingering(self) -> None:
        self.door.lingering -= 1
        self.transport.abort()

    def encode(self, answer: Answer) -> bytes:
        """An answer that no request has caused, as bytes."""
        body = answer.encoded()
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"application/json; charset=utf-8"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
            *((name.lower().encode(), value.encode()) for name, value in answer.headers.items()),
        ]
        status_line = STATUS_LINE[row_of_url(int(answer.status), self.url)]
        return status_line + b"".join(b"%b: %b\r\n" % pair for pair in headers) + b"\r\n" + body


def feed(transport: asyncio.Transport, data: bytes) -> None:
    """Give what was read to the protocol that has taken over a transport."""
    protocol = cast("asyncio.BufferedProtocol", transport.get_protocol())
    while data and not transport.is_closing():
        buffer = memoryview(protocol.get_buffer(len(data)))
        count = min(len(buffer), len(data))
        buffer[:count] = data[:count]
        protocol.buffer_updated(count)
        data = data[count:]
