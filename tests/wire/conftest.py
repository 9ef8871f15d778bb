"""Fixtures of wire tests: a server whose clock a module's tests move."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import NewDatabase
from tests.support.clock import Clock
from tests.support.server import RunningServer


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    """The clock of the server below."""
    return Clock(tmp_path_factory.mktemp("clock") / "offset")


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory, clock: Clock, new_database: NewDatabase) -> Iterator[RunningServer]:
    """A server whose clock can be moved."""
    data = tmp_path_factory.mktemp("moved") / "data"
    running = RunningServer(data, "--clock-file", str(clock.file), database=new_database())
    yield running
    assert running.stop() == 0
