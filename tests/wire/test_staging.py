"""`--staging`: staged files in an object store, or in another directory, and whose they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from staithe.services import retention
from tests.conftest import NewDatabase, StartServer
from tests.support.api import Api, add_to_list
from tests.support.audit import check_files
from tests.support.commands import staithe
from tests.support.imports import members, run_import
from tests.support.object_store import KEY, SECRET, ObjectStore, address
from tests.support.server import RunningServer
from tests.support.waiting import until

one_database = pytest.mark.one_database("Where staged files are, no database changes.")

CONTACTS = 10
EMAILS = [f"contact-{number}@example.com" for number in range(1, CONTACTS + 1)]


def use_variables(patch: pytest.MonkeyPatch, object_store: ObjectStore) -> None:
    """Say where the object store is, and who asks, as is usual: for the server and for this process."""
    for name, value in (
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", f"http://127.0.0.1:{object_store.port}"),
    ):
        patch.setenv(name, value)


def test_all_staged_files_live_in_the_object_store(
    servers: StartServer, object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_variables(monkeypatch, object_store)
    bucket = object_store.new_bucket()
    server = servers("--staging", f"s3://{bucket}/here")
    api, store = server.new_company("whole-life", CONTACTS)

    def objects(kind: str) -> int:
        return len(object_store.names(f"{bucket}/here/companies/{store.company.id}/{kind}"))

    def await_removal() -> None:
        # A sync has ended before its staged files are removed: their row goes first.
        until(lambda: objects("staging") == 0, "the staged files of the sync are gone")

    list_id = api.new_list()
    uri = api.define(add_to_list(list_id))
    assert api.upload(uri, [{"Id": "1"}, {"Id": "x"}]).status_code == 204
    assert api.upload(uri, b"Id\n3\n77\n", **{"content-type": "text/csv"}).status_code == 204
    assert (objects("staging"), objects("rejects"), objects("exports")) == (2, 0, 0)
    sync = api.sync(uri)
    assert sync["status"] == "warning"
    assert members(store, f"contactList/{list_id}") == [1, 3]
    assert [(r["recordIndex"], r["fieldValues"]) for r in api.rejects(sync["uri"])] == [
        (2, {"Id": "x"}),
        (4, {"Id": "77"}),
    ]
    await_removal()
    assert (objects("staging"), objects("rejects"), objects("exports")) == (0, 1, 0)
    records = [{"emailAddress": email, "firstName": "Ann"} for email in [*EMAILS, "new@example.com"]]
    assert run_import(api, records)["status"] == "success"
    data = export(api)
    emails = [*EMAILS, "new@example.com"]
    expected = [{"Id": str(i), "Email": email, "First": "Ann"} for i, email in enumerate(emails, start=1)]
    assert api.bulk("GET", data).json() == {
        "items": expected,
        "totalResults": 11,
        "limit": 1000,
        "offset": 0,
        "count": 11,
        "hasMore": False,
    }
    assert api.bulk("GET", data, params={"limit": 2, "offset": 8}).json()["items"] == expected[8:10]
    lines = [",".join(item.values()) for item in expected[8:10]]
    answer = api.bulk("GET", data, params={"limit": 2, "offset": 8}, headers={"accept": "text/csv"})
    assert answer.text == "\r\n".join(["Id,Email,First", *lines, ""])
    await_removal()
    assert (objects("staging"), objects("rejects"), objects("exports")) == (0, 1, 1)
    check_files(store)
    assert api.bulk("DELETE", data).status_code == 204
    assert api.bulk("GET", data).status_code == 410
    assert objects("exports") == 0
    assert api.bulk("DELETE", sync["uri"]).status_code == 204
    assert objects("rejects") == 0
    assert not list((tmp_path / "data").rglob("*.arrow"))
    assert server.stop() == 0


def export(api: Api) -> str:
    """Export all contacts, and give the path of the data."""
    body = {
        "name": "all",
        "fields": {
            "Id": "{{Contact.Id}}",
            "Email": "{{Contact.Field(C_EmailAddress)}}",
            "First": "{{Contact.Field(C_FirstName)}}",
        },
    }
    uri = api.bulk("POST", "/contacts/exports", json=body).raise_for_status().json()["uri"]
    sync = api.sync(uri)
    assert sync["status"] == "success"
    return f"{sync['uri']}/data"


@one_database
def test_a_large_export_is_read_page_by_page_from_the_object_store(
    servers: StartServer, object_store: ObjectStore
) -> None:
    """Larger than one part, and than what a page reads."""
    contacts = 120_000
    server = servers("--staging", address(object_store.new_bucket(), object_store.port))
    api, store = server.new_company("large", contacts)
    with store.database.write() as connection:
        # Texts that do not compress, so that the object is large.
        connection.exec_driver_sql(random_names(connection.dialect.name))
    data = export(api)
    size = next(iter(object_store.files.get_file_info(list(object_store.names(f"{root_of(server)}/companies"))))).size
    assert size > 10 * 1024**2, "more than one part"
    for offset in (0, 50_000, contacts - 3):
        page = api.bulk("GET", data, params={"limit": 3, "offset": offset}).json()
        assert [item["Id"] for item in page["items"]] == [str(offset + i) for i in (1, 2, 3)]
    page = api.bulk("GET", data, params={"limit": 50_000, "offset": 69_999}).json()
    assert [item["Id"] for item in page["items"]] == [str(i) for i in range(70_000, 120_000)]
    assert server.stop() == 0


def random_names(dialect: str) -> str:
    text = (
        "hex(randomblob(40))"
        if dialect == "sqlite"
        else "md5(random()::text) || md5(random()::text) || md5(random()::text)"
    )
    return f"UPDATE contact SET c_firstname = {text}"


def root_of(server: RunningServer) -> str:
    """Bucket and prefix of a server's staging area."""
    return str(server.stores.area.bucket.address.root)


