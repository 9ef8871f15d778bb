"""A company's store that is gone, on both databases: the company is refused, and nobody makes an empty one."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from staithe.clock import system_clock
from staithe.domain.errors import Conflict
from staithe.services import accounts
from staithe.services.stores import Stores
from staithe.storage import control
from tests.conftest import StartServer
from tests.support.api import Api
from tests.support.commands import staithe
from tests.support.server import RunningServer
from tests.support.waiting import until

REFUSED = {
    "status": 503,
    "error": "Service Unavailable",
    "message": "The company's store is missing. "
    "It is not made anew: bring it back, or restore the company from a backup.",
    "advice": "Tell the operator: the server's log says which store it is.",
}


def place_of(server: RunningServer, company_id: int) -> str:
    """How operators are told where a company's store is."""
    if server.database:
        return f"schema company_{company_id}"
    return str(server.data / "companies" / str(company_id) / "company.db")


def lose(server: RunningServer, company_id: int) -> None:
    """Lose a company's store, which nobody has open."""
    if server.database:
        with psycopg.connect(server.database) as connection:
            connection.execute(f"DROP SCHEMA company_{company_id} CASCADE")
    else:
        shutil.rmtree(server.data / "companies" / str(company_id))


def is_there(server: RunningServer, company_id: int) -> bool:
    """Whether there is anything where a company's store would be."""
    if not server.database:
        return Path(place_of(server, company_id)).exists()
    with psycopg.connect(server.database) as connection:
        query = "SELECT FROM pg_namespace WHERE nspname = %s"
        return connection.execute(query, [f"company_{company_id}"]).fetchone() is not None


def refusals(server: RunningServer) -> list[str]:
    """What the server's log says of a store that is missing."""
    return [line for line in server.lines if "is refused: The company's store is missing." in line]


def told_by(server: RunningServer) -> set[str]:
    """The processes that have said so."""
    return {word for line in refusals(server) for word in line.split() if word.startswith("process=")}


def assert_refused(api: Api) -> None:
    for path in ("/contacts/lists", "/syncs", "/contacts/lists"):
        answer = api.bulk("GET", path)
        assert answer.json() == REFUSED
        assert "retry-after" not in answer.headers


def test_a_company_whose_store_is_gone_is_refused_and_the_others_go_on(servers: StartServer) -> None:
    server = servers()
    south, store = server.new_company("south")
    south.new_list()
    lost = store.company.id
    assert server.stop() == 0
    lose(server, lost)
    server = servers()
    assert_refused(server.api("south\\ann:secret"))
    acme = server.api()
    # Each process says it once, however often it is asked or looks into all companies.
    until(lambda: {"process=http", "process=worker"} <= told_by(server), "the worker has looked, too")
    assert_refused(server.api("south\\ann:secret"))
    assert acme.sync(sync_of(acme))["status"] in ("success", "warning")
    told = refusals(server)
    assert len(told) == len(told_by(server))
    assert all(f"company south is refused: {REFUSED['message']}" in line for line in told)
    assert all(place_of(server, lost) in line for line in told)
    assert not is_there(server, lost)
    ended, found = doctor(server)
    assert ended == 1
    assert [f for f in found if "company south cannot be read" in f["found"] and place_of(server, lost) in f["found"]]
    assert server.stop() == 0


def sync_of(api: Api) -> str:
    uri = api.define()
    api.upload(uri, [{"Id": 1}])
    return uri


def doctor(server: RunningServer) -> tuple[int, list[dict[str, str]]]:
    ran = staithe("doctor", "--json", "--data", str(server.data), STAITHE_DATABASE=server.database)
    return ran.returncode, json.loads(ran.stdout)["findings"]


def test_an_empty_store_is_no_store(servers: StartServer, database_kind: str) -> None:
    server = servers()
    _, store = server.new_company("south")
    assert server.stop() == 0
    lose(server, store.company.id)
    if database_kind == "sqlite":
        path = Path(place_of(server, store.company.id))
        path.parent.mkdir()
        path.touch()
    else:
        with psycopg.connect(server.database) as connection:
            connection.execute(f"CREATE SCHEMA company_{store.company.id}")
    server = servers()
    assert_refused(server.api("south\\ann:secret"))
    assert server.stop() == 0


@pytest.fixture
def stores(tmp_path: Path, database: str) -> Stores:
    return Stores(tmp_path / "data", database)


def test_a_company_that_was_not_committed_is_made_again(stores: Stores) -> None:
    with suppress(ZeroDivisionError), stores.control.write() as connection:
        accounts.add_company(stores, connection, "north", system_clock())
        raise ZeroDivisionError
    with stores.control.read() as connection:
        assert control.all_companies(connection) == []
    with stores.databases.open_company(1).read() as connection:
        connection.execute(text("SELECT * FROM contact"))
    made = accounts.create_company(stores, "north", system_clock())
    with stores.open(made).database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM contact")).scalar_one() == 0
    stores.close()


def test_no_company_gets_a_store_that_was_used(stores: Stores) -> None:
    """As when the control store is an older one than those of the companies."""
    stores.databases.make_company(1)
    with stores.databases.open_company(1).write() as connection:
        connection.execute(text("INSERT INTO counter VALUES ('contact', 5)"))
    with pytest.raises(Conflict) as refused:
        accounts.create_company(stores, "north", system_clock())
    assert "There is a store of a company that the control store does not know: " in refused.value.message
    with stores.control.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM company")).scalar_one() == 0
    with stores.databases.open_company(1).read() as connection:
        assert connection.execute(text("SELECT value FROM counter")).scalar_one() == 5
    stores.close()
