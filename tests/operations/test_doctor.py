"""`staithe doctor` on both databases: a sound deployment, and real faults one by one."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from staithe import __version__
from staithe.services.stores import CompanyStore
from tests.fault.processes import child, paused
from tests.support.api import Api
from tests.support.clock import DAY_SECONDS, Clock
from tests.support.commands import staithe
from tests.support.pauses import pauses
from tests.support.postgres import OwnPostgres
from tests.support.server import WORKER, RunningServer
from tests.support.waiting import until

LONG_AGO_SECONDS = 2 * 3600.0
SYSTEM = f"{os.uname().sysname} {os.uname().machine}"


@pytest.fixture(scope="module")
def lasting_postgres() -> Iterator[OwnPostgres]:
    """A PostgreSQL that is as durable as it comes, which the one of the test run is not."""
    own = OwnPostgres(fsync="on", full_page_writes="on", max_connections="150")
    yield own
    own.close()


@pytest.fixture
def database(database_kind: str, request: pytest.FixtureRequest) -> str:
    """An empty database that keeps what it is given."""
    return "" if database_kind == "sqlite" else request.getfixturevalue("lasting_postgres").new_database()


@pytest.fixture
def running(tmp_path: Path, database: str) -> Iterator[RunningServer]:
    """A server of a test's own, with one company."""
    server = RunningServer(tmp_path / "data", database=database, environment=pauses(retention_seconds=0.5))
    yield server
    if server.process.poll() is None:
        assert server.stop() == 0


def doctor(data: Path, *options: str, database: str = "", json_wanted: bool = True) -> tuple[int, str]:
    """Run it: its exit code and what it printed."""
    words = ["doctor", "--data", str(data), *(["--json"] if json_wanted else []), *options]
    ran = staithe(*words, STAITHE_DATABASE=database)
    assert ran.stderr == ""
    return ran.returncode, ran.stdout


def findings(data: Path, *options: str, database: str = "", code: int = 0) -> dict[str, list[Any]]:
    """What it found by check: outcome, what was found, advice."""
    ended, printed = doctor(data, *options, database=database)
    assert ended == code, printed
    found: dict[str, list[Any]] = {}
    for finding in json.loads(printed)["findings"]:
        assert finding["check"] not in found, "each check once"
        found[finding["check"]] = [finding["outcome"], finding["found"], finding["advice"]]
    return found


def examine(server: RunningServer, *options: str, code: int = 0) -> dict[str, list[Any]]:
    """What it finds about a server's deployment."""
    return findings(server.data, *options, database=server.database, code=code)


def files_of(data: Path) -> dict[str, int]:
    """Every file that holds something for good, with its time; SQLite's logs come and go."""
    kept = [p for p in data.rglob("*") if p.is_file() and not p.name.endswith(("-wal", "-shm"))]
    return {str(path): path.stat().st_mtime_ns for path in kept}


def test_a_sound_deployment_beside_its_server(running: RunningServer, database_kind: str) -> None:
    running.api().upload(running.api().define(), [{"Id": "1"}])
    before = files_of(running.data)
    found = examine(running)
    assert files_of(running.data) == before, "nothing is left behind, nothing changed"
    place = running.data / "companies" / "1" / "staging"
    assert found.pop("software")[:2] == ["ok", f"Staithe {__version__}, Python {sys.version.split()[0]}, {SYSTEM}"]
    assert found.pop("space of data")[0] in ("ok", "warning"), "as the machine has it"
    assert found.pop("file system of data")[0] in ("ok", "warning"), "a container's, maybe"
    assert found["staging"][1].startswith("a file was written, read and deleted in ")
    assert found.pop("staging")[1].endswith(f" ms ({place})")
    assert found["server"][1].startswith(f"{running.url} is ready (")
    assert found.pop("server")[0] == "ok"
    for check in SOUND[database_kind]:
        outcome, told, advice = found.pop(check)
        assert re.fullmatch(SOUND[database_kind][check], told), told
        assert (outcome, advice) == ("ok", "")
    assert found == {
        "schema": ["ok", "the newest, in stores: 2", ""],
        "clock": ["ok", "no row lies in the future", ""],
        "syncs": ["ok", "0 pending, 0 running, none has waited for long", ""],
        "leases": ["ok", "every active sync has its worker", ""],
        "access": ["ok", f"only Staithe's user may read {running.data}", ""],
        "files": ["ok", "none is left without a row", ""],
    }
    assert running.stop() == 0
    assert examine(running)["server"] == ["ok", "none runs on this data directory", ""]


