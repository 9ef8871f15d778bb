"""What waits in a company's store: syncs for a worker, staged files for a sync."""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, func, select

from staithe.domain.syncs import UNFINISHED, SyncStatus
from staithe.storage.tables import SYNC, UPLOAD


class Queue(Struct, frozen=True):
    """Numbers of one company; `oldest_pending_at` is None if no sync is pending."""

    pending_syncs: int
    active_syncs: int
    oldest_pending_at: int | None
    staged_uploads: int
    staged_bytes: int


SELECT_SYNCS: Final = (
    select(SYNC.c.status, func.count(), func.min(SYNC.c.created_at))
    .where(SYNC.c.status.in_([status.value for status in UNFINISHED]))
    .group_by(SYNC.c.status)
)
SELECT_UPLOADS: Final = select(func.count(), func.coalesce(func.sum(UPLOAD.c.staged_bytes), 0)).select_from(UPLOAD)


def read_queue(connection: Connection) -> Queue:
    """The queue of a company as it is now."""
    found = {status: (int(count), int(oldest)) for status, count, oldest in connection.execute(SELECT_SYNCS)}
    pending, oldest = found.get(SyncStatus.PENDING.value, (0, None))
    active, _ = found.get(SyncStatus.ACTIVE.value, (0, None))
    uploads, staged_bytes = connection.execute(SELECT_UPLOADS).one()
    return Queue(pending, active, oldest, int(uploads), int(staged_bytes))
