"""What ends a transaction before it is done: its time is over, or nobody wants what it does any more.

A thread looks at all limited transactions of the process a few times a second, and tells the database to end the
statement of one whose limit is over. It does so again until the transaction has ended: in between two statements there
is nothing to end. A callback of SQLite would need no thread, but the interpreter's lock, thousands of times a second.
"""

from __future__ import annotations

import copy
import logging
import math
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final, Protocol, Self, TypeAlias

from staithe.domain.errors import QueryTooLong

LOGGER: Final = logging.getLogger(__name__)
LOOK_SECONDS: Final = 0.2


class Limit(Protocol):
    """What holds for one transaction, or for all of something longer. One that is over stays so."""

    def seconds_left(self) -> float:
        """How long a statement may take; infinite if there is no limit."""
        ...

    def reason(self) -> Exception | None:
        """Why it has to end now, as what is then raised; None while it may go on."""
        ...


NewLimit: TypeAlias = Callable[[], Limit | None]
"""Asked when a transaction begins."""


def unlimited() -> None:
    """A transaction may take as long as it does."""


class Limitable:
    """A store whose transactions may have a limit."""

    def __init__(self) -> None:
        self.new_limit: NewLimit = unlimited

    def limited(self, new_limit: NewLimit) -> Self:
        """The same store with a limit for each transaction."""
        same = copy.copy(self)
        same.new_limit = new_limit
        return same


class QueryTime:
    """The time of a transaction that begins now, for who waits for an answer."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.ends_at = time.monotonic() + seconds

    def seconds_left(self) -> float:
        """Until it is over."""
        return self.ends_at - time.monotonic()

    def reason(self) -> Exception | None:
        """That it took too long."""
        if self.seconds_left() > 0:
            return None
        return QueryTooLong(
            f"The query took more than {self.seconds:g} seconds, so it was ended; nothing was stored.",
            "Ask for less: a search of an indexed field, or a narrower one. The operator can allow more time with "
            "--query-timeout; an export has that of --sync-timeout.",
        )


class Watched:
    """A transaction, how its statement is ended, and whether it has ended itself."""

    def __init__(self, limit: Limit, interrupt: Callable[[], None]) -> None:
        self.limit = limit
        self.interrupt = interrupt
        self.lock = threading.Lock()
        self.has_ended = False

    def look(self) -> None:
        """End its statement if the limit is over. Its connection is nobody else's meanwhile."""
        if self.limit.reason() is None:
            return
        with self.lock:
            if not self.has_ended:
                self.interrupt()

    def end(self) -> None:
        """From here on another transaction may have its connection."""
        with self.lock:
            self.has_ended = True


class Watcher:
    """The transactions of a process that have a limit. Its thread is started with the first one."""

    def __init__(self) -> None:
        self.watched: set[Watched] = set()
        self.lock = threading.Lock()
        self.thread: threading.Thread | None = None

    def add(self, watched: Watched) -> None:
        """Look at a transaction from now on."""
        with self.lock:
            self.watched.add(watched)
            if self.thread is None:
                self.thread = threading.Thread(target=self.run, name="deadlines", daemon=True)
                self.thread.start()

    def remove(self, watched: Watched) -> None:
        """Look at it no more."""
        with self.lock:
            self.watched.discard(watched)
        watched.end()

    def run(self) -> None:
        """Look at all of them, again and again."""
        while True:
            time.sleep(LOOK_SECONDS)
            with self.lock:
                under_way = list(self.watched)
            for watched in under_way:
                try:
                    watched.look()
                except Exception as error:
                    LOGGER.warning("a statement whose time is over cannot be ended, to be tried again: %s", error)


WATCHER: Final = Watcher()


@contextmanager
def watching(limit: Limit | None, interrupt: Callable[[], None]) -> Generator[None]:
    """End what is done within the block when the limit is over, by an error of the driver.

    Args:
        limit: None for no limit.
        interrupt: ends the statement of the connection that is used, if there is one just now; from another thread.
    """
    if limit is None:
        yield
        return
    watched = Watched(limit, interrupt)
    WATCHER.add(watched)
    try:
        yield
    finally:
        WATCHER.remove(watched)


def milliseconds_left(limit: Limit | None) -> int:
    """What PostgreSQL takes as a statement's time; 0 for no limit."""
    left = math.inf if limit is None else limit.seconds_left()
    return 0 if math.isinf(left) else min(max(math.ceil(left * 1000), 1), 2**31 - 1)
