"""Syncs of imports: what becomes of contacts, and what logs and rejects say of it, whole bodies."""

from __future__ import annotations

from typing import Any

import pytest

from staithe.services.stores import CompanyStore
from tests.support.api import UNSUBSCRIBE, Api, add_to_list
from tests.support.imports import (
    CRM_TIME,
    EMAIL,
    FIELDS,
    FIRST,
    PATH,
    contact,
    counts,
    define_import,
    import_body,
    members,
    run_import,
)
from tests.support.server import RunningServer
from tests.support.times import timeless
from tests.wire.test_syncs import line, page

CSV = "text/csv"


def test_a_sync_creates_and_updates_and_logs_as_recorded(api: Api) -> None:
    uri = define_import(api, fields=FIELDS | {"lastName": "{{Contact.Field(C_LastName)}}"})
    upload = [
        {"emailAddress": "Contact-1@Example.com", "firstName": "Jo"},
        {"emailAddress": "new@example.com", "firstName": "Ann", "lastName": "Lee"},
    ]
    assert api.upload(uri, upload).status_code == 204
    assert api.bulk("GET", uri).json()["kbUsed"] > 0
    sync = api.sync(uri)
    assert sync["status"] == "success"
    assert [timeless(entry) for entry in api.log(sync["uri"])] == [
        line("ELQ-00130", "information", 2, "Total records staged for import."),
        line("ELQ-00137", "information", 0, "Ready for data import processing."),
        line("ELQ-00101", "information", 0, "Sync processed for sync , resulting in Success status."),
        line("ELQ-00001", "information", 2, "Total records processed."),
        line("ELQ-00003", "information", 2, "Total records remaining after duplicates are rejected."),
        line("ELQ-00004", "information", 1, "Contacts created."),
        line("ELQ-00022", "information", 1, "Contacts updated."),
    ]
    assert api.bulk("GET", "/syncs/1/rejects").json() == page([])
    assert api.bulk("GET", uri).json().get("kbUsed") is None
    assert (contact(api, 1)["emailAddress"], contact(api, 1)["firstName"]) == ("Contact-1@Example.com", "Jo")
    made = contact(api, 101)
    assert (made["emailAddress"], made["firstName"], made["lastName"]) == ("new@example.com", "Ann", "Lee")
    search = api.rest("GET", "/data/contacts", params={"search": "NEW@example.com"}).json()
    assert [element["id"] for element in search["elements"]] == ["101"]


def test_the_log_of_repeated_records_is_the_recorded_one(api: Api) -> None:
    """The recording has 30,000 records of 9,000 contacts that are there, and one line more, which has no message."""
    sync = run_import(api, [{"emailAddress": f"contact-{n % 9 + 1}@example.com"} for n in range(30)])
    answer = api.bulk("GET", f"{sync['uri']}/logs")
    expected = [
        line("ELQ-00130", "information", 30, "Total records staged for import."),
        line("ELQ-00137", "information", 0, "Ready for data import processing."),
        line("ELQ-00101", "information", 0, "Sync processed for sync , resulting in Warning status."),
        line("ELQ-00001", "information", 30, "Total records processed."),
        line("ELQ-00026", "warning", 21, "Duplicate identifier."),
        line("ELQ-00003", "information", 9, "Total records remaining after duplicates are rejected."),
        line("ELQ-00004", "information", 0, "Contacts created."),
        line("ELQ-00022", "information", 9, "Contacts updated."),
    ]
    assert timeless(answer.json()) == page(expected)
    assert [list(entry) for entry in answer.json()["items"]] == [list(expected[0])] * len(expected)
    assert sync["status"] == "warning"


