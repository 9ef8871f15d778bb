"""Sets of ids and their changes: one row a chunk of 65,536 ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, Executable, bindparam, delete, func, select
from sqlalchemy import insert as plain_insert

from staithe.domain.id_set import IdSet, SetChange
from staithe.domain.sync_actions import CONTACTS_SET
from staithe.storage import counters, dialect
from staithe.storage.dialect import built_once, insert
from staithe.storage.tables import CHANGE, ID_SET, ID_SET_CHUNK, SET_CHANGE

MOST_CHUNKS_NAMED = 1000
"""Above this many chunks all of a set's rows are read: naming them would cost more."""


SELECT_NUMBER: Final = select(ID_SET.c.id).where(ID_SET.c.name == bindparam("set_name"))
INSERT_SET: Final = plain_insert(ID_SET)


def set_number(connection: Connection, name: str) -> int | None:
    """The id of a set, or None if nothing was ever put into it."""
    return connection.execute(SELECT_NUMBER, {"set_name": name}).scalar()


def make_set_number(connection: Connection, name: str) -> int:
    """The id of a set, which is registered if it is new."""
    number = set_number(connection, name)
    if number is None:
        number = counters.take_ids(connection, "idSet")
        connection.execute(INSERT_SET, {"id": number, "name": name})
    return number


IS_NAMED: Final = ID_SET.c.name.in_(bindparam("names", expanding=True))
HOLD_SET: Final = SELECT_NUMBER.with_for_update()
SHARE_SET: Final = SELECT_NUMBER.with_for_update(read=True)
HOLD_SETS: Final = select(ID_SET.c.id).where(IS_NAMED).order_by(ID_SET.c.name).with_for_update()
SELECT_KNOWN: Final = select(ID_SET.c.name).where(IS_NAMED)


def hold(connection: Connection, names: Iterable[str] = (), *, contacts_change: bool = False) -> None:
    """Keep others from changing sets until this transaction ends; call it before anything of them is read.

    Everybody holds the set of all contacts first, shared unless it is to change, and then others by name: so nobody
    waits in a circle. Who holds the first for a change holds all sets.

    Args:
        connection: a write transaction.
        names: the sets that may change, besides that of all contacts.
        contacts_change: whether contacts may come, go, or change their email addresses.
    """
    if not dialect.of(connection).HAS_ROW_LOCKS:
        return
    register_sets(connection, [CONTACTS_SET])
    connection.execute(HOLD_SET if contacts_change else SHARE_SET, {"set_name": CONTACTS_SET})
    others = sorted(set(names) - {CONTACTS_SET})
    if others and not contacts_change:
        register_sets(connection, others)
        connection.execute(HOLD_SETS, {"names": others})


@built_once
def insert_if_new(connection: Connection) -> Executable:
    return insert(connection, ID_SET).on_conflict_do_nothing()


def register_sets(connection: Connection, names: Sequence[str]) -> None:
    known = set(connection.execute(SELECT_KNOWN, {"names": names}).scalars())
    for name in names:
        if name not in known:
            number = counters.take_ids(connection, "idSet")
            connection.execute(insert_if_new(connection), {"id": number, "name": name})


IS_CHUNK_OF_SET: Final = ID_SET_CHUNK.c.set_id == bindparam("number")
IS_NAMED_CHUNK: Final = ID_SET_CHUNK.c.chunk.in_(bindparam("chunks", expanding=True))
SELECT_CHUNKS: Final = select(ID_SET_CHUNK.c.bits).where(IS_CHUNK_OF_SET)
SELECT_NAMED_CHUNKS: Final = SELECT_CHUNKS.where(IS_NAMED_CHUNK)


def load_set(connection: Connection, name: str, chunks: list[int] | None = None) -> IdSet:
    """A set, whole or only in the chunks that are named; empty if it does not exist."""
    number = set_number(connection, name)
    if number is None:
        return IdSet()
    if chunks is None or len(chunks) > MOST_CHUNKS_NAMED:
        return IdSet.from_chunks(connection.execute(SELECT_CHUNKS, {"number": number}).scalars())
    named = connection.execute(SELECT_NAMED_CHUNKS, {"number": number, "chunks": chunks})
    return IdSet.from_chunks(named.scalars())


def set_size(connection: Connection, name: str) -> int:
    """How many ids a set has."""
    return sizes_of(connection, [name])[name]


