"""Fixtures of the tests of operations: a deployment on each database, so that one can take what another gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.server import RunningServer

Deployment = Callable[[str], RunningServer]


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """Gives the running server of a kind of database, which is started when it is first asked for."""
    started: dict[str, RunningServer] = {}

    def get(kind: str) -> RunningServer:
        if kind not in started:
            database = "" if kind == "sqlite" else request.getfixturevalue("postgres").new_database()
            started[kind] = RunningServer(tmp_path_factory.mktemp(kind) / "data", database=database)
        return started[kind]

    yield get
    for running in started.values():
        assert running.stop() == 0