@one_database
def test_orphans_are_swept_from_the_object_store_and_young_ones_spared(
    servers: StartServer, object_store: ObjectStore
) -> None:
    server = servers("--staging", address(object_store.new_bucket(), object_store.port))
    api, store = server.new_company("orphans")
    assert api.upload(api.define(), [{"Id": "1"}]).status_code == 204
    named = object_store.names(root_of(server))
    for kind in ("staging", "rejects", "exports"):
        path = f"{root_of(server)}/companies/{store.company.id}/{kind}/left.arrow"
        with object_store.files.open_output_stream(path) as stream:
            stream.write(b"whole")
    assert retention.sweep(store) == 0
    assert retention.sweep(store, min_age_seconds=-60) == 3
    assert object_store.names(root_of(server)) == named
    assert server.stop() == 0


@pytest.mark.parametrize("kind", ["bucket", "directory"])
def test_a_staging_area_belongs_to_one_deployment(
    servers: StartServer, object_store: ObjectStore, new_database: NewDatabase, tmp_path: Path, kind: str
) -> None:
    area, shown = str(tmp_path / "area"), str(tmp_path / "area")
    if kind == "bucket":
        bucket = object_store.new_bucket()
        area, shown = address(bucket, object_store.port), f"s3://{bucket}/staged"
    first = servers("--staging", area)
    api = first.api()
    uri = api.define()
    assert api.upload(uri, [{"Id": "1"}]).status_code == 204
    (mark,) = (name for name in first.stores.area.files("").ages() if name.startswith("deployment-"))
    assert refusal(tmp_path / "other", new_database(), area).splitlines() == [
        f"staithe: The staging area {shown} belongs to another deployment, whose mark is {mark}: "
        "servers of both would delete each other's files.",
        "Give this one another --staging. If the other one is gone for good, delete its mark.",
    ]
    assert first.stop() == 0
    again = servers("--staging", area)
    assert again.api().sync(uri)["status"] == "warning"
    again.stores.area.files("").delete([mark])
    assert again.stop() == 0
    other = servers("--staging", area, data=tmp_path / "other", database=new_database())
    assert other.stop() == 0


@one_database
def test_staged_files_in_a_directory_of_their_own(servers: StartServer, tmp_path: Path) -> None:
    area = tmp_path / "shared" / "area"
    server = servers("--staging", str(area))
    api, store = server.new_company("elsewhere")
    assert api.upload(api.define(), [{"Id": "1"}]).status_code == 204
    folder = area / "companies" / str(store.company.id) / "staging"
    assert [path.suffix for path in folder.iterdir()] == [".arrow"]
    assert not list((tmp_path / "data").rglob("*.arrow"))
    assert server.stop() == 0


def test_a_wrong_address_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "data", "", "gs://bucket").splitlines() == [
        "staithe: --staging: Must be s3://BUCKET/PREFIX, perhaps with ?NAME=VALUE&... behind it."
    ]
    assert not (tmp_path / "data" / "control.db").exists()


def refusal(data: Path, database: str, staging: str) -> str:
    """What `staithe serve` says when it does not start."""
    words = ("serve", "--port", "0", "--data", str(data), "--staging", staging)
    ended = staithe(*words, COLUMNS="500", STAITHE_DATABASE=database)
    assert (ended.returncode, ended.stdout) == (1, "")
    return ended.stderr
