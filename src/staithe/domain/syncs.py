"""A sync, its states, and the lines and rejects it leaves behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct

from staithe.domain.codes import Severity, StatusCode
from staithe.domain.definitions import DefinitionKey
from staithe.domain.identifiers import NUL


class SyncStatus(StrEnum):
    """The states of a sync: pending, then active, then one of the three final ones."""

    PENDING = "pending"
    ACTIVE = "active"
    SUCCESS = "success"
    WARNING = "warning"
    ERROR = "error"


class SyncData(Struct, frozen=True):
    """The data of an export's sync; `file` is empty once it was deleted or has expired.

    `checksums` are those of the file, None if it was written before there were any.
    """

    file: str
    records: int
    bytes: int
    kept_until: int
    checksums: bytes | None = None


class RejectFile(Struct, frozen=True):
    """A file of rejects: its name, how many they are, and its checksums, None if it is of before there were any."""

    name: str
    count: int
    checksums: bytes | None = None


def to_reject_file(name: str | None, count: int, checksums: bytes | None) -> RejectFile | None:
    """What a row says of a file of rejects; None if there is none."""
    return None if name is None else RejectFile(name, count, checksums)


UNFINISHED: Final = (SyncStatus.PENDING, SyncStatus.ACTIVE)


class Sync(Struct, frozen=True, kw_only=True):
    """A sync as it is stored. Times are microseconds since 1970 in UTC; absent ones are None."""

    id: int
    definition_uri: str
    definition: DefinitionKey
    status: SyncStatus
    created_at: int
    created_by: str
    started_at: int | None = None
    ended_at: int | None = None
    callback_url: str | None = None
    attempts: int = 0
    rejects: RejectFile | None = None
    data: SyncData | None = None


class LogEntry(Struct, frozen=True):
    """One line of a sync log; `count` is 0 where there is nothing to count."""

    code: str
    severity: Severity
    message: str
    count: int
    created_at: int


class Reject(Struct, frozen=True):
    """A record that was refused: its 1-based number over the whole sync, why, and what it held.

    `reason` is a key of `codes.REJECT_REASONS`.
    """

    record_index: int
    reason: str
    field_values: Mapping[str, str]
    invalid_fields: tuple[str, ...]


NUL_SIGN: Final = "\N{SYMBOL FOR NULL}"


class SyncLog:
    """Collects the lines of one sync and knows how grave they are."""

    def __init__(self, entries: Iterable[LogEntry] = ()) -> None:
        self.entries = list(entries)

    def add(self, code: StatusCode, at: int, count: int = 0, **places: object) -> None:
        """Write a line; `places` fill the code's message. A NUL in them, which not every database holds, is shown."""
        message = code.message.format(**places).replace(NUL, NUL_SIGN)
        self.entries.append(LogEntry(code.code, code.severity, message, count, at))

    def status(self) -> SyncStatus:
        """How a sync with these lines ends."""
        severities = {entry.severity for entry in self.entries}
        if Severity.ERROR in severities:
            return SyncStatus.ERROR
        return SyncStatus.WARNING if Severity.WARNING in severities else SyncStatus.SUCCESS
