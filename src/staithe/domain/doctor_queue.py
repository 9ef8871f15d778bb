"""The checks of `staithe doctor` that concern syncs and their files."""

from __future__ import annotations

from collections.abc import Iterator

from staithe.domain.doctor_database import some
from staithe.domain.doctor_facts import Deployment, Finding, Outcome


def stuck_syncs(deployment: Deployment) -> Iterator[Finding]:
    """No sync waits for long; if one does, something runs at least."""
    if not deployment.queues:
        return
    limit = deployment.limits.stuck_seconds
    stuck = sorted(
        (queue for queue in deployment.queues if queue.oldest_pending_seconds > limit),
        key=lambda queue: -queue.oldest_pending_seconds,
    )
    waiting = sum(queue.pending for queue in deployment.queues)
    running = sum(queue.active - queue.lapsed for queue in deployment.queues)
    if not stuck:
        yield Finding("syncs", Outcome.OK, f"{waiting:,} pending, {running:,} running, none has waited for long")
        return
    names = [f"{q.company}: {q.pending:,}, the oldest for {q.oldest_pending_seconds / 60:,.0f} min" for q in stuck]
    found = f"{some(names)}; {running:,} running"
    if running:
        yield Finding("syncs", Outcome.WARNING, found, "Run more workers, if this is not a passing load.")
    else:
        advice = "No worker takes them up: start staithe serve or staithe worker, and read its output."
        yield Finding("syncs", Outcome.FAILURE, found, advice)


def lapsed_leases(deployment: Deployment) -> Iterator[Finding]:
    """No active sync is without a worker."""
    if not deployment.queues:
        return
    lapsed = [f"{queue.company}: {queue.lapsed:,}" for queue in deployment.queues if queue.lapsed]
    if lapsed:
        found = f"active syncs whose worker is gone: {some(lapsed)}"
        advice = "Another worker takes them up within seconds. If this stays, none is running."
        yield Finding("leases", Outcome.WARNING, found, advice)
    else:
        yield Finding("leases", Outcome.OK, "every active sync has its worker")


def orphan_files(deployment: Deployment) -> Iterator[Finding]:
    """No old file is without a row, as workers remove such files."""
    for files in deployment.files:
        if files.failure:
            advice = "Let Staithe's user read and write its folders."
            yield Finding("files", Outcome.FAILURE, f"company {files.company}: {files.failure}", advice)
    orphans = [f"{files.company}: {files.orphans:,}" for files in deployment.files if files.orphans]
    if orphans:
        advice = "They take space and nothing else; a running worker removes them."
        yield Finding("files", Outcome.WARNING, f"older than an hour and named by no row: {some(orphans)}", advice)
    elif deployment.files and not any(files.failure for files in deployment.files):
        yield Finding("files", Outcome.OK, "none is left without a row")
