"""The upload of sync action data: each of its answers, for its own reason."""

from __future__ import annotations

import gzip
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from staithe.services.stores import CompanyStore
from staithe.storage import uploads
from tests.conftest import NewDatabase, StartServer
from tests.support.api import BULK, Api, add_to_list
from tests.support.server import RunningServer
from tests.support.slow import SlowUpload
from tests.support.times import timeless
from tests.support.waiting import until

CSV = "text/csv"
MIB = 1024 * 1024
SLOW = b"[" + b" " * 99
"""A body of which but the first byte comes."""


def staged(store: CompanyStore) -> int:
    with store.database.read() as connection:
        return uploads.count_uploads(connection)


def staged_files(store: CompanyStore) -> int:
    return len(list(store.staging.root.iterdir()))


def failure(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 400, answer.text
    (only,) = answer.json()["failures"]
    return dict(only)


def test_the_missions_own_example_to_the_byte(api: Api) -> None:
    """Definition 1 on {{Contact.Id}} takes [{"Id":"1"},{"Id":"3"}] and answers 204 without body, type and length."""
    assert api.define(name="mission") == "/contacts/syncActions/1"
    answer = api.client.post(
        "/api/bulk/2.0/contacts/syncActions/1/data",
        content=b'[{"Id":"1"},{"Id":"3"}]',
        headers={"Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers
    assert "content-length" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    assert answer.headers["expires"] == "-1"
    sync = api.sync("/contacts/syncActions/1")
    assert sync["status"] == "success"
    assert api.rejects(sync["uri"]) == []


def test_204_is_on_disk(api: Api, store: CompanyStore) -> None:
    uri = api.define()
    assert api.upload(uri, [{"Id": "1"}]).status_code == 204
    with store.database.read() as connection:
        (name,) = uploads.all_files(connection)
    assert [batch.num_rows for batch in store.staging.read(name, None)] == [1]


def test_201_is_the_sync_that_was_created(api: Api) -> None:
    uri = api.define(isSyncTriggeredOnImport=True)
    answer = api.upload(uri, [{"Id": "1"}])
    assert answer.status_code == 201
    assert timeless(answer.json()) == {
        "syncedInstanceUri": uri,
        "status": "pending",
        "createdAt": "TIME",
        "createdBy": "ann",
        "uri": "/syncs/1",
    }
    assert list(answer.json()) == ["syncedInstanceUri", "status", "createdAt", "createdBy", "uri"]
    assert api.wait("/syncs/1")["status"] == "success"


def test_every_upload_to_an_auto_syncing_definition_has_a_sync_of_its_own(api: Api) -> None:
    uri = api.define(add_to_list(api.new_list()), isSyncTriggeredOnImport=True)
    made = [api.upload(uri, [{"Id": str(n)}]).json()["uri"] for n in range(1, 6)]
    assert [api.wait(sync)["status"] for sync in made] == ["success"] * 5


@pytest.mark.parametrize(
    ("content_type", "content", "field", "value", "constraint"),
    [
        (
            "application/json",
            b'{"Id":"1"}',
            "body",
            "{",
            "Must be a JSON array of flat objects, but byte offset 0 has '{' where [ is expected.",
        ),
        ("application/json", b'[{"Id":{"a":1}}]', "body", None, "record 1 is not"),
        ("application/json", b'[{"Id":"1"},{"Id":["2"]}]', "body", None, "record 2 is not"),
        ("application/json", b"[1]", "body", None, "record 1 is not"),
        ("application/json", b'[{"Id":"1"},{"Id":tru}]', "body", "]", "byte offset 22 is not valid JSON"),
        ("application/json", b'[{"Id":"1"}', "body", None, "byte offset 11 is not valid JSON"),
        ("application/json", b"", "body", None, "but is empty"),
        ("application/json", b'[{"Id":"\xff\xfe"}]', "body", "0xff", "byte 0xff at byte offset 8"),
        (CSV, b"", "body", None, "but is empty"),
        (CSV, b"Id\n1\n\xe9\n", "body", "0xe9", "byte 0xe9 at byte offset 5"),
        (
            "application/xml",
            b"<a/>",
            "Content-Type",
            "application/xml",
            "Must be application/json or text/csv, in UTF-8.",
        ),
        ("text/csv; charset=iso-8859-1", b"Id\n1\n", "Content-Type", "text/csv; charset=iso-8859-1", "in UTF-8."),
    ],
)
def test_400_says_where_and_stores_nothing(
    api: Api, store: CompanyStore, content_type: str, content: bytes, field: str, value: Any, constraint: str
) -> None:
    uri = api.define()
    found = failure(api.upload(uri, content, **{"content-type": content_type}))
    assert found["field"] == field
    assert found.get("value") == value
    assert constraint in found["constraint"]
    assert found["constraint"].startswith("Must ")
    assert (staged(store), staged_files(store)) == (0, 0)


def test_400_for_a_parse_error_far_into_a_large_body(api: Api, store: CompanyStore) -> None:
    uri = api.define()
    good = b'{"Id":"1234567"},' * 200_000
    found = failure(api.upload(uri, b"[" + good + b'{"Id":}]'))
    assert f"byte offset {1 + len(good) + 6} " in found["constraint"]
    found = failure(api.upload(uri, b"[" + good + b'{"Id":[]}]'))
    assert "record 200001 " in found["constraint"]
    assert (staged(store), staged_files(store)) == (0, 0)


@pytest.mark.one_database("Both count uploads with the same statement, and 500 take seconds.")
def test_400_for_the_501st_upload_before_a_sync(api: Api, store: CompanyStore) -> None:
    uri = api.define()
    for _ in range(500):
        assert api.upload(uri, [{"Id": "1"}]).status_code == 204
    assert failure(api.upload(uri, [{"Id": "1"}])) == {
        "field": "data",
        "value": 501,
        "constraint": "Must be at most 500 uploads before a sync: POST /syncs, then go on.",
    }
    assert staged(store) == 500
    sync = api.sync(uri)
    assert [e["count"] for e in api.log(sync["uri"]) if e["statusCode"] == "ELQ-00140"] == [500]
    assert api.upload(uri, [{"Id": "1"}]).status_code == 204


def test_401_without_a_login_and_with_a_wrong_one(api: Api, server: RunningServer) -> None:
    uri = api.define()
    for login in ("acme\\ann:wrong", "acme\\nobody:secret", "nowhere\\ann:secret"):
        answer = server.api(login).upload(uri, [{"Id": "1"}])
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Basic realm="Staithe", charset="UTF-8", Bearer realm="Staithe"'
        assert answer.json() == {
            "status": 401,
            "error": "Unauthorized",
            "message": "The login is wrong.",
            "advice": "Send HTTP Basic credentials (company\\user, a colon, the password) or a Bearer token.",
        }
    api.client.auth = None
    answer = api.upload(uri, [{"Id": "1"}])
    assert (answer.status_code, answer.json()["message"]) == (401, "A login is required.")


def test_403_for_a_reader(api: Api, reader: Api, store: CompanyStore) -> None:
    uri = api.define()
    answer = reader.upload(uri, [{"Id": "1"}])
    assert (answer.status_code, answer.json()) == (
        403,
        {
            "status": 403,
            "error": "Forbidden",
            "message": "User rita has the role reader, which may only read.",
            "advice": "Use a login with the role api or admin.",
        },
    )
    assert reader.bulk("GET", uri).status_code == 200
    assert staged(store) == 0


def test_404_for_a_definition_that_never_was(api: Api) -> None:
    answer = api.upload("/contacts/syncActions/7", [{"Id": "1"}])
    assert (answer.status_code, answer.json()) == (
        404,
        {
            "status": 404,
            "error": "Not Found",
            "message": "There is no sync action definition 7 of contacts.",
            "advice": "GET /contacts/syncActions lists those that there are.",
        },
    )


def test_404_for_paths_that_are_not_served(api: Api) -> None:
    answer = api.bulk("POST", "/accounts/imports/1/data", json=[])
    assert answer.status_code == 404
    assert "part of the Bulk API, but this version does not serve it" in answer.json()["message"]
    answer = api.bulk("POST", "/contacts/nonsense", json=[])
    assert (answer.status_code, answer.json()["message"]) == (404, f"No path {BULK}/contacts/nonsense.")
    assert api.bulk("PATCH", "/contacts/syncActions").status_code == 405


def test_409_for_an_idempotency_key_with_another_body(api: Api, store: CompanyStore) -> None:
    uri = api.define()
    assert api.upload(uri, [{"Id": "1"}], **{"idempotency-key": "k"}).status_code == 204
    answer = api.upload(uri, [{"Id": "2"}], **{"idempotency-key": "k"})
    assert (answer.status_code, answer.json()) == (
        409,
        {
            "status": 409,
            "error": "Conflict",
            "message": "This Idempotency-Key was used for another body.",
            "advice": "Use a new key for new data; a key stands for one upload of one definition.",
        },
    )
    assert (staged(store), staged_files(store)) == (1, 1)


def test_the_same_key_and_body_are_stored_once_and_answered_the_same(api: Api, store: CompanyStore) -> None:
    plain, triggered = api.define(), api.define(isSyncTriggeredOnImport=True)
    for _ in range(3):
        assert api.upload(plain, [{"Id": "1"}], **{"idempotency-key": "k"}).status_code == 204
    assert (staged(store), staged_files(store)) == (1, 1)
    first = api.upload(triggered, [{"Id": "1"}], **{"idempotency-key": "k"})
    api.wait(first.json()["uri"])
    again = api.upload(triggered, [{"Id": "1"}], **{"idempotency-key": "k"})
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert api.bulk("GET", "/syncs").json()["totalResults"] == 1
    assert (
        api.upload(
            plain, gzip.compress(b'[{"Id": "1"}]'), **{"idempotency-key": "k", "content-encoding": "gzip"}
        ).status_code
        == 204
    )
    assert staged(store) == 1


def test_an_idempotency_key_that_is_too_long(api: Api) -> None:
    assert failure(api.upload(api.define(), [], **{"idempotency-key": "k" * 256}))["field"] == "Idempotency-Key"


@pytest.mark.parametrize("declared", [True, False])
def test_413_for_a_request_over_32_mib(api: Api, store: CompanyStore, declared: bool) -> None:
    uri = api.define()
    record = b'{"Id":"1"},' * 95_326

    def pieces() -> Iterator[bytes]:
        yield b"["
        for _ in range(33):
            yield record
        yield b'{"Id":"1"}]'

    content: Any = b"".join(pieces()) if declared else pieces()
    answer = api.bulk("POST", f"{uri}/data", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()) == (413, too_large())
    assert (staged(store), staged_files(store)) == (0, 0)


def too_large() -> dict[str, Any]:
    return {
        "status": 413,
        "error": "Content Too Large",
        "message": "The upload is over 33554432 bytes (32 MiB), counted after gunzip.",
        "advice": "Split the data into several uploads; they add up until the next sync.",
        "limitBytes": 33554432,
    }


def test_413_when_it_grows_past_32_mib_after_gunzip(api: Api, store: CompanyStore) -> None:
    body = gzip.compress(b"[" + b'{"Id":"1"},' * (34 * MIB // 11) + b'{"Id":"1"}]')
    assert len(body) < MIB
    answer = api.upload(api.define(), body, **{"content-encoding": "gzip"})
    assert (answer.status_code, answer.json()) == (413, too_large())
    assert (staged(store), staged_files(store)) == (0, 0)


def test_exactly_32_mib_is_taken(api: Api) -> None:
    body = b'[{"Id":"1"}' + b" " * (32 * MIB - 12) + b"]"
    assert len(body) == 32 * MIB
    assert api.upload(api.define(), body).status_code == 204


def test_gzip_is_undone(api: Api) -> None:
    uri = api.define()
    body = gzip.compress(b'[{"Id":"1"},') + gzip.compress(b'{"Id":"200"}]')
    assert api.upload(uri, body, **{"content-encoding": "gzip"}).status_code == 204
    sync = api.sync(uri)
    assert [r["recordIndex"] for r in api.rejects(sync["uri"])] == [2]
    assert "Must be gzip" in failure(api.upload(uri, b"[]", **{"content-encoding": "gzip"}))["constraint"]
    assert (
        "its end is missing"
        in failure(api.upload(uri, gzip.compress(b"[]")[:-4], **{"content-encoding": "gzip"}))["constraint"]
    )
    assert failure(api.upload(uri, b"[]", **{"content-encoding": "br"}))["field"] == "Content-Encoding"


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase) -> Iterator[RunningServer]:
    """A server with small limits."""
    uploads_at_once = ("--max-uploads", "1", "--uploads-at-once", "2")
    options = ("--staging-quota-kb", "40", *uploads_at_once, "--request-timeout", "600")
    running = RunningServer(tmp_path_factory.mktemp("narrow") / "data", *options, database=new_database())
    yield running
    assert running.stop() == 0


def test_413_when_the_staging_quota_is_full(narrow: RunningServer) -> None:
    api, store = narrow.new_company("quota")
    uri = api.define()
    records = [{"Id": str(n)} for n in range(1_000_000_000, 1_000_003_000)]
    while (answer := api.upload(uri, records)).status_code == 204:
        pass
    used = api.bulk("GET", "/imports/data").json()
    assert used["kbAllowed"] == 40
    assert 0 < used["kbUsed"] <= 40
    left = answer.json()["kbLeft"]
    assert (answer.status_code, answer.json()) == (
        413,
        {
            "status": 413,
            "error": "Content Too Large",
            "message": f"The company's staging quota of 40 kB has {left} kB left.",
            "advice": "Sync what is staged, or delete staged data that is not wanted; "
            "GET /imports/data shows the quota.",
            "kbAllowed": 40,
            "kbLeft": left,
        },
    )
    assert left == 40 - used["kbUsed"]
    assert staged_files(store) == staged(store)
    assert api.bulk("DELETE", f"{uri}/data").status_code == 204
    assert api.bulk("GET", "/imports/data").json() == {"kbAllowed": 40, "kbUsed": 0}
    assert api.upload(uri, records).status_code == 204


def test_503_when_the_body_does_not_come_in_time(servers: StartServer) -> None:
    hasty = servers("--request-timeout", "1")
    api, store = hasty.new_company("slow")
    began = time.monotonic()
    with SlowUpload(api, api.define(), SLOW) as upload:
        status, headers, answered = upload.answer()
    assert (status, headers["retry-after"], answered) == (
        503,
        "1",
        {
            "status": 503,
            "error": "Service Unavailable",
            "message": "The request's body did not come within the time limit; nothing was stored.",
            "advice": "Send it again, or in smaller parts.",
            "retryAfterSeconds": 1,
        },
    )
    assert time.monotonic() - began >= 1
    assert (staged(store), staged_files(store)) == (0, 0)
    assert hasty.stop() == 0


def test_503_for_too_many_uploads_at_once(narrow: RunningServer) -> None:
    api, store = narrow.new_company("crowd")
    uri = api.define()
    with SlowUpload(api, uri, SLOW):
        await_unfinished_file(store)
        refused = api.upload(uri, [{"Id": "1"}])
    assert (refused.status_code, refused.headers["retry-after"], refused.json()) == (
        503,
        "1",
        {
            "status": 503,
            "error": "Service Unavailable",
            "message": "The server is receiving 1 uploads, as many as it takes at once.",
            "advice": "Send it again.",
            "retryAfterSeconds": 1,
        },
    )
    assert staged(store) == 0
    until(lambda: api.upload(uri, [{"Id": "1"}]).status_code == 204, "the place is free again")
    assert staged(store) == 1


def await_unfinished_file(store: CompanyStore) -> None:
    """Wait until an upload is under way: until its file is begun."""
    until(lambda: bool(list(store.staging.root.glob("*.part"))), "an upload is under way")


def test_500_has_an_error_id_that_the_log_has(servers: StartServer) -> None:
    """The company's staging folder is replaced by a file: writing there must fail."""
    server = servers()
    try:
        api, store = server.new_company("broken")
        uri = api.define()
        store.staging.root.rmdir()
        store.staging.root.write_text("no folder")
        answer = api.upload(uri, [{"Id": "1"}])
        error_id = answer.json()["errorId"]
        assert (answer.status_code, answer.json()) == (
            500,
            {
                "status": 500,
                "error": "Internal Server Error",
                "message": "The server made a mistake; whether anything was stored is not known.",
                "advice": "Look whether it was done before you send it again. "
                f"Give the operator the error id {error_id}: the server's log has it.",
                "errorId": error_id,
            },
        )
        assert staged(store) == 0
        until(lambda: any(error_id in line for line in server.lines), "the log has it")
    finally:
        assert server.stop() == 0


def test_a_client_that_goes_away_leaves_nothing(api: Api, store: CompanyStore, server: RunningServer) -> None:
    uri = api.define()
    with SlowUpload(api, uri, SLOW) as upload:
        await_unfinished_file(store)
        upload.connection.shutdown(socket.SHUT_RDWR)
    until(lambda: staged_files(store) == 0, "what was received is forgotten")
    assert (staged(store), staged_files(store)) == (0, 0)


def test_several_uploads_add_up_and_records_are_numbered_on(api: Api) -> None:
    uri = api.define()
    api.upload(uri, [{"Id": "1"}, {"Id": "x"}])
    api.upload(uri, b"Id\n2\n\ny\n", **{"content-type": CSV})
    api.upload(uri, [{"Id": ""}])
    assert api.bulk("GET", uri).json()["kbUsed"] > 0
    sync = api.sync(uri)
    assert [(r["recordIndex"], r["fieldValues"]) for r in api.rejects(sync["uri"])] == [
        (2, {"Id": "x"}),
        (4, {"Id": "y"}),
        (5, {"Id": ""}),
    ]
    assert "kbUsed" not in api.bulk("GET", uri).json()


def test_clearing_staged_data(api: Api, store: CompanyStore) -> None:
    uri = api.define()
    api.upload(uri, [{"Id": "1"}])
    for _ in range(2):
        answer = api.bulk("DELETE", f"{uri}/data")
        assert (answer.status_code, answer.content) == (204, b"")
    assert (staged(store), staged_files(store)) == (0, 0)
    sync = api.sync(uri)
    assert sync["status"] == "warning"
    assert "ELQ-00124" in [entry["statusCode"] for entry in api.log(sync["uri"])]
