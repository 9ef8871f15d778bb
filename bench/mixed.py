"""Measure 15: a mixed load for some minutes, on two servers that share a PostgreSQL and a staging area.

Companies, clients and processes are those of a small deployment of two machines; here all are on one.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
from tests.support.postgres import OwnPostgres
from tests.support.server import RunningServer

from bench.memory import SAMPLE_SECONDS, Sample, Sampler
from bench.mixed_client import MixedClient, Operation
from bench.report import Measure, say
from bench.running import running_server
from bench.sizes import MIB, Sizes

COMPANIES: Final = ("harbour", "quarry")
MOST_GROWTH: Final = 1.1
SETTLED: Final = 0.1
"""The part of the time after which memory is looked at first: a minute of ten."""

WINDOW: Final = 1 / 60
"""Memory is the median of the samples of this part of the time, as it goes up and down with every request."""

SAMPLES_IN_WINDOW: Final = 10
SYNC_KINDS: Final = ("sync of actions, to its end", "sync of an import, to its end")
"""Not requests, but many of them."""


def measure_mixed(empty: Path, postgres: OwnPostgres, sizes: Sizes) -> Measure:
    """Measure 15.

    Args:
        empty: a new folder, for the servers' data directories and the staging area.
        postgres: where the stores are, in a database of their own.
        sizes: of the benchmark.
    """
    staging = empty / "staging"
    staging.mkdir(parents=True)
    url = postgres.new_database("mixed")
    options = ("--workers", "1", "--staging", str(staging))
    with (
        running_server(empty / "one", *options, database=url) as one,
        running_server(empty / "two", *options, database=url) as two,
    ):
        for company in COMPANIES:
            one.new_company(company, sizes.few_contacts)
        urls = [server.url for server in (one, two)]
        clients = [
            MixedClient(urls[number % 2], company, number, sizes)
            for company in COMPANIES
            for number in range(1, sizes.clients + 1)
        ]
        return run_load(clients, (one, two), sizes)


def run_load(clients: Sequence[MixedClient], servers: Sequence[RunningServer], sizes: Sizes) -> Measure:
    """Let all clients work at once for as long as `sizes` says, and verify what they leave."""
    seconds = sizes.mixed_seconds
    say(f"15: {len(clients)} clients work for {seconds:g} s")
    pause = max(SAMPLE_SECONDS, seconds * WINDOW / SAMPLES_IN_WINDOW)
    ids = [server.process.pid for server in servers]
    with ThreadPoolExecutor(len(clients)) as pool:
        with Sampler(*ids, pause=pause) as sampler:
            began = time.monotonic()
            working = [pool.submit(client.work, began + seconds) for client in clients]
            time.sleep(seconds)
        for work in as_completed(working):
            work.result()
        list(pool.map(finish, clients))
    errors = [error for client in clients for error in client.errors]
    errors += [f"process {gone.pid} of a server has ended" for gone in sampler.processes if not is_running(gone)]
    operations = [o for client in clients for o in client.operations if o.ended <= began + seconds]
    return to_measure(operations, errors, memory(sampler.samples, began, seconds), sizes)


def finish(client: MixedClient) -> None:
    """Verify what a client has done, unless it ended with an error: then it does not know."""
    if not client.errors:
        client.verify()
    client.close()


def is_running(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def memory(samples: Sequence[Sample], began: float, seconds: float) -> tuple[float, float]:
    """RSS of all processes of both servers in bytes: (once they have settled, at the end)."""
    window = seconds * WINDOW
    starts = (began + seconds * SETTLED, began + seconds - window)
    medians = [median_of(samples, start, start + window) for start in starts]
    return medians[0], medians[1]


def median_of(samples: Sequence[Sample], start: float, end: float) -> float:
    """Of the samples between two moments; if there is none, of the one that is nearest."""
    inside = [sample.rss for sample in samples if start <= sample.at <= end]
    nearest = min(samples, key=lambda sample: abs(sample.at - start))
    return statistics.median(inside or [nearest.rss])


def to_measure(
    operations: Sequence[Operation], errors: Sequence[str], rss: tuple[float, float], sizes: Sizes
) -> Measure:
    seconds = sizes.mixed_seconds
    kinds = {kind: summary(operations, kind) for kind in sorted({o.kind for o in operations})}
    requests = sum(s["count"] for kind, s in kinds.items() if kind not in SYNC_KINDS)
    syncs = sum(s["count"] for kind, s in kinds.items() if kind in SYNC_KINDS)
    growth = rss[1] / rss[0]
    say(f"15: {requests / seconds:.1f} requests/s, {len(errors)} errors, memory {growth:.2f}")
    notes = [f"{requests:,} requests and {syncs:,} syncs; errors: {len(errors)}."]
    notes += [f"error: {error}" for error in errors[:3]]
    notes += [
        f"{kind}: {s['count']:,}, p50 {s['p50_seconds'] * 1000:.1f} ms, p99 {s['p99_seconds'] * 1000:.1f} ms."
        for kind, s in kinds.items()
    ]
    return Measure(
        number=15,
        name=f"mixed load, PostgreSQL,\n{len(COMPANIES)} x {sizes.clients} clients, {seconds:g} s,\ntwo servers",
        floor=f"RSS after {seconds * SETTLED:g} s\n{rss[0] / MIB:.0f} MiB",
        staithe=f"{requests / seconds:.1f} requests/s\nRSS {rss[1] / MIB:.0f} MiB",
        ratio=f"{growth:.2f}",
        target=f"RSS at most {MOST_GROWTH},\nno error",
        is_met=growth <= MOST_GROWTH and not errors,
        notes=tuple(notes),
        figures={
            "requests_per_second": requests / seconds,
            "syncs_per_second": syncs / seconds,
            "errors": errors,
            "operations": kinds,
            "rss_bytes_settled_and_at_end": rss,
            "rss_at_end_over_settled": growth,
        },
    )


def summary(operations: Sequence[Operation], kind: str) -> dict[str, Any]:
    """How often something was done, and how long it took."""
    seconds = [operation.seconds for operation in operations if operation.kind == kind]
    p50, p99, highest = (float(p) for p in np.percentile(seconds, [50, 99, 100]))
    return {"count": len(seconds), "p50_seconds": p50, "p99_seconds": p99, "highest_seconds": highest}
