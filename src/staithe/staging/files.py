"""What a folder of immutable files can do, on a file system or in an object store.

A file is there, whole, once its `finish` has returned; until then nothing has its name. It is never changed, only
deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, Final, Protocol, cast

import pyarrow as pa

from staithe.domain.errors import StorageFull

NO_SPACE_ERRORS: Final = (28, 122)
"""ENOSPC and EDQUOT."""


class NewFile(Protocol):
    """A file that is being written to `file`."""

    file: BinaryIO

    def finish(self) -> int:
        """Make it durable under its name, and give its size in bytes.

        Raises:
            StorageFull: the disk is full.
            StagingUnavailable: the object store fails.
        """
        ...

    def discard(self) -> None:
        """Leave nothing behind, as far as that can be had."""
        ...


class Files(Protocol):
    """A folder of immutable files. What an object store fails to do is told by `StagingUnavailable`."""

    sweep_pause_seconds: float
    """How long to wait between two sweeps: listing an object store costs money."""

    scratch: Path | None
    """A folder of this machine for copies; none where the files are at hand, so that reading does not fail half-way."""

    def begin(self, name: str) -> NewFile:
        """Begin a file."""
        ...

    def open(self, name: str) -> pa.NativeFile:
        """Open a file to read some of it.

        Raises:
            FileNotFoundError: there is none.
        """
        ...

    def open_whole(self, name: str) -> pa.NativeFile:
        """Open a file to read all of it.

        Raises:
            FileNotFoundError: there is none.
        """
        ...

    def open_bytes(self, name: str) -> BinaryIO:
        """Open a file to copy all of it, though it be deleted meanwhile.

        Raises:
            FileNotFoundError: there is none.
        """
        ...

    def delete(self, names: Iterable[str]) -> None:
        """Delete files; those that are gone already are no error."""
        ...

    def ages(self) -> Mapping[str, float]:
        """What is in the folder, unfinished files too: the name of each, and the seconds since it was written."""
        ...


class DiskFullGuard:
    """Turns the operating system's "no space" into `StorageFull`."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError) and error.errno in NO_SPACE_ERRORS:
            raise StorageFull("The server's disk is full.", "Tell the operator; nothing was stored.") from error


def open_unnamed(folder: Path) -> BinaryIO:
    """A file that goes with the process that has it open."""
    folder.mkdir(parents=True, exist_ok=True)
    # What a crash would leave under a name is removed by the operating system, as there is none.
    return cast(BinaryIO, TemporaryFile(dir=folder))
