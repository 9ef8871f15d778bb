"""Fixtures: one real server for the whole run, and a company of its own for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import psutil
import pytest

from staithe.clock import system_clock
from staithe.domain.companies import Role
from staithe.services import accounts
from staithe.services.stores import CompanyStore
from tests.support.api import Api
from tests.support.server import RunningServer

COMPANY_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A running server with default settings."""
    running = RunningServer(tmp_path_factory.mktemp("server") / "data")
    yield running
    assert running.stop() == 0


@pytest.fixture
def company(server: RunningServer) -> tuple[Api, CompanyStore]:
    """A company of its own with contacts 1 to 100, a client logged in to it, and its store."""
    return server.new_company(f"company{next(COMPANY_NUMBERS)}", contacts=100)


@pytest.fixture
def api(company: tuple[Api, CompanyStore]) -> Api:
    """A client of a company of its own with contacts 1 to 100."""
    return company[0]


@pytest.fixture
def store(company: tuple[Api, CompanyStore]) -> CompanyStore:
    """The store behind `api`."""
    return company[1]


@pytest.fixture
def reader(server: RunningServer, store: CompanyStore) -> Api:
    """A client of the same company whose user may only read."""
    accounts.set_user(server.stores, store.company, "rita", "secret", Role.READER, system_clock())
    return server.api(f"{store.company.name}\\rita:secret")


@pytest.fixture
def paused_worker(server: RunningServer) -> Iterator[psutil.Process]:
    """The worker of the shared server, stopped while the test runs."""
    (worker,) = server.children("staithe.worker")
    worker.suspend()
    yield worker
    worker.resume()
