"""Uploads: which staged files wait for which sync."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Executable, Row, bindparam, delete, func, insert, select, update

from staithe.domain.definitions import DefinitionKey
from staithe.storage import counters
from staithe.storage.definition_keys import is_of_definition, parameters_of
from staithe.storage.tables import IDEMPOTENCY, UPLOAD


class Upload(Struct, frozen=True, kw_only=True):
    """A staged file: how many records it has, its bytes on disk, and the names in it that no field has.

    `checksums` are those of the file, None if it was written before there were any.
    """

    id: int = 0
    definition: DefinitionKey
    sync_id: int | None = None
    file: str
    format: str
    records: int
    staged_bytes: int
    unmapped: tuple[str, ...]
    has_mapped_field: bool
    created_at: int
    created_by: str
    checksums: bytes | None = None


def to_upload(row: Row[Any]) -> Upload:
    return Upload(
        id=row.id,
        definition=DefinitionKey(row.definition_kind, row.definition_id),
        sync_id=row.sync_id,
        file=row.file,
        format=row.format,
        records=row.records,
        staged_bytes=row.staged_bytes,
        unmapped=msgspec.json.decode(row.unmapped, type=tuple[str, ...]),
        has_mapped_field=row.has_mapped_field,
        created_at=row.created_at,
        created_by=row.created_by,
        checksums=row.checksums,
    )


IS_OF_DEFINITION: Final = is_of_definition(UPLOAD.c.definition_kind, UPLOAD.c.definition_id)
IS_OF_SYNC: Final = UPLOAD.c.sync_id == bindparam("of_sync")
WAITS: Final = UPLOAD.c.sync_id.is_(None)
INSERT_UPLOAD: Final = insert(UPLOAD)
COUNT_WAITING: Final = select(func.count()).select_from(UPLOAD).where(IS_OF_DEFINITION, WAITS)
ASSIGN_WAITING: Final = update(UPLOAD).where(IS_OF_DEFINITION, WAITS)
"""Sets the columns that its parameters name."""

RELEASE: Final = update(UPLOAD).where(IS_OF_SYNC).values(sync_id=None)
SELECT_OF_SYNC: Final = select(UPLOAD).where(IS_OF_SYNC).order_by(UPLOAD.c.id)


def add_upload(connection: Connection, upload: Upload) -> int:
    """Insert an upload's row and give its id."""
    upload_id = counters.take_ids(connection, "upload")
    connection.execute(
        INSERT_UPLOAD,
        {
            "id": upload_id,
            "definition_kind": upload.definition.kind,
            "definition_id": upload.definition.id,
            "sync_id": upload.sync_id,
            "file": upload.file,
            "format": upload.format,
            "records": upload.records,
            "staged_bytes": upload.staged_bytes,
            "unmapped": msgspec.json.encode(upload.unmapped),
            "has_mapped_field": upload.has_mapped_field,
            "created_at": upload.created_at,
            "created_by": upload.created_by,
            "checksums": upload.checksums,
        },
    )
    return upload_id


def waiting_uploads(connection: Connection, key: DefinitionKey) -> int:
    """How many uploads of a definition wait for a sync."""
    return connection.execute(COUNT_WAITING, parameters_of(key)).scalar_one()


def assign_to_sync(connection: Connection, key: DefinitionKey, sync_id: int) -> None:
    """Give a new sync everything that waits: what is uploaded later belongs to the next one."""
    connection.execute(ASSIGN_WAITING, {**parameters_of(key), "sync_id": sync_id})


def release_from_sync(connection: Connection, sync_id: int) -> None:
    """After a sync that failed, its uploads wait for the next."""
    connection.execute(RELEASE, {"of_sync": sync_id})


def uploads_of_sync(connection: Connection, sync_id: int) -> list[Upload]:
    """The uploads of a sync in the order they came, which numbers their records."""
    return [to_upload(row) for row in connection.execute(SELECT_OF_SYNC, {"of_sync": sync_id})]