def test_rejects_are_numbered_over_all_uploads(api: Api) -> None:
    uri = define_import(api, fields=FIELDS | {"lastName": "{{Contact.Field(C_LastName)}}", "since": CRM_TIME})
    first = [
        {"emailAddress": "a@example.com", "firstName": "A", "extra": 1},
        {"emailAddress": "notanemail", "firstName": "Maria"},
        {"firstName": "Nobody"},
    ]
    second = b"since,emailAddress,firstName\nsoon,b@example.com,B\n,A@EXAMPLE.COM,again\n\n,c@example.com,C,one more\n"
    assert api.upload(uri, first).status_code == 204
    assert api.upload(uri, second, **{"content-type": CSV}).status_code == 204
    assert api.upload(uri, []).status_code == 204
    sync = api.sync(uri)
    assert sync["status"] == "warning"

    def reject(values: list[str], message: str, code: str, index: int, invalid: str) -> dict[str, Any]:
        names = ("emailAddress", "firstName", "lastName", "since")
        return {
            "fieldValues": dict(zip(names, values, strict=True)),
            "message": message,
            "statusCode": code,
            "recordIndex": index,
            "invalidFields": [invalid],
        }

    expected = [
        reject(["notanemail", "Maria", "", ""], "Invalid email address.", "ELQ-00002", 2, "emailAddress"),
        reject(["", "Nobody", "", ""], "A required field is empty or missing.", "ELQ-00061", 3, "emailAddress"),
        reject(["b@example.com", "B", "", "soon"], "The value does not fit its field; the rest of the record was "
               "imported.", "ELQ-00040", 4, "since"),
        reject(["A@EXAMPLE.COM", "again", "", ""], "The identifier came before in the same sync; the first record "
               "with it was imported.", "ELQ-00026", 5,
               "emailAddress"),
        reject(["c@example.com", "C", "", ""], "The record cannot be read: its columns or its identifier are "
               "malformed.", "ELQ-00032", 6, "emailAddress"),
    ]  # fmt: skip
    answer = api.bulk("GET", "/syncs/1/rejects")
    assert answer.json() == page(expected)
    assert list(answer.json()["items"][0]) == list(expected[0])
    assert api.bulk("GET", "/syncs/1/rejects?limit=2&offset=3").json() == page(
        expected[3:], totalResults=5, limit=2, offset=3
    )
    assert [(e["statusCode"], e["severity"], e["count"]) for e in api.log("/syncs/1")] == [
        ("ELQ-00130", "information", 6),
        ("ELQ-00137", "information", 0),
        ("ELQ-00111", "warning", 1),
        ("ELQ-00101", "information", 0),
        ("ELQ-00001", "information", 6),
        ("ELQ-00002", "warning", 1),
        ("ELQ-00026", "warning", 1),
        ("ELQ-00032", "warning", 1),
        ("ELQ-00040", "warning", 1),
        ("ELQ-00061", "warning", 1),
        ("ELQ-00003", "information", 5),
        ("ELQ-00004", "information", 2),
        ("ELQ-00022", "information", 0),
        ("ELQ-00144", "warning", 1),
    ]
    assert contact(api, 101)["firstName"] == "A"
    assert contact(api, 102)["firstName"] == "B"


def test_nothing_staged_is_a_warning(api: Api) -> None:
    sync = api.sync(define_import(api))
    assert sync["status"] == "warning"
    assert [e["statusCode"] for e in api.log(sync["uri"])] == [
        "ELQ-00130", "ELQ-00137", "ELQ-00124", "ELQ-00101", "ELQ-00001", "ELQ-00003", "ELQ-00004", "ELQ-00022",
    ]  # fmt: skip


def test_an_unknown_name_alone_is_a_warning_without_rejects(api: Api) -> None:
    sync = run_import(api, [{"emailAddress": "a@example.com", "company": "x"}])
    assert (sync["status"], api.rejects(sync["uri"])) == ("warning", [])
    [unmapped] = [e for e in api.log(sync["uri"]) if e["statusCode"] == "ELQ-00111"]
    assert unmapped["message"] == "Field company is not in the definition and was ignored."


def test_an_upload_can_start_its_sync(api: Api) -> None:
    uri = define_import(api, isSyncTriggeredOnImport="true")
    answer = api.upload(uri, [{"emailAddress": "a@example.com"}])
    expected = {
        "syncedInstanceUri": uri,
        "status": "pending",
        "createdAt": "TIME",
        "createdBy": "ann",
        "uri": "/syncs/1",
    }
    assert (answer.status_code, timeless(answer.json())) == (201, expected)
    assert api.wait("/syncs/1")["status"] == "success"
    assert contact(api, 101)["emailAddress"] == "a@example.com"


