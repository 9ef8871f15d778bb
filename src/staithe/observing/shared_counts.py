"""The files in which processes count, read as a whole; and those of the dead, which become one.

A file that is there twice for a moment, or not at all, would make a count jump. So who merges files holds a lock, and
who reads them waits for it.
"""

from __future__ import annotations

import fcntl
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from prometheus_client import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from staithe.observing.folder import LOCK_FILE, is_dead, reserve

DEAD: Final = 0
"""Instead of a process's id in the name of the file that has what the dead have counted."""

KINDS: Final = ("counter", "histogram")


class SharedCounts(Collector):
    """What all processes of a server have counted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.collector = MultiProcessCollector(None, str(folder))

    def collect(self) -> Iterable[Metric]:
        """Everything, added up."""
        with locked(self.folder, fcntl.LOCK_SH):
            return self.collector.collect()


@contextmanager
def locked(folder: Path, how: int) -> Generator[None]:
    """Hold the lock of the files, shared or alone."""
    with (folder / LOCK_FILE).open("a") as lock:
        fcntl.flock(lock, how)
        yield


def merge_dead(folder: Path) -> None:
    """Make one file of each kind of those of processes that have died: they would become more with each death.

    If there is no room for it, they stay as they are.
    """
    with suppress(OSError), locked(folder, fcntl.LOCK_EX):
        for kind in KINDS:
            merge(folder, kind)


def merge(folder: Path, kind: str) -> None:
    dead = [file for file in folder.glob(f"{kind}_*.db") if is_dead(file)]
    if not dead:
        return
    merged = folder / f"{kind}_{DEAD}.db"
    counts: defaultdict[str, float] = defaultdict(float)
    for file in (merged, *dead):
        for key, value in values_in(file):
            counts[key] += value
    aside = merged.with_suffix(".new")
    reserve(aside, kind)
    written = MmapedDict(str(aside))
    for key, value in counts.items():
        written.write_value(key, value, 0.0)
    written.close()
    aside.replace(merged)
    for file in dead:
        file.unlink()


def values_in(file: Path) -> Iterator[tuple[str, float]]:
    """What a file has counted, by what it is."""
    if file.exists():
        for key, value, _timestamp, _position in MmapedDict.read_all_values_from_file(str(file)):
            yield key, value
