"""Immutable files as objects of a bucket. They are written to an unnamed file of this machine first, then put whole.

So memory stays small, and a body that breaks off, or a process that is killed, has put nothing.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from staithe.domain.errors import StagingUnavailable
from staithe.staging.bucket import Bucket
from staithe.staging.files import DiskFullGuard, open_unnamed


class ObjectFiles:
    """Implements `Files`.

    Args:
        bucket: where the objects are.
        path: of the folder in it.
        scratch: a folder of this machine for unnamed files.
    """

    sweep_pause_seconds: float = 1800.0

    def __init__(self, bucket: Bucket, path: str, scratch: Path) -> None:
        self.bucket = bucket
        self.path = path
        self.folder = scratch
        self.scratch: Path | None = scratch

    def path_of(self, name: str) -> str:
        """Where a file is in the bucket."""
        return f"{self.path}/{name}" if self.path else name

    def begin(self, name: str) -> ObjectNewFile:
        """See `Files`."""
        return ObjectNewFile(self.bucket, self.path_of(name), self.folder)

    def open(self, name: str) -> pa.NativeFile:
        """See `Files`."""
        return pa.PythonFile(self.bucket.open(self.path_of(name)), mode="r")

    def open_whole(self, name: str) -> pa.NativeFile:
        """See `Files`. All of it is copied to this machine first, because it is read in many small pieces."""
        with self.open_bytes(name) as copy:
            size = os.fstat(copy.fileno()).st_size
            return pa.BufferReader(mmap.mmap(copy.fileno(), size, access=mmap.ACCESS_READ) if size else b"")

    def open_bytes(self, name: str) -> BinaryIO:
        """See `Files`. It is a copy on this machine."""
        copy = open_unnamed(self.folder)
        try:
            with DiskFullGuard():
                self.bucket.copy_to(self.path_of(name), copy)
        except BaseException:
            copy.close()
            raise
        copy.seek(0)
        return copy

    def delete(self, names: Iterable[str]) -> None:
        """See `Files`. The first one that cannot be deleted ends it."""
        for name in names:
            self.bucket.delete(self.path_of(name))

    def ages(self) -> dict[str, float]:
        """See `Files`. The age is what the object store's clock and ours say together."""
        return self.bucket.ages(self.path)


class ObjectNewFile:
    """Implements `NewFile`."""

    def __init__(self, bucket: Bucket, path: str, scratch: Path) -> None:
        self.bucket = bucket
        self.path = path
        self.file: BinaryIO = open_unnamed(scratch)
        self.was_sent = False

    def finish(self) -> int:
        """See `NewFile`."""
        with DiskFullGuard():
            self.file.flush()
        self.was_sent = True
        size = self.bucket.put(self.path, self.file)
        self.file.close()
        return size

    def discard(self) -> None:
        """See `NewFile`. The object store may have it without having said so: it is deleted now, or by a sweep."""
        with contextlib.suppress(OSError):
            self.file.close()
        if self.was_sent:
            with contextlib.suppress(StagingUnavailable):
                self.bucket.delete(self.path)