def test_409_while_a_sync_has_not_ended(api: Api, paused_worker: Any) -> None:
    uri = define_import(api)
    api.upload(uri, [{"emailAddress": "a@example.com"}])
    api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri})
    for method, path in (("PUT", uri), ("DELETE", f"{uri}/data")):
        answer = api.bulk(method, path, json=import_body(name="Autumn"))
        assert (answer.status_code, answer.json()["error"]) == (409, "Conflict")
    paused_worker.resume()
    assert api.wait("/syncs/1")["status"] == "success"
    assert api.bulk("PUT", uri, json=import_body(name="Autumn")).status_code == 200


def test_a_definition_deleted_before_its_sync_ran_imports_nothing(api: Api, paused_worker: Any) -> None:
    uri = define_import(api)
    api.upload(uri, [{"emailAddress": "a@example.com"}])
    api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri})
    assert api.bulk("DELETE", uri).status_code == 204
    paused_worker.resume()
    assert api.wait("/syncs/1")["status"] == "error"
    assert [timeless(entry) for entry in api.log("/syncs/1")] == [
        line("ELQ-00137", "information", 0, "Ready for data import processing."),
        line("ELQ-00143", "error", 0, "The definition was deleted before the sync ended; nothing was changed."),
        line("ELQ-00101", "information", 0, "Sync processed for sync , resulting in Error status."),
    ]
    assert api.rest("GET", "/data/contact/101").status_code == 404


def test_data_staged_under_other_fields_is_read_by_name(api: Api) -> None:
    """PUT between upload and sync: what is no longer a field is left, what is new was not sent."""
    uri = define_import(api)
    api.upload(uri, [{"emailAddress": "a@example.com", "firstName": "A"}])
    fields = {"emailAddress": EMAIL, "lastName": "{{Contact.Field(C_LastName)}}"}
    assert api.bulk("PUT", uri, json=import_body(fields=fields)).status_code == 200
    assert api.sync(uri)["status"] == "success"
    assert (contact(api, 101).get("firstName"), contact(api, 101).get("lastName")) == (None, None)


def test_staged_data_can_be_cleared(api: Api) -> None:
    uri = define_import(api)
    api.upload(uri, [{"emailAddress": "a@example.com"}])
    assert api.bulk("DELETE", f"{uri}/data").status_code == 204
    assert "kbUsed" not in api.bulk("GET", uri).json()
    assert counts(api, api.sync(uri))["001"] == 0


@pytest.mark.parametrize(
    ("rule", "by_field", "sent", "stored"),
    [
        (None, {}, "", ""),
        ("always", {}, "new", "new"),
        ("ifNewIsNotNull", {}, "", "old"),
        ("ifNewIsNotNull", {}, "new", "new"),
        ("ifExistingIsNull", {}, "new", "old"),
        ("useFieldRule", {}, "new", "new"),
        ("ifExistingIsNull", {"firstName": "always"}, "new", "new"),
        ("always", {"firstName": "ifExistingIsNull"}, "new", "old"),
        ("always", {}, None, "old"),
    ],
)
def test_update_rules(api: Api, rule: str | None, by_field: dict[str, str], sent: str | None, stored: str) -> None:
    api.rest("PUT", "/data/contact/1", json={"firstName": "old"}).raise_for_status()
    record = {"emailAddress": "contact-1@example.com"} | ({} if sent is None else {"firstName": sent})
    run_import(api, [record], updateRule=rule, updateRuleByField=by_field or None)
    assert contact(api, 1).get("firstName", "") == stored


def test_null_empties_a_field_and_what_is_missing_leaves_it(api: Api) -> None:
    both = {"firstName": "old", "lastName": "old"}
    api.rest("PUT", "/data/contact/1", json=both).raise_for_status()
    fields = FIELDS | {"lastName": "{{Contact.Field(C_LastName)}}"}
    run_import(api, [{"emailAddress": "contact-1@example.com", "firstName": None}], fields=fields)
    assert (contact(api, 1).get("firstName"), contact(api, 1)["lastName"]) == (None, "old")


