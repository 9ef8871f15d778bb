"""Syncs, their logs, rejects and data: every operation, whole bodies."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from staithe.services.stores import CompanyStore
from staithe.storage import sets
from tests.support.api import UNSUBSCRIBE, Api, add_to_list
from tests.support.times import timeless


def line(code: str, severity: str, count: int, message: str, sync: int = 1) -> dict[str, Any]:
    return {
        "syncUri": f"/syncs/{sync}",
        "count": count,
        "severity": severity,
        "statusCode": code,
        "message": message,
        "createdAt": "TIME",
    }


def page(items: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    envelope = {"totalResults": len(items), "limit": 1000, "offset": 0, "count": len(items), "hasMore": False}
    return {"items": items} | envelope | changes


def reject(index: int, value: str, code: str, message: str) -> dict[str, Any]:
    return {
        "fieldValues": {"Id": value},
        "message": message,
        "statusCode": code,
        "recordIndex": index,
        "invalidFields": ["Id"],
    }


UNREADABLE = "The record cannot be read: its columns or its identifier are malformed."
MISSING = "A required field is empty or missing."
UNKNOWN = "No contact has this identifier."


def test_a_sync_from_creation_to_success(api: Api) -> None:
    uri = api.define()
    api.upload(uri, [{"Id": "1"}, {"Id": 3}])
    created = api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri})
    assert created.status_code == 201
    assert timeless(created.json()) == {
        "syncedInstanceUri": uri,
        "status": "pending",
        "createdAt": "TIME",
        "createdBy": "ann",
        "uri": "/syncs/1",
    }
    ended = api.wait("/syncs/1")
    assert timeless(ended) == {
        "syncedInstanceUri": uri,
        "syncStartedAt": "TIME",
        "syncEndedAt": "TIME",
        "status": "success",
        "createdAt": "TIME",
        "createdBy": "ann",
        "uri": "/syncs/1",
    }
    assert list(ended) == [
        "syncedInstanceUri",
        "syncStartedAt",
        "syncEndedAt",
        "status",
        "createdAt",
        "createdBy",
        "uri",
    ]
    assert ended["createdAt"] == created.json()["createdAt"] <= ended["syncStartedAt"] <= ended["syncEndedAt"]
    assert api.bulk("GET", "/syncs").json() == page([ended])
    answer = api.bulk("GET", "/syncs/1/logs")
    assert timeless(answer.json()) == page(
        [
            line("ELQ-00137", "information", 0, "Ready for data import processing."),
            line("ELQ-00134", "information", 1, "Staged uploads locked for this sync."),
            line("ELQ-00104", "information", 2, "Staged upload 1 read (1 kB, JSON)."),
            line("ELQ-00140", "information", 2, "Records staged for sync actions."),
            line("ELQ-00001", "information", 2, "Total records processed."),
            line("ELQ-00017", "information", 2, "Contacts globally unsubscribed (2 newly)."),
            line("ELQ-00101", "information", 0, "Sync processed for sync , resulting in Success status."),
        ]
    )
    assert list(answer.json()["items"][0]) == ["syncUri", "count", "severity", "statusCode", "message", "createdAt"]
    empty = api.bulk("GET", "/syncs/1/rejects")
    assert empty.content == b'{"items":[],"totalResults":0,"limit":1000,"offset":0,"count":0,"hasMore":false}'


def test_every_kind_of_reject_one_by_one(api: Api) -> None:
    uri = api.define()
    ids = ["1", " 2 ", "", "x", "-1", "1.5", "0", "0x10", "101", "99999999999999999999999", "007", "7", None, 7, True]
    api.upload(uri, [{"Id": value} for value in ids])
    sync = api.sync(uri)
    assert sync["status"] == "warning"
    answer = api.bulk("GET", "/syncs/1/rejects")
    assert answer.json() == page(
        [
            reject(3, "", "ELQ-00061", MISSING),
            reject(4, "x", "ELQ-00032", UNREADABLE),
            reject(5, "-1", "ELQ-00032", UNREADABLE),
            reject(6, "1.5", "ELQ-00032", UNREADABLE),
            reject(7, "0", "ELQ-00032", UNREADABLE),
            reject(8, "0x10", "ELQ-00032", UNREADABLE),
            reject(9, "101", "ELQ-00085", UNKNOWN),
            reject(10, "99999999999999999999999", "ELQ-00085", UNKNOWN),
            reject(13, "", "ELQ-00061", MISSING),
            reject(15, "true", "ELQ-00032", UNREADABLE),
        ]
    )
    assert list(answer.json()["items"][0]) == ["fieldValues", "message", "statusCode", "recordIndex", "invalidFields"]
    assert [(e["statusCode"], e["count"], e["severity"]) for e in api.log("/syncs/1")] == [
        ("ELQ-00137", 0, "information"),
        ("ELQ-00134", 1, "information"),
        ("ELQ-00104", 15, "information"),
        ("ELQ-00140", 15, "information"),
        ("ELQ-00001", 15, "information"),
        ("ELQ-00026", 2, "information"),
        ("ELQ-00061", 2, "warning"),
        ("ELQ-00032", 6, "warning"),
        ("ELQ-00085", 2, "warning"),
        ("ELQ-00034", 2, "warning"),
        ("ELQ-00060", 10, "warning"),
        ("ELQ-00017", 3, "information"),
        ("ELQ-00101", 0, "information"),
    ]


def test_emails_are_trimmed_and_compared_without_case(api: Api) -> None:
    uri = api.define(statement="{{Contact.Field(C_EmailAddress)}}")
    emails = [
        "contact-1@example.com",
        " CONTACT-2@Example.Com ",
        "Contact-1@EXAMPLE.com",
        "nobody@example.com",
        "bad",
        "",
    ]
    api.upload(uri, [{"Id": value} for value in emails])
    assert api.sync(uri)["status"] == "warning"
    assert api.rejects("/syncs/1") == [
        reject(4, "nobody@example.com", "ELQ-00085", UNKNOWN),
        reject(5, "bad", "ELQ-00002", "Invalid email address."),
        reject(6, "", "ELQ-00061", MISSING),
    ]
    counts = {e["statusCode"]: (e["count"], e["message"]) for e in api.log("/syncs/1")}
    assert counts["ELQ-00011"] == (1, "Email addresses given more than once, applied once.")
    assert counts["ELQ-00002"] == (1, "Invalid email addresses.")
    assert counts["ELQ-00017"] == (2, "Contacts globally unsubscribed (2 newly).")


def test_external_ids(api: Api) -> None:
    uri = api.define(statement="{{Contact.Field(ContactIDExt)}}")
    ids = [
        "CSTAI000000000001",
        "cstai000000000002",
        "CSTAI000000000999",
        "CELOQ000000000001",
        "CSTAI1",
        "",
        "CSTAI000000000002",
    ]
    api.upload(uri, [{"Id": value} for value in ids])
    assert api.sync(uri)["status"] == "warning"
    assert [(r["recordIndex"], r["statusCode"]) for r in api.rejects("/syncs/1")] == [
        (3, "ELQ-00085"),
        (4, "ELQ-00085"),
        (5, "ELQ-00085"),
        (6, "ELQ-00061"),
    ]
    assert [e["count"] for e in api.log("/syncs/1") if e["statusCode"] in ("ELQ-00026", "ELQ-00017")] == [1, 2]


def test_a_repeated_identifier_alone_makes_no_warning(api: Api) -> None:
    uri = api.define()
    api.upload(uri, [{"Id": "1"}, {"Id": "1"}])
    assert api.sync(uri)["status"] == "success"
    assert [e["count"] for e in api.log("/syncs/1") if e["statusCode"] == "ELQ-00026"] == [1]


def test_an_unmapped_key_is_a_warning_without_rejects(api: Api) -> None:
    uri = api.define()
    api.upload(uri, [{"Id": "1", "color": "red"}, {"Id": "2", "size": 3}])
    api.upload(uri, b"color,ID\nred,3\n", **{"content-type": "text/csv"})
    assert api.sync(uri)["status"] == "warning"
    assert api.rejects("/syncs/1") == []
    unmapped = [timeless(e) for e in api.log("/syncs/1") if e["statusCode"] == "ELQ-00111"]
    assert unmapped == [
        line("ELQ-00111", "warning", 2, "Field color is not in the definition and was ignored."),
        line("ELQ-00111", "warning", 1, "Field size is not in the definition and was ignored."),
    ]


def test_an_upload_without_the_identifier_field(api: Api) -> None:
    uri = api.define()
    api.upload(uri, b"mail\na@b.c\nd@e.f\n", **{"content-type": "text/csv"})
    assert api.sync(uri)["status"] == "warning"
    assert [timeless(e) for e in api.log("/syncs/1") if e["statusCode"] == "ELQ-00127"] == [
        line("ELQ-00127", "warning", 2, "Staged upload 1 has no field of the definition (Id is missing).")
    ]
    assert [r["statusCode"] for r in api.rejects("/syncs/1")] == ["ELQ-00061", "ELQ-00061"]


def test_a_line_of_csv_with_too_many_values_is_one_reject(api: Api) -> None:
    uri = api.define()
    api.upload(uri, b"Id,other\n1,a\n2\n3,c,d\n4,e\n", **{"content-type": "text/csv"})
    api.sync(uri)
    assert api.rejects("/syncs/1") == [reject(2, "2", "ELQ-00032", UNREADABLE), reject(3, "3", "ELQ-00032", UNREADABLE)]


@pytest.mark.parametrize(("content_type", "body"), [("application/json", b"[]"), ("text/csv", b"Id\n"), ("", b"")])
def test_nothing_to_process(api: Api, content_type: str, body: bytes) -> None:
    uri = api.define()
    if content_type:
        assert api.upload(uri, body, **{"content-type": content_type}).status_code == 204
    assert api.sync(uri)["status"] == "warning"
    assert ("ELQ-00124", "warning") in [(e["statusCode"], e["severity"]) for e in api.log("/syncs/1")]


def test_what_was_staged_under_another_field_has_no_identifier(api: Api) -> None:
    uri = api.define()
    api.upload(uri, [{"Id": "1"}])
    changed = api.bulk("GET", uri).json() | {"fields": {"Nr": "{{Contact.Id}}"}, "identifierFieldName": "Nr"}
    assert api.bulk("PUT", uri, json=changed).status_code == 200
    api.upload(uri, [{"Nr": "2"}])
    assert api.sync(uri)["status"] == "warning"
    assert api.rejects("/syncs/1") == [
        {
            "fieldValues": {"Nr": ""},
            "message": MISSING,
            "statusCode": "ELQ-00061",
            "recordIndex": 1,
            "invalidFields": ["Nr"],
        }
    ]
    assert [e["count"] for e in api.log("/syncs/1") if e["statusCode"] == "ELQ-00017"] == [1]


def test_rejects_are_paged(api: Api) -> None:
    uri = api.define()
    api.upload(uri, [{"Id": f"x{n}"} for n in range(2500)])
    api.upload(uri, [{"Id": f"x{n}"} for n in range(2500, 2600)])
    api.sync(uri)
    first = api.bulk("GET", "/syncs/1/rejects").json()
    assert [r["recordIndex"] for r in first.pop("items")] == list(range(1, 1001))
    assert first == {"totalResults": 2600, "limit": 1000, "offset": 0, "count": 1000, "hasMore": True}
    last = api.bulk("GET", "/syncs/1/rejects?offset=2400&limit=150").json()
    assert [r["fieldValues"]["Id"] for r in last.pop("items")] == [f"x{n}" for n in range(2400, 2550)]
    assert last == {"totalResults": 2600, "limit": 150, "offset": 2400, "count": 150, "hasMore": True}
    end = api.bulk("GET", "/syncs/1/rejects?offset=2550&totalResults=false").json()
    assert [r["recordIndex"] for r in end.pop("items")] == list(range(2551, 2601))
    assert end == {"limit": 1000, "offset": 2550, "count": 50, "hasMore": False}
    found = api.bulk("GET", "/syncs/1/rejects?q=recordIndex>=1&orderBy=recordIndex DESC&limit=2&offset=1").json()
    assert [r["recordIndex"] for r in found.pop("items")] == [2599, 2598]
    assert found == {"totalResults": 2600, "limit": 2, "offset": 1, "count": 2, "hasMore": True}


def test_logs_are_searched_ordered_and_paged(api: Api) -> None:
    uri = api.define()
    api.upload(uri, [{"Id": "1"}, {"Id": "x"}])
    api.sync(uri)
    warnings = api.bulk("GET", '/syncs/1/logs?q="severity=warning"&orderBy=statusCode DESC').json()
    assert [e["statusCode"] for e in warnings["items"]] == ["ELQ-00060", "ELQ-00032"]
    page_of_log = api.bulk("GET", "/syncs/1/logs?limit=2&offset=1").json()
    assert [e["statusCode"] for e in page_of_log["items"]] == ["ELQ-00134", "ELQ-00104"]
    assert page_of_log["hasMore"] is True


def test_syncs_are_searched_and_ordered(api: Api) -> None:
    uri, other = api.define(), api.define()
    for definition in (uri, other, uri):
        api.upload(definition, [{"Id": "1"}])
        api.sync(definition)
    found = api.bulk("GET", f"/syncs?q=syncedInstanceUri={uri}&orderBy=createdAt DESC").json()
    assert [s["uri"] for s in found["items"]] == ["/syncs/3", "/syncs/1"]
    assert api.bulk("GET", "/syncs?q=status=error").json() == page([])


def test_syncs_of_sync_actions_have_no_data(api: Api) -> None:
    uri = api.define()
    api.sync(uri)
    for method in ("GET", "DELETE"):
        answer = api.bulk(method, "/syncs/1/data")
        assert (answer.status_code, answer.json()) == (
            400,
            {
                "failures": [
                    {
                        "field": "id",
                        "value": "1",
                        "constraint": "Must be a sync of an export: those of imports and of sync actions have logs "
                        "and rejects, but no data.",
                    }
                ]
            },
        )


@pytest.mark.parametrize("path", ["", "/logs", "/rejects", "/data"])
def test_syncs_that_never_were(api: Api, path: str) -> None:
    answer = api.bulk("GET", f"/syncs/1{path}")
    assert (answer.status_code, answer.json()) == (
        404,
        {
            "status": 404,
            "error": "Not Found",
            "message": "There is no sync 1.",
            "advice": "GET /syncs lists those that there are.",
        },
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "syncedInstanceUri"),
        ({"syncedInstanceUri": 7}, "syncedInstanceUri"),
        ({"syncedInstanceUri": "/contacts/syncActions/9"}, "syncedInstanceUri"),
        ({"syncedInstanceUri": "/contacts/imports/1"}, "syncedInstanceUri"),
        ({"syncedInstanceUri": "/contacts/syncActions/1", "callbackUrl": "ftp://example.com"}, "callbackUrl"),
        ({"syncedInstanceUri": "/contacts/syncActions/1", "callbackUrl": "http://"}, "callbackUrl"),
        ({"syncedInstanceUri": "/contacts/syncActions/1", "callbackUrl": 1}, "callbackUrl"),
    ],
)
def test_a_wrong_sync_is_refused(api: Api, body: dict[str, Any], field: str) -> None:
    api.define()
    answer = api.bulk("POST", "/syncs", json=body)
    assert answer.status_code == 400
    (failure,) = answer.json()["failures"]
    assert failure["field"] == field
    assert failure["constraint"].startswith("Must be ")
    assert api.bulk("GET", "/syncs").json() == page([])


def test_syncs_logs_and_rejects_outlive_their_definition(api: Api) -> None:
    uri = api.define()
    api.upload(uri, [{"Id": "1"}, {"Id": "x"}])
    sync = api.sync(uri)
    log, rejects = api.log("/syncs/1"), api.rejects("/syncs/1")
    assert api.bulk("DELETE", uri).status_code == 204
    assert api.bulk("GET", "/syncs/1").json() == sync
    assert (api.log("/syncs/1"), api.rejects("/syncs/1")) == (log, rejects)


def test_a_sync_can_be_deleted_when_it_has_ended(api: Api) -> None:
    uri = api.define()
    api.upload(uri, [{"Id": "x"}])
    api.sync(uri)
    assert api.bulk("DELETE", "/syncs/1").status_code == 204
    for path in ("", "/logs", "/rejects"):
        answer = api.bulk("GET", f"/syncs/1{path}")
        assert (answer.status_code, answer.json()["message"]) == (410, "Sync 1 was removed: syncs are kept for a year.")


def test_a_sync_can_be_deleted_before_it_has_begun_and_its_uploads_wait(api: Api, paused_worker: Any) -> None:
    uri = api.define()
    api.upload(uri, [{"Id": "1"}, {"Id": "x"}])
    api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri})
    assert api.bulk("DELETE", "/syncs/1").status_code == 204
    assert api.bulk("GET", "/syncs/1").status_code == 410
    assert api.bulk("GET", "/syncs").json()["totalResults"] == 0
    paused_worker.resume()
    assert api.sync(uri)["uri"] == "/syncs/2"
    counts = {line["statusCode"]: line["count"] for line in api.log("/syncs/2")}
    assert (counts["ELQ-00001"], counts["ELQ-00060"]) == (2, 1)


def test_409_while_a_sync_has_not_ended(api: Api, paused_worker: Any) -> None:
    uri = api.define(name="before")
    api.upload(uri, [{"Id": "1"}])
    api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri})
    advice = "Wait until GET /syncs/{id} shows success, warning or error, then send the request again."
    for method, path, what in (("PUT", uri, "replaced"), ("DELETE", f"{uri}/data", "emptied")):
        body = api.bulk("GET", uri).json() | {"name": "after"}
        answer = api.bulk(method, path, json=body)
        assert (answer.status_code, answer.json()) == (
            409,
            {
                "status": 409,
                "error": "Conflict",
                "message": f"Definition 1 cannot be {what} while a sync of it is pending or active.",
                "advice": advice,
            },
        )
    assert api.bulk("GET", uri).json()["name"] == "before"
    paused_worker.resume()
    assert api.wait("/syncs/1")["status"] == "success"
    assert api.bulk("PUT", uri, json=body).status_code == 200


def test_deleting_a_definition_ends_its_pending_sync_in_error(
    api: Api, store: CompanyStore, paused_worker: Any
) -> None:
    uri = api.define()
    api.upload(uri, [{"Id": "1"}])
    api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri})
    assert api.bulk("DELETE", uri).status_code == 204
    paused_worker.resume()
    assert api.wait("/syncs/1")["status"] == "error"
    assert [timeless(entry) for entry in api.log("/syncs/1")] == [
        line("ELQ-00137", "information", 0, "Ready for data import processing."),
        line("ELQ-00143", "error", 0, "The definition was deleted before the sync ended; nothing was changed."),
        line("ELQ-00101", "information", 0, "Sync processed for sync , resulting in Error status."),
    ]
    with store.database.read() as connection:
        assert len(sets.load_set(connection, "globalUnsubscribed")) == 0


def test_syncs_of_one_definition_run_in_order_each_with_its_own_uploads(api: Api, paused_worker: Any) -> None:
    uri = api.define(add_to_list(api.new_list()))
    made: list[str] = []
    for number in range(1, 6):
        api.upload(uri, [{"Id": str(number)}, {"Id": f"x{number}"}])
        made.append(api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri}).json()["uri"])
    paused_worker.resume()
    ended = [api.wait(sync) for sync in made]
    assert [s["status"] for s in ended] == ["warning"] * 5
    assert all(a["syncEndedAt"] <= b["syncStartedAt"] for a, b in itertools.pairwise(ended))
    assert [api.rejects(sync)[0]["fieldValues"] for sync in made] == [{"Id": f"x{n}"} for n in range(1, 6)]


def test_an_upload_after_the_sync_was_started_belongs_to_the_next(api: Api, paused_worker: Any) -> None:
    uri = api.define()
    api.upload(uri, [{"Id": "1"}])
    api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri})
    api.upload(uri, [{"Id": "2"}, {"Id": "3"}])
    paused_worker.resume()
    api.wait("/syncs/1")
    api.sync(uri)
    staged = [[e["count"] for e in api.log(f"/syncs/{n}") if e["statusCode"] == "ELQ-00140"] for n in (1, 2)]
    assert staged == [[1], [2]]


def test_a_list_that_is_gone_is_noticed_before_a_sync(api: Api, store: CompanyStore) -> None:
    """Deleting it over HTTP is refused while a definition names it; another way of losing it must not be silent."""
    number = api.new_list()
    uri = api.define(add_to_list(number), UNSUBSCRIBE)
    with store.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM contact_list")
    answer = api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri})
    assert (answer.status_code, answer.json()) == (
        400,
        {"failures": [{"field": "syncActions", "constraint": "Must name what exists: there is no contact list 1."}]},
    )
