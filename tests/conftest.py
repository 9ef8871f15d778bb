"""Fixtures: one real server for the whole run, and a company of its own for each test."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from staithe.clock import system_clock
from staithe.domain.companies import Role
from staithe.services import accounts
from staithe.services.stores import CompanyStore
from tests.fault.processes import child, paused
from tests.support import nightly
from tests.support.api import Api
from tests.support.object_store import ObjectStore
from tests.support.pauses import pauses
from tests.support.postgres import OwnPostgres
from tests.support.server import WORKER, RunningServer
from tests.support.template import QUICK_HASHER

pytest_addoption = nightly.add_option
pytest_configure = nightly.obey_option
LONGEST = ("test_schema", "test_imports", "test_filters", "test_object_store")
"""Files that take half a minute: begun late, they would go on alone when all others are done."""

SHORT = ("house", "unit")
"""Folders whose files take a second or so: they fill what the others leave of the processes at the end."""

NewDatabase = Callable[[], str]
StartServer = Callable[..., RunningServer]
Deployment = Callable[[str], RunningServer]
COMPANY_NUMBERS = itertools.count(1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Choose what is run, and put the files that take longest first, and those that take least last."""
    nightly.leave_out(config, items)
    items.sort(key=lambda item: (item.path.parent.name in SHORT) - (item.path.stem in LONGEST))


@pytest.fixture(scope="session", autouse=True)
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where the programs that tests start keep bytecode if Python was told to keep none: starting one takes less.

    All processes of a test run share it.
    """
    if sys.dont_write_bytecode:
        folder = tmp_path_factory.getbasetemp()
        os.environ["PYTHONPYCACHEPREFIX"] = str(
            (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "bytecode"
        )
        os.environ["PYTHONDONTWRITEBYTECODE"] = ""


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Hash the passwords of the companies that tests make with little effort."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts, "HASHER", QUICK_HASHER)
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_pauses() -> Iterator[None]:
    """Let servers pause as is good for tests, unless one says otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in pauses().items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Where stores are: every test that has one runs with each.

    Each module runs with one and then with the other, so that what a module starts is started once for each.
    """
    return request.param


@pytest.fixture(scope="session")
def postgres() -> Iterator[OwnPostgres]:
    """A PostgreSQL of this process of the test run."""
    own = OwnPostgres()
    yield own
    own.close()


@pytest.fixture(scope="module")
def new_database(database_kind: str, request: pytest.FixtureRequest) -> NewDatabase:
    """Makes an empty database of the kind that is tested, and gives what `--database` takes."""
    if database_kind == "sqlite":
        return lambda: ""
    return request.getfixturevalue("postgres").new_database


@pytest.fixture
def database(new_database: NewDatabase, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database of a test's own, gone with it: hundreds of them would fill the disk of a small machine."""
    made = new_database()
    own = request.getfixturevalue("postgres") if made else None
    yield made
    if own is not None:
        own.drop_database(made)


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """Returns the running server of a kind of database, which is started when it is first asked for.

    It has hundreds of companies in the end, so its worker looks into all of them rarely: nothing here waits for that.
    """
    started: dict[str, RunningServer] = {}
    rarely = pauses(scan_seconds=30, retention_seconds=120)

    def get(kind: str) -> RunningServer:
        if kind not in started:
            database = "" if kind == "sqlite" else request.getfixturevalue("postgres").new_database()
            data = tmp_path_factory.mktemp(kind) / "data"
            started[kind] = RunningServer(data, database=database, environment=rarely)
        return started[kind]

    yield get
    for running in started.values():
        assert running.stop() == 0


@pytest.fixture(scope="module")
def server(deployment: Deployment, database_kind: str) -> RunningServer:
    """A running server with default settings, the same for all modules."""
    return deployment(database_kind)


@pytest.fixture
def servers(tmp_path: Path, database: str) -> Iterator[StartServer]:
    """Starts servers of one deployment: the same database and, if no other is given, the same data directory.

    Whatever is left of them is ended with the test.
    """
    started: list[RunningServer] = []

    def start(
        *options: str,
        data: Path | None = None,
        environment: dict[str, str] | None = None,
        database: str = database,
        is_real: bool = False,
    ) -> RunningServer:
        where = data or tmp_path / "data"
        server = RunningServer(where, *options, database=database, environment=environment, is_real=is_real)
        started.append(server)
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            running.kill()
        # A test may have looked into the stores of a server that it had stopped.
        running.stores.close()


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStore]:
    """An S3 server of this process of the test run."""
    own = ObjectStore()
    yield own
    own.close()


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
def paused_worker(server: RunningServer, store: CompanyStore) -> Iterator[psutil.Process]:
    """The worker of the shared server, stopped while the test runs, with nothing that it holds."""
    worker = child(server, WORKER)
    with paused(server, store, worker):
        yield worker
