"""PostgreSQL for the measures: a server of the benchmark's own, on the disk of the others, as durable as in earnest."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
from tests.support.postgres import OTHER_USER, PROGRAMS, ROOT, OwnPostgres

SETTINGS: Final = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
}
"""Commits wait for the disk. Memory and log are as large as an operator makes them for bulk data."""


@contextmanager
def running_postgres(folder: Path) -> Generator[OwnPostgres]:
    """A PostgreSQL for as long as the block runs; what it holds stays in `folder`.

    Raises:
        SystemExit: as root PostgreSQL runs as another user, who cannot get into the folder.
    """
    folder = folder.absolute()
    closed = [parent for parent in folder.parents if parent.exists() and not parent.stat().st_mode & stat.S_IXOTH]
    if os.geteuid() == ROOT and closed:
        advice = "give a folder with --data that others may enter, or let them (chmod o+x)"
        raise SystemExit(f"PostgreSQL runs as the user {OTHER_USER}, who may not enter {closed[0]}: {advice}.")
    postgres = OwnPostgres(folder, **SETTINGS)
    try:
        yield postgres
    finally:
        postgres.close()


def tidy(url: str) -> None:
    """What autovacuum and the next checkpoint would do some time after a seeding, in the middle of a measure."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")


def version() -> str:
    """The version of PostgreSQL."""
    program = PROGRAMS / "bin" / "postgres"
    told = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    return told.split()[-1]
