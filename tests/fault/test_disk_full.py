"""The disk is full: uploads are refused and leave nothing behind, syncs end in error and keep their data."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from staithe.clock import system_clock
from staithe.domain.companies import Role, User
from staithe.domain.definitions import EXPORTS, IMPORTS, SYNC_ACTIONS, DefinitionKey
from staithe.domain.elements import ELEMENTS
from staithe.domain.errors import StorageFull
from staithe.services import accounts, definitions, run_import, seeding, syncs, uploads
from staithe.services.caller import Caller
from staithe.services.run_sync import run_sync
from staithe.services.stores import Stores
from staithe.services.sync_run import Run
from staithe.staging import local_files
from staithe.storage import syncs as sync_rows
from staithe.storage.tables import CHANGE, CONTACT, SYNC_LOG, UPLOAD
from tests.support.api import UNSUBSCRIBE
from tests.support.audit import check_files, names_in

CONTACTS_ELEMENT = next(e for e in ELEMENTS if e.name == "contacts")
FULL = Path("/dev/full")
Break = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture
def caller(tmp_path: Path, database: str) -> Iterator[Caller]:
    """A user of a company without contacts."""
    stores = Stores(tmp_path, database)
    company = accounts.create_company(stores, "acme", system_clock())
    yield Caller(User(1, company, "ann", Role.ADMIN), stores, stores.open(company), system_clock())
    stores.close()


def define(caller: Caller) -> int:
    properties = {
        "name": "any",
        "fields": {"Id": "{{Contact.Id}}"},
        "identifierFieldName": "Id",
        "syncActions": [UNSUBSCRIBE],
    }
    return definitions.create(caller, CONTACTS_ELEMENT, SYNC_ACTIONS, properties).key.id


def upload(caller: Caller, definition_id: int) -> None:
    request = uploads.UploadRequest("CSV", "", time.monotonic() + 60)
    key = DefinitionKey(SYNC_ACTIONS, definition_id)
    with uploads.ReceivingUpload(caller, CONTACTS_ELEMENT, key, request) as receiving:
        receiving.feed(b"Id\n" + b"1\n" * 1000)
        receiving.finish()


def no_space(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def break_first_sync(patch: pytest.MonkeyPatch) -> None:
    """The file's own fsync fails."""
    patch.setattr(local_files.os, "fsync", no_space)


def break_sync_of_folder(patch: pytest.MonkeyPatch) -> None:
    """The file is there and renamed when its folder's fsync fails."""
    patch.setattr(local_files, "sync_folder", no_space)


