"""The measures on SQLite: 1 to 6, 9, 10 with contacts that are kept, 7, 8, 11, 17, 18 in companies of their own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bench.csv_shapes import measure_csv_shapes
from bench.data import EXPORTED, path_of
from bench.exports import measure_export, measure_pages
from bench.imports import IN_FILES, measure_in_files
from bench.inside import measure_inside
from bench.inside_data import measure_export_inside, measure_imports_inside
from bench.measures import CASES, Case, measure_case, measure_growth, measure_one_record
from bench.memory import fill_exported, measure_imports_and_exports, measure_memory
from bench.reads import measure_reads
from bench.report import Breakdown, Measure, Taken
from bench.running import running_server
from bench.sizes import Sizes
from staithe.services.stores import Stores


def measure_kept(folder: Path, sizes: Sizes, numbers: Iterable[int]) -> Taken:
    """Take the measures: those of time with one server, then its functions by themselves, then memory with another."""
    measures: list[Measure] = []
    breakdowns: list[Breakdown] = []
    cases = [CASES[n] for n in numbers if n in CASES]
    with running_server(folder) as server:
        for case in cases:
            taken, breakdown = measure_case(server, sizes, case)
            measures.append(taken)
            breakdowns.append(breakdown)
        if 4 in numbers:
            measures.append(measure_growth(server, sizes))
        if 5 in numbers:
            measures.append(measure_one_record(server, sizes))
        if 9 in numbers:
            taken, breakdown = measure_export(server, sizes, path_of(server.stores, EXPORTED))
            measures.append(taken)
            breakdowns.append(breakdown)
        if 10 in numbers:
            measures.append(measure_pages(server, sizes))
    breakdowns += take_apart(folder, sizes, cases, with_export=9 in numbers)
    if 6 in numbers:
        with running_server(folder) as server:
            measures.append(measure_memory(server, sizes))
    return measures, breakdowns


def take_apart(folder: Path, sizes: Sizes, cases: Iterable[Case], *, with_export: bool) -> list[Breakdown]:
    stores = Stores(folder)
    breakdowns = [measure_inside(stores, sizes, case) for case in cases]
    if with_export:
        breakdowns.append(measure_export_inside(stores, sizes))
    stores.close()
    return breakdowns


def measure_new(empty: Path, sizes: Sizes, numbers: Iterable[int]) -> Taken:
    """Take the measures that fill companies of their own, in a folder that is new."""
    measures: list[Measure] = []
    breakdowns: list[Breakdown] = []
    if not {7, 8}.isdisjoint(numbers):
        with running_server(empty / "server") as server:
            measures, breakdowns = measure_in_files(server, empty, sizes)
        stores = Stores(empty / "inside")
        breakdowns += measure_imports_inside(stores, sizes, IN_FILES)
        stores.close()
    if 11 in numbers:
        fill_exported(empty / "memory", sizes)
        with running_server(empty / "memory") as server:
            measures.append(measure_imports_and_exports(server, sizes))
    if 17 in numbers:
        with running_server(empty / "reads") as server:
            measures.append(measure_reads(server, sizes))
    if 18 in numbers:
        with running_server(empty / "shapes") as server:
            measures.append(measure_csv_shapes(server, sizes))
    return measures, breakdowns
