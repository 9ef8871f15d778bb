"""What the figures depend on: the machine and the versions. Nothing that tells whose machine it is."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import time
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import psutil

from bench import postgres
from bench.sizes import MIB

LIBRARIES: Final = (
    "staithe",
    "httptools",
    "msgspec",
    "numpy",
    "orjson",
    "psycopg",
    "pyarrow",
    "pyroaring",
    "sqlalchemy",
    "uvicorn",
    "uvloop",
)
FSYNCS: Final = 21


def describe(folder: Path) -> dict[str, Any]:
    """The facts that a figure must be read with; `folder` is on the disk that is measured."""
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "memory_mib": psutil.virtual_memory().total // MIB,
        "load_average_before": round(os.getloadavg()[0], 2),
        "fsync_4k_ms": round(fsync_seconds(folder) * 1000, 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "postgresql": postgres.version(),
        "postgresql_settings": postgres.SETTINGS,
        "libraries": {name: metadata.version(name) for name in LIBRARIES},
    }


def cpu_model() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()


def fsync_seconds(folder: Path) -> float:
    """The median time to write 4 KiB durably: every commit waits at least this long."""
    path = folder / "fsync.tmp"
    times: list[float] = []
    with path.open("wb", buffering=0) as file:
        for _ in range(FSYNCS):
            began = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    path.unlink()
    return statistics.median(times)
