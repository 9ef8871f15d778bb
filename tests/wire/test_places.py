"""Where commands look for a store, and what they say of one that is not there or cannot be used."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from staithe.data_lock import hold_data
from staithe.services import deployment, file_systems
from staithe.services.accounts import judge_login
from staithe.storage.databases import without_secrets
from tests.conftest import StartServer
from tests.support.commands import staithe
from tests.support.object_store import KEY, SECRET, ObjectStore, address
from tests.support.ports import OwnPort
from tests.support.server import RunningServer
from tests.support.workers import RunningWorkers


def run(*words: str, given: str = "", **environment: str) -> str:
    """Run a command that succeeds, with no variable that says where the store is; what it prints."""
    done = staithe(*words, given=given, **{"STAITHE_DATABASE": "", "STAITHE_STAGING": "", **environment})
    assert done.returncode == 0, done
    return done.stdout


def refused(*words: str, given: str = "", **environment: str) -> str:
    """Run a command that is refused in a sentence; what it says."""
    done = staithe(*words, given=given, **{"STAITHE_DATABASE": "", "STAITHE_STAGING": "", **environment})
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr + done.stdout, done
    assert 1 <= len(done.stderr.splitlines()) <= 2, done
    return done.stderr


def test_a_data_directory_remembers_the_database_and_the_staging_area(
    servers: StartServer,
    database: str,
    object_store: ObjectStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    area = address(object_store.new_bucket(), object_store.port)
    for name, value in (("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", SECRET)):
        monkeypatch.setenv(name, value)
    server = servers("--staging", area)
    assert server.api().upload(server.api().define(), [{"Id": "1"}]).status_code == 204
    data = ["--data", str(server.data)]
    run("company", "create", "north", *data)
    assert [row["name"] for row in json.loads(run("company", "list", *data, "--json"))] == ["acme", "north"]
    assert json.loads(run("seed", "north", "--contacts", "5", *data, "--json"))["lastId"] == 5
    status = json.loads(run("status", *data, "--json"))
    assert [(row["name"], row["contacts"]) for row in status["companies"]] == [("acme", 0), ("north", 5)]
    assert json.loads(run("backup", "acme", str(tmp_path / "acme.zip"), *data, "--json"))["files"] == 1
    findings = json.loads(staithe("doctor", *data, "--json", STAITHE_DATABASE="").stdout)["findings"]
    found = {finding["check"]: finding["found"] for finding in findings}
    assert "(s3://" in found["staging"], found
    assert ("PostgreSQL" in found) == bool(database)
    run("restore", str(tmp_path / "acme.zip"), "--company", "again", *data)
    run("company", "delete", "again", "--yes", *data)
    assert server.stop() == 0
    again = servers(environment={"STAITHE_DATABASE": ""})
    assert again.api().sync("/contacts/syncActions/1")["status"] == "warning"
    assert again.stop() == 0
    workers = RunningWorkers(server.data)
    assert workers.stop() == 0
    assert (server.data / "control.db").exists() == (not database), "no second store is made"
    assert SECRET not in (server.data / deployment.STAGING_FILE).read_text()


def test_a_directory_that_was_moved_is_its_own_staging_area_still(servers: StartServer, tmp_path: Path) -> None:
    server = servers()
    assert server.api().upload(server.api().define(), [{"Id": "1"}]).status_code == 204
    assert server.stop() == 0
    shutil.copytree(server.data, tmp_path / "moved")
    copied = json.loads(run("backup", "acme", str(tmp_path / "acme.zip"), "--data", str(tmp_path / "moved"), "--json"))
    assert copied["files"] == 1
    shutil.rmtree(tmp_path / "data")
    moved = servers(data=tmp_path / "moved")
    assert moved.api().sync("/contacts/syncActions/1")["status"] == "warning"
    assert moved.stop() == 0


def test_the_note_of_a_database_has_no_password_and_is_the_owners_alone(tmp_path: Path) -> None:
    for url, noted in (
        ("postgresql://staithe:geheim@db:5432/main", "postgresql://staithe@db:5432/main"),
        (
            "postgresql://db/main?password=geheim&sslpassword=geheim&sslmode=require",
            "postgresql://db/main?sslmode=require",
        ),
        ("postgresql:///main?host=/run/pg", "postgresql:///main?host=/run/pg"),
    ):
        assert without_secrets(url) == noted.replace("/run/pg", "%2Frun%2Fpg")
        deployment.note_places(tmp_path, url, "")
        note = tmp_path / deployment.DATABASE_FILE
        assert "geheim" not in note.read_text()
        assert note.stat().st_mode & 0o777 == 0o600
        assert deployment.noted_database(tmp_path) == without_secrets(url)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port on which nobody listens."""
    own = OwnPort()
    yield own.number
    own.close()


