"""When syncs were created, for as long as it counts. Deleted ones stay: DELETE is no way round an hourly limit."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from staithe.storage.tables import SYNC_CREATION


def add(connection: Connection, sync_id: int, at: int) -> None:
    """Count a sync."""
    connection.execute(insert(SYNC_CREATION).values(sync_id=sync_id, created_at=at))


def find_newest(connection: Connection, number: int, *, since: int) -> int | None:
    """When the newest sync but `number - 1` was created; None if fewer than `number` were created after `since`."""
    created_at = SYNC_CREATION.c.created_at
    query = select(created_at).where(created_at > since).order_by(created_at.desc())
    return connection.execute(query.offset(number - 1).limit(1)).scalar()


def forget(connection: Connection, moment: int) -> None:
    """Forget the syncs created before a moment."""
    connection.execute(delete(SYNC_CREATION).where(SYNC_CREATION.c.created_at < moment))