def break_writes(patch: pytest.MonkeyPatch) -> None:
    """Every byte that leaves Python's buffer fails, also those that are left when the file is closed."""
    real_open = Path.open

    def open_full(path: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if path.suffix != local_files.UNFINISHED_ENDING:
            return real_open(path, mode, *rest, **more)
        path.touch()
        return real_open(FULL, mode, *rest, **more)

    patch.setattr(Path, "open", open_full)


BREAKS = [
    break_first_sync,
    break_sync_of_folder,
    pytest.param(break_writes, marks=pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")),
]


@pytest.mark.parametrize("break_disk", BREAKS)
def test_an_upload_on_a_full_disk_leaves_nothing(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, break_disk: Break
) -> None:
    definition_id = define(caller)
    with monkeypatch.context() as patch:
        break_disk(patch)
        with pytest.raises(StorageFull):
            upload(caller, definition_id)
    assert names_in(caller.store.staging.root) == set()
    with caller.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(UPLOAD)).scalar_one() == 0
    upload(caller, definition_id)
    assert len(names_in(caller.store.staging.root)) == 1


@pytest.mark.parametrize("break_disk", BREAKS)
def test_a_sync_on_a_full_disk_ends_in_error_and_keeps_its_data(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, break_disk: Break
) -> None:
    definition_id = define(caller)
    upload(caller, definition_id)
    staged = names_in(caller.store.staging.root)
    with monkeypatch.context() as patch:
        break_disk(patch)
        failed = run_next(caller, definition_id)
    assert failed == "error"
    assert names_in(caller.store.staging.root) == staged
    assert names_in(caller.store.rejects.root) == set()
    with caller.database.read() as connection:
        assert connection.execute(select(CHANGE.c.id).where(CHANGE.c.sync_id.is_not(None))).all() == []
    assert run_next(caller, definition_id) == "warning"
    assert names_in(caller.store.staging.root) == set()
    assert len(names_in(caller.store.rejects.root)) == 1


@pytest.mark.parametrize("break_disk", BREAKS)
def test_an_import_on_a_full_disk_ends_in_error_and_keeps_its_data(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, break_disk: Break
) -> None:
    """Two chunks have rejects; the disk is full when the second one's are written."""
    fields = {"Id": "{{Contact.Field(C_EmailAddress)}}"}
    properties = {"name": "any", "fields": fields, "identifierFieldName": "Id"}
    key = definitions.create(caller, CONTACTS_ELEMENT, IMPORTS, properties).key
    for name in ("a", "b"):
        request = uploads.UploadRequest("CSV", "", time.monotonic() + 60)
        with uploads.ReceivingUpload(caller, CONTACTS_ELEMENT, key, request) as receiving:
            receiving.feed(f"Id\n{name}@x.yz\nno address\n".encode())
            receiving.finish()
    staged = names_in(caller.store.staging.root)
    with monkeypatch.context() as patch:
        real, chunks = run_import.commit_chunk, iter(range(2))

        def commit_chunk(*arguments: Any) -> None:
            if next(chunks) == 1:
                break_disk(patch)
            real(*arguments)

        patch.setattr(run_import, "commit_chunk", commit_chunk)
        assert run_next(caller, key.id, IMPORTS) == "error"
    assert names_in(caller.store.staging.root) == staged
    assert names_in(caller.store.rejects.root) == set()
    with caller.database.read() as connection:
        line = connection.execute(select(SYNC_LOG.c.message).where(SYNC_LOG.c.code == "ELQ-00105")).scalar_one()
    assert line.startswith("The sync failed; 2 records had been imported (error ")
    assert run_next(caller, key.id, IMPORTS) == "warning"
    with caller.database.read() as connection:
        emails = connection.execute(select(CONTACT.c.c_emailaddress).order_by(CONTACT.c.id)).scalars().all()
    assert emails == ["a@x.yz", "b@x.yz"]
    check_files(caller.store)


@pytest.mark.parametrize("break_disk", BREAKS)
def test_an_export_on_a_full_disk_leaves_nothing(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, break_disk: Break
) -> None:
    seeding.seed(caller.store, 10, system_clock(), lambda _: None)
    properties = {"name": "any", "fields": {"Id": "{{Contact.Id}}"}}
    key = definitions.create(caller, CONTACTS_ELEMENT, EXPORTS, properties).key
    with monkeypatch.context() as patch:
        break_disk(patch)
        assert run_next(caller, key.id, EXPORTS) == "error"
    assert names_in(caller.store.exports.root) == set()
    assert run_next(caller, key.id, EXPORTS) == "success"
    check_files(caller.store)


def run_next(caller: Caller, definition_id: int, kind: str = SYNC_ACTIONS) -> str:
    """Start a sync and run it; records of sync actions are all rejected, so it writes a file of rejects."""
    sync = syncs.create(caller, {"syncedInstanceUri": f"/contacts/{kind}/{definition_id}"})
    now = system_clock()
    with caller.database.write() as connection:
        claimed = sync_rows.claim(connection, "worker", now, now + 60_000_000)
    assert claimed is not None
    assert claimed.id == sync.id
    run_sync(Run(caller.store, claimed, "worker", system_clock))
    return syncs.read(caller, sync.id).status
