"""One sync as operators see it: counted, timed, logged and traced, whatever kind it is of."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager

from staithe.domain.limits import SECOND
from staithe.domain.syncs import Sync, SyncStatus
from staithe.observing import metrics, traces
from staithe.observing.fields import add_log_fields, log_fields
from staithe.observing.logs import ACCESS
from staithe.services.run_sync import run_sync
from staithe.services.stores import CompanyStore
from staithe.services.sync_run import Run


def sync_fields(store: CompanyStore, sync: Sync) -> AbstractContextManager[None]:
    """Within the block all lines that are logged say for which sync."""
    return log_fields(company=store.company.name, sync_id=sync.id, kind=sync.definition.kind)


def run_observed(run: Run) -> None:
    """Bring a claimed sync to its end, as `run_sync` does."""
    sync, kind = run.sync, run.sync.definition.kind
    if sync.attempts > 1:
        metrics.SYNCS_TAKEN_UP_AGAIN.labels(kind).inc()
    begun = time.monotonic()
    with traces.span(f"sync {kind}", "consumer") as span, metrics.SYNCS_RUNNING.track_inprogress():
        if span.trace_id:
            add_log_fields(trace_id=span.trace_id)
        span.note(
            staithe__company=run.store.company.name,
            staithe__sync__id=sync.id,
            staithe__sync__kind=kind,
            staithe__sync__attempt=sync.attempts,
        )
        ended = run_sync(run)
        if ended is None:
            span.note(staithe__sync__status="handed over")
            return
        span.note(
            staithe__sync__status=ended.status.value,
            staithe__sync__records=metrics.records_of(ended.log),
        )
        if ended.status is SyncStatus.ERROR:
            span.fail("the sync ended in error")
    seconds = time.monotonic() - begun
    metrics.count_sync(kind, ended.status, ended.log, seconds)
    note_wait(sync)
    ACCESS.info("sync ended", extra={"status": ended.status.value, "seconds": round(seconds, 6)})


def note_wait(sync: Sync) -> None:
    """How long it waited for its first claim; it is told once, when a sync has ended, however often it was claimed."""
    if sync.started_at is not None:
        waited = max(sync.started_at - sync.created_at, 0)
        metrics.SYNC_WAIT.labels(sync.definition.kind).observe(waited / SECOND)


def note_callback(*, was_taken: bool) -> None:
    """A callback was delivered, or given up."""
    metrics.CALLBACKS.labels("delivered" if was_taken else "given_up").inc()
