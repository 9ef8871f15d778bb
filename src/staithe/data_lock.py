"""Who uses a data directory: one server alone, or several whose store is elsewhere. The lock ends with its process."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from staithe.domain.errors import Conflict
from staithe.private_descriptors import forget, keep_private

LOCK_FILE: Final = "serve.lock"
TRIES: Final = 10
PAUSE_SECONDS: Final = 0.05
"""Who only looks holds the lock for a moment: that is waited for."""


@contextmanager
def hold_data(data: Path, *, alone: bool = True) -> Generator[None]:
    """Hold a data directory, which is made if need be.

    Args:
        data: the directory.
        alone: whether its processes must be the only ones: they take a lost lease for a sign of a dead worker.

    Raises:
        Conflict: others hold it, and do not share it or must not.
        OSError: it cannot be made, written or locked; its path is told.
    """
    data.mkdir(parents=True, exist_ok=True)
    with (data / LOCK_FILE).open("a") as lock:
        wanted = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
        if not any(take(lock, wanted, pause) for pause in [0.0] + [PAUSE_SECONDS] * TRIES):
            raise Conflict(
                f"Another staithe serves the data directory {data}, or works off its syncs.",
                "A store in a data directory has the processes of one server: give that one more with --workers and "
                "--http-workers, or stop it, or give this one another directory with --data. "
                "Several servers share a store with --database postgresql://...",
            )
        keep_private(lock.fileno())
        try:
            yield
        finally:
            forget(lock.fileno())


def take(lock: IO[str], wanted: int, pause_seconds: float) -> bool:
    time.sleep(pause_seconds)
    try:
        fcntl.flock(lock, wanted | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        # Of a lock the system does not say where.
        raise OSError(error.errno, error.strerror, lock.name) from error
    return True


def is_held(data: Path) -> bool:
    """Whether processes of a server, or of several, hold a data directory."""
    try:
        with (data / LOCK_FILE).open() as lock:
            return not take(lock, fcntl.LOCK_EX, 0.0)
    except (FileNotFoundError, NotADirectoryError):
        return False
