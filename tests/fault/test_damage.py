"""One bit of a file changes on the disk: nothing wrong is applied or answered, and who reads is told of which file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select, update

from staithe.clock import system_clock
from staithe.domain.errors import Damaged
from staithe.services import backups
from staithe.services.stores import CompanyStore
from staithe.staging.checksums import unpack
from staithe.storage.tables import CONTACT, SYNC, UPLOAD
from tests.operations.test_broken_backups import silent
from tests.support.api import Api, add_to_list
from tests.support.imports import define_import, members, run_import
from tests.support.server import RunningServer


@contextmanager
def flipped(path: Path, checksums: bytes, piece: int) -> Iterator[None]:
    """Within the block a bit in the middle of a piece is another; -2 is the last batch."""
    start, stop, _ = unpack(checksums)[piece]
    whole = path.read_bytes()
    data = bytearray(whole)
    data[(start + stop) // 2] ^= 16
    path.write_bytes(data)
    yield
    path.write_bytes(whole)


def staged(store: CompanyStore) -> list[tuple[Path, bytes]]:
    """The staged files, and their checksums."""
    with store.database.read() as connection:
        rows = connection.execute(select(UPLOAD.c.file, UPLOAD.c.checksums).order_by(UPLOAD.c.id)).all()
    return [(store.staging.root / file, checksums) for file, checksums in rows]


def errors(api: Api, sync_uri: str) -> list[tuple[str, str]]:
    """(code, beginning of the message) of the grave lines of a sync log."""
    lines = [line for line in api.log(sync_uri) if line["severity"] == "error"]
    return [(line["statusCode"], line["message"].split(" (error ")[0]) for line in lines]


def test_sync_actions_of_a_damaged_upload(company: tuple[Api, CompanyStore]) -> None:
    api, store = company
    list_id = api.new_list()
    uri = api.define(add_to_list(list_id))
    for ids in (range(1, 51), range(51, 101)):
        assert api.upload(uri, [{"Id": n} for n in ids]).status_code == 204
    path, checksums = staged(store)[1]
    with flipped(path, checksums, -2):
        failed = api.sync(uri)
    assert failed["status"] == "error"
    told = "Staged upload 2 is damaged on the server's disk; nothing was changed"
    assert errors(api, failed["uri"]) == [("ELQ-00139", told)]
    assert members(store, f"contactList/{list_id}") == []
    assert api.sync(uri)["status"] == "success"


def test_an_import_of_a_damaged_upload_takes_no_wrong_value(company: tuple[Api, CompanyStore]) -> None:
    """Chunks before it are imported, as the log says; what follows is not."""
    api, store = company
    uri = define_import(api)
    records = [{"emailAddress": f"a{n}@damage.example", "firstName": f"A{n}"} for n in range(40_000)]
    assert api.upload(uri, records).status_code == 204
    path, checksums = staged(store)[0]
    with flipped(path, checksums, -2):
        failed = api.sync(uri)
    ((code, told),) = errors(api, failed["uri"])
    assert code == "ELQ-00105"
    assert told.startswith("Staged upload 1 is damaged on the server's disk; ")
    assert told.endswith(" records had been imported")
    query = select(CONTACT.c.email_key, CONTACT.c.c_firstname).where(CONTACT.c.email_key.like("%damage.example"))
    with store.database.read() as connection:
        found = connection.execute(query).all()
    assert 0 < len(found) < len(records)
    assert all(address == f"a{name[1:]}@damage.example" for address, name in found)


def test_damaged_data_of_an_export_is_not_answered(company: tuple[Api, CompanyStore]) -> None:
    """A page that the damage does not touch is."""
    api, store = company
    run_import(api, [{"emailAddress": f"a{n}@x.yz", "firstName": "A"} for n in range(9000)])
    fields = {"Id": "{{Contact.Id}}", "Email": "{{Contact.Field(C_EmailAddress)}}"}
    uri = api.bulk("POST", "/contacts/exports", json={"name": "all", "fields": fields}).json()["uri"]
    data = f"{api.sync(uri)['uri']}/data"
    whole = api.bulk("GET", data, params={"limit": 9100}).json()
    assert whole["count"] == 9100
    with store.database.read() as connection:
        query = select(SYNC.c.data_file, SYNC.c.data_checksums).where(SYNC.c.data_file != "")
        file, checksums = connection.execute(query).one()
    with flipped(store.exports.root / file, checksums, -2):
        for headers in ({}, {"accept": "text/csv"}, {"accept-encoding": "identity"}):
            answer = api.bulk("GET", data, params={"limit": 9100}, headers=headers)
            assert answer.status_code == 500
            assert answer.json()["message"].startswith(f"The file {file} is damaged on the server's disk: ")
        assert api.bulk("GET", data, params={"limit": 100}).json()["items"] == whole["items"][:100]
    assert api.bulk("GET", data, params={"limit": 9100}).json() == whole


def test_damaged_rejects_are_not_answered(company: tuple[Api, CompanyStore]) -> None:
    api, store = company
    sync = run_import(api, [{"emailAddress": "none", "firstName": "A"}] * 20)
    rejects = api.rejects(sync["uri"])
    assert len(rejects) == 20
    with store.database.read() as connection:
        file, checksums = connection.execute(select(SYNC.c.reject_file, SYNC.c.reject_checksums)).one()
    with flipped(store.rejects.root / file, checksums, -2):
        answer = api.bulk("GET", f"{sync['uri']}/rejects")
        assert answer.status_code == 500
        assert answer.json()["message"].startswith(f"The file {file} is damaged on the server's disk: ")
        assert answer.json()["advice"].startswith("Tell the operator: ")
    assert api.rejects(sync["uri"]) == rejects


def test_files_of_before_the_checksums_are_read_as_ever(company: tuple[Api, CompanyStore]) -> None:
    api, store = company
    sync = run_import(api, [{"emailAddress": "none", "firstName": "A"}] * 20)
    rejects = api.rejects(sync["uri"])
    uri = api.define(add_to_list(api.new_list()))
    assert api.upload(uri, [{"Id": 1}]).status_code == 204
    with store.database.write() as connection:
        connection.execute(update(UPLOAD).values(checksums=None))
        connection.execute(update(SYNC).values(reject_checksums=None))
    assert api.rejects(sync["uri"]) == rejects
    assert api.sync(uri)["status"] == "success"


def test_a_backup_of_a_damaged_file_fails_and_names_it(
    server: RunningServer, company: tuple[Api, CompanyStore], tmp_path: Path
) -> None:
    api, store = company
    assert api.upload(api.define(), [{"Id": 1}]).status_code == 204
    path, checksums = staged(store)[0]
    target = backups.Target(tmp_path / "backup.zip", replaces=False)
    for piece in (0, -2, -1):
        with flipped(path, checksums, piece), pytest.raises(Damaged, match=f"file staging/{path.name} is damaged"):
            backups.back_up(server.stores, store.company, target, system_clock, silent)
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"
    backups.back_up(server.stores, store.company, target, system_clock, silent)