def test_a_database_that_cannot_be_reached_is_named_without_its_password(tmp_path: Path, closed_port: int) -> None:
    url = f"postgresql://staithe:geheim@127.0.0.1:{closed_port}/main"
    data = ["--data", str(tmp_path / "data"), "--database", url]
    for words in (
        ["serve", "--port", "0", *data],
        ["worker", *data],
        ["status", *data],
        ["seed", "acme", "--contacts", "1", *data],
        ["company", "create", "acme", *data],
    ):
        said = refused(*words)
        assert f"The database postgresql://staithe@127.0.0.1:{closed_port}/main cannot be reached: " in said
        assert "refused" in said
        assert "geheim" not in said
    assert "database: Must be a URL such as postgresql://" in refused("status", *data[:2], "--database", "mysql://x/y")


def test_a_noted_database_that_cannot_be_reached_is_named(tmp_path: Path, closed_port: int) -> None:
    deployment.note_places(tmp_path, f"postgresql://staithe@127.0.0.1:{closed_port}/main", "")
    said = refused("status", "--data", str(tmp_path))
    assert f"The database postgresql://staithe@127.0.0.1:{closed_port}/main cannot be reached: " in said
    assert "PGPASSWORD" in said
    assert [path.name for path in tmp_path.iterdir()] == [deployment.DATABASE_FILE]


def test_an_empty_database_stays_empty(tmp_path: Path, database: str) -> None:
    if not database:
        pytest.skip("it is about PostgreSQL")
    for _ in range(2):
        said = refused("status", "--data", str(tmp_path), "--database", database)
        assert "There is no store to use: " in said
        assert "has no tables of Staithe" in said


COMMANDS = {
    "status": ["status"],
    "backup": ["backup", "acme", "x.zip"],
    "seed": ["seed", "acme", "--contacts", "1"],
    "worker": ["worker"],
    "company list": ["company", "list"],
    "company limits": ["company", "limits", "acme"],
    "company rename": ["company", "rename", "acme", "b"],
    "company delete": ["company", "delete", "acme", "--yes"],
    "user create": ["user", "create", "acme", "ann", "--password-stdin"],
    "user list": ["user", "list"],
    "user password": ["user", "password", "acme", "ann", "--password-stdin"],
    "user disable": ["user", "disable", "acme", "ann"],
    "user enable": ["user", "enable", "acme", "ann"],
    "user delete": ["user", "delete", "acme", "ann"],
    "client create": ["client", "create", "acme", "x"],
    "client list": ["client", "list"],
    "client rotate": ["client", "rotate", "acme", "x"],
    "client delete": ["client", "delete", "acme", "x"],
}
"""Those that need a store which is there."""


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_makes_no_store_where_there_is_none(tmp_path: Path, name: str) -> None:
    said = refused(*COMMANDS[name], "--data", str(tmp_path / "none"))
    assert f"There is no store in the data directory {tmp_path / 'none'}." in said
    assert list(tmp_path.iterdir()) == []


