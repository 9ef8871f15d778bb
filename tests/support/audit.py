"""Audits a company's store from the outside: do the recorded changes, from empty, make the sets that are stored?"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pyarrow as pa
from sqlalchemy import Connection, func, select, text

from staithe.domain.definitions import EXPORTS, SYNC_ACTIONS
from staithe.domain.id_set import IdSet
from staithe.services.stores import CompanyStore
from staithe.storage.tables import (
    ADDRESS_STATE,
    ADDRESS_STATE_CHANGE,
    CHANGE,
    ID_SET,
    ID_SET_CHUNK,
    IMPORT_CHUNK,
    SET_CHANGE,
    SYNC,
    UPLOAD,
)

REJECT_FILES = (SYNC.c.reject_file, IMPORT_CHUNK.c.reject_file)
TIDY_SECONDS = 60
FINISHED_WITH_EFFECT = ("success", "warning")


class Replay:
    """The sets as the recorded changes make them. `follow` may be called again after more changes."""

    def __init__(self) -> None:
        self.sets: dict[str, IdSet] = {}
        self.states: set[tuple[str, str]] = set()
        self.last_change = 0

    def follow(self, connection: Connection) -> None:
        """Apply the changes since the last call, and compare all sets with those that are stored."""
        rows = connection.execute(
            select(SET_CHANGE.c.change_id, SET_CHANGE.c.chunk, SET_CHANGE.c.added, SET_CHANGE.c.removed, ID_SET.c.name)
            .join(ID_SET, ID_SET.c.id == SET_CHANGE.c.set_id)
            .where(SET_CHANGE.c.change_id > self.last_change)
            .order_by(SET_CHANGE.c.change_id)
        )
        for change_id, chunk, added_bits, removed_bits, name in rows:
            before = self.sets.get(name, IdSet())
            added = IdSet.from_chunks([added_bits] if added_bits else [])
            removed = IdSet.from_chunks([removed_bits] if removed_bits else [])
            assert added or removed, f"change {change_id} of {name} says nothing"
            assert not added & before, f"change {change_id} added to {name} what was in it"
            assert not removed - before, f"change {change_id} took out of {name} what was not in it"
            assert (added | removed).chunk_numbers() == [chunk]
            self.sets[name] = (before | added) - removed
        self.follow_addresses(connection)
        self.last_change = connection.execute(select(func.max(CHANGE.c.id))).scalar() or 0
        stored = stored_sets(connection)
        assert {n: s for n, s in self.sets.items() if s} == {n: s for n, s in stored.items() if s}

    def follow_addresses(self, connection: Connection) -> None:
        """The same of the states of addresses that no contact has."""
        columns = ADDRESS_STATE_CHANGE.c.email_key, ID_SET.c.name, ADDRESS_STATE_CHANGE.c.is_added
        rows = connection.execute(
            select(*columns)
            .join(ID_SET, ID_SET.c.id == ADDRESS_STATE_CHANGE.c.set_id)
            .where(ADDRESS_STATE_CHANGE.c.change_id > self.last_change)
            .order_by(ADDRESS_STATE_CHANGE.c.change_id)
        )
        for address, name, is_added in rows:
            assert is_added is ((address, name) not in self.states), f"{address}: {name} changed to what it was"
            self.states ^= {(address, name)}
        assert self.states == kept_states(connection)


def kept_states(connection: Connection) -> set[tuple[str, str]]:
    """(address, set name) of each state that is kept of an address without a contact."""
    query = select(ADDRESS_STATE.c.email_key, ID_SET.c.name).join(ID_SET, ID_SET.c.id == ADDRESS_STATE.c.set_id)
    return {(address, name) for address, name in connection.execute(query)}


def stored_sets(connection: Connection) -> dict[str, IdSet]:
    """Every set, by name; checks that each chunk's row tells its size."""
    query = select(ID_SET.c.name, ID_SET_CHUNK.c.chunk, ID_SET_CHUNK.c.size, ID_SET_CHUNK.c.bits).join(
        ID_SET_CHUNK, ID_SET_CHUNK.c.set_id == ID_SET.c.id
    )
    found: dict[str, IdSet] = dict.fromkeys(connection.execute(select(ID_SET.c.name)).scalars(), IdSet())
    for name, chunk, size, bits in connection.execute(query):
        ids = IdSet.from_chunks([bits])
        assert ids.chunk_numbers() == [chunk]
        assert len(ids) == size
        found[name] |= ids
    return found


def check_changes_of_syncs(connection: Connection) -> None:
    """A sync of sync actions that had an effect has one change, any other has none.

    That of an import has one for each chunk that made contacts, also if it failed later. It and that of an export have
    one for their sync actions, if they have any.
    """
    query = select(CHANGE.c.sync_id, SYNC.c.definition_kind).join(SYNC, SYNC.c.id == CHANGE.c.sync_id, isouter=True)
    found = connection.execute(query.where(CHANGE.c.sync_id.is_not(None))).all()
    ended = select(SYNC.c.id, SYNC.c.definition_kind).where(SYNC.c.status.in_(FINISHED_WITH_EFFECT))
    kinds: dict[int, str] = {sync_id: kind for sync_id, kind in connection.execute(ended)}
    of_syncs = Counter(sync_id for sync_id, kind in found if kind == SYNC_ACTIONS)
    assert of_syncs == Counter(sync_id for sync_id, kind in kinds.items() if kind == SYNC_ACTIONS)
    of_exports = Counter(sync_id for sync_id, kind in found if kind == EXPORTS)
    assert of_exports.keys() <= kinds.keys()
    assert set(of_exports.values()) <= {1}


def check_integrity(connection: Connection) -> None:
    """SQLite's own check of the file; PostgreSQL has none that asks a connection so little."""
    if connection.dialect.name != "sqlite":
        return
    assert connection.execute(text("PRAGMA integrity_check")).scalars().all() == ["ok"]


def check_files(store: CompanyStore) -> None:
    """The files are those that rows name, no more and no less. Imports under way name files of rejects too.

    What a commit has left nameless is deleted behind it, so that is waited for.
    """
    limit = time.monotonic() + TIDY_SECONDS
    while True:
        try:
            compare_files(store)
            return
        except AssertionError:
            if time.monotonic() > limit:
                raise
            time.sleep(0.05)


def compare_files(store: CompanyStore) -> None:
    with store.database.read() as connection:
        staged = set(connection.execute(select(UPLOAD.c.file)).scalars())
        rejected = {file for column in REJECT_FILES for file in connection.execute(select(column)).scalars() if file}
        exported = {file for file in connection.execute(select(SYNC.c.data_file)).scalars() if file}
    assert set(store.staging.files.ages()) == staged
    assert set(store.rejects.files.ages()) == rejected
    assert set(store.exports.files.ages()) == exported


def names_in(folder: Path) -> set[str]:
    """The names of a folder's entries."""
    return {path.name for path in folder.iterdir()}


def staged_values(store: CompanyStore, name: str, field: str) -> list[str | None]:
    """One column of a staged file."""
    batches = list(store.staging.read(name, None))
    return [] if not batches else pa.Table.from_batches(batches).column(field).to_pylist()
