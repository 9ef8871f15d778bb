"""Waits for what other processes do."""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST_SECONDS = 300.0
"""Far longer than anything takes on a busy machine: a limit costs time only where a test fails anyway."""

POLL_SECONDS = 0.005


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until something is so.

    Raises:
        AssertionError: it does not come; `what` says what that is.
    """
    limit = time.monotonic() + LONGEST_SECONDS
    while not condition():
        assert time.monotonic() < limit, f"not within {LONGEST_SECONDS:.0f} s: {what}"
        time.sleep(POLL_SECONDS)
