"""What waits in a company's store: syncs for a worker, staged files for a sync."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection, text

from staithe.storage.quiet import ask
from staithe.storage.schema import newest_schema


class Queue(Struct, frozen=True):
    """Numbers of one company; `oldest_pending_at` is None if no sync is pending."""

    pending_syncs: int
    active_syncs: int
    oldest_pending_at: int | None
    staged_uploads: int
    staged_bytes: int


QUERY: Final = """
SELECT
    (SELECT count(*) FROM sync WHERE status = 'pending'),
    (SELECT count(*) FROM sync WHERE status = 'active'),
    (SELECT min(created_at) FROM sync WHERE status = 'pending'),
    (SELECT count(*) FROM upload),
    (SELECT coalesce(sum(staged_bytes), 0) FROM upload),
    (SELECT max(version) FROM schema_version)
"""
SELECT_QUEUE: Final = text(QUERY)


def read_queue(connection: Connection) -> Queue:
    """The queue of a company as it is now."""
    return to_queue(connection.execute(SELECT_QUEUE).one())


def glance_at_queue(path: Path) -> Queue | None:
    """The queue in a SQLite file by a quick look; None if it cannot be asked, or is not of this version."""
    row = ask(path, QUERY)
    return None if row is None or row[-1] != newest_schema("company") else to_queue(row)


def to_queue(row: Sequence[Any]) -> Queue:
    pending, active, oldest, uploads, staged_bytes, _ = row
    return Queue(int(pending), int(active), oldest, int(uploads), int(staged_bytes))