@pytest.mark.parametrize(
    ("rule", "expected", "codes"),
    [
        (None, {"001": 2, "003": 2, "004": 1, "022": 1}, []),
        ("createAndUpdate", {"001": 2, "003": 2, "004": 1, "022": 1}, []),
        ("updateOnly", {"001": 2, "034": 1, "003": 2, "004": 0, "022": 1}, [(2, "ELQ-00034")]),
        ("createOnly", {"001": 2, "048": 1, "003": 2, "004": 1, "022": 0}, [(1, "ELQ-00048")]),
    ],
)
def test_import_rules(api: Api, rule: str | None, expected: dict[str, int], codes: list[tuple[int, str]]) -> None:
    sync = run_import(
        api, [{"emailAddress": "contact-1@example.com"}, {"emailAddress": "n@example.com"}], importRule=rule
    )
    assert counts(api, sync) == expected
    assert [(r["recordIndex"], r["statusCode"]) for r in api.rejects(sync["uri"])] == codes


@pytest.mark.parametrize("statement", ["{{Contact.Id}}", "{{Contact.Field(ContactIDExt)}}"])
def test_contacts_are_found_by_id_and_never_made(api: Api, statement: str) -> None:
    prefix = "CSTAI" if "Ext" in statement else ""
    known, unknown = (f"{prefix}{number:012}" for number in (7, 101))
    sync = run_import(
        api,
        [{"id": known, "firstName": "Jo"}, {"id": unknown, "firstName": "x"}, {"id": "x", "firstName": "x"}],
        fields={"id": statement, "firstName": FIRST},
        identifierFieldName="id",
    )
    assert contact(api, 7)["firstName"] == "Jo"
    malformed = "ELQ-00034" if prefix else "ELQ-00032"
    assert [r["statusCode"] for r in api.rejects(sync["uri"])] == ["ELQ-00034", malformed]
    assert api.rest("GET", "/data/contact/101").status_code == 404


def test_email_addresses_change_under_another_identifier(api: Api) -> None:
    """One contact gives an address up and another takes it, in one upload; a third wants one that is taken."""
    fields = {"id": "{{Contact.Id}}", "emailAddress": EMAIL}
    records = [
        {"id": 1, "emailAddress": "moved@example.com"},
        {"id": 2, "emailAddress": "Contact-1@example.com"},
        {"id": 3, "emailAddress": "contact-4@example.com"},
        {"id": 5, "emailAddress": "MOVED@example.com"},
        {"id": 6, "emailAddress": ""},
        {"id": 7, "emailAddress": "wrong"},
        {"id": 8, "emailAddress": "CONTACT-8@example.com"},
    ]
    sync = run_import(api, records, fields=fields, identifierFieldName="id")
    assert [contact(api, number)["emailAddress"] for number in range(1, 9)] == [
        "moved@example.com",
        "Contact-1@example.com",
        "contact-3@example.com",
        "contact-4@example.com",
        "contact-5@example.com",
        "contact-6@example.com",
        "contact-7@example.com",
        "CONTACT-8@example.com",
    ]
    rejects = api.rejects(sync["uri"])
    assert [(r["recordIndex"], r["statusCode"], r["invalidFields"]) for r in rejects] == [
        (3, "ELQ-00048", ["emailAddress"]),
        (4, "ELQ-00048", ["emailAddress"]),
        (5, "ELQ-00040", ["emailAddress"]),
        (6, "ELQ-00002", ["emailAddress"]),
    ]
    search = api.rest("GET", "/data/contacts", params={"search": "contact-1@example.com"}).json()
    assert [element["id"] for element in search["elements"]] == ["2"]


def test_a_new_contact_takes_an_address_that_another_gives_up(api: Api) -> None:
    fields = {"key": "{{Contact.Field(C_SFDCContactID)}}", "emailAddress": EMAIL}
    api.rest("PUT", "/data/contact/1", json={"fieldValues": [{"id": "100023", "value": "K1"}]}).raise_for_status()
    records = [
        {"key": "k1", "emailAddress": "moved@example.com"},
        {"key": "K2", "emailAddress": "contact-1@example.com"},
        {"key": "K3"},
    ]
    sync = run_import(api, records, fields=fields, identifierFieldName="key")
    assert counts(api, sync) == {"001": 3, "003": 3, "004": 1, "022": 1}
    assert [contact(api, number)["emailAddress"] for number in (1, 101)] == [
        "moved@example.com",
        "contact-1@example.com",
    ]
    assert [(r["recordIndex"], r["statusCode"]) for r in api.rejects(sync["uri"])] == [(3, "ELQ-00061")]


