"""`staithe doctor --deep`: a sound deployment, and one damage of each kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import select, text, update

from staithe.domain.id_set import IdSet
from staithe.services.stores import CompanyStore
from staithe.staging.checksums import unpack
from staithe.storage.tables import ID_SET, ID_SET_CHUNK, SYNC, UPLOAD
from tests.conftest import StartServer
from tests.support.api import Api, add_to_list
from tests.support.commands import staithe
from tests.support.imports import run_import
from tests.support.postgres import OwnPostgres
from tests.support.server import RunningServer
from tests.support.whole_company import fill

CHECKS = ("pages", "rows", "sets", "content of files")
PAGE_BYTES = 4096


def deep(server: RunningServer, code: int = 0) -> dict[str, tuple[str, str]]:
    """What is found of the four kinds of damage, each with its outcome."""
    words = ["doctor", "--data", str(server.data), "--deep", "--json"]
    ran = staithe(*words, STAITHE_DATABASE=server.database)
    found = {f["check"]: (f["outcome"], f["found"]) for f in json.loads(ran.stdout)["findings"] if f["check"] in CHECKS}
    assert ran.stderr == ""
    # PostgreSQL is not durable in tests, which is a failure of its own.
    assert ran.returncode == code or server.database, ran.stdout
    return found


SOUND = {
    "pages": ("ok", "every page can be read and is sound"),
    "rows": ("ok", "what rows name is there"),
    "sets": ("ok", "sets hold contacts that exist, and that of all contacts has them all"),
}


@pytest.fixture
def small(servers: StartServer) -> tuple[RunningServer, Api, CompanyStore]:
    """A server of a test's own with one more company: rejects, and an upload that waits."""
    server = servers()
    api, store = server.new_company("north", contacts=10)
    run_import(api, [{"emailAddress": "none", "firstName": "A"}, {"emailAddress": "a@x.yz", "firstName": "A"}])
    uri = api.define(add_to_list(api.new_list()))
    api.upload(uri, [{"Id": 1}])
    api.sync(uri)
    api.upload(uri, [{"Id": 2}])
    gone = {"emailAddress": "gone@x.yz", "isSubscribed": "false"}
    number = api.rest("POST", "/data/contact", json=gone).raise_for_status().json()["id"]
    api.rest("DELETE", f"/data/contact/{number}").raise_for_status()
    return server, api, store


def test_a_sound_deployment_with_everything_in_it(servers: StartServer) -> None:
    server = servers()
    api, _ = server.new_company("whole")
    fill(api)
    found = deep(server)
    outcome, told = found.pop("content of files")
    assert outcome == "ok"
    assert told.endswith(" are as they were written")
    assert int(told.split()[0]) >= 3
    assert found == SOUND


def execute(statement: Any) -> Callable[[CompanyStore], None]:
    """A change of the store's rows."""

    def change(store: CompanyStore) -> None:
        with store.database.write() as connection:
            connection.execute(text(statement) if isinstance(statement, str) else statement)

    return change


def flip(column: Any, checksums: Any, folder: str) -> Callable[[CompanyStore], None]:
    """A bit of a file that a row names."""

    def change(store: CompanyStore) -> None:
        with store.database.read() as connection:
            name, packed = connection.execute(select(column, checksums).where(column.is_not(None))).one()
        path = getattr(store, folder).root / name
        data = bytearray(path.read_bytes())
        data[unpack(packed)[1][0] + 8] ^= 1
        path.write_bytes(data)

    return change


def unlink(store: CompanyStore) -> None:
    """The only staged file."""
    for path in store.staging.root.iterdir():
        path.unlink()


NUMBER = select(ID_SET.c.id).where(ID_SET.c.name == "contacts").scalar_subquery()
ALL = update(ID_SET_CHUNK).where(ID_SET_CHUNK.c.set_id == NUMBER)
LIST = update(ID_SET_CHUNK).where(ID_SET_CHUNK.c.set_id != NUMBER)
DAMAGES: list[tuple[str, str, Callable[[CompanyStore], None]]] = [
    ("content of files", "north: staging: The file ", flip(UPLOAD.c.file, UPLOAD.c.checksums, "staging")),
    ("content of files", "north: rejects: The file ", flip(SYNC.c.reject_file, SYNC.c.reject_checksums, "rejects")),
    ("content of files", "north: staging/", unlink),
    (
        "sets",
        "north: contacts: 1 contacts are not in it",
        execute(ALL.values(bits=IdSet.span(1, 10).to_bytes(), size=10)),
    ),
    ("sets", "north: contacts: chunk 0 has 11 ids and says 3", execute(ALL.values(size=3))),
    (
        "sets",
        "north: contactList/1: 2 ids of contacts that do not exist",
        execute(LIST.values(bits=IdSet.of([1, 50, 51]).to_bytes(), size=3)),
    ),
    ("sets", "north: contactList/1: chunk 0 cannot be read", execute(LIST.values(bits=b"nothing"))),
    ("rows", "north: 1 uploads without their definition", execute("UPDATE upload SET definition_id = 99")),
    ("rows", "north: 1 uploads without their sync", execute("UPDATE upload SET sync_id = 99")),
    (
        "rows",
        "north: 1 lines of logs without their sync",
        execute("UPDATE sync_log SET sync_id = 99 WHERE sync_id = 2 AND line = 1"),
    ),
    (
        "rows",
        "north: 1 states kept of addresses that a contact has",
        execute("UPDATE address_state SET email_key = 'contact-1@example.com'"),
    ),
    ("rows", "north: 1 states of addresses without their set", execute("UPDATE address_state SET set_id = 99")),
    (
        "rows",
        "north: 1 states of addresses in email groups that are gone",
        execute("UPDATE id_set SET name = 'emailGroup/1/unsubscribed' WHERE name = 'globalUnsubscribed'"),
    ),
]


