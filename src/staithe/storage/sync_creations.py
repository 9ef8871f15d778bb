"""When syncs were created, for as long as it counts. Deleted ones stay: DELETE is no way round an hourly limit."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, Integer, bindparam, delete, insert, select

from staithe.storage.tables import SYNC_CREATION

INSERT: Final = insert(SYNC_CREATION)
SELECT_NEWEST: Final = (
    select(SYNC_CREATION.c.created_at)
    .where(SYNC_CREATION.c.created_at > bindparam("since"))
    .order_by(SYNC_CREATION.c.created_at.desc())
    .offset(bindparam("newer", type_=Integer))
    .limit(1)
)
DELETE_OLD: Final = delete(SYNC_CREATION).where(SYNC_CREATION.c.created_at < bindparam("moment"))


def add(connection: Connection, sync_id: int, at: int) -> None:
    """Count a sync."""
    connection.execute(INSERT, {"sync_id": sync_id, "created_at": at})


def find_newest(connection: Connection, number: int, *, since: int) -> int | None:
    """When the newest sync but `number - 1` was created; None if fewer than `number` were created after `since`."""
    return connection.execute(SELECT_NEWEST, {"since": since, "newer": number - 1}).scalar()


def forget(connection: Connection, moment: int) -> None:
    """Forget the syncs created before a moment."""
    connection.execute(DELETE_OLD, {"moment": moment})
