"""Syncs and their logs; the pending rows are the whole queue."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, TypeAlias

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Delete,
    Executable,
    Integer,
    Row,
    Select,
    Update,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from staithe.domain.codes import Severity
from staithe.domain.definitions import DefinitionKey
from staithe.domain.list_query import ListQuery, PropertyType
from staithe.domain.syncs import UNFINISHED, LogEntry, RejectFile, Sync, SyncData, SyncStatus, to_reject_file
from staithe.storage import counters
from staithe.storage.definition_keys import is_of_definition, parameters_of
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


IS_IT: Final = SYNC.c.id == bindparam("sync_id")
IS_HELD: Final = and_(IS_IT, SYNC.c.status == SyncStatus.ACTIVE.value, SYNC.c.lease_owner == bindparam("owner"))
"""That a sync is active and an owner holds it."""

IS_OF_DEFINITION: Final = is_of_definition(SYNC.c.definition_kind, SYNC.c.definition_id)
INSERT_SYNC: Final = insert(SYNC)
SELECT_SYNC: Final = select(SYNC).where(IS_IT)
HOLD_SYNC: Final = SELECT_SYNC.with_for_update()
UPDATE_SYNC: Final = update(SYNC).where(IS_IT)
UPDATE_HELD: Final = update(SYNC).where(IS_HELD)
"""Both set the columns that their parameters name."""


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
        rejects=to_reject_file(row.reject_file, row.reject_count, row.reject_checksums),
        data=None
        if row.data_file is None
        else SyncData(row.data_file, row.data_records, row.data_bytes, row.data_kept_until, row.data_checksums),
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
        INSERT_SYNC,
        {
            "id": sync.id,
            "definition_uri": uri,
            "definition_kind": definition.kind,
            "definition_id": definition.id,
            "status": sync.status.value,
            "created_at": at,
            "created_by": by,
            "callback_url": callback_url,
            "attempts": 0,
            "reject_count": 0,
        },
    )
    return sync


def find_sync(connection: Connection, sync_id: int, *, hold: bool = False) -> Sync | None:
    """One sync by id; with `hold` nobody changes it until this write transaction ends."""
    row = connection.execute(HOLD_SYNC if hold else SELECT_SYNC, {"sync_id": sync_id}).one_or_none()
    return None if row is None else to_sync(row)


def was_given(connection: Connection, sync_id: int) -> bool:
    """Whether this id was ever given to a sync."""
    return 0 < sync_id <= counters.last_id(connection, "sync")


def read_syncs(connection: Connection, query: ListQuery) -> tuple[list[Sync], int | None, bool]:
    """One page of syncs."""
    rows, total, more = read_page(connection, SYNC, COLUMNS, query)
    return [to_sync(row) for row in rows], total, more


SELECT_UNFINISHED: Final = select(SYNC.c.id).where(IS_OF_DEFINITION, SYNC.c.status.in_(UNFINISHED)).limit(1)


def has_unfinished(connection: Connection, definition: DefinitionKey) -> bool:
    """Whether a sync of the definition is pending or active."""
    return connection.execute(SELECT_UNFINISHED, parameters_of(definition)).first() is not None


EARLIER: Final = SYNC.alias("earlier")
SELECT_NEXT: Final = (
    select(SYNC.c.id)
    .where(
        or_(
            SYNC.c.status == SyncStatus.PENDING.value,
            and_(SYNC.c.status == SyncStatus.ACTIVE.value, SYNC.c.lease_until < bindparam("now")),
        ),
        ~exists().where(
            EARLIER.c.definition_kind == SYNC.c.definition_kind,
            EARLIER.c.definition_id == SYNC.c.definition_id,
            EARLIER.c.status.in_(UNFINISHED),
            EARLIER.c.id < SYNC.c.id,
        ),
    )
    .order_by(SYNC.c.id)
    .limit(1)
)
HOLD_NEXT: Final = SELECT_NEXT.with_for_update(skip_locked=True, of=SYNC)


def next_sync(connection: Connection, now: int, *, hold: bool = False) -> int | None:
    """The oldest sync that may run: pending, or its worker's lease is over; and first of its definition.

    With `hold` nobody else gets it until this write transaction ends: one that somebody else holds is passed over.
    """
    return connection.execute(HOLD_NEXT if hold else SELECT_NEXT, {"now": now}).scalar()


CLAIM: Final = UPDATE_SYNC.values(
    status=SyncStatus.ACTIVE.value,
    started_at=func.coalesce(SYNC.c.started_at, bindparam("now", type_=BigInteger)),
    attempts=SYNC.c.attempts + 1,
)


def claim(connection: Connection, owner: str, now: int, lease_until: int) -> Sync | None:
    """Take the next sync, if there is one: it becomes active and `owner` holds its lease."""
    sync_id = next_sync(connection, now, hold=True)
    if sync_id is None:
        return None
    claimed = {"sync_id": sync_id, "now": now, "lease_owner": owner, "lease_until": lease_until}
    connection.execute(CLAIM, claimed)
    return find_sync(connection, sync_id)


RENEW_LEASES: Final = (
    update(SYNC)
    .where(SYNC.c.lease_owner.in_(bindparam("owners", expanding=True)), SYNC.c.status == SyncStatus.ACTIVE.value)
    .returning(SYNC.c.lease_owner)
)


def renew_leases(connection: Connection, owners: Collection[str], lease_until: int) -> set[str]:
    """Prolong the leases that some owners hold; gives the owners that hold none any more."""
    renewed = connection.execute(RENEW_LEASES, {"owners": list(owners), "lease_until": lease_until})
    return set(owners).difference(renewed.scalars())


def release_leases(connection: Connection, worker: str | None = None, living: Collection[str] = ()) -> int:
    """End the leases of a worker that is gone; gives how many syncs can be taken up now.

    Without a worker they are all leases, but for those of workers that live.
    """
    held = [SYNC.c.status == SyncStatus.ACTIVE.value, SYNC.c.lease_until > 0]
    if worker is not None:
        held.append(is_held_by(worker))
    held += [~is_held_by(name) for name in living]
    return connection.execute(update(SYNC).where(*held).values(lease_until=0)).rowcount


def is_held_by(worker: str) -> ColumnElement[bool]:
    return SYNC.c.lease_owner.startswith(owner_of(worker, ""), autoescape=True)


LEAST: Final = bindparam("least", type_=Integer)
HAND_BACK: Final = UPDATE_HELD.values(
    lease_owner=None, attempts=case((SYNC.c.attempts > LEAST, SYNC.c.attempts - 1), else_=LEAST)
)


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
    given = {"sync_id": sync_id, "owner": owner, "lease_until": until, "least": least}
    return connection.execute(HAND_BACK, given).rowcount == 1


WAS_TAKEN_UP: Final = and_(SYNC.c.status == SyncStatus.ACTIVE.value, SYNC.c.attempts > 1)
NOTE_ALIVE: Final = UPDATE_SYNC.where(WAS_TAKEN_UP).values(attempts=SYNC.c.attempts - 1)


def note_alive(connection: Connection, sync_id: int) -> None:
    """Another worker has taken a sync over from one that was slow and not dead: that is no loss."""
    connection.execute(NOTE_ALIVE, {"sync_id": sync_id})


def owner_of(worker: str, claim_number: int | str) -> str:
    """Who holds a lease: not a worker but one claim of it, so that one that slept too long cannot take over itself."""
    return f"{worker}/{claim_number}"


FINISH: Final = UPDATE_HELD.values(lease_owner=None, lease_until=None)


def finish(
    connection: Connection,
    sync_id: int,
    owner: str,
    status: SyncStatus,
    at: int,
    rejects: RejectFile | None = None,
) -> bool:
    """End a sync. False, and nothing is changed, if `owner` no longer holds it: then another worker does.

    Args:
        connection: a write transaction.
        sync_id: which sync.
        owner: who must hold its lease.
        status: a final state.
        at: when it ended.
        rejects: the file of its rejects, if it has any.
    """
    end: dict[str, Any] = {"status": status.value, "ended_at": at}
    if rejects is not None:
        end |= {"reject_file": rejects.name, "reject_count": rejects.count, "reject_checksums": rejects.checksums}
    return connection.execute(FINISH, {"sync_id": sync_id, "owner": owner, **end}).rowcount == 1


INSERT_LOG: Final = insert(SYNC_LOG)


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
    connection.execute(INSERT_LOG, rows)


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


Removal: TypeAlias = tuple[Delete, Executable]


def to_removal(which: ColumnElement[bool]) -> Removal:
    """What deletes the logs of syncs, and what deletes the syncs."""
    return (
        delete(SYNC_LOG).where(SYNC_LOG.c.sync_id.in_(select(SYNC.c.id).where(which))),
        delete(SYNC).where(which).returning(SYNC.c.reject_file, SYNC.c.data_file),
    )


REMOVE_IT: Final = to_removal(IS_IT)
REMOVE_EXPIRED: Final = to_removal(and_(SYNC.c.created_at < bindparam("moment"), SYNC.c.status.not_in(UNFINISHED)))


def remove_expired(connection: Connection, moment: int) -> RemovedSyncs:
    """Delete the finished syncs created before a moment, with their logs."""
    return remove_syncs(connection, REMOVE_EXPIRED, {"moment": moment})


def remove_sync(connection: Connection, sync_id: int) -> RemovedSyncs:
    """Delete one sync with its log."""
    return remove_syncs(connection, REMOVE_IT, {"sync_id": sync_id})


def remove_syncs(connection: Connection, removal: Removal, parameters: Mapping[str, Any]) -> RemovedSyncs:
    delete_log, delete_sync = removal
    connection.execute(delete_log, parameters)
    rows = connection.execute(delete_sync, parameters).all()
    return RemovedSyncs(
        len(rows),
        [row.reject_file for row in rows if row.reject_file],
        [row.data_file for row in rows if row.data_file],
    )


Forgetting: TypeAlias = tuple[Select[Any], Update]


def to_forgetting(which: ColumnElement[bool]) -> Forgetting:
    """What reads the files of syncs that have data, and what forgets them."""
    where = and_(SYNC.c.data_file != "", which)
    return select(SYNC.c.data_file).where(where), update(SYNC).where(where).values(
        data_file="", data_bytes=0, data_checksums=None
    )


FORGET_DATA: Final = to_forgetting(IS_IT)
FORGET_EXPIRED: Final = to_forgetting(SYNC.c.data_kept_until <= bindparam("now"))
FORGET_DATA_OF: Final = to_forgetting(and_(IS_OF_DEFINITION, SYNC.c.created_by == bindparam("user")))


def expire_data(connection: Connection, now: int, sync_id: int | None = None) -> list[str]:
    """Forget the data of exports whose time is over, or of one sync; gives the files."""
    if sync_id is None:
        return forget_data(connection, FORGET_EXPIRED, {"now": now})
    return forget_data(connection, FORGET_DATA, {"sync_id": sync_id})


def expire_data_of(connection: Connection, definition: DefinitionKey, user: str) -> list[str]:
    """Forget the data of the syncs of an export that a user started; gives the files."""
    return forget_data(connection, FORGET_DATA_OF, {**parameters_of(definition), "user": user})


def forget_data(connection: Connection, forgetting: Forgetting, parameters: Mapping[str, Any]) -> list[str]:
    """That there was data stays known: its file becomes an empty text."""
    select_files, forget = forgetting
    files = [str(file) for file in connection.execute(select_files, parameters).scalars()]
    if files:
        connection.execute(forget, parameters)
    return files


def save_data(connection: Connection, sync_id: int, data: SyncData) -> None:
    """Name the data of an export's sync."""
    values = {"data_file": data.file, "data_records": data.records, "data_bytes": data.bytes}
    kept = {"data_kept_until": data.kept_until, "data_checksums": data.checksums}
    connection.execute(UPDATE_SYNC, {"sync_id": sync_id, **values, **kept})


