"""The proxy: reads who is asked for, and answers, tunnels or refuses.

Eloqua's names are answered by the Staithe server: through CONNECT with a certificate of the proxy's own authority, or
asked for by a whole URL, also an `https` one, which several clients send to a proxy in place of CONNECT [axios 0.19].
Some speak TLS with the proxy itself, as if it were the host, and send the whole URL through that [axios 0.18]. Hosts
that are allowed are reached as through any proxy. All others are refused.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

import anyio
import h11
from anyio.abc import ByteStream, SocketAttribute, SocketStream, TaskStatus
from anyio.from_thread import start_blocking_portal
from anyio.streams.buffered import BufferedByteStream
from anyio.streams.tls import TLSStream

from staithe.proxy.authority import Authority
from staithe.proxy.client_hello import HANDSHAKE, wanted_host
from staithe.proxy.forwarding import Upstream, as_it_is, as_of_eloqua, forward, reach
from staithe.proxy.hosts import HTTP_PORT, HTTPS_PORT, Place, is_of_eloqua, read_place
from staithe.proxy.messages import BLOCK_BYTES, LOST, Peer

LOGGER: Final = logging.getLogger(__name__)
LOOPBACK: Final = "127.0.0.1"
CLOSE_SECONDS: Final = 1.0
NAMELESS: Final = (
    "the command speaks TLS with the proxy itself, and does not say with which host (SNI), so it cannot be answered. "
    "Use a newer version of its HTTP library, or have it ask the URL in STAITHE_URL in place of Eloqua."
)
SCHEMES: Final = {b"http": HTTP_PORT, b"https": HTTPS_PORT}


class Proxy:
    """Answers for the hosts of Eloqua.

    Args:
        authority: vouches for the answers.
        staithe: the server that gives them.
        allowed: the other hosts that may be reached, in lower case.
        say: told what somebody should know, once for each host.
    """

    def __init__(
        self, authority: Authority, staithe: Upstream, allowed: frozenset[str], say: Callable[[str], None]
    ) -> None:
        self.authority = authority
        self.staithe = staithe
        self.allowed = allowed
        self.say = say
        self.said: set[str] = set()

    @contextmanager
    def running(self) -> Generator[str]:
        """The proxy on a free port of loopback, in a thread of its own: its URL."""
        with start_blocking_portal() as portal:
            future, port = portal.start_task(self.serve)
            try:
                yield f"http://{LOOPBACK}:{port}"
            finally:
                future.cancel()

    async def serve(self, *, task_status: TaskStatus[int]) -> None:
        """Serve until cancelled; tells the port when it listens."""
        async with await anyio.create_tcp_listener(local_host=LOOPBACK) as listener:
            port: int = listener.extra_attributes[SocketAttribute.local_port]()
            task_status.started(port)
            await listener.serve(self.receive_client)

    async def receive_client(self, stream: SocketStream) -> None:
        """One connection, to its end. What goes wrong with it does not touch others."""
        async with stream:
            try:
                first = await stream.receive(BLOCK_BYTES)
                if first.startswith(HANDSHAKE):
                    await self.serve_tls(stream, first)
                else:
                    await self.serve_client(Peer(begun(stream, first), h11.SERVER))
            except* LOST:
                pass
            except* Exception:
                LOGGER.exception("a connection failed")

    async def serve_client(self, client: Peer) -> None:
        """The requests of a client that takes us for a proxy."""
        while isinstance(request := await client.receive(), h11.Request):
            if request.method == b"CONNECT":
                await self.connect(client, request)
                return
            await self.pass_plain(client, request)
            if not await starts_anew(client):
                return

    async def serve_tls(self, stream: ByteStream, received: bytes) -> None:
        """A client that speaks TLS at once, as if we were the host that it wants."""
        try:
            while (name := wanted_host(received)) is None:
                received += await stream.receive(BLOCK_BYTES)
            place = read_place(name, HTTPS_PORT)
        except (ssl.SSLError, ValueError):
            self.say_once("", NAMELESS)
            return
        stream = begun(stream, received)
        if is_of_eloqua(place.host):
            await self.impersonate(stream, place)
        elif place.host in self.allowed:
            await join(stream, await reach(Upstream(place)))
        else:
            self.say_refused(place.host)

    async def connect(self, client: Peer, request: h11.Request) -> None:
        """Open a tunnel."""
        try:
            place = read_place(request.target.decode("ascii"), HTTPS_PORT)
        except ValueError:
            await client.answer(400, "CONNECT must be followed by host:port.")
            return
        if is_of_eloqua(place.host):
            await self.impersonate(await accept(client), place)
        elif place.host in self.allowed:
            await tunnel(client, place)
        else:
            await self.refuse(client, place)

    async def impersonate(self, stream: ByteStream, place: Place) -> None:
        """Be the host of Eloqua that the client wanted."""
        if place.port == HTTP_PORT:
            await self.answer_for_eloqua(stream, place)
            return
        context = self.authority.context_of(place.host)
        try:
            tls = await TLSStream.wrap(stream, server_side=True, ssl_context=context)
        except ssl.SSLError as error:
            self.say_once(
                place.host,
                f"the command does not trust the certificate for {place.host} ({error.reason}). "
                "Have it trust the file that SSL_CERT_FILE names.",
            )
            return
        await self.answer_for_eloqua(tls, place)
        with anyio.move_on_after(CLOSE_SECONDS):
            await tls.aclose()

    async def answer_for_eloqua(self, stream: ByteStream, place: Place) -> None:
        """Have the Staithe server answer all requests of a connection to a host of Eloqua."""
        client = Peer(stream, h11.SERVER)
        while isinstance(request := await client.receive(), h11.Request):
            await forward(client, self.staithe, as_of_eloqua(request, origin_form(request.target), place))
            if not await starts_anew(client):
                return

    async def pass_plain(self, client: Peer, request: h11.Request) -> None:
        """Answer a request for a whole URL."""
        scheme, _, rest = request.target.partition(b"://")
        authority, target = split_authority(rest)
        try:
            usual_port = SCHEMES[scheme.lower()]
            place = read_place(authority.decode("ascii"), usual_port)
        except (KeyError, ValueError):
            await client.answer(400, "This is a proxy: it must be asked for the URL of a host, or to CONNECT to one.")
            return
        if is_of_eloqua(place.host):
            await forward(client, self.staithe, as_of_eloqua(request, target, place))
        elif place.host not in self.allowed:
            await self.refuse(client, place)
        elif usual_port == HTTP_PORT:
            await forward(client, Upstream(place), as_it_is(request, target, place))
        else:
            await client.answer(501, f"The command must CONNECT to {place.host}, as it speaks TLS with it.")

    async def refuse(self, client: Peer, place: Place) -> None:
        """Tell the client and the user which host was wanted. Many clients show the reason phrase and no more."""
        option = self.say_refused(place.host)
        text = (
            f"{place.host} is not a host of Eloqua, and is not reached.\n"
            f"If the command needs it: staithe run {option} -- COMMAND"
        )
        await client.answer(403, text, f"Forbidden: {place.host} needs {option}")

    def say_refused(self, host: str) -> str:
        """Tell the user which host is not reached; returns the option that would allow it."""
        option = f"--allow-host {host}"
        self.say_once(host, f"refused {host}, which is not Eloqua's; {option} lets the command reach it.")
        return option

    def say_once(self, host: str, text: str) -> None:
        if host not in self.said:
            self.said.add(host)
            self.say(text)


def begun(stream: ByteStream, received: bytes) -> ByteStream:
    """A stream before its first bytes were read."""
    whole = BufferedByteStream(stream)
    whole.feed_data(received)
    return whole


def origin_form(target: bytes) -> bytes:
    """The path and query of what a request asks for, which may be a whole URL [RFC 9112, 3.2.2]."""
    if target.startswith(b"/") or b"://" not in target:
        return target
    return split_authority(target.partition(b"://")[2])[1]


def split_authority(rest: bytes) -> tuple[bytes, bytes]:
    """What follows `scheme://` as (host and port, path and query)."""
    ends = [place for place in (rest.find(b"/"), rest.find(b"?")) if place >= 0]
    end = min(ends, default=len(rest))
    target = rest[end:]
    return rest[:end], target if target.startswith(b"/") else b"/" + target


async def starts_anew(client: Peer) -> bool:
    """Whether the connection can take another request."""
    if client.http.our_state is not h11.DONE or client.http.their_state is not h11.DONE:
        return False
    client.http.start_next_cycle()
    return True


async def accept(client: Peer) -> ByteStream:
    """Tell the client that its tunnel stands, and give what it sends through it."""
    await client.receive()
    await client.send(h11.Response(status_code=200, headers=[], reason=b"Connection established"))
    return begun(client.stream, client.http.trailing_data[0])


async def tunnel(client: Peer, place: Place) -> None:
    """Connect the client with another host, and look at nothing that goes either way."""
    try:
        far = await reach(Upstream(place))
    except (OSError, TimeoutError) as error:
        await client.answer(502, f"{place.host}:{place.port} does not answer: {error}.")
        return
    await join(await accept(client), far)


async def join(near: ByteStream, far: ByteStream) -> None:
    """Pass on what comes from either end."""
    async with far, anyio.create_task_group() as group:
        group.start_soon(copy, near, far)
        await copy(far, near)


async def copy(source: ByteStream, target: ByteStream) -> None:
    """Pass bytes on until there are no more."""
    try:
        while True:
            await target.send(await source.receive(BLOCK_BYTES))
    except anyio.EndOfStream:
        await target.send_eof()
