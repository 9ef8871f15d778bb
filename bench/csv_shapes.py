"""Measure 18: uploads of CSV as large as they may be, in shapes that a reader can be slow at, against a clean one."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

from tests.support.api import Api
from tests.support.imports import define_import
from tests.support.server import RunningServer

from bench.measures import read_csv
from bench.report import Measure, say, spread
from bench.sizes import Sizes

FIELDS: Final = {
    "email": "{{Contact.Field(C_EmailAddress)}}",
    "addr": "{{Contact.Field(C_Address1)}}",
    "first": "{{Contact.Field(C_FirstName)}}",
}
HEADER: Final = b"email,addr,first\n"
CLEAN: Final = "clean"
MOST_RATIO: Final = 3.0


def fill(line: bytes, size: int) -> bytes:
    """A line over and over, up to a size."""
    return line * (size // len(line))


def make_shapes(size: int) -> Mapping[str, bytes]:
    """Bodies of a size, by what they are like."""
    clean = fill(b"abcdefgh@x.example,Some street number 12,Ann\n", size - 100)
    long_value = fill(b"line of text\n", size // 2)
    bodies = {
        CLEAN: clean,
        "every value quoted": fill(b'"abcdefgh@x.example","Some street number 12","Ann"\n', size - 100),
        "quoted line breaks": fill(b'abcdefgh@x.example,"Some street\nnumber 12",Ann\n', size - 100),
        "one bare quote early": b'x@q.example,5" pipe,Ann\n' + clean[: size - 200],
        "one value of half": b'x@q.example,"' + long_value + b'",Ann\n' + clean[: size // 2 - 200],
    }
    return {name: HEADER + body[: body.rfind(b"\n") + 1] for name, body in bodies.items()}


def measure_csv_shapes(server: RunningServer, sizes: Sizes) -> Measure:
    """Measure 18, the shapes by turns with the floor."""
    api = server.api()
    uri = define_import(api, fields=FIELDS, identifierFieldName="email", syncActions=[])
    shapes = make_shapes(sizes.upload_bytes)
    floor: list[float] = []
    seconds: dict[str, list[float]] = {name: [] for name in shapes}
    for run in range(sizes.runs):
        floor.append(timed(lambda: read_csv(shapes[CLEAN])))
        for name, body in shapes.items():
            seconds[name].append(timed(lambda body=body: upload(api, uri, body)))
            api.bulk("DELETE", f"{uri}/data").raise_for_status()
        say(f"18: run {run + 1} of {sizes.runs}: " + ", ".join(f"{name} {s[-1]:.3f} s" for name, s in seconds.items()))
    medians = {name: statistics.median(column) for name, column in seconds.items()}
    ratio = max(medians.values()) / min(medians.values())
    clean_ratio = medians[CLEAN] / statistics.median(floor)
    return Measure(
        number=18,
        name=f"CSV of {sizes.upload_bytes / 2**20:.0f} MiB, upload\nfloor: pyarrow.csv.read_csv",
        floor=spread(floor),
        staithe="\n".join(f"{name} {median:.3f} s" for name, median in medians.items()),
        ratio=f"worst over best {ratio:.2f}\nclean over floor {clean_ratio:.1f}",
        target=f"worst over best at most {MOST_RATIO:.0f}",
        is_met=ratio <= MOST_RATIO,
        figures={"floor": floor, "seconds": seconds, "worst_over_best": ratio, "clean_over_floor": clean_ratio},
    )


def upload(api: Api, uri: str, body: bytes) -> None:
    answer = api.upload(uri, body, **{"content-type": "text/csv"})
    if answer.status_code != HTTPStatus.NO_CONTENT:
        raise RuntimeError(f"an upload was answered {answer.status_code}: {answer.text}")


def timed(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began