SELECT_LATEST: Final = (
    select(SYNC)
    .where(IS_OF_DEFINITION, SYNC.c.status.not_in(UNFINISHED), SYNC.c.data_file.is_not(None))
    .order_by(SYNC.c.id.desc())
    .limit(1)
)


def latest_with_data(connection: Connection, definition: DefinitionKey) -> Sync | None:
    """The last sync of an export that ended and has had data; None if there is none."""
    row = connection.execute(SELECT_LATEST, parameters_of(definition)).one_or_none()
    return None if row is None else to_sync(row)


SUM_DATA: Final = select(func.coalesce(func.sum(SYNC.c.data_bytes), 0))
SUM_DATA_OF: Final = SUM_DATA.where(IS_OF_DEFINITION)


def data_bytes(connection: Connection, definition: DefinitionKey | None = None) -> int:
    """Bytes of the data of an export's syncs, or of all of the company's."""
    if definition is None:
        return int(connection.execute(SUM_DATA).scalar_one())
    return int(connection.execute(SUM_DATA_OF, parameters_of(definition)).scalar_one())


SELECT_DATA_FILES: Final = select(SYNC.c.data_file).where(SYNC.c.data_file != "")
SELECT_REJECT_FILES: Final = select(SYNC.c.reject_file).where(SYNC.c.reject_file.is_not(None))
SELECT_HELD: Final = select(SYNC.c.id).where(IS_HELD)
HOLD_HELD: Final = SELECT_HELD.with_for_update()