def test_several_matches_and_capitals(api: Api) -> None:
    company = {"company": "{{Contact.Field(C_Company)}}", "firstName": FIRST}
    for number, name in ((1, "Acme"), (2, "ACME"), (3, "Acme"), (4, "Other")):
        api.rest("PUT", f"/data/contact/{number}", json={"accountName": name}).raise_for_status()

    def names() -> list[str | None]:
        return [contact(api, number).get("firstName") for number in (1, 2, 3, 4)]

    one = run_import(api, [{"company": "acme", "firstName": "oldest"}], fields=company, identifierFieldName="company")
    assert (counts(api, one)["022"], names()) == (1, ["oldest", None, None, None])
    every = {"fields": company, "identifierFieldName": "company", "isUpdatingMultipleMatchedRecords": True}
    exact = run_import(api, [{"company": "Acme", "firstName": "exact"}], **every, isIdentifierFieldCaseSensitive=True)
    assert (counts(api, exact)["022"], names()) == (1, ["oldest", None, "exact", None])
    all_of_them = run_import(api, [{"company": " aCME\t", "firstName": "all"}], **every)
    assert (counts(api, all_of_them)["022"], names()) == (3, ["all", "all", "all", None])
    assert [contact(api, n)["accountName"] for n in (1, 2, 3)] == ["aCME"] * 3
    repeated = run_import(api, [{"company": "x"}, {"company": "acme"}, {"company": "ACME"}], **every)
    assert [(r["recordIndex"], r["statusCode"]) for r in api.rejects(repeated["uri"])] == [
        (1, "ELQ-00061"),
        (3, "ELQ-00026"),
    ]


def test_the_identifier_can_be_taken_away(api: Api) -> None:
    fields = {"key": "{{Contact.Field(C_SFDCContactID)}}", "emailAddress": EMAIL, "firstName": FIRST}
    whole = {"fields": fields, "identifierFieldName": "key"}
    run_import(api, [{"key": "K1", "emailAddress": "k1@example.com", "firstName": "first"}], **whole)
    records = [{"key": "k1", "firstName": "second"}, {"key": "K2", "emailAddress": "k2@example.com"}, {"key": "K1"}]
    sync = run_import(api, records, **whole, nullIdentifierFieldName=True)
    assert counts(api, sync) == {"001": 3, "026": 1, "003": 2, "004": 1, "022": 1}
    assert contact(api, 101)["firstName"] == "second"
    for number in (101, 102):
        assert {v["id"]: v.get("value") for v in contact(api, number)["fieldValues"]}.get("100023") is None
    again = run_import(api, [{"key": "K1", "firstName": "third"}], **whole)
    assert [r["statusCode"] for r in api.rejects(again["uri"])] == ["ELQ-00061"]


def test_an_email_address_is_never_taken_away(api: Api) -> None:
    run_import(api, [{"emailAddress": "contact-1@example.com", "firstName": "Jo"}], nullIdentifierFieldName=True)
    assert (contact(api, 1)["emailAddress"], contact(api, 1)["firstName"]) == ("contact-1@example.com", "Jo")


def test_sync_actions_reach_the_imported_contacts_alone(api: Api, store: CompanyStore) -> None:
    list_id, group_id = api.new_list(), api.new_group()
    subscribe = {"action": "setStatus", "destination": "{{EmailGroup[%d]}}" % group_id, "status": "subscribed"}
    sync = run_import(
        api,
        [{"emailAddress": e} for e in ("contact-5@example.com", "new@example.com", "wrong", "Contact-5@example.com")],
        syncActions=[add_to_list(list_id), subscribe, UNSUBSCRIBE],
    )
    for name in (f"contactList/{list_id}", f"emailGroup/{group_id}/subscribed", "globalUnsubscribed"):
        assert members(store, name) == [5, 101]
    assert [timeless(e) for e in api.log(sync["uri"])][-3:] == [
        line("ELQ-00119", "information", 2, f"Contacts put on contact list {list_id} (2 newly)."),
        line("ELQ-00115", "information", 2, f"Contacts subscribed to email group {group_id} (2 newly)."),
        line("ELQ-00017", "information", 2, "Contacts globally unsubscribed (2 newly)."),
    ]
    assert api.rest("DELETE", f"/assets/contact/list/{list_id}").status_code == 412


