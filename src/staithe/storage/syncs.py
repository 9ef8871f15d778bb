"""Syncs and their logs; the pending rows are the whole queue."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Row, and_, case, delete, exists, func, insert, or_, select, update

from staithe.domain.codes import Severity
from staithe.domain.definitions import DefinitionKey
from staithe.domain.list_query import ListQuery, PropertyType
from staithe.domain.syncs import UNFINISHED, LogEntry, Sync, SyncData, SyncStatus
from staithe.storage import counters
from staithe.storage.listing import columns_of, read_page
from staithe.storage.tables import SYNC, SYNC_LOG

SEARCHABLE: Final[Mapping[str, PropertyType]] = {
    "status": PropertyType.TEXT,
    "syncedInstanceUri": PropertyType.TEXT,
    "createdAt": PropertyType.TIME,
    "createdBy": PropertyType.TEXT,
    "syncStartedAt": PropertyType.TIME,
    "syncEndedAt": PropertyType.TIME,
}
COLUMNS: Final = {
    "status": SYNC.c.status,
    "syncedInstanceUri": SYNC.c.definition_uri,
    "createdAt": SYNC.c.created_at,
    "createdBy": SYNC.c.created_by,
    "syncStartedAt": SYNC.c.started_at,
    "syncEndedAt": SYNC.c.ended_at,
}

LOG_SEARCHABLE: Final[Mapping[str, PropertyType]] = {
    "statusCode": PropertyType.TEXT,
    "severity": PropertyType.TEXT,
    "message": PropertyType.TEXT,
    "count": PropertyType.NUMBER,
    "createdAt": PropertyType.TIME,
}
LOG_COLUMNS: Final = {
    "statusCode": SYNC_LOG.c.code,
    "severity": SYNC_LOG.c.severity,
    "message": SYNC_LOG.c.message,
    "count": SYNC_LOG.c["count"],
    "createdAt": SYNC_LOG.c.created_at,
}


def to_sync(row: Row[Any]) -> Sync:
    return Sync(
        id=row.id,
        definition_uri=row.definition_uri,
        definition=DefinitionKey(row.definition_kind, row.definition_id),
        status=SyncStatus(row.status),
        created_at=row.created_at,
        created_by=row.created_by,
        started_at=row.started_at,
        ended_at=row.ended_at,
        callback_url=row.callback_url,
        attempts=row.attempts,
        reject_file=row.reject_file,
        reject_count=row.reject_count,
        data=None
        if row.data_file is None
        else SyncData(row.data_file, row.data_records, row.data_bytes, row.data_kept_until),
    )


def add_sync(
    connection: Connection, definition: DefinitionKey, uri: str, at: int, by: str, callback_url: str | None = None
) -> Sync:
    """Insert a pending sync."""
    sync = Sync(
        id=counters.take_ids(connection, "sync"),
        definition_uri=uri,
        definition=definition,
        status=SyncStatus.PENDING,
        created_at=at,
        created_by=by,
        callback_url=callback_url,
    )
    connection.execute(
        insert(SYNC).values(
            id=sync.id,
            definition_uri=uri,
            definition_kind=definition.kind,
            definition_id=definition.id,
            status=sync.status.value,
            created_at=at,
            created_by=by,
            callback_url=callback_url,
            attempts=0,
            reject_count=0,
        )
    )
    return sync


def find_sync(connection: Connection, sync_id: int) -> Sync | None:
    """One sync by id."""
    row = connection.execute(select(SYNC).where(SYNC.c.id == sync_id)).one_or_none()
    return None if row is None else to_sync(row)


def was_given(connection: Connection, sync_id: int) -> bool:
    """Whether this id was ever given to a sync."""
    return 0 < sync_id <= counters.last_id(connection, "sync")


def read_syncs(connection: Connection, query: ListQuery) -> tuple[list[Sync], int | None, bool]:
    """One page of syncs."""
    rows, total, more = read_page(connection, SYNC, COLUMNS, query)
    return [to_sync(row) for row in rows], total, more


def has_unfinished(connection: Connection, definition: DefinitionKey) -> bool:
    """Whether a sync of the definition is pending or active."""
    query = select(SYNC.c.id).where(
        SYNC.c.definition_kind == definition.kind,
        SYNC.c.definition_id == definition.id,
        SYNC.c.status.in_(UNFINISHED),
    )
    return connection.execute(query.limit(1)).first() is not None


def next_sync(connection: Connection, now: int, *, hold: bool = False) -> int | None:
    """The oldest sync that may run: pending, or its worker's lease is over; and first of its definition.

    With `hold` nobody else gets it until this write transaction ends: one that somebody else holds is passed over.
    """
    earlier = SYNC.alias("earlier")
    free = or_(
        SYNC.c.status == SyncStatus.PENDING.value,
        and_(SYNC.c.status == SyncStatus.ACTIVE.value, SYNC.c.lease_until < now),
    )
    blocked = exists().where(
        earlier.c.definition_kind == SYNC.c.definition_kind,
        earlier.c.definition_id == SYNC.c.definition_id,
        earlier.c.status.in_(UNFINISHED),
        earlier.c.id < SYNC.c.id,
    )
    query = select(SYNC.c.id).where(free, ~blocked).order_by(SYNC.c.id).limit(1)
    return connection.execute(query.with_for_update(skip_locked=True, of=SYNC) if hold else query).scalar()


def claim(connection: Connection, owner: str, now: int, lease_until: int) -> Sync | None:
    """Take the next sync, if there is one: it becomes active and `owner` holds its lease."""
    sync_id = next_sync(connection, now, hold=True)
    if sync_id is None:
        return None
    connection.execute(
        update(SYNC)
        .where(SYNC.c.id == sync_id)
        .values(
            status=SyncStatus.ACTIVE.value,
            started_at=func.coalesce(SYNC.c.started_at, now),
            lease_owner=owner,
            lease_until=lease_until,
            attempts=SYNC.c.attempts + 1,
        )
    )
    return find_sync(connection, sync_id)


def renew_leases(connection: Connection, owners: Collection[str], lease_until: int) -> None:
    """Prolong the leases that some owners hold."""
    connection.execute(
        update(SYNC)
        .where(SYNC.c.lease_owner.in_(owners), SYNC.c.status == SyncStatus.ACTIVE.value)
        .values(lease_until=lease_until)
    )


def release_lease(connection: Connection, sync_id: int, owner: str) -> None:
    """End the lease of a sync, if `owner` holds it, so that it is begun again."""
    connection.execute(update(SYNC).where(*held_by(sync_id, owner)).values(lease_owner=None, lease_until=0))


def release_leases(connection: Connection, worker: str | None = None) -> int:
    """End the leases of a worker that is gone, or of all if none is named; gives how many syncs can be taken up now."""
    held = [SYNC.c.status == SyncStatus.ACTIVE.value, SYNC.c.lease_until > 0]
    if worker is not None:
        held.append(SYNC.c.lease_owner.startswith(owner_of(worker, ""), autoescape=True))
    return connection.execute(update(SYNC).where(*held).values(lease_until=0)).rowcount


def hand_back(connection: Connection, sync_id: int, owner: str, *, was_lost: bool, until: int = 0) -> bool:
    """End the lease of a sync as if it had not been taken; false, and nothing is changed, if `owner` has it no more.

    Args:
        connection: a write transaction.
        sync_id: which sync.
        owner: who must hold its lease.
        was_lost: whether a worker was lost before with it, which stays known: its attempts do not go back to none.
        until: when it may be taken up again; at once if it is not said.
    """
    least = 1 if was_lost else 0
    attempts = case((SYNC.c.attempts > least, SYNC.c.attempts - 1), else_=least)
    given = update(SYNC).where(*held_by(sync_id, owner))
    return connection.execute(given.values(lease_owner=None, lease_until=until, attempts=attempts)).rowcount == 1


def owner_of(worker: str, claim_number: int | str) -> str:
    """Who holds a lease: not a worker but one claim of it, so that one that slept too long cannot take over itself."""
    return f"{worker}/{claim_number}"


def held_by(sync_id: int, owner: str) -> tuple[ColumnElement[bool], ...]:
    """That a sync is active and `owner` holds it."""
    return SYNC.c.id == sync_id, SYNC.c.status == SyncStatus.ACTIVE.value, SYNC.c.lease_owner == owner


def finish(
    connection: Connection,
    sync_id: int,
    owner: str,
    status: SyncStatus,
    at: int,
    rejects: tuple[str | None, int] = (None, 0),
) -> bool:
    """End a sync. False, and nothing is changed, if `owner` no longer holds it: then another worker does.

    Args:
        connection: a write transaction.
        sync_id: which sync.
        owner: who must hold its lease.
        status: a final state.
        at: when it ended.
        rejects: the file of its rejects, and how many they are.
    """
    ended = connection.execute(
        update(SYNC)
        .where(*held_by(sync_id, owner))
        .values(
            status=status.value,
            ended_at=at,
            lease_owner=None,
            lease_until=None,
            reject_file=rejects[0],
            reject_count=rejects[1],
        )
    )
    return ended.rowcount == 1


def add_log(connection: Connection, sync_id: int, entries: Iterable[LogEntry]) -> None:
    """Write the lines of a sync log."""
    rows = [
        {
            "sync_id": sync_id,
            "line": line,
            "code": e.code,
            "severity": e.severity.value,
            "message": e.message,
            "count": e.count,
            "created_at": e.created_at,
        }
        for line, e in enumerate(entries, start=1)
    ]
    connection.execute(insert(SYNC_LOG), rows)


def read_log(connection: Connection, sync_id: int, query: ListQuery) -> tuple[list[LogEntry], int | None, bool]:
    """One page of a sync log, in the order it was written unless another is asked for."""
    of_sync = [SYNC_LOG.c.sync_id == sync_id]
    rows, total, more = read_page(connection, SYNC_LOG, LOG_COLUMNS, query, of_sync, "line")
    entries = [
        LogEntry(row.code, Severity(row.severity), row.message, columns_of(row)["count"], row.created_at)
        for row in rows
    ]
    return entries, total, more


class RemovedSyncs(Struct, frozen=True):
    """How many syncs were deleted, and the files that nothing names any more."""

    count: int
    reject_files: list[str]
    data_files: list[str]


def remove_expired(connection: Connection, moment: int) -> RemovedSyncs:
    """Delete the finished syncs created before a moment, with their logs."""
    return remove_syncs(connection, and_(SYNC.c.created_at < moment, SYNC.c.status.not_in(UNFINISHED)))


def remove_sync(connection: Connection, sync_id: int) -> RemovedSyncs:
    """Delete one sync with its log."""
    return remove_syncs(connection, SYNC.c.id == sync_id)


def remove_syncs(connection: Connection, which: ColumnElement[bool]) -> RemovedSyncs:
    connection.execute(delete(SYNC_LOG).where(SYNC_LOG.c.sync_id.in_(select(SYNC.c.id).where(which))))
    rows = connection.execute(delete(SYNC).where(which).returning(SYNC.c.reject_file, SYNC.c.data_file)).all()
    return RemovedSyncs(
        len(rows),
        [row.reject_file for row in rows if row.reject_file],
        [row.data_file for row in rows if row.data_file],
    )


def expire_data(connection: Connection, now: int, sync_id: int | None = None) -> list[str]:
    """Forget the data of exports whose time is over, or of one sync; gives the files."""
    return forget_data(connection, SYNC.c.data_kept_until <= now if sync_id is None else SYNC.c.id == sync_id)


def expire_data_of(connection: Connection, definition: DefinitionKey, user: str) -> list[str]:
    """Forget the data of the syncs of an export that a user started; gives the files."""
    return forget_data(
        connection,
        and_(
            SYNC.c.definition_kind == definition.kind,
            SYNC.c.definition_id == definition.id,
            SYNC.c.created_by == user,
        ),
    )


def forget_data(connection: Connection, which: ColumnElement[bool]) -> list[str]:
    """That there was data stays known: its file becomes an empty text."""
    where = and_(SYNC.c.data_file != "", which)
    files = [str(file) for file in connection.execute(select(SYNC.c.data_file).where(where)).scalars()]
    if files:
        connection.execute(update(SYNC).where(where).values(data_file="", data_bytes=0))
    return files


def save_data(connection: Connection, sync_id: int, data: SyncData) -> None:
    """Name the data of an export's sync."""
    connection.execute(
        update(SYNC)
        .where(SYNC.c.id == sync_id)
        .values(data_file=data.file, data_records=data.records, data_bytes=data.bytes, data_kept_until=data.kept_until)
    )


