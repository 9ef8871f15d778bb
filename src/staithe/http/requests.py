"""One request, in the words of HTTP: what the server has read of it, and its body as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping
from functools import cached_property
from typing import Any, Final

from staithe.domain.errors import Busy

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]

DRAIN_BYTES: Final = 128 * 1024 * 1024
DRAIN_IDLE_SECONDS: Final = 0.5
BODY_HEADERS: Final = (b"content-length", b"transfer-encoding")
NO_BODY: Final = b"0"


class Request:
    """A request.

    Args:
        scope: of the ASGI server.
        path: in its canonical spelling.
        path_parameters: what stands in the path where the route has a name.
        receive: the ASGI server's.
    """

    def __init__(self, scope: Scope, path: str, path_parameters: Mapping[str, str], receive: Receive) -> None:
        self.scope = scope
        self.path = path
        self.path_parameters = path_parameters
        self.method: str = scope["method"]
        self.query: bytes = scope["query_string"]
        self.inner_receive = receive
        self.has_body = has_body(scope["headers"])
        self.ended = not self.has_body
        """Whether all of the body has come."""

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """The headers by lower-case name; of those that come several times the first."""
        found: dict[str, str] = {}
        for name, value in self.scope["headers"]:
            found.setdefault(name.decode("latin-1"), value.decode("latin-1"))
        return found

    def header_list(self, name: str) -> str:
        """A header whose value is a list, which may be spread over several headers; empty if there is none."""
        return ",".join(v.decode("latin-1") for k, v in self.scope["headers"] if k == name.encode())

    @property
    def client_host(self) -> str:
        """The address of who has opened the connection; empty if that is not known."""
        client = self.scope.get("client")
        return str(client[0]) if client else ""

    async def receive(self) -> Any:
        """The next message of the ASGI server."""
        message = await self.inner_receive()
        self.ended = self.ended or not message.get("more_body", False)
        return message

    async def stream(self) -> AsyncIterator[bytes]:
        """The body, piece by piece.

        Raises:
            Busy: the client went away.
        """
        while not self.ended:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise Busy("The client went away.")
            if message.get("body"):
                yield message["body"]

    async def drain(self, deadline: float) -> None:
        """Read what is left of the body and forget it, as long as it keeps coming and is not too much.

        Args:
            deadline: until when, by the event loop's clock.
        """
        rest = 0
        now = asyncio.get_running_loop().time
        try:
            while not self.ended and rest <= DRAIN_BYTES:
                async with asyncio.timeout_at(min(deadline, now() + DRAIN_IDLE_SECONDS)):
                    rest += len((await self.receive()).get("body", b""))
        except TimeoutError:
            return

    async def wait_until_gone(self) -> None:
        """Return when the client has closed the connection, or has its whole answer."""
        while (await self.receive())["type"] != "http.disconnect":
            pass


def has_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request says that it has a body (RFC 9112, section 6)."""
    return any(name in BODY_HEADERS and value != NO_BODY for name, value in headers)
