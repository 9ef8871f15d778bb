"""The ledger of imports under way: a row for each chunk of records that is done, until the sync ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Row, bindparam, delete, insert, select

from staithe.domain.id_set import IdSet
from staithe.domain.syncs import RejectFile, to_reject_file
from staithe.storage.tables import IMPORT_CHUNK


class ImportChunk(Struct, frozen=True):
    """What became of one chunk of an import.

    `records_done` counts the records of the sync up to its end, `contacts` are those it made or changed, and
    `reject_counts` has the number of rejects by status code, `american_dates` that of dates that were read month first
    and `ignored` that of values that nothing was done with, both by the name of the field.
    """

    records_done: int
    created: int
    updated: int
    contacts: IdSet
    reject_counts: Mapping[str, int]
    american_dates: Mapping[str, int]
    ignored: Mapping[str, int]
    reject_file: RejectFile | None


def to_chunk(row: Row[Any]) -> ImportChunk:
    counts = msgspec.json.decode(row.reject_counts, type=dict[str, int])
    dates = msgspec.json.decode(row.american_dates or b"{}", type=dict[str, int])
    ignored = msgspec.json.decode(row.ignored or b"{}", type=dict[str, int])
    contacts = IdSet.from_chunks([row.contacts])
    rejects = to_reject_file(row.reject_file, sum(counts.values()), row.reject_checksums)
    return ImportChunk(row.records_done, row.created, row.updated, contacts, counts, dates, ignored, rejects)


IS_OF_SYNC: Final = IMPORT_CHUNK.c.sync_id == bindparam("of_sync")
INSERT_CHUNK: Final = insert(IMPORT_CHUNK)
SELECT_CHUNKS: Final = select(IMPORT_CHUNK).where(IS_OF_SYNC).order_by(IMPORT_CHUNK.c.records_done)
DELETE_CHUNKS: Final = delete(IMPORT_CHUNK).where(IS_OF_SYNC)
SELECT_REJECT_FILES: Final = select(IMPORT_CHUNK.c.reject_file).where(IMPORT_CHUNK.c.reject_file.is_not(None))


def add_chunk(connection: Connection, sync_id: int, chunk: ImportChunk) -> None:
    """Enter a chunk, in the transaction that has its effects."""
    connection.execute(
        INSERT_CHUNK,
        {
            "sync_id": sync_id,
            "records_done": chunk.records_done,
            "created": chunk.created,
            "updated": chunk.updated,
            "contacts": chunk.contacts.to_bytes(),
            "reject_counts": msgspec.json.encode(chunk.reject_counts),
            "american_dates": msgspec.json.encode(chunk.american_dates),
            "ignored": msgspec.json.encode(chunk.ignored),
            "reject_file": chunk.reject_file and chunk.reject_file.name,
            "reject_checksums": chunk.reject_file and chunk.reject_file.checksums,
        },
    )


def read_chunks(connection: Connection, sync_id: int) -> list[ImportChunk]:
    """The chunks of a sync that are done, in their order."""
    return [to_chunk(row) for row in connection.execute(SELECT_CHUNKS, {"of_sync": sync_id})]


def forget_chunks(connection: Connection, sync_id: int) -> None:
    """Remove the rows of a sync that has ended."""
    connection.execute(DELETE_CHUNKS, {"of_sync": sync_id})


def reject_files(connection: Connection) -> set[str]:
    """Every file of rejects that a chunk names."""
    return set(connection.execute(SELECT_REJECT_FILES).scalars())