def data_files(connection: Connection) -> set[str]:
    """Every file of exported data that a sync names."""
    return set(connection.execute(SELECT_DATA_FILES).scalars())


def check_lease(connection: Connection, sync_id: int, owner: str) -> bool:
    """Whether `owner` holds an active sync; its attempts then begin anew, as it goes forward."""
    return connection.execute(UPDATE_HELD, {"sync_id": sync_id, "owner": owner, "attempts": 1}).rowcount == 1


def is_held(connection: Connection, sync_id: int, owner: str, *, hold: bool = False) -> bool:
    """Whether `owner` holds an active sync; with `hold` nobody else gets it until this write transaction ends."""
    return (
        connection.execute(HOLD_HELD if hold else SELECT_HELD, {"sync_id": sync_id, "owner": owner}).first() is not None
    )


def reject_files(connection: Connection) -> set[str]:
    """Every file of rejects that a sync names."""
    return set(connection.execute(SELECT_REJECT_FILES).scalars())


COUNT_BY_STATUS: Final = select(SYNC.c.status, func.count()).group_by(SYNC.c.status)


def counts_by_status(connection: Connection) -> dict[str, int]:
    """How many syncs are in each state."""
    rows = connection.execute(COUNT_BY_STATUS)
    return {status: count for status, count in rows}


FORGET_ALL: Final = delete(SYNC)


def forget_all(connection: Connection) -> None:
    """Delete every sync of a company that is to be erased: none is begun any more, and who runs one stops."""
    connection.execute(FORGET_ALL)
