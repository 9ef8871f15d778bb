"""The measures of time, 1 to 5, 12, 14. Floor and Staithe take turns: a machine that slows down slows both."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.csv as pa_csv
from msgspec import Struct
from tests.support.postgres import OwnPostgres
from tests.support.server import RunningServer

from bench.bodies import Body, csv_of_ids, json_of_emails, json_of_ids
from bench.client import Client, Span
from bench.data import LARGE, SMALL
from bench.processor import processor_seconds, with_processor_times
from bench.report import Breakdown, Measure, break_down, compare, say
from bench.sizes import Sizes

csv: Any = pa_csv
BY_ID: Final = "{{Contact.Id}}"
BY_EMAIL: Final = "{{Contact.Field(C_EmailAddress)}}"
SPAN_PARTS: Final = {
    "upload": "upload request: sent, parsed, staged, durable, answered",
    "create_sync": "POST /syncs until the sync is created",
    "wait_for_worker": "until a worker has claimed it",
    "sync": "sync: matched, applied, written",
    "seen": "commit reaches the disk, and the client asks again",
    "total": "all",
}
MOST_P50_SECONDS: Final = 0.150


class Case(Struct, frozen=True):
    """One of the measures 1 to 3 and 12: how its body is made, and what the floor does with it."""

    number: int
    name: str
    statement: str
    make_body: Callable[[tuple[int, ...], int, int], Body]
    floor: Callable[[bytes], object]
    floor_name: str
    target: float | None


def read_csv(content: bytes) -> object:
    """The floor of CSV."""
    return csv.read_csv(pa.BufferReader(content))


IDS_AS_JSON: Final = Case(
    1, "{count:,} ids as JSON\nof {contacts:,} contacts", BY_ID, json_of_ids, orjson.loads, "orjson.loads", 2.0
)
IDS_AS_CSV: Final = Case(
    2, "{count:,} ids as CSV\nof {contacts:,} contacts", BY_ID, csv_of_ids, read_csv, "pyarrow.csv.read_csv", None
)
EMAILS: Final = Case(
    3,
    "{count:,} email addresses\nof {contacts:,} contacts",
    BY_EMAIL,
    json_of_emails,
    orjson.loads,
    "orjson.loads",
    None,
)
CASES: Final = {case.number: case for case in (IDS_AS_JSON, IDS_AS_CSV, EMAILS)}


def count_of(case: Case, sizes: Sizes) -> int:
    """How many records the upload of a case has."""
    return sizes.emails if case.statement == BY_EMAIL else sizes.ids


def measure_case(
    server: RunningServer, sizes: Sizes, case: Case, postgres: OwnPostgres | None = None
) -> tuple[Measure, Breakdown]:
    """A case against its floor: (the measure, where its time goes as a client sees it).

    Args:
        server: a running one.
        sizes: of the benchmark.
        case: which measure.
        postgres: what the server has its stores in, if it has; its processor time counts as well.
    """
    floors: list[float] = []
    spans: list[Span] = []
    processor_times: list[tuple[float, float]] = []
    client = Client(server.url, LARGE)
    for run in range(sizes.runs):
        body = case.make_body((case.number, run), sizes.contacts, count_of(case, sizes))
        seconds, floor_processor = time_floor(case.floor, body.content)
        floors.append(seconds)
        before = processor_seconds(server, postgres)
        spans.append(run_once(client, case, body))
        processor_times.append((floor_processor, processor_seconds(server, postgres) - before))
        say(f"{case.number}: run {run + 1} of {sizes.runs}: floor {floors[-1]:.3f} s, Staithe {spans[-1].total:.3f} s")
    client.close()
    name = case.name.format(count=count_of(case, sizes), contacts=sizes.contacts)
    measure = compare(case.number, f"{name}\nfloor: {case.floor_name}", floors, totals(spans), case.target)
    measure = with_processor_times(measure, processor_times, " with making the definition and verifying")
    return measure, break_down(
        f"{case.number}, as its client sees it", SPAN_PARTS, [msgspec.to_builtins(s) for s in spans]
    )


def time_floor(floor: Callable[[bytes], object], content: bytes) -> tuple[float, float]:
    """How long the floor takes, and how much processor time; without Python's garbage collector, as `timeit` does it.

    That is the strictest floor.
    """
    gc.collect()
    gc.disable()
    began, processor_began = time.perf_counter(), time.process_time()
    result = floor(content)
    seconds, processor = time.perf_counter() - began, time.process_time() - processor_began
    gc.enable()
    del result
    return seconds, processor


def run_once(client: Client, case: Case, body: Body) -> Span:
    """One upload and sync into a list of its own; what it came to is verified when the time is taken."""
    list_id, uri = client.new_list_definition(case.statement)
    span, sync_uri = client.run(uri, body)
    client.verify(list_id, sync_uri, body)
    return span


def totals(spans: Sequence[Span]) -> list[float]:
    """The whole time of each."""
    return [span.total for span in spans]


def measure_growth(server: RunningServer, sizes: Sizes) -> Measure:
    """Measure 4: the first case in a company with all contacts, against one with a tenth of them."""
    case = CASES[1]
    large, small = Client(server.url, LARGE), Client(server.url, SMALL)
    spans: dict[int, list[Span]] = {sizes.contacts: [], sizes.small_contacts: []}
    for run in range(sizes.runs):
        for client, contacts in ((small, sizes.small_contacts), (large, sizes.contacts)):
            count = min(sizes.ids, contacts)
            spans[contacts].append(run_once(client, case, case.make_body((4, run), contacts, count)))
        last = [f"{s[-1].total:.3f} s with {contacts:,}" for contacts, s in spans.items()]
        say(f"4: run {run + 1} of {sizes.runs}: {', '.join(last)}")
    large.close()
    small.close()
    name = f"growth: 1, and as its floor\n1 with {sizes.small_contacts:,} contacts"
    return compare(4, name, totals(spans[sizes.small_contacts]), totals(spans[sizes.contacts]), 1.3)


def measure_one_record(server: RunningServer, sizes: Sizes, number: int = 5, where: str = "") -> Measure:
    """Measure 5, and 14: one record, from the upload to the final status."""
    client = Client(server.url, LARGE)
    ids = np.random.default_rng(5).choice(sizes.contacts, sizes.records, replace=False) + 1
    bodies = [Body(b'[{"Id":"%d"}]' % contact_id, "application/json", 1, 0) for contact_id in ids]
    list_id, uri = client.new_list_definition(BY_ID)
    spans: list[Span] = []
    for count, body in enumerate(bodies, start=1):
        span, sync_uri = client.run(uri, body)
        client.verify(list_id, sync_uri, Body(b"", "", count, 0))
        spans.append(span)
    client.close()
    p50, p99 = (float(p) for p in np.percentile(totals(spans), [50, 99]))
    say(f"{number}: {sizes.records} runs: p50 {p50:.3f} s, p99 {p99:.3f} s")
    return Measure(
        number=number,
        name=f"one record{where}, {sizes.records} runs\nof {sizes.contacts:,} contacts",
        staithe=f"p50 {p50 * 1000:.1f} ms\np99 {p99 * 1000:.1f} ms",
        target=f"p50 at most\n{MOST_P50_SECONDS * 1000:.0f} ms",
        is_met=p50 <= MOST_P50_SECONDS,
        figures={"p50_seconds": p50, "p99_seconds": p99, "spans": spans},
    )