SOUND = {
    "sqlite": {
        "SQLite": re.escape(sqlite3.sqlite_version),
        "durability": "journal_mode=wal, synchronous=full",
    },
    "postgresql": {
        "PostgreSQL": r"\d+\.\d+, encoding UTF8",
        "rights": "the role may make schemas",
        "durability": "fsync=on, full_page_writes=on, synchronous_commit=on",
        "connections": r"\d+ of 147 in use; 2 processes may open 130",
        "time-outs": "statement_timeout=0, idle_in_transaction_session_timeout=0",
        "clock of the database": r"the database's clock is 0\.\d s (ahead of|behind) this machine's",
    },
}
"""What is found of each database alone, where nothing is wrong."""


def test_people_get_a_table(running: RunningServer) -> None:
    ended, printed = doctor(running.data, database=running.database, json_wanted=False)
    assert ended == 0
    for words in ("found, and what to do", "durability", "the newest, in stores: 2", "is ready"):
        assert words in printed


def test_rows_of_a_clock_that_was_ahead(tmp_path: Path, database: str) -> None:
    clock = Clock(tmp_path / "clock")
    clock.forward(days=1)
    server = RunningServer(tmp_path / "data", "--clock-file", str(clock.file), database=database)
    server.api().upload(server.api().define(), [{"Id": "1"}])
    outcome, found, advice = examine(server, code=1)["clock"]
    told = re.fullmatch(r"the newest row of company acme lies ([\d,]+) s in the future", found)
    assert told
    assert DAY_SECONDS / 2 < int(told[1].replace(",", "")) <= DAY_SECONDS
    assert (outcome, advice) == (
        "failure",
        "Set the clocks of all machines by NTP: leases, tokens and expiry go by them.",
    )
    assert examine(server, "--lease-seconds", str(4 * DAY_SECONDS))["clock"][0] == "warning", (
        "half a lease is the limit"
    )
    assert server.stop() == 0


def test_a_clock_that_is_not_the_databases(tmp_path: Path, lasting_postgres: OwnPostgres) -> None:
    server = RunningServer(tmp_path / "data", database=lasting_postgres.new_database())
    clock = Clock(tmp_path / "clock")
    clock.forward(days=1)
    outcome, found, _ = examine(server, "--clock-file", str(clock.file), code=1)["clock of the database"]
    assert outcome == "failure"
    assert re.fullmatch(r"the database's clock is 86,[34]\d\d\.\d s behind this machine's", found)
    clock.forward(days=-2)
    outcome, found, _ = examine(server, "--clock-file", str(clock.file), code=1)["clock of the database"]
    assert outcome == "failure"
    assert re.fullmatch(r"the database's clock is 86,[34]\d\d\.\d s ahead of this machine's", found)
    assert server.stop() == 0


def test_staging_that_cannot_be_written(running: RunningServer) -> None:
    running.api().upload(running.api().define(), [{"Id": "1"}])
    assert running.stop() == 0
    place = running.data / "companies" / "1" / "staging"
    place.rename(place.with_name("aside"))
    place.write_text("in the way")
    found = examine(running, code=1)
    assert found["staging"][0] == "failure"
    assert found["staging"][1].startswith(f"{place}: ")
    assert found["staging"][2] == "Let Staithe's user write there; until then uploads fail."
    assert found["files"][0] == "failure"
    assert place.read_text() == "in the way"


def test_a_staging_area_that_cannot_be_reached_before_there_is_a_company(tmp_path: Path) -> None:
    place = tmp_path / "staging"
    place.write_text("in the way")
    for staging, told in ((place, f"{place}: "), (tmp_path / "none", f"{tmp_path}/none: ")):
        outcome, found, advice = findings(tmp_path / "data", "--staging", str(staging), code=1)["staging"]
        assert outcome == "failure"
        assert found.startswith(told)
        assert advice == "Let Staithe's user write there; until then uploads fail."


def test_files_that_others_may_read(running: RunningServer) -> None:
    assert running.stop() == 0
    for path in (running.data, *running.data.rglob("*")):
        path.chmod(0o750 if path.is_dir() else 0o640)
    file = running.data / ("serve.key" if running.database else "control.db")
    file.touch()
    file.chmod(0o640)
    outcome, found, advice = examine(running)["access"]
    assert outcome == "warning"
    assert found.startswith("its group may read ")
    running.data.chmod(0o755)
    assert examine(running)["access"][0] == "warning"
    file.chmod(0o644)
    told = f"chmod -R go= {running.data}: it holds all contacts, and the hashes of passwords."
    assert examine(running, code=1)["access"] == ["failure", f"everybody on this machine may read {file}", told]
    assert advice == f"Unless that is meant: {told}"
    running.data.chmod(0o700)
    assert examine(running)["access"][0] == "ok", "a closed directory closes what is in it"


