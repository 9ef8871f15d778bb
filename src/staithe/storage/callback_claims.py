"""Which callbacks are due, and which a worker has claimed: in the rows of their syncs."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, and_, bindparam, or_, select

from staithe.domain.syncs import Sync
from staithe.storage.syncs import UPDATE_SYNC, to_sync
from staithe.storage.tables import SYNC

CALLBACK_IS_DUE: Final = and_(
    SYNC.c.callback_url.is_not(None),
    SYNC.c.called_back_at.is_(None),
    SYNC.c.ended_at.is_not(None),
    or_(SYNC.c.callback_until.is_(None), SYNC.c.callback_until <= bindparam("now")),
)
"""That a sync has ended, and its callback was neither dealt with nor is it claimed."""

NEXT_CALLBACK: Final = select(SYNC).where(CALLBACK_IS_DUE).order_by(SYNC.c.id).limit(1)
CLAIM_CALLBACK: Final = UPDATE_SYNC.where(CALLBACK_IS_DUE)


def next_callback(connection: Connection, now: int) -> Sync | None:
    """The oldest sync whose callback nobody has dealt with or is dealing with."""
    row = connection.execute(NEXT_CALLBACK, {"now": now}).first()
    return to_sync(row) if row is not None else None


def claim_callback(connection: Connection, sync_id: int, now: int, until: int) -> bool:
    """Take it on to make a callback until a moment; false if another has, or it was dealt with."""
    claimed = {"sync_id": sync_id, "now": now, "callback_until": until}
    return connection.execute(CLAIM_CALLBACK, claimed).rowcount == 1


def release_callback(connection: Connection, sync_id: int) -> None:
    """Leave a callback that was claimed to whoever comes next."""
    connection.execute(UPDATE_SYNC, {"sync_id": sync_id, "callback_until": None})


def mark_called_back(connection: Connection, sync_id: int, at: int) -> None:
    """Remember that a callback was delivered or given up."""
    connection.execute(UPDATE_SYNC, {"sync_id": sync_id, "called_back_at": at})
