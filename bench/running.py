"""Servers for the measures."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.server import RunningServer

from bench.report import say

LOG_LINES: Final = 50


@contextmanager
def running_server(folder: Path, *options: str, database: str = "") -> Generator[RunningServer]:
    """A server for as long as the block runs; if that fails, what the server has printed is shown."""
    server = RunningServer(folder, *options, database=database)
    try:
        yield server
    except Exception:
        say("".join(server.lines[-LOG_LINES:]))
        raise
    finally:
        server.stop()
