"""Tells a callback address that a sync has ended: POST of the sync as JSON, three tries, no redirects.

A company's user may name any address, so by default only public ones are called: a server must not be made to
knock on its own network.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import msgspec

from staithe.clock import Clock
from staithe.domain.limits import SECOND
from staithe.domain.syncs import Sync
from staithe.services.callback_calls import CallFailed, Forbidden, post
from staithe.services.stores import CompanyStore
from staithe.storage import callback_claims
from staithe.wire.bulk import sync_body

LOGGER: Final = logging.getLogger(__name__)
TRIES: Final = 3
PAUSE_SECONDS: Final = 1.0
CLAIM_LIFE: Final = 90 * SECOND
"""After this a callback that was claimed and not dealt with is made by whoever sees it: its worker is gone."""


class Interrupted(Exception):
    """The worker was told to stop before the callback was made or given up."""


def claim_next(store: CompanyStore, clock: Clock) -> Sync | None:
    """Claim the oldest callback of a company that is due, if there is one.

    A claim in the store keeps other workers away. Who dies with it is waited for no longer than the claim lasts.
    """
    while True:
        now = clock()
        with store.database.read() as connection:
            due = callback_claims.next_callback(connection, now)
        if due is None:
            return None
        with store.database.write(alone=False) as connection:
            if callback_claims.claim_callback(connection, due.id, now, now + CLAIM_LIFE):
                return due


def make_callback(
    store: CompanyStore,
    sync: Sync,
    clock: Clock,
    *,
    allow_private: bool,
    seconds: float,
    pause: Callable[[float], None],
) -> bool | None:
    """Make a callback that this worker has claimed.

    Args:
        store: of the company.
        sync: as it ended.
        clock: tells the time.
        allow_private: whether addresses of private networks are called.
        seconds: in which a try has its answer.
        pause: waits for some seconds, or raises `Interrupted`: then the callback is left to others.

    Returns:
        Whether it was delivered, or else given up; None if it is left to others.
    """
    body = msgspec.json.encode(sync_body(sync))
    try:
        was_taken = deliver(sync.callback_url or "", body, allow_private=allow_private, seconds=seconds, pause=pause)
    except Interrupted:
        with store.database.write(alone=False) as connection:
            callback_claims.release_callback(connection, sync.id)
        return None
    with store.database.write(alone=False) as connection:
        callback_claims.mark_called_back(connection, sync.id, clock())
    return was_taken


def deliver(url: str, body: bytes, *, allow_private: bool, seconds: float, pause: Callable[[float], None]) -> bool:
    """Call an address; whether it answered 2xx within three tries.

    Raises:
        Interrupted: `pause` has raised it.
    """
    for attempt in range(1, TRIES + 1):
        try:
            status = post(url, body, seconds, allow_private=allow_private, look=lambda: pause(0))
        except Forbidden as error:
            LOGGER.warning("callback %s not called: %s", shown(url), error)
            return False
        except CallFailed as error:
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
