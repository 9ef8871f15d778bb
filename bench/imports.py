"""Measures 7 and 8: an import of new contacts, and then of the same contacts with other values."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson
from msgspec import Struct
from tests.support.server import RunningServer

from bench.bodies import Body
from bench.client import Client, Span
from bench.exports import define_export, run_export, verify_export
from bench.filling import statements_of
from bench.measures import SPAN_PARTS, processor_seconds, time_floor, totals, with_processor_times
from bench.records import EMAIL, FIELDS, make_bodies, make_records
from bench.report import Breakdown, Measure, break_down, compare, say
from bench.sizes import Sizes
from staithe.storage.sqlite import set_pragmas

IMPORTS_PATH: Final = "/contacts/imports"
CREATED, UPDATED = "ELQ-00004", "ELQ-00022"
INSERT: Final = f"INSERT INTO contact (email_key, {', '.join(FIELDS)}) VALUES (?{', ?' * len(FIELDS)})"
UPSERT: Final = f"{INSERT} ON CONFLICT (email_key) DO UPDATE SET {', '.join(f'{f} = excluded.{f}' for f in FIELDS)}"


class Load(Struct, frozen=True):
    """What one import brings: its uploads, the code of the log line that must count all records, and the records."""

    number: int
    bodies: Sequence[Body]
    code: str
    records: Sequence[dict[str, str]]


def make_load(number: int, run: int, sizes: Sizes) -> Load:
    """The records of one run. Those of 8 are the contacts of 7 in the same order, with other values."""
    first = run * sizes.imported + 1
    records = make_records((number, run), first, sizes.imported, FIELDS)
    bodies = [Body(content, "application/json", 0, 0) for content in make_bodies(records)]
    return Load(number, bodies, CREATED if number == 7 else UPDATED, records)


class Floor:
    """A table with nothing but a key, a unique index of it, and the columns; a new one for each run."""

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.connection = sqlite3.connect(folder / "floor.db")
        set_pragmas(self.connection, None, durable=True)
        columns = ", ".join(f"{field} TEXT" for field in FIELDS)
        self.connection.execute(f"CREATE TABLE contact (id INTEGER PRIMARY KEY, email_key TEXT, {columns})")
        self.connection.execute("CREATE UNIQUE INDEX contact_by_email ON contact (email_key)")

    def insert(self, contents: Sequence[bytes]) -> None:
        """The floor of 7."""
        self.write(INSERT, contents)

    def upsert(self, contents: Sequence[bytes]) -> None:
        """The floor of 8."""
        self.write(UPSERT, contents)

    def write(self, statement: str, contents: Sequence[bytes]) -> None:
        records = [record for content in contents for record in orjson.loads(content)]
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany(statement, to_rows(records))
        self.connection.execute("COMMIT")

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


def to_rows(records: Sequence[Mapping[str, str]]) -> Iterator[tuple[Any, ...]]:
    values_of = itemgetter(*FIELDS)
    for record in records:
        yield (record[EMAIL].lower(), *values_of(record))


def measure_imports(server: RunningServer, folder: Path, sizes: Sizes) -> tuple[list[Measure], list[Breakdown]]:
    """Both measures, each run in a company of its own that is empty, as the table of its floor is."""
    floors: dict[int, list[float]] = {7: [], 8: []}
    spans: dict[int, list[Span]] = {7: [], 8: []}
    processor_times: dict[int, list[tuple[float, float]]] = {7: [], 8: []}
    for run in range(sizes.runs):
        company = f"import{run}"
        server.new_company(company)
        with closing(Floor(folder / "floor")) as floor:
            for number, work in ((7, floor.insert), (8, floor.upsert)):
                load = make_load(number, run, sizes)
                seconds, floor_processor = time_floor(work, [body.content for body in load.bodies])
                with closing(Client(server.url, company)) as client:  # the server closes one that idles for 5 s
                    span, processor = run_import(server, client, sizes, load)
                floors[number].append(seconds)
                spans[number].append(span)
                processor_times[number].append((floor_processor, processor))
                say(
                    f"{number}: run {run + 1} of {sizes.runs}: floor {seconds:.3f} s, "
                    f"Staithe {span.total:.3f} s: {span.total / seconds:.2f}"
                )
    names = {
        7: f"import {sizes.imported:,} new contacts\nof {len(FIELDS)} fields\nfloor: orjson.loads, INSERT",
        8: "the same contacts again,\nwith other values\nfloor: orjson.loads, upsert",
    }
    measures = [
        with_processor_times(compare(n, names[n], floors[n], totals(spans[n]), 2.5), processor_times[n]) for n in (7, 8)
    ]
    breakdowns = [
        break_down(f"{n}, as its client sees it", SPAN_PARTS, [msgspec.to_builtins(s) for s in spans[n]])
        for n in (7, 8)
    ]
    return measures, breakdowns


def define_import(client: Client, fields: Sequence[str]) -> str:
    """An import that finds contacts by their email address; gives its uri."""
    properties = {"name": "bench", "fields": statements_of(fields), "identifierFieldName": EMAIL}
    return client.define(IMPORTS_PATH, properties)


def run_import(server: RunningServer, client: Client, sizes: Sizes, load: Load) -> tuple[Span, float]:
    """Import a load by a definition of its own: (what it took, the server's processor time).

    What it came to is verified when the time is taken.
    """
    uri = define_import(client, FIELDS)
    before = processor_seconds(server)
    span, sync_uri = client.run(uri, *load.bodies)
    processor = processor_seconds(server) - before
    verify_counts(client, sync_uri, load.code, len(load.records))
    _, pages, _ = run_export(client, define_export(client, FIELDS), sizes.page_records)
    verify_export(pages, load.records)
    return span, processor


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
