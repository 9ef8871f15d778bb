"""Where the time of imports and exports goes inside: the server's own functions, called one by one and timed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from bench.data import EXPORTED, add_company, new_caller
from bench.filling import CONTACTS, claim_sync, new_import, receive, statements_of
from bench.imports import Import, Load, make_load
from bench.records import EXPORTED_FIELDS, FIELDS
from bench.report import Breakdown, break_down, say
from bench.sizes import Sizes
from staithe.domain.definitions import EXPORTS, ExportDefinition
from staithe.domain.export_plan import plan_export
from staithe.domain.sync_actions import CONTACTS_SET
from staithe.services import definitions, run_import
from staithe.services.caller import Caller
from staithe.services.stores import Stores
from staithe.staging.export_data import ExportReader, ExportWriter, json_page
from staithe.staging.import_rows import prepare_rows
from staithe.storage import exports, sets
from staithe.storage.contact_fields import load_catalogue

IMPORT_PARTS: Final = {
    "parse": "uploads: parsed, and written to the staged files",
    "make_durable": "uploads: files and rows made durable",
    "prepare": "sync: staged files read, values prepared (mostly while a commit waits for the disk)",
    "write": "sync: contacts looked up, inserted or updated",
    "commit": "sync: chunks made durable",
    "end": "sync: log and status, made durable",
}
EXPORT_PARTS: Final = {
    "read": "sync: records read as JSON",
    "write": "sync: compressed and written (while the next ones are read)",
    "make_durable": "sync: file made durable",
    "pages": "pages: read and put together",
}


class CommitMark:
    """Stands for the one who prepares the next chunk, and notes when it would begin: right before the commit."""

    def __init__(self) -> None:
        self.at = 0.0

    def begin(self) -> None:
        """Note the time."""
        self.at = time.perf_counter()


def measure_imports_inside(stores: Stores, sizes: Sizes, measures: Sequence[Import]) -> list[Breakdown]:
    """The parts of 7 and 8, or of 13, in this process, each run in a company of its own."""
    figures: dict[int, list[Mapping[str, float]]] = {measure.number: [] for measure in measures}
    for run in range(sizes.runs):
        company = f"inside{run}"
        add_company(stores, company)
        for measure in measures:
            load = make_load(measure, run, sizes)
            figures[measure.number].append(time_import(new_caller(stores, company), load))
            say(f"{measure.number}: taken apart in run {run + 1} of {sizes.runs}")
    return [break_down(f"{number}, inside, in one process", IMPORT_PARTS, figures[number]) for number in figures]


def time_import(caller: Caller, load: Load) -> dict[str, float]:
    stored = new_import(caller, FIELDS)
    spent = dict.fromkeys(IMPORT_PARTS, 0.0)
    for body in load.bodies:
        for part, seconds in receive(caller, stored, body).items():
            spent[part] += seconds
    under_way = run_import.begin(claim_sync(caller, stored))
    mark: Any = CommitMark()
    began = time.perf_counter()
    for batch in run_import.batches_left(under_way):
        rows = prepare_rows(batch, under_way.plan)
        prepared = time.perf_counter()
        run_import.commit_chunk(under_way, rows, mark)
        ended = time.perf_counter()
        spent["prepare"] += prepared - began
        spent["write"] += mark.at - prepared
        spent["commit"] += ended - mark.at
        began = ended
    run_import.end(under_way)
    return spent | {"end": time.perf_counter() - began}


def measure_export_inside(stores: Stores, sizes: Sizes) -> Breakdown:
    """The parts of 9, in this process."""
    figures = [time_export(new_caller(stores, EXPORTED), sizes) for _ in range(sizes.runs)]
    say(f"9: taken apart in {sizes.runs} runs")
    return break_down("9, inside, in one process", EXPORT_PARTS, figures)


def time_export(caller: Caller, sizes: Sizes) -> dict[str, float]:
    properties = {"name": "bench", "fields": statements_of(EXPORTED_FIELDS)}
    definition = definitions.create(caller, CONTACTS, EXPORTS, properties).definition
    assert isinstance(definition, ExportDefinition)
    spent = dict.fromkeys(EXPORT_PARTS, 0.0)
    folder = caller.store.exports
    with caller.database.read() as connection, ExportWriter(folder, EXPORTED_FIELDS) as writer:
        catalogue = load_catalogue(connection)
        plan, everyone = plan_export(definition, catalogue), sets.load_set(connection, CONTACTS_SET)
        batches = timed(exports.read_records(connection, catalogue, plan, everyone, {}, writer.batch_records), spent)
        for lines in batches:
            began = time.perf_counter()
            writer.write(lines)
            spent["write"] += time.perf_counter() - began
        began = time.perf_counter()
        writer.finish()
        spent["make_durable"] = time.perf_counter() - began
    began = time.perf_counter()
    for offset in range(0, sizes.exported, sizes.page_records):
        reader = ExportReader(folder, writer.file.name, writer.file.checksums)
        for _ in json_page(reader, sizes.page_records, offset, b"}"):
            pass
        reader.close()
    spent["pages"] = time.perf_counter() - began
    folder.delete([writer.file.name])
    return spent


def timed(batches: Iterator[bytes], spent: dict[str, float]) -> Iterator[bytes]:
    """The batches, while the time it takes to get them is added to `read`."""
    while True:
        began = time.perf_counter()
        batch = next(batches, None)
        spent["read"] += time.perf_counter() - began
        if batch is None:
            return
        yield batch
