"""Fixtures and options of the fault tests."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fault.processes import kill_everything
from tests.support.nightly import effort
from tests.support.server import RunningServer

StartServer = Callable[..., RunningServer]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--torture-rounds", type=int, default=None, help="rounds of killing processes")
    parser.addoption("--torture-seed", type=int, default=None, help="the seed that a failed run has printed")


@pytest.fixture
def rounds(pytestconfig: pytest.Config) -> int:
    """How many rounds to torture. The option is unknown to pytest when it was not started on this folder."""
    given = pytestconfig.getoption("torture_rounds", None)
    return int(given) if given is not None else effort("rounds of torture on each database")


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> int:
    """The seed of everything random."""
    given = pytestconfig.getoption("torture_seed", None)
    return int(given) if given is not None else random.SystemRandom().randrange(10**6)


@pytest.fixture
def start(tmp_path: Path, database: str) -> Iterator[StartServer]:
    """Starts servers, all on the same data directory; whatever is left of them is killed at the end."""
    started: list[RunningServer] = []

    def start_server(*options: str, **more: Any) -> RunningServer:
        server = RunningServer(tmp_path / "data", "--lease-seconds", "1", *options, database=database, **more)
        started.append(server)
        return server

    yield start_server
    for server in started:
        kill_everything(server)
        server.stores.close()