def test_a_definition_that_became_invalid_starts_no_sync(api: Api) -> None:
    list_id = api.new_list()
    uri = define_import(api, fields=FIELDS | {"x": FIRST}, syncActions=[add_to_list(list_id)])
    assert api.bulk("PUT", uri, json=import_body()).status_code == 200
    assert api.rest("DELETE", f"/assets/contact/list/{list_id}").status_code == 200
    assert api.bulk("PUT", uri, json=import_body(syncActions=[add_to_list(list_id)])).status_code == 400
    assert api.sync(uri)["status"] == "warning"


def test_readers_may_look_but_not_import(api: Api, reader: Api) -> None:
    uri = define_import(api)
    assert reader.bulk("GET", uri).status_code == 200
    for method, path in (
        ("POST", PATH),
        ("PUT", uri),
        ("DELETE", uri),
        ("POST", f"{uri}/data"),
        ("DELETE", f"{uri}/data"),
    ):
        assert reader.bulk(method, path, json=import_body()).status_code == 403


def test_companies_do_not_meet(api: Api, server: RunningServer) -> None:
    uri = define_import(api)
    other, _ = server.new_company("others-of-imports")
    assert other.bulk("GET", uri).status_code == 404
    run_import(api, [{"emailAddress": "a@example.com"}])
    assert other.rest("GET", "/data/contacts").json()["total"] == 0


@pytest.mark.parametrize(
    ("data_type", "sent", "stored"),
    [
        ("numeric", "12", "12"),
        ("numeric", -0.5, "-0.5"),
        ("numeric", 3, "3"),
        ("numeric", "  7.50 ", "7.5"),
        ("numeric", "1e3", "1000"),
        ("numeric", "1e400", None),
        ("numeric", True, None),
        ("date", "2021-07-04", "1625356800"),
        ("date", "2021-07-04 13:05:09", "1625403909"),
        ("date", "2021-07-04T13:05:09.123Z", "1625403909"),
        ("date", "7/4/2021", "1625356800"),
        ("date", "1865-04-15", "-3304454400"),
        ("date", "2021-02-29", None),
        ("date", 1625356800, None),
    ],
)
def test_typed_values(api: Api, data_type: str, sent: Any, stored: str | None) -> None:
    field = {"name": "Own", "dataType": data_type, "displayType": "text"}
    number = api.rest("POST", "/assets/contact/field", json=field).raise_for_status().json()["id"]
    sync = run_import(
        api,
        [{"emailAddress": "contact-1@example.com", "firstName": "kept", "own": sent}],
        fields=FIELDS | {"own": "{{Contact.Field(C_Own1)}}"},
    )
    values = {v["id"]: v.get("value") for v in contact(api, 1)["fieldValues"]}
    assert values.get(number) == stored
    assert contact(api, 1)["firstName"] == "kept"
    rejects = [(r["statusCode"], r["invalidFields"]) for r in api.rejects(sync["uri"])]
    assert rejects == ([] if stored else [("ELQ-00040", ["own"])])


def test_system_times_without_a_zone_are_in_eastern_time(api: Api) -> None:
    run_import(
        api,
        [
            {"emailAddress": "contact-1@example.com", "at": "2021-07-04 08:00:00"},
            {"emailAddress": "contact-2@example.com", "at": "2021-07-04T08:00:00Z"},
        ],
        fields={"emailAddress": EMAIL, "at": CRM_TIME},
    )
    times = [{v["id"]: v.get("value") for v in contact(api, n)["fieldValues"]}["100034"] for n in (1, 2)]
    assert times == ["1625400000", "1625385600"]
