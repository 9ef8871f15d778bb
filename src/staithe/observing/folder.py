"""The folder in which the processes of one server keep their counts, so that one of them can tell those of all.

prometheus_client maps files of each process into memory; whoever answers `/metrics` reads them all. What a process has
counted stays when it dies (`staithe.observing.shared_counts`), and goes with the server. The folder is a temporary one,
and locked, by which others know that it is in use: the next server, and systemd-tmpfiles, which removes what is old.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from staithe.private_descriptors import forget, keep_private

FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable by which prometheus_client knows that it is one of several processes."""

PREFIX: Final = "staithe-metrics-"
LOCK_FILE: Final = "lock"
RESERVED_BYTES: Final[Mapping[str, int]] = {
    "counter": 256 * 1024,
    "histogram": 512 * 1024,
    "gauge_livesum": 64 * 1024,
}
"""Room for every series that one process can have, by the kind of file."""


class MetricsFolder:
    """The folder of one server, made when its first process is started."""

    def __init__(self) -> None:
        self.path: Path | None = None
        self.lock = -1

    def environment(self) -> Mapping[str, str]:
        """What a process that is about to be started needs to count here; nothing if there is no place for a folder.

        What those that have died were just doing is done no more, so it is forgotten. What they have counted stays.
        """
        self.prepare()
        with suppress(OSError):
            self.forget_dead()
        return {FOLDER_VARIABLE: str(self.path)} if self.path is not None else {}

    def prepare(self) -> Path | None:
        """The folder, made if it is not there; None if there is no place for it."""
        if self.path is None:
            with suppress(OSError):
                self.make()
        return self.path

    def make(self) -> None:
        remove_left_behind()
        while self.path is None:
            path = Path(tempfile.mkdtemp(prefix=PREFIX))
            self.lock = os.open(path, os.O_RDONLY)
            fcntl.flock(self.lock, fcntl.LOCK_EX)
            # Another server that is just starting may have taken it for one that was left behind.
            if path.exists():
                self.path = path
                keep_private(self.lock)
            else:
                os.close(self.lock)

    def forget_dead(self) -> None:
        for file in self.path.glob("gauge_live*.db") if self.path is not None else ():
            if is_dead(file):
                file.unlink(missing_ok=True)

    def remove(self) -> None:
        """The server has stopped."""
        if self.path is not None:
            shutil.rmtree(self.path, ignore_errors=True)
            forget(self.lock)
            os.close(self.lock)
            self.path = None


def is_dead(file: Path) -> bool:
    """Whether the process whose file it is has ended."""
    try:
        os.kill(int(file.stem.rpartition("_")[2]), 0)
    except ProcessLookupError:
        return True
    return False


def remove_left_behind() -> None:
    """Remove the folders of servers that were killed: nobody holds their locks."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            remove_unlocked(folder)


def remove_unlocked(folder: Path) -> None:
    """Remove a folder.

    Raises:
        OSError: somebody holds its lock, or it is another user's.
    """
    lock = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def reserve_files() -> None:
    """Take the disk that this process's files can need, before prometheus_client maps them into memory.

    A write to a mapped file that finds the disk full kills the process; a full disk is no reason not to serve.

    Raises:
        OSError: there is no room, or no such folder.
    """
    folder = folder_of_server()
    for kind in RESERVED_BYTES if folder is not None else ():
        path = Path(str(folder)) / f"{kind}_{os.getpid()}.db"
        # Under another name as long as it is empty: a reader would take that for damage.
        made = path.with_suffix(".new")
        reserve(made, kind)
        made.rename(path)


def reserve(path: Path, kind: str) -> None:
    """Make a file of the size that one of its kind can need, on disk.

    Raises:
        OSError: there is no room; then it is not made.
    """
    try:
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, RESERVED_BYTES[kind])
    except OSError:
        path.unlink(missing_ok=True)
        raise


def folder_of_server() -> Path | None:
    """The folder that this process was given."""
    name = os.environ.get(FOLDER_VARIABLE)
    return Path(name) if name else None
