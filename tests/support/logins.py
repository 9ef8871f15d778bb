"""Logins that have ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus

import httpx

from tests.support.server import RunningServer

PATIENCE_SECONDS = 30


def is_over(server: RunningServer, ask: Callable[[], httpx.Response]) -> bool:
    """Whether a login is refused: at once, or with PostgreSQL after the second for which processes know a login."""
    limit = time.monotonic() + (PATIENCE_SECONDS if server.database else 0)
    while ask().status_code != HTTPStatus.UNAUTHORIZED:
        if time.monotonic() >= limit:
            return False
        time.sleep(0.05)
    return True
