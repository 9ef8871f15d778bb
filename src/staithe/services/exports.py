"""The data of exports: a page of it, and its deletion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from staithe.domain.definitions import EXPORTS, DefinitionKey
from staithe.domain.elements import Element
from staithe.domain.errors import Failure, Gone, NotAllowed, ValidationFailed
from staithe.domain.list_query import ListQuery
from staithe.domain.syncs import Sync
from staithe.services import definitions, syncs
from staithe.services.caller import Caller
from staithe.staging.export_data import ExportReader, csv_page, json_page
from staithe.storage import syncs as sync_rows


@dataclass(frozen=True, slots=True)
class DataPage:
    """A page of an export's data: the records that there are, and the query that picks some. `reader` None is none."""

    reader: ExportReader | None
    records: int
    query: ListQuery

    def to_json(self) -> Iterator[bytes]:
        """The page in the envelope of lists, in pieces."""
        query = self.query
        count = max(min(query.limit, self.records - query.offset), 0)
        envelope = {
            **({"totalResults": self.records} if query.with_total else {}),
            "limit": query.limit,
            "offset": query.offset,
            "count": count,
            "hasMore": query.offset + count < self.records,
        }
        rest = msgspec.json.encode(envelope)[1:]
        if self.reader is None:
            yield b'{"items":[],' + rest
            return
        yield from self.closing(json_page(self.reader, query.limit, query.offset, rest))

    def to_csv(self) -> Iterator[bytes]:
        """The page as CSV, in pieces; without data not even a header is known."""
        if self.reader is not None:
            yield from self.closing(csv_page(self.reader, self.query.limit, self.query.offset))

    def closing(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        assert self.reader is not None
        try:
            yield from pieces
        finally:
            self.reader.close()


def read_of_sync(caller: Caller, sync_id: int, query: ListQuery) -> DataPage:
    """A page of the data of a sync; empty until the sync has ended.

    Raises:
        ValidationFailed: it is no sync of an export.
        NotAllowed: another user started it.
        Gone: the data was deleted, or has expired.
        Damaged: what the disk has is not what was written.
        StagingUnavailable: the object store fails.
    """
    with caller.database.read() as connection:
        sync = syncs.get_sync(connection, sync_id)
    refuse_other_kinds(sync)
    return open_data(caller, sync, query)


def read_of_definition(caller: Caller, element: Element, definition_id: int, query: ListQuery) -> DataPage:
    """A page of the data of the last sync of an export that ended well; empty if there is none.

    Raises:
        NotAllowed: another user started that sync.
        Gone: the data was deleted, or has expired.
        Damaged: what the disk has is not what was written.
        StagingUnavailable: the object store fails.
    """
    key = DefinitionKey(EXPORTS, definition_id)
    with caller.database.read() as connection:
        definitions.get_definition(connection, element, key)
        sync = sync_rows.latest_with_data(connection, key)
    return DataPage(None, 0, query) if sync is None else open_data(caller, sync, query)


def open_data(caller: Caller, sync: Sync, query: ListQuery) -> DataPage:
    if sync.created_by != caller.name:
        raise NotAllowed(f"The data of sync {sync.id} can only be read by {sync.created_by}, who started it.")
    if sync.data is None:
        return DataPage(None, 0, query)
    gone = Gone(f"The data of sync {sync.id} was deleted or has expired.", "Sync the export again.")
    if not sync.data.file or sync.data.kept_until <= caller.now:
        raise gone
    try:
        reader = ExportReader(caller.store.exports, sync.data.file, sync.data.checksums)
        reader.hold(query.limit, query.offset)
    except FileNotFoundError:
        raise gone from None
    return DataPage(reader, sync.data.records, query)


def refuse_other_kinds(sync: Sync) -> None:
    if sync.definition.kind != EXPORTS:
        rule = "Must be a sync of an export: those of imports and of sync actions have logs and rejects, but no data."
        raise ValidationFailed(Failure("id", rule, str(sync.id)))


def delete_of_sync(caller: Caller, sync_id: int) -> None:
    """Delete the data of a sync; the sync and its log stay.

    Raises:
        ValidationFailed: it is no sync of an export.
        NotAllowed: another user started it.
    """
    with caller.database.write() as connection:
        sync = syncs.get_sync(connection, sync_id)
        refuse_other_kinds(sync)
        if sync.created_by != caller.name:
            raise NotAllowed(f"The data of sync {sync.id} can only be deleted by {sync.created_by}, who started it.")
        files = sync_rows.expire_data(connection, caller.now, sync_id)
    caller.store.exports.delete(files)


def delete_of_definition(caller: Caller, element: Element, definition_id: int) -> None:
    """Delete the data of every sync of an export that the caller started."""
    key = DefinitionKey(EXPORTS, definition_id)
    with caller.database.write() as connection:
        definitions.get_definition(connection, element, key)
        files = sync_rows.expire_data_of(connection, key, caller.name)
    caller.store.exports.delete(files)


def read_used_bytes(caller: Caller) -> int:
    """Bytes that the data of all of the company's exports takes."""
    with caller.database.read() as connection:
        return sync_rows.data_bytes(connection)
