"""What `staithe doctor` does to a staging area: one file written, read back and deleted; old files counted."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from staithe.staging.arrow_folder import ENDING, ArrowFolder
from staithe.staging.checksums import PieceChecker
from staithe.staging.local_files import UNFINISHED_ENDING

ROWS: Final = 1000
READ_BYTES: Final = 1024 * 1024


def try_folder(folder: ArrowFolder) -> None:
    """Write a file as an upload does, read it back, and delete it.

    Raises:
        OSError: one of these cannot be done.
        ValueError: what was read is not what was written.
        StorageFull: the disk is full.
        StagingUnavailable: the object store fails.
    """
    batch = pa.record_batch({"number": pa.array(range(ROWS), pa.int64())})
    with folder.create(batch.schema) as writer:
        writer.write(batch)
        writer.finish()
    try:
        if pa.Table.from_batches(folder.read(writer.name, writer.checksums)).num_rows != ROWS:
            raise ValueError("what was read is not what was written")
    finally:
        folder.delete([writer.name])


def check_file(folder: ArrowFolder, name: str, checksums: bytes | None) -> None:
    """Read all of a file, and compare it with its checksums if it has any.

    Raises:
        FileNotFoundError: it is gone.
        Damaged: it is not as it was written.
        OSError: it cannot be read.
        StagingUnavailable: the object store fails.
    """
    if checksums is None:
        for _ in folder.read(name, None):
            pass
        return
    checker = PieceChecker(name, checksums)
    with folder.open(name) as source:
        while piece := source.read(READ_BYTES):
            checker.feed(piece)
    checker.finish()


def count_orphans(folder: ArrowFolder, named: set[str], min_age_seconds: float) -> int:
    """How many old files of a folder no row names.

    Raises:
        OSError: the folder cannot be listed.
        StagingUnavailable: the object store fails.
    """
    try:
        ages = folder.files.ages()
    except FileNotFoundError:
        # A company's folders are made when it first has something to put into them.
        return 0
    old = [name for name, age in ages.items() if age > min_age_seconds and name not in named]
    return sum(1 for name in old if name.endswith((ENDING, UNFINISHED_ENDING)))
