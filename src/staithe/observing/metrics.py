"""The metrics of a process: what they are called, what they count, and their labels. All labels are bounded.

Imported by the processes that serve and work, not by the supervisor: from its import on, this process has files in
the folder of the server's metrics, if it was given one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, values

from staithe import __version__
from staithe.domain import codes
from staithe.domain.definitions import EXPORTS, IMPORTS, SYNC_ACTIONS
from staithe.domain.syncs import LogEntry, SyncStatus
from staithe.observing.folder import reserve_files

LOGGER: Final = logging.getLogger(__name__)

disable_created_metrics()
try:
    reserve_files()
except OSError as error:
    LOGGER.warning("the metrics of this process cannot be seen from others: %s", error)
    values.ValueClass = values.MutexValue

REGISTRY: Final = CollectorRegistry()
"""Of what this process counts itself."""

REQUEST_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
SYNC_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)

PROCESSES: Final = Gauge(
    "staithe_processes",
    "Processes that run.",
    ["process", "version"],
    registry=REGISTRY,
    multiprocess_mode="livesum",
)
PROCESS_STARTS: Final = Counter(
    "staithe_process_starts",
    "Processes started since the server was: more than run means that some died.",
    ["process"],
    registry=REGISTRY,
)
REQUESTS: Final = Counter(
    "staithe_http_requests", "Requests answered.", ["method", "route", "status"], registry=REGISTRY
)
REQUEST_DURATION: Final = Histogram(
    "staithe_http_request_duration_seconds",
    "From a request's first byte to its answer's last.",
    ["method", "route"],
    registry=REGISTRY,
    buckets=REQUEST_SECONDS,
)
REQUESTS_RUNNING: Final = Gauge(
    "staithe_http_requests_running",
    "Requests that are being answered.",
    registry=REGISTRY,
    multiprocess_mode="livesum",
)
CONNECTIONS: Final = Gauge(
    "staithe_http_connections", "Connections that are open.", registry=REGISTRY, multiprocess_mode="livesum"
)
CONNECTIONS_ENDED: Final = Counter(
    "staithe_http_connections_ended",
    "Connections that the server has ended before time.",
    ["reason"],
    registry=REGISTRY,
)
WRONG_PASSWORDS: Final = Counter(
    "staithe_wrong_passwords",
    "Wrong passwords that were verified, and passwords that were not as too many had been wrong.",
    ["outcome"],
    registry=REGISTRY,
)
UPLOADS: Final = Counter("staithe_uploads", "Uploads by what became of them.", ["format", "outcome"], registry=REGISTRY)
UPLOAD_RECEIVED_BYTES: Final = Counter(
    "staithe_upload_received_bytes", "Bytes of uploads, after gunzip.", registry=REGISTRY
)
SYNCS: Final = Counter("staithe_syncs", "Syncs that have ended.", ["kind", "status"], registry=REGISTRY)
SYNC_DURATION: Final = Histogram(
    "staithe_sync_duration_seconds",
    "Run of a sync by the worker that ended it.",
    ["kind"],
    registry=REGISTRY,
    buckets=SYNC_SECONDS,
)
SYNC_WAIT: Final = Histogram(
    "staithe_sync_wait_seconds",
    "From a sync's creation to its first claim.",
    ["kind"],
    registry=REGISTRY,
    buckets=SYNC_SECONDS,
)
SYNCS_RUNNING: Final = Gauge(
    "staithe_syncs_running", "Syncs that workers run.", registry=REGISTRY, multiprocess_mode="livesum"
)
SYNCS_TAKEN_UP_AGAIN: Final = Counter(
    "staithe_syncs_taken_up_again", "Syncs claimed that an earlier claim had not ended.", ["kind"], registry=REGISTRY
)
RECORDS: Final = Counter("staithe_records", "Records of syncs that have ended.", ["kind", "result"], registry=REGISTRY)
ACTION_CONTACTS: Final = Counter(
    "staithe_sync_action_contacts", "Contacts that sync actions were applied to.", ["action"], registry=REGISTRY
)
REJECTS: Final = Counter("staithe_rejects", "Records or values refused by syncs.", ["code"], registry=REGISTRY)
CALLBACKS: Final = Counter("staithe_callbacks", "Callbacks by what became of them.", ["outcome"], registry=REGISTRY)

KINDS: Final = (SYNC_ACTIONS, IMPORTS, EXPORTS)
RESULTS: Final[Mapping[str, str]] = {
    codes.PROCESSED.code: "processed",
    codes.REJECTED.code: "rejected",
    codes.CREATED.code: "created",
    codes.UPDATED.code: "updated",
    codes.EXPORTED.code: "exported",
}
"""Code of a line of the sync log -> what became of the records that it counts."""

ACTIONS: Final[Mapping[str, str]] = {
    codes.LIST_ADDED.code: "list_added",
    codes.LIST_REMOVED.code: "list_removed",
    codes.GROUP_SUBSCRIBED.code: "group_subscribed",
    codes.GROUP_UNSUBSCRIBED.code: "group_unsubscribed",
    codes.GLOBAL_SUBSCRIBED.code: "globally_subscribed",
    codes.GLOBAL_UNSUBSCRIBED.code: "globally_unsubscribed",
    codes.APP_STATUS_SET.code: "app_status_set",
    codes.CONNECTOR_STATUS_SET.code: "connector_status_set",
}
"""Code of a line of the sync log -> the sync action that it tells of."""


def note_start(process: str) -> None:
    """This process has started, and will do what a process of its name does."""
    PROCESSES.labels(process, __version__).set(1)
    PROCESS_STARTS.labels(process).inc()
    if process == "worker":
        begin_at_zero()


def begin_at_zero() -> None:
    """Make the series of a worker before anything happens, so that the first event is seen as a rise."""
    for kind in KINDS:
        SYNC_DURATION.labels(kind)
        SYNC_WAIT.labels(kind)
        SYNCS_TAKEN_UP_AGAIN.labels(kind)
        for status in (SyncStatus.SUCCESS, SyncStatus.WARNING, SyncStatus.ERROR):
            SYNCS.labels(kind, status.value)
    for code in codes.REJECT_CODES:
        REJECTS.labels(code)
    for action in ACTIONS.values():
        ACTION_CONTACTS.labels(action)


def count_sync(kind: str, status: SyncStatus, log: Iterable[LogEntry], seconds: float) -> None:
    """A sync has ended.

    Args:
        kind: of its definition.
        status: a final one.
        log: the lines of its log.
        seconds: how long it ran.
    """
    SYNCS.labels(kind, status.value).inc()
    SYNC_DURATION.labels(kind).observe(seconds)
    for entry in log:
        if entry.code in RESULTS:
            RECORDS.labels(kind, RESULTS[entry.code]).inc(entry.count)
        elif entry.code in ACTIONS:
            ACTION_CONTACTS.labels(ACTIONS[entry.code]).inc(entry.count)
        elif is_reject(kind, entry):
            REJECTS.labels(entry.code).inc(entry.count)
            # The log of an import has no line of all rejects; a record with an unusable value was imported.
            if kind == IMPORTS and entry.code != codes.UNUSABLE_VALUE.code:
                RECORDS.labels(kind, RESULTS[codes.REJECTED.code]).inc(entry.count)


def records_of(log: Iterable[LogEntry]) -> int:
    """The records that a sync has read or exported, by its log."""
    return sum(entry.count for entry in log if RESULTS.get(entry.code) in ("processed", "exported"))


def is_reject(kind: str, entry: LogEntry) -> bool:
    """Whether a line of a sync log counts rejects.

    Identifiers that sync actions meet twice have the code of a reject, but are none; and their log counts unknown
    contacts a second time, as records that match none.
    """
    if kind == SYNC_ACTIONS and entry.code == codes.UNMATCHED.code:
        return False
    return entry.code in codes.REJECT_CODES and entry.severity is codes.Severity.WARNING
