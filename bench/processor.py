"""Processor time: what holds even when other programs take turns on the processors."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import suppress

import msgspec
import psutil
from tests.support.postgres import OwnPostgres
from tests.support.server import RunningServer

from bench.report import Measure


def processor_seconds(server: RunningServer, postgres: OwnPostgres | None = None) -> float:
    """The processor time that a server has used, and the PostgreSQL behind it if there is one."""
    return sum(times_of(server.process.pid)) + postgres_seconds(postgres)


def postgres_seconds(postgres: OwnPostgres | None) -> float:
    """The processor time that a PostgreSQL has used; 0 if there is none."""
    return 0.0 if postgres is None else sum(times_of(postgres.process.pid))


def times_of(root_id: int) -> Iterator[float]:
    """The seconds of a process and its children; what has ended counts for its parent."""
    root = psutil.Process(root_id)
    for process in (root, *root.children()):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            yield times.user + times.system + times.children_user + times.children_system


def with_processor_times(measure: Measure, times: Sequence[tuple[float, float]], remark: str = "") -> Measure:
    """Add the processor times of the floor and of Staithe to a measure."""
    floor, server = (statistics.median(column) for column in zip(*times, strict=True))
    note = f"processor time: floor {floor:.3f} s, server {server:.3f} s{remark}."
    figures = {**measure.figures, "processor_seconds_of_floor_and_server": times}
    return msgspec.structs.replace(measure, notes=(*measure.notes, note), figures=figures)
