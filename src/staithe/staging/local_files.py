"""Immutable files in a folder of a file system: written aside, fsynced, renamed.

A name stands for a whole file that survives a crash. What a crash leaves half-written has another ending.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Final

import pyarrow as pa

from staithe.staging.files import DiskFullGuard

UNFINISHED_ENDING: Final = ".part"


class LocalFiles:
    """Implements `Files`."""

    sweep_pause_seconds: float = 0.0
    scratch: Path | None = None

    def __init__(self, root: Path, *, make: bool = True) -> None:
        self.root = root
        if make:
            root.mkdir(parents=True, exist_ok=True)

    def begin(self, name: str) -> LocalNewFile:
        """See `Files`."""
        return LocalNewFile(self.root, name)

    def open(self, name: str) -> pa.NativeFile:
        """See `Files`."""
        return pa.OSFile(str(self.root / name))

    def open_whole(self, name: str) -> pa.NativeFile:
        """See `Files`."""
        return self.open(name)

    def open_bytes(self, name: str) -> BinaryIO:
        """See `Files`."""
        return (self.root / name).open("rb")

    def delete(self, names: Iterable[str]) -> None:
        """See `Files`."""
        for name in names:
            (self.root / name).unlink(missing_ok=True)

    def ages(self) -> dict[str, float]:
        """See `Files`. One that is deleted meanwhile by somebody else is left out."""
        now = time.time()
        found: dict[str, float] = {}
        for path in self.root.iterdir():
            with contextlib.suppress(FileNotFoundError):
                found[path.name] = now - path.stat().st_mtime
        return found


class LocalNewFile:
    """Implements `NewFile`."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / name
        self.unfinished = folder / f"{name}{UNFINISHED_ENDING}"
        self.file: BinaryIO = self.unfinished.open("wb")

    def finish(self) -> int:
        """See `NewFile`."""
        with DiskFullGuard():
            self.file.flush()
            os.fsync(self.file.fileno())
            size = self.file.tell()
            self.file.close()
            self.unfinished.rename(self.path)
            sync_folder(self.path.parent)
        return size

    def discard(self) -> None:
        """See `NewFile`."""
        # Closing writes what is still buffered: on a full disk that fails again, and would hide the first error.
        with contextlib.suppress(OSError):
            self.file.close()
        self.unfinished.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a rename durable: the folder's own entry must reach the disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