def test_each_damage_is_found_and_nothing_else(small: tuple[RunningServer, Api, CompanyStore]) -> None:
    """In one store, one after another: what was undone is found no more."""
    server, _, store = small
    assert deep(server) == {**SOUND, "content of files": ("ok", "2 are as they were written")}
    tables = ("upload", "sync_log", "id_set", "id_set_chunk", "address_state")
    for check, told, damage in DAMAGES:
        before = {path: path.read_bytes() for path in (*store.staging.root.iterdir(), *store.rejects.root.iterdir())}
        execute_all(store, [f"CREATE TABLE kept_{table} AS SELECT * FROM {table}" for table in tables])
        damage(store)
        found = deep(server, code=1)
        assert found[check][0] == "failure"
        assert found[check][1].startswith(told), found[check]
        assert {c for c, (outcome, _) in found.items() if outcome != "ok"} == {check}
        for path, data in before.items():
            path.write_bytes(data)
        execute_all(
            store,
            [
                statement
                for table in tables
                for statement in (
                    f"DELETE FROM {table}",
                    f"INSERT INTO {table} SELECT * FROM kept_{table}",
                    f"DROP TABLE kept_{table}",
                )
            ],
        )
    assert deep(server) == {**SOUND, "content of files": ("ok", "2 are as they were written")}
    execute_all(store, ["UPDATE upload SET checksums = NULL"])
    told = "1 are as they were written; 1 of before there were checksums can be read"
    assert deep(server)["content of files"] == ("ok", told)


def execute_all(store: CompanyStore, statements: list[str]) -> None:
    with store.database.write() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def test_damaged_pages_of_sqlite(servers: StartServer, tmp_path: Path) -> None:
    """Also where nobody has asked for them yet; a backup does not copy them either."""
    server = servers(database="")
    server.new_company("north", contacts=5000)
    assert server.stop() == 0
    server.stores.close()
    path = server.data / "companies" / "2" / "company.db"
    whole = path.read_bytes()
    pages = len(whole) // PAGE_BYTES
    for damaged, told in (
        (range(pages - 20, pages), "The store of company north is damaged: "),
        (range(2, pages), "cannot be used: database disk image is malformed."),
    ):
        data = bytearray(whole)
        for page in damaged:
            data[page * PAGE_BYTES : page * PAGE_BYTES + 200] = b"\xff" * 200
        path.write_bytes(data)
        outcome, found = deep(server, code=1)["pages"]
        assert outcome == "failure"
        assert found.startswith("north: ")
        backup = staithe("backup", "north", str(tmp_path / "north.zip"), "--data", str(server.data))
        assert backup.returncode == 1
        assert told in backup.stderr
        assert "Traceback" not in backup.stderr
        assert not (tmp_path / "north.zip").exists()


def test_damaged_pages_of_postgresql(tmp_path: Path) -> None:
    """A block of the contact table, which nobody has asked for since the database was started."""
    own = OwnPostgres()
    server = RunningServer(tmp_path / "data", database=own.new_database())
    server.new_company("north", contacts=5000)
    assert deep(server)["pages"][0] == "ok"
    with psycopg.connect(server.database, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        row = connection.execute("SELECT pg_relation_filepath('company_2.contact')").fetchone()
    assert row is not None
    assert server.stop() == 0
    server.stores.close()
    own.stop()
    with (own.data / row[0]).open("r+b") as file:
        file.seek(3 * 8192)
        file.write(b"\xff" * 100)
    own.start()
    outcome, told = deep(server)["pages"]
    own.close()
    assert outcome == "failure"
    assert told.startswith("north: ")
    assert "invalid page in block 3" in told
