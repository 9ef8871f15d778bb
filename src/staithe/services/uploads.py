"""Uploads: from the bytes of a request to a staged file. All or nothing, and durable before it is answered."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from staithe.domain.definitions import DefinitionKey, ExportDefinition, StoredDefinition
from staithe.domain.elements import Element
from staithe.domain.errors import Busy, Conflict, Failure, OutcomeUnknown, StorageFull, TooLarge, ValidationFailed
from staithe.domain.limits import IDEMPOTENCY_KEY_CHARACTERS, UPLOAD_BYTES, UPLOADS_PER_SYNC
from staithe.domain.syncs import Sync
from staithe.services import definitions, syncs
from staithe.services.caller import Caller
from staithe.staging.csv_rows import CsvRows
from staithe.staging.json_rows import JsonRows
from staithe.staging.rows import schema_of
from staithe.storage import syncs as sync_rows
from staithe.storage import uploads
from staithe.storage.database import Connection
from staithe.storage.uploads import KeptAnswer, Upload

READERS: Final = {"JSON": JsonRows, "CSV": CsvRows}
SIZE_ADVICE: Final = "Split the data into several uploads; they add up until the next sync."


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """What is known of an upload before its body: `format` is a key of `READERS`, `deadline` of `time.monotonic`."""

    format: str
    idempotency_key: str
    deadline: float


class ReceivingUpload:
    """Takes the body of an upload in pieces. Leaving the block without `finish` stores nothing."""

    def __init__(self, caller: Caller, element: Element, key: DefinitionKey, request: UploadRequest) -> None:
        if len(request.idempotency_key) > IDEMPOTENCY_KEY_CHARACTERS:
            rule = f"Must have at most {IDEMPOTENCY_KEY_CHARACTERS} characters."
            raise ValidationFailed(Failure("Idempotency-Key", rule, request.idempotency_key))
        self.caller, self.element, self.request = caller, element, request
        with caller.database.read() as connection:
            self.stored: StoredDefinition = definitions.get_definition(connection, element, key)
            if not request.idempotency_key:
                self.check_room(connection, 0)
                if starts_sync(self.stored):
                    syncs.check_rate(connection, caller)
        fields = list(self.stored.definition.fields)
        self.reader = READERS[request.format](fields)
        self.writer = caller.store.staging.create(schema_of(fields))
        self.digest = hashlib.sha256() if request.idempotency_key else None
        self.received_bytes = 0

    def feed(self, data: bytes) -> None:
        """Take some bytes of the body.

        Raises:
            ParseFailed: it cannot be valid any more.
            TooLarge: it is over 32 MiB.
            Busy: the time limit is over.
        """
        self.received_bytes += len(data)
        check_size(self.received_bytes)
        if self.digest is not None:
            self.digest.update(data)
        for batch in self.reader.feed(data):
            self.writer.write(batch)
            self.check_time()

    def finish(self) -> Sync | None:
        """The body is complete: make it durable; gives the sync if the definition starts one.

        Raises:
            ParseFailed: the body is not valid.
            Conflict: the idempotency key was used with another body, or the definition was replaced meanwhile.
            StorageFull: the company's quota or the disk has no room.
            ValidationFailed: 500 uploads wait already.
            TooManyRequests: the company has started as many syncs as it may in an hour.
            Busy: the time limit is over.
        """
        for batch in self.reader.finish():
            self.writer.write(batch)
            self.check_time()
        staged_bytes = self.writer.finish()
        try:
            with self.caller.database.write() as connection:
                sync, is_new = self.store(connection, staged_bytes)
                self.check_time()
        except OutcomeUnknown:
            # If it was committed, the file has a row; if not, the sweep removes it.
            raise
        except BaseException:
            self.caller.store.staging.delete([self.writer.name])
            raise
        if not is_new:
            self.caller.store.staging.delete([self.writer.name])
        elif sync is not None:
            self.caller.stores.hint_pending(self.caller.user.company)
        return sync

    def check_time(self) -> None:
        """Refuse an upload that takes too long.

        Raises:
            Busy: the time limit is over.
        """
        if time.monotonic() > self.request.deadline:
            raise Busy("The upload was not done within the time limit.", "Send it again, or in smaller parts.")

    def store(self, connection: Connection, staged_bytes: int) -> tuple[Sync | None, bool]:
        """Write the upload's row: (the sync of the answer, whether this is news)."""
        key = self.stored.key
        present = definitions.get_definition(connection, self.element, key)
        if present.definition.fields != self.stored.definition.fields:
            raise Conflict("The definition was replaced during the upload.", "Read the definition and upload again.")
        if self.digest is not None:
            kept = uploads.find_answer(connection, key, self.request.idempotency_key)
            if kept is not None:
                return self.repeat_answer(connection, kept), False
        self.check_room(connection, staged_bytes)
        uploads.add_upload(connection, self.to_row(staged_bytes))
        sync = syncs.start(connection, present, self.caller) if starts_sync(present) else None
        if self.digest is not None:
            answer = KeptAnswer(self.digest.digest(), sync.id if sync else None)
            uploads.keep_answer(connection, key, self.request.idempotency_key, answer, self.caller.now)
        return sync, True

    def to_row(self, staged_bytes: int) -> Upload:
        return Upload(
            definition=self.stored.key,
            file=self.writer.name,
            format=self.request.format,
            records=self.writer.rows,
            staged_bytes=staged_bytes,
            unmapped=tuple(self.reader.unmapped),
            has_mapped_field=self.reader.has_mapped_field,
            created_at=self.caller.now,
            created_by=self.caller.name,
            checksums=self.writer.checksums,
        )

    def repeat_answer(self, connection: Connection, kept: KeptAnswer) -> Sync | None:
        assert self.digest is not None
        if kept.body_digest != self.digest.digest():
            raise Conflict(
                "This Idempotency-Key was used for another body.",
                "Use a new key for new data; a key stands for one upload of one definition.",
            )
        return sync_rows.find_sync(connection, kept.sync_id) if kept.sync_id is not None else None

    def check_room(self, connection: Connection, staged_bytes: int) -> None:
        """Refuse an upload for which the sync or the company's quota has no room."""
        if uploads.waiting_uploads(connection, self.stored.key) >= UPLOADS_PER_SYNC:
            rule = f"Must be at most {UPLOADS_PER_SYNC} uploads before a sync: POST /syncs, then go on."
            raise ValidationFailed(Failure("data", rule, UPLOADS_PER_SYNC + 1))
        quota_kb = self.caller.limits.staging_quota_kb
        used_kb = uploads.staged_bytes(connection) / 1024
        left_kb = int(quota_kb - used_kb)
        if left_kb <= 0 or staged_bytes / 1024 > left_kb:
            raise StorageFull(
                f"The company's staging quota of {quota_kb} kB has {max(left_kb, 0)} kB left.",
                "Sync what is staged, or delete staged data that is not wanted; GET /imports/data shows the quota.",
                kbAllowed=quota_kb,
                kbLeft=max(left_kb, 0),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.__exit__(error_type, error, trace)


def starts_sync(stored: StoredDefinition) -> bool:
    """Whether an upload to a definition starts a sync by itself."""
    assert not isinstance(stored.definition, ExportDefinition), "exports take no uploads"
    return stored.definition.is_sync_triggered_on_import


def check_size(received_bytes: int) -> None:
    """Refuse a body over 32 MiB.

    Raises:
        TooLarge: always then.
    """
    if received_bytes > UPLOAD_BYTES:
        raise TooLarge(
            f"The upload is over {UPLOAD_BYTES} bytes (32 MiB), counted after gunzip.",
            SIZE_ADVICE,
            limitBytes=UPLOAD_BYTES,
        )


def read_staged_bytes(caller: Caller) -> int:
    """Bytes that the company has staged."""
    with caller.database.read() as connection:
        return uploads.staged_bytes(connection)
