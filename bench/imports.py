"""Measures 7, 8 and 13: an import of new contacts, and of the same contacts with other values."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from tests.support.postgres import OwnPostgres
from tests.support.server import RunningServer

from bench.bodies import Body
from bench.client import Client, Span
from bench.exports import define_export, run_export, verify_export
from bench.filling import statements_of
from bench.import_floors import COPY, INSERT, UPSERT, CopyFloor, Floor, SqliteFloor
from bench.measures import SPAN_PARTS, time_floor, totals
from bench.processor import postgres_seconds, processor_seconds, with_processor_times
from bench.records import EMAIL, FIELDS, make_bodies, make_records
from bench.report import Breakdown, Measure, Taken, break_down, compare, say
from bench.sizes import Sizes

IMPORTS_PATH: Final = "/contacts/imports"
CREATED, UPDATED = "ELQ-00004", "ELQ-00022"
MOST_RATIO: Final = 2.5


class Import(Struct, frozen=True):
    """One of the measures: what its floor says, and the code of the log line that must count all records."""

    number: int
    name: str
    statement: str
    code: str


IN_FILES: Final = (
    Import(7, "import {count:,} new contacts\nof {fields} fields\nfloor: orjson.loads, INSERT", INSERT, CREATED),
    Import(8, "the same contacts again,\nwith other values\nfloor: orjson.loads, upsert", UPSERT, UPDATED),
)
"""An import, and what is imported after it into the same company."""

IN_POSTGRES: Final = (
    Import(13, "7 on PostgreSQL: {count:,}\nnew contacts of {fields} fields\nfloor: orjson.loads, COPY", COPY, CREATED),
)


class Load(Struct, frozen=True):
    """What one import brings: its uploads, the code of the log line that must count all records, and the records."""

    number: int
    bodies: Sequence[Body]
    code: str
    records: Sequence[dict[str, str]]


def make_load(measure: Import, run: int, sizes: Sizes) -> Load:
    """The records of one run. Those of 8 are the contacts of 7 in the same order, with other values."""
    first = run * sizes.imported + 1
    records = make_records((measure.number, run), first, sizes.imported, FIELDS)
    bodies = [Body(content, "application/json", 0, 0) for content in make_bodies(records)]
    return Load(measure.number, bodies, measure.code, records)


def measure_in_files(server: RunningServer, folder: Path, sizes: Sizes) -> Taken:
    """7 and 8; their floor has a folder of its own."""
    trials = [Trial(server, sizes, measure) for measure in IN_FILES]
    for run in range(sizes.runs):
        with closing(SqliteFloor(folder / "floor")) as floor:
            take_turns(trials, floor, run)
    return results_of(trials)


def measure_in_postgres(server: RunningServer, postgres: OwnPostgres, sizes: Sizes) -> Taken:
    """13; its floor has a database of its own."""
    trials = [Trial(server, sizes, measure, postgres) for measure in IN_POSTGRES]
    url = postgres.new_database("floor")
    for run in range(sizes.runs):
        with closing(CopyFloor(url)) as floor:
            take_turns(trials, floor, run)
    return results_of(trials)


class Trial:
    """One of the measures while it is taken: how long each run took, and how much processor time."""

    def __init__(
        self, server: RunningServer, sizes: Sizes, measure: Import, postgres: OwnPostgres | None = None
    ) -> None:
        self.server, self.sizes, self.measure, self.postgres = server, sizes, measure, postgres
        self.floors: list[float] = []
        self.spans: list[Span] = []
        self.processor_times: list[tuple[float, float]] = []

    def take(self, floor: Floor, company: str, run: int) -> None:
        """Let the floor run, and then Staithe."""
        load = make_load(self.measure, run, self.sizes)
        before = postgres_seconds(self.postgres)
        write = partial(floor.write, self.measure.statement)
        seconds, floor_processor = time_floor(write, [body.content for body in load.bodies])
        floor_processor += postgres_seconds(self.postgres) - before
        with closing(Client(self.server.url, company)) as client:
            span, processor = self.run_import(client, load)
        self.floors.append(seconds)
        self.spans.append(span)
        self.processor_times.append((floor_processor, processor))
        taken = f"floor {seconds:.3f} s, Staithe {span.total:.3f} s: {span.total / seconds:.2f}"
        say(f"{load.number}: run {run + 1} of {self.sizes.runs}: {taken}")

    def run_import(self, client: Client, load: Load) -> tuple[Span, float]:
        """Import a load by a definition of its own: (what it took, the server's processor time).

        What it came to is verified when the time is taken.
        """
        uri = define_import(client, FIELDS)
        before = processor_seconds(self.server, self.postgres)
        span, sync_uri = client.run(uri, *load.bodies)
        processor = processor_seconds(self.server, self.postgres) - before
        verify_counts(client, sync_uri, load.code, len(load.records))
        _, pages, _ = run_export(client, define_export(client, FIELDS), self.sizes.page_records)
        verify_export(pages, load.records)
        return span, processor

    def to_measure(self) -> Measure:
        """The line of the table."""
        name = self.measure.name.format(count=self.sizes.imported, fields=len(FIELDS))
        compared = compare(self.measure.number, name, self.floors, totals(self.spans), MOST_RATIO)
        return with_processor_times(compared, self.processor_times)

    def to_breakdown(self) -> Breakdown:
        """Where its time goes."""
        spans = [msgspec.to_builtins(span) for span in self.spans]
        return break_down(f"{self.measure.number}, as its client sees it", SPAN_PARTS, spans)


def take_turns(trials: Sequence[Trial], floor: Floor, run: int) -> None:
    """One run: in a company of its own that is empty, as the table of the floor is."""
    company = f"import{run}"
    trials[0].server.new_company(company)
    for trial in trials:
        trial.take(floor, company, run)


def results_of(trials: Sequence[Trial]) -> Taken:
    return [trial.to_measure() for trial in trials], [trial.to_breakdown() for trial in trials]


def define_import(client: Client, fields: Sequence[str]) -> str:
    """An import that finds contacts by their email address; gives its uri."""
    properties = {"name": "bench", "fields": statements_of(fields), "identifierFieldName": EMAIL}
    return client.define(IMPORTS_PATH, properties)


def verify_counts(client: Client, sync_uri: str, code: str, records: int) -> None:
    """Make sure that a sync created or updated a contact for each record.

    Raises:
        RuntimeError: it did not.
    """
    log = client.api.log(sync_uri)
    status = client.api.bulk("GET", sync_uri).raise_for_status().json()["status"]
    counts = {line["statusCode"]: line["count"] for line in log}
    found = (status, counts.get(CREATED, 0) + counts.get(UPDATED, 0), counts.get(code))
    wanted = ("success", records, records)
    if found != wanted:
        raise RuntimeError(f"{sync_uri} came to {found} and not to {wanted}: status, contacts, those of {code}")
