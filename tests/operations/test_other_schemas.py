"""Stores of a newer Staithe, or of one with other scripts, on both databases: they are refused, and not touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from staithe import __version__
from staithe.clock import system_clock
from staithe.domain.companies import Company
from staithe.domain.errors import StoreUnusable
from staithe.services import accounts
from staithe.services.stores import Stores
from staithe.storage.database import Connection, Database
from staithe.storage.schema import digest_of, newest_schema
from tests.conftest import StartServer
from tests.support.commands import staithe

NEWEST = newest_schema("company")
NEWER = f"was made by Staithe 99.1.0, and this is Staithe {__version__}: use Staithe 99.1.0 or newer."
Made = tuple[Stores, Company]


@pytest.fixture
def made(tmp_path: Path, database: str) -> Made:
    """Stores with one company."""
    stores = Stores(tmp_path / "data", database)
    return stores, accounts.create_company(stores, "north", system_clock())


def migrate_further(database: Database) -> None:
    """Do what a newer Staithe does with one more script."""
    with database.write() as connection:
        number = connection.execute(text("UPDATE schema_version SET version = version + 1 RETURNING version")).scalar()
        values = {"n": number, "digest": digest_of("ALTER TABLE company ..."), "by": "99.1.0"}
        connection.execute(text("INSERT INTO schema_script VALUES (:n, :digest, :by)"), values)


def scripts_of(connection: Connection) -> list[tuple[int, str, str]]:
    rows = connection.execute(text("SELECT number, digest, run_by FROM schema_script ORDER BY number"))
    return [(number, digest, run_by) for number, digest, run_by in rows]


def test_a_newer_control_store_ends_the_start_with_one_line(made: Made, database: str) -> None:
    stores, _ = made
    migrate_further(stores.control)
    place = stores.control.place
    stores.close()
    ran = staithe("serve", "--port", "0", "--data", str(stores.data), STAITHE_DATABASE=database)
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr.splitlines() == [f"staithe: The control store ({place}) {NEWER}"]


def test_a_newer_store_of_a_company_is_refused_and_the_others_go_on(servers: StartServer) -> None:
    server = servers("--workers", "0")
    _, store = server.new_company("south")
    migrate_further(store.database)
    place = store.database.place
    assert server.stop() == 0
    server = servers("--workers", "0")
    south, acme = server.api("south\\ann:secret"), server.api()
    for _ in range(2):
        answer = south.bulk("GET", "/contacts/lists")
        assert answer.status_code == 503
        assert answer.json()["message"] == f"The company's store {NEWER}"
    acme.new_list()
    told = [line for line in server.lines if "company south is refused" in line and "process=http" in line]
    assert len(told) == 1
    assert f"{NEWER} ({place})" in told[0]
    ran = staithe("doctor", "--json", "--data", str(server.data), STAITHE_DATABASE=server.database)
    assert ran.returncode == 1
    assert f"south: {NEWEST + 1} of {NEWEST}; it {NEWER}" in [f["found"] for f in json.loads(ran.stdout)["findings"]]


def test_a_store_that_has_run_another_script_is_refused(made: Made) -> None:
    stores, north = made
    with stores.open(north).database.write() as connection:
        connection.execute(text("UPDATE schema_script SET digest = 'another' WHERE number = 2"))
    again = Stores(stores.data, "" if not stores.databases.is_shared else url_of(stores))
    with pytest.raises(StoreUnusable) as refused:
        again.open(north)
    assert refused.value.message == (
        f"The company's store has run another script 2 than that of Staithe {__version__}, "
        f"by Staithe {__version__}: use the version that ran it."
    )
    again.close()
    stores.close()


def url_of(stores: Stores) -> str:
    return stores.control.place.partition(",")[0]


def test_a_store_of_before_gets_the_digests_that_it_lacks(made: Made) -> None:
    stores, north = made
    with stores.open(north).database.write() as connection:
        before = scripts_of(connection)
        assert [(number, run_by) for number, _, run_by in before] == [(n + 1, __version__) for n in range(NEWEST)]
        connection.execute(text("DROP TABLE schema_script"))
    again = Stores(stores.data, "" if not stores.databases.is_shared else url_of(stores))
    with again.open(north).database.read() as connection:
        assert scripts_of(connection) == [(number, digest, "") for number, digest, _ in before]
    again.close()
    stores.close()
