"""Tells a callback address that a sync has ended: POST of the sync as JSON, three tries, no redirects.

A company's user may name any address, so by default only public ones are called: a server must not be made to
knock on its own network. The address that was checked is the one that is called, whatever the name says later.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import ssl
import time
from collections.abc import Callable
from functools import cache
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import httpx
import msgspec

from staithe.clock import Clock
from staithe.domain.limits import SECOND
from staithe.domain.syncs import Sync
from staithe.services.stores import CompanyStore
from staithe.storage import syncs
from staithe.wire.bulk import sync_body

LOGGER: Final = logging.getLogger(__name__)
TIMEOUT_SECONDS: Final = 10.0
TRIES: Final = 3
PAUSE_SECONDS: Final = 1.0
CLAIM_LIFE: Final = 90 * SECOND
"""After this a callback that was claimed and not dealt with is made by whoever sees it: its worker is gone."""


class Forbidden(Exception):
    """The address is private, and private ones are not allowed."""


class Interrupted(Exception):
    """The worker was told to stop between two tries."""


def make_callback(
    store: CompanyStore, sync: Sync, clock: Clock, *, allow_private: bool, pause: Callable[[float], None]
) -> bool | None:
    """Make the callback of a sync that has ended, unless another worker does or did.

    A claim in the store keeps others away. Who dies with it is waited for no longer than the claim lasts.

    Args:
        store: of the company.
        sync: as it ended.
        clock: tells the time.
        allow_private: whether addresses of private networks are called.
        pause: waits for some seconds between tries, or raises `Interrupted`: then the callback is left to others.

    Returns:
        Whether it was delivered, or else given up; None if it is left to others.
    """
    with store.database.write(alone=False) as connection:
        now = clock()
        if not syncs.claim_callback(connection, sync.id, now, now + CLAIM_LIFE):
            return None
    body = msgspec.json.encode(sync_body(sync))
    try:
        was_taken = deliver(sync.callback_url or "", body, allow_private=allow_private, pause=pause)
    except Interrupted:
        with store.database.write(alone=False) as connection:
            syncs.release_callback(connection, sync.id)
        return None
    with store.database.write(alone=False) as connection:
        syncs.mark_called_back(connection, sync.id, clock())
    return was_taken


def deliver(url: str, body: bytes, *, allow_private: bool, pause: Callable[[float], None] = time.sleep) -> bool:
    """Call an address; whether it answered 2xx within three tries."""
    for attempt in range(1, TRIES + 1):
        try:
            status = post_once(url, body, allow_private=allow_private)
        except Forbidden as error:
            LOGGER.warning("callback %s not called: %s", shown(url), error)
            return False
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            LOGGER.warning("callback %s, try %d of %d: %s", shown(url), attempt, TRIES, error)
        else:
            if 200 <= status < 300:
                return True
            LOGGER.warning("callback %s, try %d of %d: answered %d", shown(url), attempt, TRIES, status)
        if attempt < TRIES:
            pause(PAUSE_SECONDS * attempt)
    return False


def shown(url: str) -> str:
    """An address for the log: without the parts in which secrets are sent."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def post_once(url: str, body: bytes, *, allow_private: bool) -> int:
    """POST to the address that the host's name has now; gives the status of the answer, of which no more is read.

    Raises:
        Forbidden: the address is private.
        OSError: the name has no address.
        httpx.HTTPError: no answer.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    address = resolve(host, parts.port or (443 if parts.scheme == "https" else 80))
    if not (allow_private or address.is_global):
        raise Forbidden(f"{host} is the private address {address}; --allow-private-callbacks allows it")
    authority = f"[{address}]" if address.version == 6 else str(address)
    target = urlunsplit(parts._replace(netloc=authority + (f":{parts.port}" if parts.port else "")))
    with httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False, verify=trust()) as client:
        headers = {"Host": parts.netloc.rpartition("@")[2], "Content-Type": "application/json"}
        # A body may have any size: who answers must not fill the worker's memory.
        with client.stream("POST", target, content=body, headers=headers, extensions={"sni_hostname": host}) as answer:
            return answer.status_code


def resolve(host: str, port: int) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    address = ipaddress.ip_address(str(found[0][4][0]).partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


@cache
def trust() -> ssl.SSLContext:
    """Whose certificates are good. To read them takes longer than a call does, so it is done once."""
    return httpx.create_ssl_context(trust_env=False)
