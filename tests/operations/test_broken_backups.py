"""What goes wrong with backups: damaged files, refused names, full disks, killed restores. Nothing is left behind."""

from __future__ import annotations

import errno
import json
import os
import random
import sqlite3
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import select

from staithe.clock import system_clock
from staithe.domain.backups import Step
from staithe.domain.errors import Busy, Conflict, Gone, RequestError, StorageFull, ValidationFailed
from staithe.services import accounts, backups, restores
from staithe.services.stores import Stores
from staithe.staging import backup_file
from staithe.storage import control
from staithe.storage.tables import COMPANY
from tests.conftest import Deployment
from tests.support import programs
from tests.support.backups import audit, back_up, new_name, restore
from tests.support.commands import staithe, where
from tests.support.imports import run_import
from tests.support.server import RunningServer
from tests.support.waiting import LONGEST_SECONDS, until
from tests.support.whole_company import rows_of

KINDS = ("sqlite", "postgresql")
CONTACTS = 60_000
DAMAGES = 60


def silent(_step: Step, _done: int, _total: int, _bytes: int) -> None:
    """Show nothing."""


class Kept:
    """A small company in a data directory of its own, and a backup of it."""

    def __init__(self, server: RunningServer, folder: Path) -> None:
        api, store = server.new_company(new_name())
        run_import(api, [{"emailAddress": f"a{n}@x.yz", "firstName": "A"} for n in range(50)] + [{"emailAddress": "x"}])
        uri = api.define()
        api.upload(uri, [{"Id": 1}])
        self.rows = rows_of(store)
        self.file = folder / "backup.zip"
        self.written = backups.back_up(
            server.stores, store.company, backups.Target(self.file, replaces=False), system_clock, silent
        )
        self.stores = Stores(folder / "data")


@pytest.fixture
def kept(deployment: Deployment, tmp_path: Path) -> Iterator[Kept]:
    """A backup to do things to, and empty stores to restore it to."""
    made = Kept(deployment("sqlite"), tmp_path)
    yield made
    made.stores.close()


def traces(stores: Stores) -> tuple[list[str], list[str]]:
    """What there is of companies, seen or not: their names, and their folders."""
    with stores.control.read() as connection:
        names = list(connection.execute(select(COMPANY.c.name)).scalars())
    companies = stores.data / "companies"
    return sorted(names), sorted(path.name for path in companies.iterdir()) if companies.exists() else []


NOTHING: tuple[list[str], list[str]] = ([], [])


def try_damaged(kept: Kept, content: bytes) -> None:
    """Restore a damaged copy: it is refused and changes nothing, or the damage was where nothing is."""
    damaged, before = kept.file.with_name("damaged.zip"), traces(kept.stores)
    damaged.write_bytes(content)
    try:
        restored = restores.restore_company(kept.stores, damaged, new_name(), system_clock, silent)
    except ValidationFailed:
        assert traces(kept.stores) == before
        return
    assert rows_of(kept.stores.open(restored.company)) == kept.rows


def test_a_backup_with_any_byte_changed_is_refused_or_as_good(kept: Kept) -> None:
    whole, chance = kept.file.read_bytes(), random.Random(7)
    for _ in range(DAMAGES):
        at = chance.randrange(len(whole))
        try_damaged(kept, whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :])


def test_every_entry_is_compared_with_its_digest(kept: Kept) -> None:
    """The archive's own checksums are right here: only the manifest tells."""
    with zipfile.ZipFile(kept.file) as archive:
        names = [name for name in archive.namelist() if name != "manifest.json"]
    for name in names:
        rewritten = rewrite(kept.file, {name: lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]})
        with pytest.raises(ValidationFailed, match="Must be a whole backup"):
            restores.restore_company(kept.stores, rewritten, "copy", system_clock, silent)
        assert traces(kept.stores) == NOTHING
    assert len(names) > 20


def test_a_backup_that_is_cut_off_anywhere_is_refused(kept: Kept) -> None:
    whole, chance = kept.file.read_bytes(), random.Random(8)
    for length in [0, 1, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(DAMAGES))]:
        cut = kept.file.with_name("cut.zip")
        cut.write_bytes(whole[:length])
        with pytest.raises(ValidationFailed, match="Must be a whole backup"):
            restores.restore_company(kept.stores, cut, "copy", system_clock, silent)
    assert traces(kept.stores) == NOTHING


def rewrite(file: Path, changes: dict[str, Callable[[bytes], bytes]]) -> Path:
    """A copy of an archive with some entries changed."""
    copy = file.with_name("rewritten.zip")
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(copy, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, changes[name](content) if name in changes else content)
    return copy