MAKERS = {
    "serve": ["serve", "--port", "0"],
    "company create": ["company", "create", "acme"],
    "restore": ["restore", "backup.zip"],
}
"""Those that make one."""


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A directory on a file system that cannot be written, whoever asks."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    with mounted(folder, "ro"):
        yield folder


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A directory on a file system with no room."""
    folder = tmp_path / "full"
    folder.mkdir()
    with mounted(folder, "size=64k,nr_inodes=8"):
        (folder / "filler").write_bytes(bytes(64 * 1024))
        yield folder


class mounted:  # noqa: N801 (it is used as a function)
    """Mounts a file system, in memory if no other is named; leaves the test out where that is not allowed."""

    def __init__(self, folder: Path, options: str, what: str = "tmpfs") -> None:
        self.folder = folder
        self.command = ["mount", "-o", options, *(["-t", what] if what == "tmpfs" else []), what, str(folder)]

    def __enter__(self) -> None:
        if os.geteuid() != 0 or subprocess.run(self.command, capture_output=True, check=False).returncode:
            pytest.skip("this user may not mount a file system")

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "-l", str(self.folder)], check=True)


@pytest.mark.parametrize("name", [*COMMANDS, *MAKERS, "doctor"])
def test_a_file_as_the_data_directory_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    words = {**COMMANDS, **MAKERS, "doctor": ["doctor"]}[name]
    if name == "restore":
        make_backup(tmp_path / "backup.zip")
        words = ["restore", str(tmp_path / "backup.zip")]
    said = refused(*words, "--data", str(tmp_path / "file"), given="pw\n")
    assert f"--data: Must be a directory, and {tmp_path / 'file'} is none." in said
    if name in MAKERS:
        said = refused(*words, "--data", str(tmp_path / "file" / "below"))
        assert str(tmp_path / "file") in said
        assert "A file is where a directory should be" in said


def make_backup(path: Path) -> None:
    """What begins as a backup does."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", json.dumps(MANIFEST))


MANIFEST = {
    "format": "staithe backup",
    "formatVersion": 1,
    "productVersion": "0.5.0",
    "schemaVersion": 1,
    "company": "acme",
    "createdAt": 0,
    "matchColumns": [],
    "tables": [],
    "files": [],
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path, read_only: Path, name: str) -> None:
    words = MAKERS[name]
    if name == "restore":
        make_backup(tmp_path / "backup.zip")
        words = ["restore", str(tmp_path / "backup.zip")]
    for data in (read_only, read_only / "below"):
        said = refused(*words, "--data", str(data))
        assert str(read_only) in said, "the path is told"


