"""One call of a callback address: it has a deadline for all of it, and goes where it may and nowhere else.

The address that was checked is the one that is called, whatever the name says later.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from functools import cache
from typing import Final

import httpcore
import httpx

from staithe.domain.addresses import is_public

LOOK_SECONDS: Final = 0.1
LEAST_SECONDS: Final = 0.001
"""No time at all would mean, to a socket, not to wait: that fails in another way."""
NO_ANSWER: Final = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    OSError,
    # What takes an address or a name apart, and finds that it is none.
    httpx.InvalidURL,
    ValueError,
)


class Forbidden(Exception):
    """The address is private, and private ones are not allowed."""


class CallFailed(Exception):
    """No answer came, or none in time."""


def post(url: str, body: bytes, seconds: float, *, allow_private: bool, look: Callable[[], None]) -> int:
    """POST JSON to an address; returns the status of the answer, of which no more is read.

    The call is made in a thread of its own, and left to its deadline if it is waited for no longer: nothing can end a
    search for the address of a name.

    Args:
        url: of `http` or `https`.
        body: what is sent.
        seconds: in which the answer's status is there, however slowly it comes.
        allow_private: whether addresses of private networks are called.
        look: is called often while the answer is waited for; may raise, and so end the wait.

    Raises:
        Forbidden: the address is private.
        CallFailed: no answer came, or none in time.
    """
    until = time.monotonic() + seconds
    answer: Future[int] = Future()

    def call() -> None:
        try:
            answer.set_result(post_until(until, url, body, allow_private=allow_private))
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=call, name="callback call", daemon=True).start()
    while not wait([answer], LOOK_SECONDS).done:
        look()
        if time.monotonic() > until + LOOK_SECONDS:
            raise CallFailed(f"no answer in {seconds:g} seconds")
    try:
        return answer.result()
    except NO_ANSWER as error:
        raise CallFailed(str(error) or type(error).__name__) from error


def post_until(until: float, url: str, body: bytes, *, allow_private: bool) -> int:
    parts = httpx.URL(url)
    target = httpcore.URL(scheme=parts.raw_scheme, host=parts.raw_host, port=parts.port, target=parts.raw_path)
    headers = [("Host", parts.netloc), ("Content-Type", "application/json")]
    network = CheckedNetwork(until, allow_private=allow_private)
    with (
        httpcore.ConnectionPool(trust(), network_backend=network) as pool,
        # A body may have any size: who answers must not fill the worker's memory.
        pool.stream("POST", target, headers=headers, content=body) as answer,
    ):
        return answer.status


class CheckedNetwork(httpcore.NetworkBackend):
    """Connects to the address that a name has now, if it may be called.

    Args:
        until: of `time.monotonic`: when everything is over.
        allow_private: whether addresses of private networks are called.
    """

    def __init__(self, until: float, *, allow_private: bool) -> None:
        self.until = until
        self.allow_private = allow_private

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect, whatever the `timeout`, before the deadline.

        Raises:
            Forbidden: the address is private.
            OSError: the name has no address.
            httpcore.ConnectError: nobody is there.
        """
        address = resolve(host, port)
        if not (self.allow_private or is_public(address)):
            raise Forbidden(f"{host} is the private address {address}; --allow-private-callbacks allows it")
        backend = httpcore.SyncBackend()
        stream = backend.connect_tcp(
            str(address), port, rest_of(self.until), local_address=local_address, socket_options=socket_options
        )
        return TimedStream(stream, self.until)


class TimedStream(httpcore.NetworkStream):
    """A connection with one deadline for all that is read and written: who answers byte by byte wins no time."""

    def __init__(self, stream: httpcore.NetworkStream, until: float) -> None:
        self.stream = stream
        self.until = until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Some bytes."""
        return self.stream.read(max_bytes, rest_of(self.until))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send some bytes."""
        self.stream.write(buffer, rest_of(self.until))

    def close(self) -> None:
        """Close the connection."""
        self.stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """The connection within TLS; Python's handshake takes the time for all of it."""
        return TimedStream(self.stream.start_tls(ssl_context, server_hostname, rest_of(self.until)), self.until)

    def get_extra_info(self, info: str) -> object:
        """What is known of the connection."""
        return self.stream.get_extra_info(info)


def rest_of(until: float) -> float:
    """The seconds that are left.

    Raises:
        httpcore.ReadTimeout: none are.
    """
    left = until - time.monotonic()
    if left < LEAST_SECONDS:
        raise httpcore.ReadTimeout("no answer in time")
    return left


def resolve(host: str, port: int) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address that a host has now.

    Raises:
        OSError: it has none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    address = ipaddress.ip_address(str(found[0][4][0]).partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


@cache
def trust() -> ssl.SSLContext:
    """Whose certificates are good. To read them takes longer than a call does, so it is done once."""
    return httpx.create_ssl_context(trust_env=False)
