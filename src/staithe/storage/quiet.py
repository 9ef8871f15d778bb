"""Whether anything has happened in the SQLite file of a company since it was last looked into."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

Parameters = dict[str, int]

SETTLED_NANOSECONDS: Final = 1_000_000_000
"""How long ago a file was last written to, so that its time will change: the clock of files goes in steps."""

WAIT_SECONDS: Final = 5.0
UNFINISHED_QUERY: Final = (
    "SELECT EXISTS (SELECT 1 FROM sync WHERE status IN ('pending', 'active')) "
    "OR EXISTS (SELECT 1 FROM sync WHERE callback_url IS NOT NULL AND called_back_at IS NULL)"
)
HELD_QUERY: Final = "SELECT EXISTS (SELECT 1 FROM sync WHERE status = 'active' AND lease_until > 0)"


class FileState(NamedTuple):
    """A file and its log: which one, how large, and when it was last written to, in nanoseconds.

    An empty log is none: to open a store makes one, and to close it removes it.
    """

    inode: int
    file_bytes: int
    file_at: int
    log_bytes: int
    log_at: int

    @property
    def is_settled(self) -> bool:
        """Whether whatever is written from now on makes another state."""
        return max(self.file_at, self.log_at) + SETTLED_NANOSECONDS < time.time_ns()


def state_of_file(path: str) -> FileState | None:
    """The state of a file; None if it is not there."""
    try:
        file = os.stat(path)  # noqa: PTH116 (thousands of times in a scan)
    except FileNotFoundError:
        return None
    try:
        log = os.stat(f"{path}-wal")  # noqa: PTH116 (as above)
    except FileNotFoundError:
        log = None
    if log is None or not log.st_size:
        return FileState(file.st_ino, file.st_size, file.st_mtime_ns, 0, 0)
    return FileState(file.st_ino, file.st_size, file.st_mtime_ns, log.st_size, log.st_mtime_ns)


def ask(path: Path, query: str, parameters: Parameters | None = None) -> tuple[Any, ...] | None:
    """The first row of a query of a file; None if it cannot be asked: whoever opens the store then says why.

    Without a log all is in the file itself, which is then read as it is: to take part in the locks takes four times as
    long. Whoever writes meanwhile changes the state, so that the file is asked again.
    """
    state = state_of_file(str(path))
    mode = "mode=rw" if state is None or state.log_bytes else "mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", WAIT_SECONDS, uri=True)) as connection:
            return connection.execute(query, parameters or {}).fetchone()
    except sqlite3.Error:
        return None


def holds_nothing_unfinished(path: Path) -> bool:
    """Whether no sync is pending or active, and no callback is to be made."""
    return ask(path, UNFINISHED_QUERY) == (0,)


def may_have_leases(path: Path) -> bool:
    """Whether a worker has a sync, or nobody can tell."""
    return ask(path, HELD_QUERY) != (0,)
