"""`python -m bench`."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import msgspec
import typer
from tests.support.server import RunningServer

from bench import data as bench_data
from bench import machine, report
from bench.exports import measure_export, measure_pages
from bench.imports import measure_imports
from bench.inside import measure_inside
from bench.inside_data import measure_export_inside, measure_imports_inside
from bench.measures import CASES, Case, measure_case, measure_growth, measure_one_record
from bench.memory import fill_exported, measure_imports_and_exports, measure_memory
from bench.report import Breakdown, Measure
from bench.sizes import FULL, MIB, QUICK, Sizes
from staithe.services.stores import Stores

DATA: Final = Path(__file__).parent / "data"
RESULTS: Final = Path(__file__).parent / "results"
LOG_LINES: Final = 50
ALL: Final = tuple(range(1, 12))

app = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)


@app.command()
def bench(  # noqa: PLR0913 (a command's options are its parameters)
    only: Annotated[str, typer.Option(help="Some measures, such as 1,5.", show_default="all")] = "",
    runs: Annotated[
        int | None, typer.Option(min=1, help="Runs of all but 5, 6, 10, 11.", show_default=str(FULL.runs))
    ] = None,
    contacts: Annotated[
        int | None, typer.Option(min=100, help="Contacts of the company.", show_default=f"{FULL.contacts:,}")
    ] = None,
    imported: Annotated[
        int | None, typer.Option(min=10, help="Records of an import.", show_default=f"{FULL.imported:,}")
    ] = None,
    exported: Annotated[
        int | None, typer.Option(min=10, help="Contacts that are exported.", show_default=f"{FULL.exported:,}")
    ] = None,
    ids: Annotated[int | None, typer.Option(min=20, help="Ids in an upload.", show_default=f"{FULL.ids:,}")] = None,
    records: Annotated[int | None, typer.Option(min=1, help="Runs of 5.", show_default=str(FULL.records))] = None,
    upload_kib: Annotated[
        int | None, typer.Option(min=1, help="KiB of an upload of 6.", show_default=str(FULL.upload_bytes // 1024))
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Small sizes, to see that it works: no target is set for them.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Seed the contacts anew.")] = False,
    data: Annotated[Path, typer.Option(help="Where contacts are kept between runs.", show_default="bench/data")] = DATA,
    output: Annotated[Path, typer.Option(help="Where results are written.", show_default="bench/results")] = RESULTS,
) -> None:
    """Measure a real server over HTTP; print a table, write all figures as JSON.

    \b
    1  ids as JSON       floor: orjson.loads of the same bytes
    2  ids as CSV        floor: pyarrow.csv.read_csv of the same bytes
    3  email addresses   floor: orjson.loads of the same bytes
    4  growth            floor: 1 in a company with a tenth of the contacts
    5  one record        from upload to final status, p50 and p99
    6  memory            of the server, while eight clients upload at once
    7  import, new       floor: orjson.loads, and one executemany of INSERT
    8  import, updates   floor: orjson.loads, and one executemany of upserts
    9  export            floor: SELECT, fetchall, and orjson.dumps of the rows
    10 last page         floor: the first page of the same export
    11 memory            of the server, while it imports and exports at once

    A floor is the least that anyone must do. Floor and server take turns,
    run by run: on a busy machine the seconds suffer, but hardly the ratios.
    Each time ends with the final status of the sync; after it the list and
    the rejects are verified, or all contacts and their values. The floors of
    7 and 8 write to a bare table with a unique index, with the settings of
    Staithe's own store. The contacts, made once in about two minutes, are
    kept in bench/data. All measures take some minutes and 6 GB of disk.
    """
    given = {"runs": runs, "contacts": contacts, "ids": ids, "records": records, "imported": imported}
    sizes = choose_sizes(quick, upload_kib=upload_kib, exported=exported, **given)
    numbers = choose_measures(only)
    began = datetime.now(UTC)
    folder = data / str(sizes.contacts)
    bench_data.prepare(folder, sizes, fresh=fresh)
    facts = machine.describe(folder)
    measures, breakdowns = measure(folder, sizes, numbers)
    with TemporaryDirectory(prefix="scratch-", dir=data) as scratch:
        empty = Path(scratch)
        more_measures, more_breakdowns = measure_with_new_companies(empty, sizes, numbers)
    measures = sorted([*measures, *more_measures], key=lambda m: m.number)
    breakdowns = sorted([*breakdowns, *more_breakdowns], key=lambda b: (int(b.title.partition(",")[0]), b.title))
    if not sizes.are_those_of_the_targets:
        measures = [msgspec.structs.replace(m, is_met=None) for m in measures]
    report.show(measures, breakdowns)
    document = {"began": began, "machine": facts, "sizes": sizes, "measures": measures, "breakdowns": breakdowns}
    report.say(f"All figures: {report.write(output, document)}")


def choose_sizes(quick: bool, *, upload_kib: int | None, **given: int | None) -> Sizes:
    """The full or the quick sizes, but for those that were given."""
    if upload_kib is not None:
        given["upload_bytes"] = upload_kib * 1024
    sizes = msgspec.structs.replace(QUICK if quick else FULL, **{k: v for k, v in given.items() if v is not None})
    if sizes.ids > sizes.contacts:
        raise typer.BadParameter(f"{sizes.ids:,} ids, all different, need as many contacts.", param_hint="--ids")
    if sizes.upload_bytes > FULL.upload_bytes:
        raise typer.BadParameter(f"An upload has at most {FULL.upload_bytes // MIB} MiB.", param_hint="--upload-kib")
    return sizes


def choose_measures(only: str) -> list[int]:
    """The numbers that were asked for, in rising order."""
    wanted = {part.strip() for part in only.split(",")} if only else {str(n) for n in ALL}
    if unknown := wanted - {str(n) for n in ALL}:
        raise typer.BadParameter(f"There is no measure {', '.join(sorted(unknown))}: take some of 1 to {ALL[-1]}.")
    return sorted(int(n) for n in wanted)


def measure(folder: Path, sizes: Sizes, numbers: Iterable[int]) -> tuple[list[Measure], list[Breakdown]]:
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
            taken, breakdown = measure_export(server, sizes, bench_data.path_of(server.stores, bench_data.EXPORTED))
            measures.append(taken)
            breakdowns.append(breakdown)
        if 10 in numbers:
            measures.append(measure_pages(server, sizes))
    breakdowns += take_apart(folder, sizes, cases, with_export=9 in numbers)
    if 6 in numbers:
        with running_server(folder) as server:
            measures.append(measure_memory(server, sizes))
    return measures, breakdowns


@contextmanager
def running_server(folder: Path) -> Generator[RunningServer]:
    """A server for as long as the block runs; if that fails, what the server has printed is shown."""
    server = RunningServer(folder)
    try:
        yield server
    except Exception:
        report.say("".join(server.lines[-LOG_LINES:]))
        raise
    finally:
        server.stop()


def measure_with_new_companies(
    empty: Path, sizes: Sizes, numbers: Iterable[int]
) -> tuple[list[Measure], list[Breakdown]]:
    """Take the measures that fill companies of their own, in a folder that is new, on the disk of the others."""
    measures: list[Measure] = []
    breakdowns: list[Breakdown] = []
    if not {7, 8}.isdisjoint(numbers):
        with running_server(empty / "server") as server:
            measures, breakdowns = measure_imports(server, empty, sizes)
        breakdowns += measure_imports_inside(empty / "inside", sizes)
    if 11 in numbers:
        fill_exported(empty / "memory", sizes)
        with running_server(empty / "memory") as server:
            measures.append(measure_imports_and_exports(server, sizes))
    return measures, breakdowns


def take_apart(folder: Path, sizes: Sizes, cases: Iterable[Case], *, with_export: bool) -> list[Breakdown]:
    stores = Stores(folder)
    breakdowns = [measure_inside(stores, sizes, case) for case in cases]
    if with_export:
        breakdowns.append(measure_export_inside(stores, sizes))
    stores.close()
    return breakdowns


if __name__ == "__main__":
    app(prog_name="python -m bench")