SELECT_SIZES: Final = (
    select(ID_SET.c.name, func.sum(ID_SET_CHUNK.c.size))
    .join(ID_SET_CHUNK, ID_SET_CHUNK.c.set_id == ID_SET.c.id)
    .where(IS_NAMED)
    .group_by(ID_SET.c.name)
)
SELECT_NAMES: Final = select(ID_SET.c.name).where(ID_SET.c.name.startswith(bindparam("prefix")))


def sizes_of(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    """How many ids each set has."""
    wanted = list(names)
    rows = connection.execute(SELECT_SIZES, {"names": wanted})
    found = {name: int(size) for name, size in rows}
    return {name: found.get(name, 0) for name in wanted}


def names_with_prefix(connection: Connection, prefix: str) -> list[str]:
    """The names of all sets that start so."""
    return list(connection.execute(SELECT_NAMES, {"prefix": prefix}).scalars())


INSERT_CHANGE: Final = plain_insert(CHANGE)
INSERT_SET_CHANGES: Final = plain_insert(SET_CHANGE)
DELETE_CHUNKS: Final = delete(ID_SET_CHUNK).where(IS_CHUNK_OF_SET, IS_NAMED_CHUNK)


def record_change(connection: Connection, action: str, at: int, by: str, sync_id: int | None = None) -> int:
    """Register a change, and give its id: what did it, when, and who asked."""
    number = counters.take_ids(connection, "change")
    values = {"id": number, "sync_id": sync_id, "action": action, "changed_at": at, "changed_by": by}
    connection.execute(INSERT_CHANGE, values)
    return number


def save_changes(
    connection: Connection, change_id: int, sets: Mapping[str, IdSet], changes: Mapping[str, SetChange]
) -> None:
    """Write the chunks that changed, and what changed in them.

    Args:
        connection: a write transaction.
        change_id: from `record_change`.
        sets: each changed set as it is now, at least in the chunks that changed.
        changes: the net change of each set.
    """
    for name in sorted(changes):
        number = make_set_number(connection, name)
        added = dict(changes[name].added.to_chunks())
        removed = dict(changes[name].removed.to_chunks())
        touched = sorted(added.keys() | removed.keys())
        present = dict(sets[name].to_chunks())
        connection.execute(
            INSERT_SET_CHANGES,
            [
                {
                    "set_id": number,
                    "chunk": chunk,
                    "change_id": change_id,
                    "added": added[chunk].to_bytes() if chunk in added else None,
                    "removed": removed[chunk].to_bytes() if chunk in removed else None,
                }
                for chunk in touched
            ],
        )
        save_chunks(connection, number, {chunk: present.get(chunk, IdSet()) for chunk in touched})


@built_once
def put_chunk(connection: Connection) -> Executable:
    statement = insert(connection, ID_SET_CHUNK)
    return statement.on_conflict_do_update(
        index_elements=[ID_SET_CHUNK.c.set_id, ID_SET_CHUNK.c.chunk],
        set_={"size": statement.excluded.size, "bits": statement.excluded.bits},
    )


def save_chunks(connection: Connection, set_id: int, chunks: Mapping[int, IdSet]) -> None:
    full = [
        {"set_id": set_id, "chunk": chunk, "size": len(ids), "bits": ids.to_bytes()}
        for chunk, ids in chunks.items()
        if ids
    ]
    empty = [chunk for chunk, ids in chunks.items() if not ids]
    if full:
        connection.execute(put_chunk(connection), full)
    if empty:
        connection.execute(DELETE_CHUNKS, {"number": set_id, "chunks": empty})


def change_sets(connection: Connection, change_id: int, changes: Mapping[str, SetChange]) -> dict[str, SetChange]:
    """Make changes as far as they are news: the ids that were not in yet go in, those that were come out.

    Returns:
        What was changed in truth, by set.
    """
    real: dict[str, SetChange] = {}
    after: dict[str, IdSet] = {}
    for name, wanted in changes.items():
        present = load_set(connection, name, (wanted.added | wanted.removed).chunk_numbers())
        news = SetChange(wanted.added - present, (wanted.removed & present) - wanted.added)
        if news:
            real[name] = news
            after[name] = (present | news.added) - news.removed
    save_changes(connection, change_id, after, real)
    return real
