"""`python -m bench`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
import typer
from msgspec import Struct

from bench import data as bench_data
from bench import machine, on_postgres, on_sqlite, options, report
from bench.report import Breakdown, Measure, Taken
from bench.sizes import FULL, MIB, QUICK, Sizes

ALL: Final = tuple(range(1, 19))

app = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)


class Group(Struct, frozen=True):
    """Measures that are taken together.

    `make` makes what is kept between runs, in a folder whose name begins with `prefix`; None if nothing is.
    """

    numbers: frozenset[int]
    take: Callable[[Path, Sizes, Iterable[int]], Taken]
    make: Callable[[Path, Sizes], None] | None = None
    prefix: str = ""


GROUPS: Final = (
    Group(frozenset({1, 2, 3, 4, 5, 6, 9, 10}), on_sqlite.measure_kept, bench_data.make_in_files),
    Group(frozenset({7, 8, 11, 17, 18}), on_sqlite.measure_new),
    Group(frozenset({12, 14}), on_postgres.measure_kept, bench_data.make_in_postgres, "postgresql-"),
    Group(frozenset({13, 15, 16}), on_postgres.measure_new),
)


@app.command(help=options.HELP)
def bench(  # noqa: PLR0913 (a command's options are its parameters)
    only: options.Only = "",
    runs: options.Runs = None,
    contacts: options.Contacts = None,
    imported: options.Imported = None,
    exported: options.Exported = None,
    ids: options.Ids = None,
    records: options.Records = None,
    upload_kib: options.UploadKib = None,
    mixed_seconds: options.MixedSeconds = None,
    queued: options.Queued = None,
    quick: options.Quick = False,
    fresh: options.Fresh = False,
    data: options.Data = options.DATA,
    output: options.Output = options.RESULTS,
) -> None:
    """Take the measures."""
    given = {"runs": runs, "contacts": contacts, "ids": ids, "records": records, "imported": imported}
    given |= {"exported": exported, "queued": queued}
    sizes = choose_sizes(quick, upload_kib=upload_kib, mixed_seconds=mixed_seconds, **given)
    numbers = choose_measures(only)
    began = datetime.now(UTC)
    data.mkdir(parents=True, exist_ok=True)
    facts = machine.describe(data)
    measures: list[Measure] = []
    breakdowns: list[Breakdown] = []
    for group in GROUPS:
        if not group.numbers.isdisjoint(numbers):
            taken = take(group, data, sizes, numbers, fresh=fresh)
            measures += taken[0]
            breakdowns += taken[1]
    measures.sort(key=lambda m: m.number)
    breakdowns.sort(key=lambda b: (int(b.title.partition(",")[0]), b.title))
    if not sizes.are_those_of_the_targets:
        measures = [msgspec.structs.replace(m, is_met=None) for m in measures]
    report.show(measures, breakdowns)
    document = {"began": began, "machine": facts, "sizes": sizes, "measures": measures, "breakdowns": breakdowns}
    report.say(f"All figures: {report.write(output, document)}")


def take(group: Group, data: Path, sizes: Sizes, numbers: Iterable[int], *, fresh: bool) -> Taken:
    """The measures of a group that were asked for, with what is kept, or in a folder that is gone afterwards."""
    if group.make is not None:
        folder = data / f"{group.prefix}{sizes.contacts}"
        bench_data.prepare(folder, sizes, group.make, fresh=fresh)
        return group.take(folder, sizes, numbers)
    with TemporaryDirectory(prefix="scratch-", dir=data) as name:
        scratch = Path(name)
        scratch.chmod(0o755)  # as root PostgreSQL runs as another user, who must get into it
        return group.take(scratch, sizes, numbers)


def choose_sizes(quick: bool, *, upload_kib: int | None, **given: float | None) -> Sizes:
    """The full or the quick sizes, but for those that were given."""
    if upload_kib is not None:
        given["upload_bytes"] = upload_kib * 1024
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    sizes = msgspec.structs.replace(QUICK if quick else FULL, **changes)
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


if __name__ == "__main__":
    app(prog_name="python -m bench")