def latest_with_data(connection: Connection, definition: DefinitionKey) -> Sync | None:
    """The last sync of an export that ended and has had data; None if there is none."""
    query = select(SYNC).where(
        SYNC.c.definition_kind == definition.kind,
        SYNC.c.definition_id == definition.id,
        SYNC.c.status.not_in(UNFINISHED),
        SYNC.c.data_file.is_not(None),
    )
    row = connection.execute(query.order_by(SYNC.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else to_sync(row)


def data_bytes(connection: Connection, definition: DefinitionKey | None = None) -> int:
    """Bytes of the data of an export's syncs, or of all of the company's."""
    where = (
        [] if definition is None else [SYNC.c.definition_kind == definition.kind, SYNC.c.definition_id == definition.id]
    )
    return int(connection.execute(select(func.coalesce(func.sum(SYNC.c.data_bytes), 0)).where(*where)).scalar_one())


def data_files(connection: Connection) -> set[str]:
    """Every file of exported data that a sync names."""
    return set(connection.execute(select(SYNC.c.data_file).where(SYNC.c.data_file != "")).scalars())


def check_lease(connection: Connection, sync_id: int, owner: str) -> bool:
    """Whether `owner` holds an active sync; its attempts then begin anew, as it goes forward."""
    held = update(SYNC).where(*held_by(sync_id, owner)).values(attempts=1)
    return connection.execute(held).rowcount == 1


def is_held(connection: Connection, sync_id: int, owner: str) -> bool:
    """Whether `owner` holds an active sync, at the moment of a read."""
    return connection.execute(select(SYNC.c.id).where(*held_by(sync_id, owner))).first() is not None


def reject_files(connection: Connection) -> set[str]:
    """Every file of rejects that a sync names."""
    return set(connection.execute(select(SYNC.c.reject_file).where(SYNC.c.reject_file.is_not(None))).scalars())


def callback_is_due(now: int) -> tuple[ColumnElement[bool], ...]:
    """That a sync has ended, and its callback was neither dealt with nor is it claimed."""
    is_free = or_(SYNC.c.callback_until.is_(None), SYNC.c.callback_until <= now)
    return SYNC.c.callback_url.is_not(None), SYNC.c.called_back_at.is_(None), SYNC.c.ended_at.is_not(None), is_free


def callbacks_due(connection: Connection, now: int) -> list[Sync]:
    """The syncs whose callback nobody has dealt with or is dealing with."""
    query = select(SYNC).where(*callback_is_due(now)).order_by(SYNC.c.id)
    return [to_sync(row) for row in connection.execute(query)]


def claim_callback(connection: Connection, sync_id: int, now: int, until: int) -> bool:
    """Take it on to make a callback until a moment; false if another has, or it was dealt with."""
    claimed = update(SYNC).where(SYNC.c.id == sync_id, *callback_is_due(now)).values(callback_until=until)
    return connection.execute(claimed).rowcount == 1


def release_callback(connection: Connection, sync_id: int) -> None:
    """Leave a callback that was claimed to whoever comes next."""
    connection.execute(update(SYNC).where(SYNC.c.id == sync_id).values(callback_until=None))


def mark_called_back(connection: Connection, sync_id: int, at: int) -> None:
    """Remember that a callback was delivered or given up."""
    connection.execute(update(SYNC).where(SYNC.c.id == sync_id).values(called_back_at=at))


def counts_by_status(connection: Connection) -> dict[str, int]:
    """How many syncs are in each state."""
    rows = connection.execute(select(SYNC.c.status, func.count()).group_by(SYNC.c.status))
    return {status: count for status, count in rows}