def test_schemas_of_another_version(running: RunningServer) -> None:
    _, acme = running.new_company("south")
    _, north = running.new_company("north")
    # A worker would bring the store up to date when it first looks into it.
    with paused(running, north, child(running, WORKER)):
        newest = set_schema_version(acme, 99)
        set_schema_version(north, newest - 1)
        ended, printed = doctor(running.data, database=running.database)
        assert set_schema_version(north, newest) == newest - 1, "not migrated"
    assert ended == 1
    assert [list(f.values()) for f in json.loads(printed)["findings"] if f["check"] == "schema"] == [
        [
            "schema",
            "failure",
            f"south: 99 of {newest}; it was made by a newer Staithe: its schema is 99, and Staithe {__version__} "
            f"knows no newer one than {newest}. Use the version that made it.",
            "This version refuses these stores: it does not know what they hold.",
        ],
        [
            "schema",
            "warning",
            f"north: {newest - 1} of {newest}",
            "The next start of a server brings them up to date. Back them up before.",
        ],
    ]


def test_a_control_store_of_an_older_version(running: RunningServer) -> None:
    """As before an upgrade: it lacks a column that came later, and its companies are looked at all the same."""
    assert running.stop() == 0
    with running.stores.control.write() as connection:
        newest = int(connection.execute(text("SELECT version FROM schema_version")).scalar_one())
        connection.execute(text("ALTER TABLE company DROP COLUMN restore_began_at"))
        connection.execute(text("UPDATE schema_version SET version = :n"), {"n": newest - 1})
    running.stores.close()
    found = examine(running)
    assert found["schema"] == [
        "warning",
        f"control: {newest - 1} of {newest}",
        "The next start of a server brings them up to date. Back them up before.",
    ]
    assert found["syncs"][0] == "ok"


def set_schema_version(store: CompanyStore, version: int) -> int:
    """Claim another version; gives the one it was."""
    with store.database.write() as connection:
        was = connection.execute(text("SELECT version FROM schema_version")).scalar_one()
        connection.execute(text("UPDATE schema_version SET version = :n"), {"n": version})
    return int(was)


def test_a_server_that_is_gone(running: RunningServer) -> None:
    running.kill()
    outcome, found, advice = examine(running, code=1)["server"]
    assert outcome == "failure"
    assert found.startswith(f"{running.url} does not answer: ")
    assert advice.startswith("Start it.")


def test_a_server_that_answers_something_else(running: RunningServer) -> None:
    url = f"{running.url}/api"
    ended, printed = doctor(running.data, "--server", url, database=running.database)
    assert ended == 1
    wrong = [list(f.values()) for f in json.loads(printed)["findings"] if f["outcome"] == "failure"]
    assert wrong == [
        ["server", "failure", f"{url}/readyz answers 404", "It runs but cannot work: read its output."],
    ]


def test_files_that_are_not_there_or_broken(tmp_path: Path) -> None:
    found = findings(tmp_path / "none", code=1)
    assert found["database"] == [
        "failure",
        f"the control store cannot be read: {tmp_path}/none/control.db does not exist.",
        "Nothing else of it was checked. "
        "A fresh data directory is made by staithe serve; a damaged file needs a backup.",
    ]
    assert "schema" not in found
    assert not (tmp_path / "none").exists(), "nothing is made"
    server = RunningServer(tmp_path / "data")
    server.new_company("north")
    assert server.stop() == 0
    broken = server.data / "companies" / "1" / "company.db"
    broken.write_bytes(b"no database" * 1000)
    found = findings(server.data, code=1)
    assert found["database"][:2] == ["failure", f"company acme cannot be read: {broken}: file is not a database"]
    assert found["schema"] == ["ok", "the newest, in stores: 2", ""], "the others are checked all the same"