def manifest_with(**changes: Any) -> dict[str, Callable[[bytes], bytes]]:
    return {"manifest.json": lambda text: json.dumps(json.loads(text) | changes).encode()}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"formatVersion": 2}, "Must have the format version 1, not 2: restore it with staithe"),
        ({"schemaVersion": 99}, "not the newer 99: restore it with staithe"),
        ({"schemaVersion": 1}, "not the older 1: restore it with staithe"),
        ({"format": "other"}, "it is an archive of something else"),
        ({"files": []}, "its files are not those that its rows name"),
        ({"tables": []}, "its tables are not those of its schema version"),
        ({"company": "no\\name"}, "--company: Must have 1 to 64 letters"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(kept: Kept, changes: dict[str, Any], said: str) -> None:
    rewritten = rewrite(kept.file, manifest_with(**changes))
    with pytest.raises(ValidationFailed) as refused:
        restores.restore_company(kept.stores, rewritten, "", system_clock, silent)
    assert said in refused.value.message
    assert traces(kept.stores) == NOTHING


def test_a_file_is_not_written_outside_of_its_folder(kept: Kept) -> None:
    (first, *rest) = json.loads(zipfile.ZipFile(kept.file).read("manifest.json"))["files"]
    rewritten = rewrite(kept.file, manifest_with(files=[first | {"name": "../../x.arrow"}, *rest]))
    with pytest.raises(ValidationFailed, match="a name that no file has"):
        restores.restore_company(kept.stores, rewritten, "copy", system_clock, silent)
    assert traces(kept.stores) == NOTHING


def test_wrong_commands_say_what_to_do(deployment: Deployment, tmp_path: Path) -> None:
    server = deployment("sqlite")
    _, store = server.new_company(new_name(), contacts=3)
    name, file = store.company.name, tmp_path / "backup.zip"
    told = back_up(server, name, file)
    assert file.stat().st_size == told["bytes"]
    assert file.stat().st_mode & 0o777 == 0o600
    (tmp_path / "note.zip").write_text("no archive")
    for words, said in (
        (["backup", name, str(file)], f"{file} exists already.\nChoose another name, or replace it with --force."),
        (["backup", "nobody", str(file)], "There is no company nobody."),
        (["backup", name, str(tmp_path / "none" / "x.zip")], "No such file or directory"),
        (["restore", str(file)], f"There is a company {name} already.\nRestore it under another name: --company"),
        (["restore", str(tmp_path / "none.zip")], "Cannot read"),
        (["restore", str(tmp_path / "note.zip")], f"{tmp_path / 'note.zip'}: Must be a whole backup"),
        (["restore", str(file), "--company", "a/b"], "--company: Must have 1 to 64 letters, digits"),
    ):
        failed = staithe(*words, *where(server))
        assert (failed.returncode, said in failed.stderr, "Traceback" in failed.stderr) == (1, True, False), failed
    failed = staithe("backup", name, str(file), "--data", str(tmp_path / "nothing"))
    assert "There is no store in the data directory" in failed.stderr
    assert not (tmp_path / "nothing").exists()
    again = back_up(server, name, file, "--force")
    assert again["moment"] > told["moment"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.zip", "note.zip"]
    shown = staithe("restore", str(file), "--company", new_name(), *where(server))
    assert "is restored as of" in shown.stdout
    assert "3 contacts, 1 sets, 0 syncs, 1 users, 0 files" in shown.stdout


def no_space(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(("part", "name"), [(backup_file.os, "fsync"), (backup_file.EntryWriter, "write")])
def test_a_backup_on_a_full_disk_leaves_nothing(
    deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: Any, name: str
) -> None:
    server = deployment("sqlite")
    _, store = server.new_company(new_name(), contacts=3)
    target = backups.Target(tmp_path / "backup.zip", replaces=False)
    with monkeypatch.context() as patch:
        patch.setattr(part, name, no_space)
        with pytest.raises(StorageFull, match="The disk of the backup is full"):
            backups.back_up(server.stores, store.company, target, system_clock, silent)
    assert list(tmp_path.iterdir()) == []


def test_a_restore_on_a_full_disk_leaves_nothing(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(backup_file.os, "fsync", no_space)
        with pytest.raises(StorageFull):
            restores.restore_company(kept.stores, kept.file, "copy", system_clock, silent)
    assert traces(kept.stores) == NOTHING
    restored = restores.restore_company(kept.stores, kept.file, "copy", system_clock, silent)
    assert rows_of(kept.stores.open(restored.company)) == kept.rows


def test_a_file_that_someone_has_deleted_is_named(deployment: Deployment, tmp_path: Path) -> None:
    server = deployment("sqlite")
    api, store = server.new_company(new_name())
    run_import(api, [{"emailAddress": "none"}])
    # The sync has ended when its rejects are named; the file that they were collected in goes after that.
    until(lambda: len(list(store.rejects.root.iterdir())) == 1, "the file of its rejects alone is left")
    (rejects,) = store.rejects.root.iterdir()
    rejects.unlink()
    target = backups.Target(tmp_path / "backup.zip", replaces=False)
    with pytest.raises(Gone, match=f"rejects/{rejects.name}, which is not there"):
        backups.back_up(server.stores, store.company, target, system_clock, silent)
    assert list(tmp_path.iterdir()) == []


def test_two_backups_do_not_write_the_same_file(deployment: Deployment, tmp_path: Path) -> None:
    server = deployment("sqlite")
    _, store = server.new_company(new_name(), contacts=3)
    target = backups.Target(tmp_path / "backup.zip", replaces=True)
    refused: list[RequestError] = []

    def begin_another(step: Step, _done: int, _total: int, _bytes: int) -> None:
        if not refused:
            with pytest.raises(Conflict, match="Another backup is being written") as raised:
                backups.back_up(server.stores, store.company, target, system_clock, silent)
            refused.append(raised.value)

    backups.back_up(server.stores, store.company, target, system_clock, begin_another)
    assert len(refused) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["backup.zip"]


@pytest.mark.parametrize("kind", KINDS)
def test_while_a_restore_runs_its_name_is_taken_and_nobody_sees_it(
    deployment: Deployment, kept: Kept, kind: str
) -> None:
    server, name = deployment(kind), new_name()
    looked = threading.Event()

    def look(step: Step, _done: int, _total: int, _bytes: int) -> None:
        if step is not Step.ROWS or looked.is_set():
            return
        looked.set()
        assert server.api(f"{name}\\ann:secret").bulk("GET", "/syncs").status_code == 401
        with pytest.raises(Conflict, match=f"A restore to the name {name} is under way"):
            accounts.create_company(server.stores, name, system_clock())
        with pytest.raises(Busy, match="Another restore is under way"):
            restores.restore_company(server.stores, kept.file, new_name(), system_clock, silent)
        with server.stores.control.read() as connection:
            assert name not in [company.name for company in control.all_companies(connection)]

    restores.restore_company(server.stores, kept.file, name, system_clock, look)
    assert looked.is_set()
    assert server.api(f"{name}\\ann:secret").bulk("GET", "/syncs").status_code == 200


def has_row(server: RunningServer, _name: str) -> bool:
    """The restore has begun: there is an unseen company."""
    with server.stores.control.read() as connection:
        return bool(control.companies_restored(connection))


def has_contacts(server: RunningServer, _name: str) -> bool:
    """Some of its contacts are there."""
    return any(holds_contacts(server, company.id) for company in unseen_companies(server))


def holds_contacts(server: RunningServer, company_id: int) -> bool:
    """Asked beside the stores of this process, which must not open what is about to be erased."""
    file = server.data / "companies" / str(company_id) / "company.db"
    query = "SELECT id FROM contact LIMIT 1"
    try:
        if server.database:
            with psycopg.connect(server.database) as connection:
                connection.execute(f"SET search_path TO company_{company_id}")
                return connection.execute(query).fetchone() is not None
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as opened:
            return opened.execute(query).fetchone() is not None
    except (psycopg.Error, sqlite3.Error):
        return False


@pytest.mark.parametrize("moment", [has_row, has_contacts])
@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_restore_leaves_nothing_that_is_seen_and_the_next_one_succeeds(
    deployment: Deployment, tmp_path: Path, kind: str, moment: Callable[[RunningServer, str], bool]
) -> None:
    server, name, file = deployment(kind), new_name(), tmp_path / "backup.zip"
    _, store = server.new_company(new_name(), contacts=CONTACTS)
    back_up(server, store.company.name, file)
    process = programs.start(["restore", str(file), "--company", name, *where(server)], os.environ)
    limit = time.monotonic() + 60
    while not moment(server, name):
        assert process.poll() is None, "it ended before it was killed"
        assert time.monotonic() < limit
    process.kill()
    process.wait(LONGEST_SECONDS)
    assert process.stdout is not None
    process.stdout.close()
    (unseen,) = unseen_companies(server)
    assert unseen.name == name
    assert server.api(f"{name}\\ann:secret").bulk("GET", "/syncs").status_code == 401
    with server.stores.control.read() as connection:
        assert name not in [company.name for company in control.all_companies(connection)]
    assert f"A restore to the name {name}" in staithe("company", "create", name, *where(server)).stderr
    api, copied = restore(server, file, name)
    assert unseen_companies(server) == []
    assert api.rest("GET", f"/data/contact/{CONTACTS}").status_code == 200
    assert rows_of(copied) == rows_of(store)
    audit(copied)
    assert is_erased(server, unseen.id) or unseen.id == copied.company.id


def unseen_companies(server: RunningServer) -> list[Any]:
    with server.stores.control.read() as connection:
        return control.companies_restored(connection)


def is_erased(server: RunningServer, company_id: int) -> bool:
    """Whether neither files nor rows are left of a company."""
    with server.stores.control.read() as connection:
        schemas = (
            ()
            if not server.database
            else connection.exec_driver_sql(
                "SELECT nspname FROM pg_namespace WHERE nspname = %(name)s", {"name": f"company_{company_id}"}
            ).all()
        )
    return not schemas and not (server.data / "companies" / str(company_id)).exists()
