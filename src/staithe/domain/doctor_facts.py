"""What `staithe doctor` finds out about a deployment: the facts, before anybody judges them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

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
    """Whose it is: a company's name, or `control`."""
    version: int
    newest: int
    schema: str = ""
    """Its schema in PostgreSQL."""
    fault: str = ""
    """Why this version refuses it, after `the store`; empty if it does not."""


class SqliteFacts(Struct, frozen=True):
    """SQLite as a new connection of the server gets it."""

    version: tuple[int, ...]
    journal_mode: str
    synchronous: str


class PostgresFacts(Struct, frozen=True, kw_only=True):
    """PostgreSQL as a new connection of the server gets it."""

    version: int
    """As the server counts: 150018 is 15.18."""
    encoding: str
    settings: Mapping[str, str]
    """Those of `POSTGRES_SETTINGS`, as `SHOW` tells them."""
    is_standby: bool
    may_make_schemas: bool
    connections: int
    """Sessions of clients, whoever they are."""
    connections_of_process: int
    """As many as one process of Staithe may open."""
    clock_seconds: float
    """How far the database's clock is ahead of this machine's."""
    clock_doubt_seconds: float
    """What that may be wrong by: half of the time that asking took."""


POSTGRES_SETTINGS: Final = (
    "fsync",
    "full_page_writes",
    "synchronous_commit",
    "wal_level",
    "max_connections",
    "superuser_reserved_connections",
    "statement_timeout",
    "idle_in_transaction_session_timeout",
)


class CitusNode(Struct, frozen=True):
    """One node of Citus; group 0 is the coordinator."""

    address: str
    group: int
    is_active: bool
    takes_companies: bool
    """Whether new schemas are placed on it."""
    is_reached: bool
    """Whether the coordinator can connect to it now."""
    companies: int
    """Schemas that lie on it."""


class CitusFacts(Struct, frozen=True, kw_only=True):
    """The nodes of Citus, seen from the one that we are connected to."""

    version: str
    group: int
    """Of this node: 0 is the coordinator."""
    nodes: tuple[CitusNode, ...]
    distributed: frozenset[str]
    """The schemas that are placed on a node."""


class DiskFacts(Struct, frozen=True):
    """Where something is kept: `file_system` is the system's name of its type, empty if it has none."""

    what: str
    path: str
    file_system: str
    free_bytes: int
    total_bytes: int
    holds_sqlite: bool


class AccessFacts(Struct, frozen=True):
    """What others than Staithe's user may do in a directory."""

    directory: str
    read_by_group: tuple[str, ...] = ()
    """Paths that its group may reach and read or write."""
    read_by_all: tuple[str, ...] = ()
    """Those that everybody may."""


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


class Damage(Struct, kw_only=True):
    """What is wrong in one store and its files, after all of it was read."""

    store: str
    """A company's name, `control`, or `hints`."""
    pages: list[str] = []
    """What the database says of its own pages."""
    rows: list[str] = []
    """Rows that name what is not there."""
    sets: list[str] = []
    """Sets that do not fit the contacts."""
    files: list[str] = []
    """Files that are gone, or are not as they were written."""
    checked: int = 0
    """Files that were compared with their checksums."""
    unchecked: int = 0
    """Files of before there were checksums, which can be read."""


class Limits(Struct, frozen=True):
    """What the checks measure by."""

    lease_seconds: float
    stuck_seconds: float
    processes: int
    """Staithe's processes that use the database, on all machines."""


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
    postgres: PostgresFacts | None = None
    citus: CitusFacts | None = None
    disks: tuple[DiskFacts, ...] = ()
    access: tuple[AccessFacts, ...] = ()
    staging: StagingFacts | None = None
    servers: tuple[ServerFacts, ...] = ()
    queues: tuple[QueueFacts, ...] = ()
    files: tuple[FilesFacts, ...] = ()
    damage: tuple[Damage, ...] | None = None
    """None if not everything was read."""
