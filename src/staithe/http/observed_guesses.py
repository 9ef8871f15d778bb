"""Wrong passwords as operators see them: counted, and logged when whoever sends them is slowed down."""

from __future__ import annotations

import logging
import time
from typing import Final

from staithe.observing.metrics import WRONG_PASSWORDS
from staithe.services.guesses import Attempt, Guesses

LOGGER: Final = logging.getLogger(__name__)
LOG_SECONDS: Final = 1.0
SHOWN_CHARACTERS: Final = 100


def observe(guesses: Guesses) -> None:
    """Count and log what happens to the passwords of a process."""
    line = SlowedLine()

    def note_slowed(attempt: Attempt, seconds: int) -> None:
        WRONG_PASSWORDS.labels("slowed").inc()
        line.write(attempt, seconds)

    guesses.on_wrong = lambda _: WRONG_PASSWORDS.labels("verified").inc()
    guesses.on_slowed = note_slowed


class SlowedLine:
    """Says who is told to wait, once a second at most: who guesses does not fill the log."""

    def __init__(self) -> None:
        self.written_at = float("-inf")

    def write(self, attempt: Attempt, seconds: int) -> None:
        """One line, unless there was one just now."""
        now = time.monotonic()
        if now - self.written_at < LOG_SECONDS:
            return
        self.written_at = now
        login, address = attempt.login[:SHOWN_CHARACTERS], attempt.address or "this machine"
        LOGGER.warning("wrong passwords for %s or from %s: the next is taken in %d s", login, address, seconds)
