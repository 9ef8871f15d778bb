"""What `staithe doctor` finds out about a deployment: the facts, before anybody judges them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct


class Outcome(StrEnum):
    """How a check ended, from best to worst."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


class Finding(Struct, frozen=True):
    """One check, its outcome, what was found, and what to do (empty if nothing need be done)."""

    check: str
    outcome: Outcome
    found: str
    advice: str = ""


class SoftwareFacts(Struct, frozen=True):
    """What runs here."""

    staithe: str
    python: str
    system: str


class SchemaFacts(Struct, frozen=True):
    """Which migration a store has had last, and the newest that this Staithe knows."""

    store: str
    version: int
    newest: int


class SqliteFacts(Struct, frozen=True):
    """SQLite as a new connection of the server gets it."""

    version: tuple[int, ...]
    journal_mode: str
    synchronous: str


class DiskFacts(Struct, frozen=True):
    """Where something is kept: `file_system` is the system's name of its type, empty if it has none."""

    what: str
    path: str
    file_system: str
    free_bytes: int
    total_bytes: int
    holds_sqlite: bool


class StagingFacts(Struct, frozen=True):
    """A file written, read and deleted in the staging area: how long that took, or what went wrong."""

    place: str
    seconds: float = 0.0
    failure: str = ""


class ServerFacts(Struct, frozen=True):
    """A server that should run: what `/readyz` answered (0: nothing), or what went wrong."""

    url: str
    status: int
    seconds: float = 0.0
    failure: str = ""


class QueueFacts(Struct, frozen=True):
    """The syncs of one company. Ages are in seconds, 0 if there is none."""

    company: str
    pending: int
    active: int
    lapsed: int
    """Active syncs whose lease is over: their worker is gone."""
    oldest_pending_seconds: float
    future_seconds: float
    """How far the newest row lies in the future."""


class FilesFacts(Struct, frozen=True):
    """Old files of one company that no row names, or why they could not be listed."""

    company: str
    orphans: int
    failure: str = ""


class Limits(Struct, frozen=True):
    """What the checks measure by."""

    lease_seconds: float
    stuck_seconds: float


class Deployment(Struct, frozen=True, kw_only=True):
    """All facts of one deployment."""

    limits: Limits
    software: SoftwareFacts
    database: str
    """What it runs on: `SQLite` or `PostgreSQL`."""
    unreadable: Mapping[str, str] = {}
    """Stores that could not be read, and why."""
    schemas: tuple[SchemaFacts, ...] = ()
    sqlite: SqliteFacts | None = None
    disks: tuple[DiskFacts, ...] = ()
    staging: StagingFacts | None = None
    servers: tuple[ServerFacts, ...] = ()
    queues: tuple[QueueFacts, ...] = ()
    files: tuple[FilesFacts, ...] = ()
