"""Measures 9 and 10: an export of a company's contacts, every page read, and how a late page compares to the first."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec
import orjson
from msgspec import Struct
from tests.support.server import RunningServer

from bench.client import Client
from bench.data import EXPORTED
from bench.filling import statements_of
from bench.measures import time_floor
from bench.processor import processor_seconds, with_processor_times
from bench.records import DATE, EMAIL, EXPORTED_FIELDS, make_exported
from bench.report import Breakdown, Measure, break_down, compare, say
from bench.sizes import Sizes

EXPORTS_PATH: Final = "/contacts/exports"
MOST_PAGES_TIMED: Final = 15
SPAN_PARTS: Final = {
    "sync": "POST /syncs until the client sees the end: read, written as JSON, durable",
    "pages": "every page: found, sent, received",
    "total": "all",
}


class ExportSpan(Struct, frozen=True, kw_only=True):
    """One export in seconds."""

    total: float
    sync: float
    pages: float


class Page(Struct):
    """What is looked at of a page of data."""

    items: list[dict[str, str]]
    count: int
    hasMore: bool  # noqa: N815 (as on the wire)


def define_export(client: Client, fields: Sequence[str]) -> str:
    """An export of every contact; gives its uri."""
    return client.define(EXPORTS_PATH, {"name": "bench", "fields": statements_of(fields)})


def run_export(client: Client, uri: str, page_records: int) -> tuple[ExportSpan, list[bytes], str]:
    """Sync an export and read all of its data: (what it took, the pages as they came, the sync's uri)."""
    request = msgspec.json.encode({"syncedInstanceUri": uri})
    began = time.perf_counter()
    sync_uri = str(msgspec.json.decode(client.call("POST", "/syncs", request))["uri"])
    client.wait(sync_uri)
    synced = time.perf_counter()
    pages: list[bytes] = []
    while not pages or b'"hasMore":true' in pages[-1][-200:]:
        pages.append(read_page(client, sync_uri, page_records, len(pages) * page_records))
    ended = time.perf_counter()
    return ExportSpan(total=ended - began, sync=synced - began, pages=ended - synced), pages, sync_uri


def read_page(client: Client, sync_uri: str, limit: int, offset: int) -> bytes:
    """A page of the data of a sync, as it came."""
    return client.call("GET", f"{sync_uri}/data?limit={limit}&offset={offset}")


def records_of(pages: Sequence[bytes]) -> list[dict[str, str]]:
    """The records on some pages; a date is without its time, which no record of the benchmark has.

    Raises:
        RuntimeError: a page does not have as many records as it says.
    """
    records: list[dict[str, str]] = []
    for content in pages:
        page = msgspec.json.decode(content, type=Page)
        if page.count != len(page.items):
            raise RuntimeError(f"a page says it has {page.count} records, and has {len(page.items)}")
        records += page.items
    return [r | {DATE: r[DATE].removesuffix(" 00:00:00.000")} if DATE in r else r for r in records]


def verify_export(pages: Sequence[bytes], records: Sequence[dict[str, str]]) -> None:
    """Make sure that an export has these records, in any order, and no others.

    Raises:
        RuntimeError: it has not.
    """
    found = {record[EMAIL]: record for record in records_of(pages)}
    if found != {record[EMAIL]: record for record in records}:
        wrong = next((r for r in records if found.get(r[EMAIL]) != r), None)
        raise RuntimeError(f"of {len(records)} records {len(found)} were exported; one of the wrong ones is {wrong}")


def read_and_dump(store: Path) -> int:
    """The floor: every row of the same columns fetched by the same driver, and written as one JSON text."""
    with closing(sqlite3.connect(store)) as connection:
        rows = connection.execute(f"SELECT {', '.join(EXPORTED_FIELDS)} FROM contact").fetchall()
    return len(orjson.dumps(rows))


def measure_export(server: RunningServer, sizes: Sizes, store: Path) -> tuple[Measure, Breakdown]:
    """Measure 9.

    Args:
        server: a running one.
        sizes: of the benchmark.
        store: the file of the company whose contacts are exported; the floor reads it too.
    """
    floors: list[float] = []
    spans: list[ExportSpan] = []
    processor_times: list[tuple[float, float]] = []
    records = make_exported(sizes.exported)
    for run in range(sizes.runs):
        seconds, floor_processor = time_floor(read_and_dump, store)
        with closing(Client(server.url, EXPORTED)) as client:
            uri = define_export(client, EXPORTED_FIELDS)
            before = processor_seconds(server)
            span, pages, _ = run_export(client, uri, sizes.page_records)
            processor_times.append((floor_processor, processor_seconds(server) - before))
        floors.append(seconds)
        spans.append(span)
        verify_export(pages, records)
        del pages
        say(f"9: run {run + 1} of {sizes.runs}: floor {seconds:.3f} s, Staithe {span.total:.3f} s")
    name = (
        f"export {sizes.exported:,} contacts\nof {len(EXPORTED_FIELDS)} fields, all pages\nfloor: SELECT, orjson.dumps"
    )
    measure = compare(9, name, floors, [span.total for span in spans], 2.0)
    breakdown = break_down("9, as its client sees it", SPAN_PARTS, [msgspec.to_builtins(s) for s in spans])
    return with_processor_times(measure, processor_times), breakdown


def measure_pages(server: RunningServer, sizes: Sizes) -> Measure:
    """Measure 10: the first page, which is its floor, and the last one, which has as many records, in turn."""
    times: tuple[list[float], list[float]] = ([], [])
    with closing(Client(server.url, EXPORTED)) as client:
        _, _, sync_uri = run_export(client, define_export(client, EXPORTED_FIELDS), sizes.page_records)
        offsets = (0, max(sizes.exported - sizes.page_records, 0))
        for _ in range(MOST_PAGES_TIMED):
            for offset, taken in zip(offsets, times, strict=True):
                began = time.perf_counter()
                page = read_page(client, sync_uri, sizes.page_records, offset)
                taken.append(time.perf_counter() - began)
                if len(records_of([page])) != min(sizes.page_records, sizes.exported):
                    raise RuntimeError(f"the page at {offset} is not full")
    say(f"10: {MOST_PAGES_TIMED} times each page")
    return compare(10, f"last page of that export,\nand as its floor the first\n{MOST_PAGES_TIMED} reads", *times, 1.2)
