"""What a benchmark prints and writes."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct
from rich import box
from rich.console import Console
from rich.table import Table

LINES: Final = box.SIMPLE_HEAD
PROGRESS: Final = Console(stderr=True, highlight=False)


class Measure(Struct, frozen=True, kw_only=True):
    """One line of the table, and the figures behind it. `is_met` is None where there is no target."""

    number: int
    name: str
    floor: str = "-"
    staithe: str
    ratio: str = "-"
    target: str = "-"
    is_met: bool | None = None
    notes: tuple[str, ...] = ()
    figures: Mapping[str, Any]


class Breakdown(Struct, frozen=True):
    """Where the time of a measure goes: (what, its median in seconds), in the order it is spent."""

    title: str
    parts: Sequence[tuple[str, float]]
    figures: Sequence[Mapping[str, float]]


Taken = tuple[list[Measure], list[Breakdown]]


def compare(
    number: int, name: str, floor: Sequence[float], staithe: Sequence[float], target: float | None = None
) -> Measure:
    """A measure against its floor. The ratio is the median of the pairs', which ran one right after the other."""
    ratios = [s / f for s, f in zip(staithe, floor, strict=True)]
    ratio = statistics.median(ratios)
    of_medians = statistics.median(staithe) / statistics.median(floor)
    return Measure(
        number=number,
        name=name,
        floor=spread(floor),
        staithe=spread(staithe),
        ratio=f"{ratio:.2f}\n{min(ratios):.2f} to {max(ratios):.2f}",
        target="none yet" if target is None else f"at most {target}",
        is_met=None if target is None else ratio <= target,
        figures={
            "floor_seconds": floor,
            "staithe_seconds": staithe,
            "ratios": ratios,
            "median_of_ratios": ratio,
            "ratio_of_medians": of_medians,
            "target": target,
        },
    )


def spread(seconds: Sequence[float]) -> str:
    """The median, and under it the least and the most."""
    return f"{statistics.median(seconds):.3f} s\n{min(seconds):.3f} to {max(seconds):.3f}"


def break_down(title: str, names: Mapping[str, str], figures: Sequence[Mapping[str, float]]) -> Breakdown:
    """The medians of the parts that `names` names, in its order."""
    parts = [(text, statistics.median(f[key] for f in figures)) for key, text in names.items()]
    return Breakdown(title, parts, figures)


def show(measures: Iterable[Measure], breakdowns: Iterable[Breakdown]) -> None:
    """Print the table of measures, and under it where the time goes."""
    output = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    table = Table("", "measure", "floor\nmedian, range", "Staithe\nmedian, range", "ratio", "target", "met?", box=LINES)
    notes: list[str] = []
    for measure in measures:
        met = {None: "", True: "[green]yes[/green]", False: "[red]no[/red]"}[measure.is_met]
        cells = (measure.floor, measure.staithe, measure.ratio, measure.target, met)
        table.add_row(str(measure.number), measure.name, *cells)
        notes += [f"{measure.number}: {note}" for note in measure.notes]
    output.print(table)
    for note in notes:
        output.print(note)
    for breakdown in breakdowns:
        parts = Table(breakdown.title, "median, ms", box=LINES)
        parts.columns[1].justify = "right"
        for text, seconds in breakdown.parts:
            parts.add_row(text, f"{seconds * 1000:.1f}")
        output.print(parts)


def write(folder: Path, document: Mapping[str, Any]) -> Path:
    """Write a result as JSON, named by the time, and once more as `latest.json`; gives the first."""
    folder.mkdir(parents=True, exist_ok=True)
    content = msgspec.json.format(msgspec.json.encode(document, enc_hook=str)) + b"\n"
    path = folder / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}.json"
    for target in (path, folder / "latest.json"):
        target.write_bytes(content)
    return path


def say(text: str) -> None:
    """Tell on standard error how far the benchmark is."""
    PROGRESS.print(text)