def test_a_postgresql_that_is_gone_or_empty(tmp_path: Path) -> None:
    own = OwnPostgres()
    url = own.new_database()
    outcome, found, advice = findings(tmp_path, database=url, code=1)["database"]
    assert (outcome, found) == (
        "failure",
        f"the control store cannot be read: {url}, schema control has no tables of Staithe.",
    )
    assert advice.endswith("The tables of a fresh one are made by staithe serve.")
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_namespace WHERE nspname = 'control'").fetchone() == (0,)
    own.close()
    secret = url.replace("postgres@", "postgres:geheim@")
    ended, printed = doctor(tmp_path, database=secret)
    assert ended == 1
    assert "geheim" not in printed
    assert f"the control store cannot be read: {url.replace('postgres@', 'postgres:***@')}: " in printed


def test_a_postgresql_that_forgets(tmp_path: Path, postgres: OwnPostgres) -> None:
    """The one of the test run has fsync off."""
    server = RunningServer(tmp_path / "data", database=postgres.new_database())
    assert examine(server, code=1)["durability"] == [
        "failure",
        "fsync=off, full_page_writes=off, synchronous_commit=on",
        "Set fsync=on: a power cut would destroy the whole database.",
    ]
    assert server.stop() == 0


def test_a_role_with_too_few_rights_and_time(tmp_path: Path, lasting_postgres: OwnPostgres) -> None:
    server = RunningServer(tmp_path / "data", database=lasting_postgres.new_database())
    with psycopg.connect(server.database, autocommit=True) as connection:
        connection.execute("CREATE ROLE plain LOGIN")
        connection.execute("ALTER ROLE plain SET statement_timeout = '5s'")
        for schema in ("control", "company_1"):
            connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO plain")
            connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO plain")
    found = findings(server.data, "--processes", "3", database=server.database.replace("postgres@", "plain@"), code=1)
    assert found["rights"] == [
        "failure",
        "the role may not make schemas",
        "GRANT CREATE ON DATABASE ... TO ...: every new company is a schema.",
    ]
    assert found["time-outs"][:2] == ["warning", "statement_timeout=5s, idle_in_transaction_session_timeout=0"]
    assert found["connections"][0] == "warning"
    assert found["connections"][1].endswith("3 processes may open 195")
    with psycopg.connect(server.database, autocommit=True) as connection:
        connection.execute("DROP OWNED BY plain")
        connection.execute("DROP ROLE plain")
    assert server.stop() == 0


def test_a_url_that_is_none(tmp_path: Path) -> None:
    ran = staithe("doctor", "--data", str(tmp_path), "--database", "mysql://x")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "database: Must be a URL such as postgresql://" in ran.stderr


def test_stuck_syncs_lapsed_leases_and_forgotten_files(running: RunningServer) -> None:
    api, store = running.new_company("north", contacts=10)
    uri = api.define()
    with paused(running, store, child(running, WORKER)):
        created = examine_without_a_worker(running, api, store, uri)
    until(lambda: not forgotten(store).exists(), "it is swept")
    assert api.wait(created)["status"] == "success"
    assert examine(running)["leases"][0] == "ok"


def forgotten(store: CompanyStore) -> Path:
    """A file that no row names."""
    return store.exports.root / "forgotten.arrow"


def examine_without_a_worker(running: RunningServer, api: Api, store: CompanyStore, uri: str) -> str:
    """What is found while the worker is stopped; gives the sync that it leaves."""
    api.upload(uri, [{"Id": "1"}])
    created = api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri})
    assert created.status_code == 201
    waiting = examine(running)["syncs"]
    assert waiting == ["ok", "1 pending, 0 running, none has waited for long", ""]
    outcome, told, advice = examine(running, "--stuck-minutes", "0", code=1)["syncs"]
    assert re.fullmatch(r"north: 1, the oldest for \d+ min; 0 running", told)
    assert (outcome, advice) == (
        "failure",
        "No worker takes them up: start staithe serve or staithe worker, and read its output.",
    )
    with store.database.write() as connection:
        connection.execute(text("UPDATE sync SET status = 'active', lease_owner = 'gone', lease_until = 1"))
    forgotten(store).write_bytes(b"x")
    os.utime(forgotten(store), (time.time() - LONG_AGO_SECONDS,) * 2)
    found = examine(running)
    assert found["leases"] == [
        "warning",
        "active syncs whose worker is gone: north: 1",
        "Another worker takes them up within seconds. If this stays, none is running.",
    ]
    assert found["files"] == [
        "warning",
        "older than an hour and named by no row: north: 1",
        "They take space and nothing else; a running worker removes them.",
    ]
    return str(created.json()["uri"])
