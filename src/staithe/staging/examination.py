"""What `staithe doctor` does to a staging area: one file written, read back and deleted; old files counted."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import pyarrow as pa

from staithe.staging.arrow_folder import ENDING, UNFINISHED_ENDING, ArrowFolder

ROWS: Final = 1000


def try_folder(root: Path) -> None:
    """Write a file as an upload does, read it back, and delete it.

    Raises:
        OSError: one of these cannot be done.
        ValueError: what was read is not what was written.
        StorageFull: the disk is full.
    """
    folder = ArrowFolder(root)
    batch = pa.record_batch({"number": pa.array(range(ROWS), pa.int64())})
    with folder.create(batch.schema) as writer:
        writer.write(batch)
        writer.finish()
    try:
        if pa.Table.from_batches(folder.read(writer.name)).num_rows != ROWS:
            raise ValueError("what was read is not what was written")
    finally:
        folder.delete([writer.name])


def count_orphans(root: Path, named: set[str], min_age_seconds: float) -> int:
    """How many old files of a folder no row names.

    Raises:
        OSError: the folder cannot be listed.
    """
    limit = time.time() - min_age_seconds
    files = (path for path in root.iterdir() if path.name.endswith((ENDING, UNFINISHED_ENDING)))
    return sum(1 for path in files if path.name not in named and path.stat().st_mtime < limit)
