"""When something in a company's store expires next."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, func, select

from staithe.domain.definitions import DefinitionKey
from staithe.domain.limits import (
    LEAST_DATA_LIFE,
    STAGED_DATA_LIFE,
    SYNC_CREATION_LIFE,
    SYNC_LIFE,
    UNUSED_DEFINITION_LIFE,
)
from staithe.domain.syncs import UNFINISHED
from staithe.storage.quiet import ask
from staithe.storage.tables import IDEMPOTENCY, SYNC, SYNC_CREATION, UPLOAD

SELECT_STAGED: Final = (
    select(UPLOAD.c.definition_kind, UPLOAD.c.definition_id, func.min(UPLOAD.c.created_at))
    .where(UPLOAD.c.sync_id.is_(None))
    .group_by(UPLOAD.c.definition_kind, UPLOAD.c.definition_id)
)
SELECT_OTHERS: Final = (
    (select(func.min(SYNC.c.created_at)).where(SYNC.c.status.not_in(UNFINISHED)), SYNC_LIFE),
    (select(func.min(SYNC.c.data_kept_until)).where(SYNC.c.data_file != ""), 0),
    (select(func.min(SYNC_CREATION.c.created_at)), SYNC_CREATION_LIFE),
    (select(func.min(IDEMPOTENCY.c.created_at)), STAGED_DATA_LIFE),
)
"""The first moment of each kind of rows, and how long after it the first of them expires."""


def oldest_staged(connection: Connection) -> dict[DefinitionKey, int]:
    """When the oldest upload came that waits for a sync, by definition."""
    rows = connection.execute(SELECT_STAGED)
    return {DefinitionKey(kind, number): oldest for kind, number, oldest in rows}


def other_ends(connection: Connection) -> list[int]:
    """When the first sync, exported data, creation of a sync and kept answer expire: of those that there are."""
    found = [(connection.execute(query).scalar(), life) for query, life in SELECT_OTHERS]
    return [first + life for first, life in found if first is not None]


NEVER: Final = 2**62
FIRST_END_QUERY: Final = """
SELECT coalesce(min(at), :never) FROM (
    SELECT min(created_at) + :least AS at FROM upload WHERE sync_id IS NULL
    UNION ALL SELECT min(created_at) + :sync FROM sync
    UNION ALL SELECT min(data_kept_until) FROM sync WHERE data_file != ''
    UNION ALL SELECT min(created_at) + :creation FROM sync_creation
    UNION ALL SELECT min(created_at) + :staged FROM idempotency
    UNION ALL SELECT min(
        CASE WHEN instr(body, 'auto_delete_duration') THEN updated_at + :least
        ELSE max(created_at, coalesce(last_synced_at, 0)) + :unused END
    ) FROM definition
)
"""
"""Durations of a definition, which only a look into it tells, count as the least that they can be."""

LIVES: Final = {
    "never": NEVER,
    "least": LEAST_DATA_LIFE,
    "sync": SYNC_LIFE,
    "creation": SYNC_CREATION_LIFE,
    "staged": STAGED_DATA_LIFE,
    "unused": UNUSED_DEFINITION_LIFE,
}


def first_end(path: Path) -> int | None:
    """Before when nothing in a SQLite file expires, by a quick look; None if it cannot be asked."""
    row = ask(path, FIRST_END_QUERY, LIVES)
    return None if row is None else int(row[0])
