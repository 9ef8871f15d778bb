"""Passes one request on to the server that is to answer it, and its answer back, both as they come."""

from __future__ import annotations

import ssl
from typing import Final
from urllib.parse import urlsplit

import anyio
import h11
from anyio.abc import ByteStream
from msgspec import Struct

from staithe.proxy.hosts import HTTP_PORT, HTTPS_PORT, Place, base_host
from staithe.proxy.messages import LOST, Headers, Peer, passed_on

CONNECT_SECONDS: Final = 10.0
OF_PROXIES: Final = frozenset({b"forwarded", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-port"})


class Upstream(Struct, frozen=True):
    """A server to ask: where it is, and how to speak TLS with it if it does."""

    place: Place
    tls: ssl.SSLContext | None = None


def read_server_url(url: str, *, is_own: bool = False) -> Upstream:
    """The server that a URL such as `http://127.0.0.1:8080` names.

    Args:
        url: with no path.
        is_own: that it is known to be on this machine: its certificate then need not name the address it listens on.

    Raises:
        ValueError: it names none, or one below a path.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise ValueError(f"{url!r} is no server's URL")
    if parts.scheme == "http":
        return Upstream(Place(parts.hostname, parts.port or HTTP_PORT))
    trust = ssl.create_default_context()
    if is_own:
        trust.check_hostname = False
        trust.verify_mode = ssl.CERT_NONE
    return Upstream(Place(parts.hostname, parts.port or HTTPS_PORT), trust)


async def reach(upstream: Upstream) -> ByteStream:
    """A new connection.

    Raises:
        OSError: there is nobody, or nobody that can be trusted.
    """
    with anyio.fail_after(CONNECT_SECONDS):
        host, port = upstream.place.host, upstream.place.port
        if upstream.tls is None:
            return await anyio.connect_tcp(host, port)
        # HTTP says itself where an answer ends, so nobody waits for the end of TLS to be told.
        return await anyio.connect_tcp(host, port, ssl_context=upstream.tls, tls_standard_compatible=False)


def as_of_eloqua(request: h11.Request, target: bytes, place: Place) -> h11.Request:
    """A request to a host of Eloqua as the Staithe server is to get it.

    The server makes base URLs from the forwarded headers. They are always `https`, as Eloqua's are.
    """
    kept = [(key, value) for key, value in passed_on(request) if key.lower() not in OF_PROXIES]
    if not any(key.lower() == b"host" for key, _ in kept):
        kept.insert(0, (b"Host", place.host.encode()))
    told = [(b"X-Forwarded-Proto", b"https"), (b"X-Forwarded-Host", base_host(place.host).encode())]
    return to_upstream(request, target, [*kept, *told])


def as_it_is(request: h11.Request, target: bytes, place: Place) -> h11.Request:
    """A request to any other host as that host is to get it."""
    port = "" if place.port == HTTP_PORT else f":{place.port}"
    kept = [(key, value) for key, value in passed_on(request) if key.lower() != b"host"]
    return to_upstream(request, target, [(b"Host", f"{place.host}{port}".encode()), *kept])


def to_upstream(request: h11.Request, target: bytes, headers: Headers) -> h11.Request:
    """A connection serves one request: so none is sent on one that its server is about to close."""
    return h11.Request(method=request.method, target=target, headers=[*headers, (b"Connection", b"close")])


async def forward(client: Peer, upstream: Upstream, request: h11.Request) -> None:
    """Have a request answered, whose head has been read from the client. A server that does not answer is 502.

    Raises:
        one of LOST, in a group: the client or the server is gone in the midst of it.
    """
    try:
        stream = await reach(upstream)
    except (OSError, TimeoutError) as error:
        await client.answer(502, f"{upstream.place.host}:{upstream.place.port} does not answer: {error}.")
        return
    answered = False
    async with stream:
        server = Peer(stream, h11.CLIENT)
        async with anyio.create_task_group() as group:
            group.start_soon(pass_body, client, server, request)
            answered = await pass_answer(client, server)
            group.cancel_scope.cancel()
    if not answered:
        await client.answer(502, "The server has ended the connection without an answer.")


async def pass_body(client: Peer, server: Peer, request: h11.Request) -> None:
    """Send the request. That the server listens no more is no failure: it may have answered already."""
    try:
        await server.send(request)
        while isinstance(event := await client.receive(), h11.Data):
            await server.send(event)
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        return
    if isinstance(event, h11.EndOfMessage):
        await server.send(event)


async def pass_answer(client: Peer, server: Peer) -> bool:
    """Send the answer back, or give False if none comes."""
    try:
        event = await server.receive()
    except LOST:
        return False
    while not isinstance(event, h11.EndOfMessage):
        if isinstance(event, h11.Response | h11.InformationalResponse):
            event = type(event)(status_code=event.status_code, headers=passed_on(event), reason=bytes(event.reason))
        elif not isinstance(event, h11.Data):
            raise h11.RemoteProtocolError("the server has ended the connection in the midst of its answer")
        await client.send(event)
        event = await server.receive()
    await client.send(event)
    return True