DELETE_OF_SYNC: Final = delete(UPLOAD).where(IS_OF_SYNC).returning(UPLOAD.c.file)
DELETE_OF_DEFINITION: Final = delete(UPLOAD).where(IS_OF_DEFINITION).returning(UPLOAD.c.file)
DELETE_WAITING: Final = delete(UPLOAD).where(IS_OF_DEFINITION, WAITS).returning(UPLOAD.c.file)
DELETE_EXPIRED: Final = (
    delete(UPLOAD).where(IS_OF_DEFINITION, WAITS, UPLOAD.c.created_at < bindparam("moment")).returning(UPLOAD.c.file)
)


def remove_uploads(connection: Connection, removal: Executable, parameters: Mapping[str, Any]) -> list[str]:
    """Delete rows of uploads, and give the files that nothing names any more."""
    return list(connection.execute(removal, parameters).scalars())


def remove_of_sync(connection: Connection, sync_id: int) -> list[str]:
    """Delete the rows of a sync's uploads; gives their files."""
    return remove_uploads(connection, DELETE_OF_SYNC, {"of_sync": sync_id})


def remove_of_definition(connection: Connection, key: DefinitionKey) -> list[str]:
    """Delete the rows of all uploads of a definition, those of an unfinished sync too; gives their files."""
    return remove_uploads(connection, DELETE_OF_DEFINITION, parameters_of(key))


def remove_waiting(connection: Connection, key: DefinitionKey) -> list[str]:
    """Delete the rows of the uploads of a definition that wait for a sync; gives their files."""
    return remove_uploads(connection, DELETE_WAITING, parameters_of(key))


def remove_expired(connection: Connection, key: DefinitionKey, moment: int) -> list[str]:
    """Delete the rows of the uploads of a definition that have waited since before a moment; gives their files."""
    return remove_uploads(connection, DELETE_EXPIRED, {**parameters_of(key), "moment": moment})


SUM_STAGED: Final = select(func.coalesce(func.sum(UPLOAD.c.staged_bytes), 0))
SUM_STAGED_OF: Final = SUM_STAGED.where(IS_OF_DEFINITION)
SELECT_FILES: Final = select(UPLOAD.c.file)
COUNT_UPLOADS: Final = select(func.count()).select_from(UPLOAD)


def staged_bytes(connection: Connection, key: DefinitionKey | None = None) -> int:
    """Bytes of the staged files of a definition, or of the whole company."""
    if key is None:
        return int(connection.execute(SUM_STAGED).scalar_one())
    return int(connection.execute(SUM_STAGED_OF, parameters_of(key)).scalar_one())


def all_files(connection: Connection) -> set[str]:
    """Every staged file that an upload names."""
    return set(connection.execute(SELECT_FILES).scalars())


def count_uploads(connection: Connection) -> int:
    """How many uploads are staged."""
    return connection.execute(COUNT_UPLOADS).scalar_one()


class KeptAnswer(Struct, frozen=True):
    """What an upload with an `Idempotency-Key` was answered: the digest of its body, and the sync it made."""

    body_digest: bytes
    sync_id: int | None


INSERT_ANSWER: Final = insert(IDEMPOTENCY)
SELECT_ANSWER: Final = select(IDEMPOTENCY.c.body_digest, IDEMPOTENCY.c.sync_id).where(
    is_of_definition(IDEMPOTENCY.c.definition_kind, IDEMPOTENCY.c.definition_id), IDEMPOTENCY.c.key == bindparam("key")
)
DELETE_ANSWERS: Final = delete(IDEMPOTENCY).where(IDEMPOTENCY.c.created_at < bindparam("moment"))


def find_answer(connection: Connection, definition: DefinitionKey, key: str) -> KeptAnswer | None:
    """The answer that was given to an upload with this key."""
    row = connection.execute(SELECT_ANSWER, {**parameters_of(definition), "key": key}).one_or_none()
    return None if row is None else KeptAnswer(row.body_digest, row.sync_id)


def keep_answer(connection: Connection, definition: DefinitionKey, key: str, answer: KeptAnswer, at: int) -> None:
    """Remember the answer to an upload with a key."""
    connection.execute(
        INSERT_ANSWER,
        {
            "definition_kind": definition.kind,
            "definition_id": definition.id,
            "key": key,
            "body_digest": answer.body_digest,
            "sync_id": answer.sync_id,
            "created_at": at,
        },
    )


def forget_answers(connection: Connection, moment: int) -> None:
    """Forget the answers given before a moment."""
    connection.execute(DELETE_ANSWERS, {"moment": moment})