def test_a_store_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    run("company", "create", "acme", "--data", str(folder))
    # Mounted on itself, and then the mount alone is made read-only.
    with mounted(folder, "bind", str(folder)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        for words in (MAKERS["serve"], MAKERS["company create"], COMMANDS["company delete"]):
            assert str(folder) in refused(*words, "--data", str(folder))


@pytest.mark.parametrize("name", ["serve", "company create"])
def test_a_full_disk_is_said(full: Path, name: str) -> None:
    for data in (full, full / "below"):
        said = refused(*MAKERS[name], "--data", str(data))
        assert str(full) in said
        assert "Make room" in said or "the disk has room" in said


def test_a_broken_store_is_named(tmp_path: Path) -> None:
    (tmp_path / "control.db").write_bytes(b"no database" * 1000)
    for words in (["status"], ["serve", "--port", "0"], ["user", "list"]):
        said = refused(*words, "--data", str(tmp_path))
        assert f"The store in {tmp_path} cannot be used: file is not a database." in said


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_taken_port_leaves_no_trace(tmp_path: Path, taken_port: int) -> None:
    for data in (tmp_path / "none", tmp_path):
        said = refused("serve", "--port", str(taken_port), "--data", str(data))
        assert f"Cannot listen on 127.0.0.1:{taken_port}: Address already in use." in said
    said = refused("serve", "--host", "192.0.2.1", "--port", "0", "--data", str(tmp_path))
    assert "Cannot listen on 192.0.2.1:0" in said
    assert "Cannot listen on nowhere.invalid:0" in refused("serve", "--host", "nowhere.invalid", "--port", "0")
    assert list(tmp_path.iterdir()) == []


def test_files_that_a_server_needs_are_named(tmp_path: Path) -> None:
    data = ["--port", "0", "--data", str(tmp_path / "data")]
    none = str(tmp_path / "none.pem")
    assert f"{none}: No such file" in refused("serve", *data, "--tls-cert", none, "--tls-key", none)
    (tmp_path / "clock").write_text("soon")
    for clock in (tmp_path / "clock", tmp_path):
        for words in (["serve", *data], ["doctor", *data[2:]]):
            said = refused(*words, "--clock-file", str(clock))
            assert (
                f"--clock-file: Must be a file with a number of seconds in it, or one that is not there yet: {clock}"
                in said
            )
    assert not (tmp_path / "data").exists()


def test_a_file_that_is_no_backup_makes_no_store(tmp_path: Path) -> None:
    (tmp_path / "note.zip").write_text("no archive")
    said = refused("restore", str(tmp_path / "note.zip"), "--data", str(tmp_path / "data"))
    assert "note.zip: Must be a whole backup" in said
    assert not (tmp_path / "data").exists()


def test_a_login_of_the_first_start_that_is_none_of_the_store_is_said_at_each_later_one(servers: StartServer) -> None:
    first = servers()
    assert "STAITHE_BOOTSTRAP" not in "".join(first.lines)
    assert judge_login(first.stores, "acme\\ann:secret") == ""
    assert "has not the form" in judge_login(first.stores, "acme:secret")
    for login in ("acme\\ann:other", "acme\\bo:geheim", "north\\ann:geheim"):
        user = login.partition(":")[0]
        assert f"{user} cannot log in with the password in it." in judge_login(first.stores, login)
    assert first.stop() == 0
    second = servers(environment={"STAITHE_BOOTSTRAP": "north\\ann:geheim"})
    assert second.stop() == 0
    said = "".join(second.lines)
    assert "STAITHE_BOOTSTRAP is set and not used, as there are companies already: north\\ann cannot log in" in said
    assert "geheim" not in said


def test_a_network_file_system_is_said_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from staithe.cli import serve
    from staithe.config import Settings

    mounts = tmp_path / "mounts"
    mounts.write_text(f"disk / ext4 rw 0 0\nserver:/share {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr(file_systems, "MOUNTS", mounts)
    serve.warn_of_network(Settings(data=tmp_path / "data"))
    assert f"the data directory {tmp_path / 'data'} is on a network file system (nfs4)." in caplog.text
    caplog.clear()
    serve.warn_of_network(Settings(data=tmp_path / "data", database="postgresql://db/main"))
    serve.warn_of_network(Settings(data=Path("/elsewhere")))
    assert caplog.text == ""


def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from staithe import data_lock
    from staithe.cli.places import says_what_fails
    from staithe.domain.errors import RequestError

    def no_locks(*_: object) -> None:
        raise OSError(37, "No locks available")

    def command(data: Path) -> None:
        with hold_data(data):
            raise AssertionError("it is not held")

    monkeypatch.setattr(data_lock.fcntl, "flock", no_locks)
    run_it: Callable[..., None] = says_what_fails(command)
    with pytest.raises(RequestError, match=r"serve.lock: No locks available\.") as caught:
        run_it(data=tmp_path)
    assert "local disk" in caught.value.advice


def test_a_server_takes_the_place_that_it_is_told_over_the_one_that_was_noted(tmp_path: Path, closed_port: int) -> None:
    deployment.note_places(tmp_path, f"postgresql://127.0.0.1:{closed_port}/main", "")
    assert "cannot be reached" in refused("serve", "--port", "0", "--data", str(tmp_path))
    (tmp_path / deployment.DATABASE_FILE).unlink()
    server = RunningServer(tmp_path)
    assert server.stop() == 0
    assert (tmp_path / "control.db").exists()
