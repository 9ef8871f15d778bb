"""Exports of contacts: definitions, syncs, and pages of their data as JSON and CSV."""

from __future__ import annotations

import csv
import gzip
import io
from typing import Any

import pytest

from staithe.clock import system_clock
from staithe.domain.companies import Role
from staithe.services import accounts
from staithe.services.stores import CompanyStore
from tests.support.api import UNSUBSCRIBE, Api, add_to_list
from tests.support.imports import members, run_import
from tests.support.server import RunningServer
from tests.support.times import timeless
from tests.wire.test_import_definitions import failure
from tests.wire.test_syncs import line, page

one_database = pytest.mark.one_database("Pages come from files, and from no database.")

PATH = "/contacts/exports"
EMAIL, FIRST = "{{Contact.Field(C_EmailAddress)}}", "{{Contact.Field(C_FirstName)}}"
FIELDS = {"Email": EMAIL, "First name": FIRST}
CSV_TYPE = "text/csv; charset=utf-8"


def body(**changes: Any) -> dict[str, Any]:
    whole = {"name": "everyone", "fields": FIELDS} | changes
    return {name: value for name, value in whole.items() if value is not None}


def echo(number: int, **changes: Any) -> dict[str, Any]:
    order = ("name", "fields", "filter", "maxRecords", "syncActions", "areSystemTimestampsInUTC",
             "dataRetentionDuration", "autoDeleteDuration", "kbUsed")  # fmt: skip
    shown = {"dataRetentionDuration": "PT12H"} | body(**changes)
    audit = {"createdBy": "ann", "createdAt": "TIME", "updatedBy": "ann", "updatedAt": "TIME"}
    return {name: shown[name] for name in order if name in shown} | {"uri": f"{PATH}/{number}"} | audit


def define(api: Api, **changes: Any) -> str:
    answer = api.bulk("POST", PATH, json=body(**changes))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["uri"])


def run(api: Api, **changes: Any) -> str:
    """Define and sync an export; gives the path of its data."""
    sync = api.sync(define(api, **changes))
    assert sync["status"] == "success"
    return f"{sync['uri']}/data"


def record(number: int) -> dict[str, str]:
    return {"Email": f"contact-{number}@example.com", "First name": ""}


def test_create_echoes_the_definition_with_its_keys_in_order(api: Api) -> None:
    answer = api.bulk("POST", PATH, json=body())
    assert (answer.status_code, timeless(answer.json())) == (201, echo(1))
    assert list(answer.json()) == list(echo(1))
    changes = {
        "maxRecords": 7,
        "syncActions": [add_to_list(api.new_list())],
        "areSystemTimestampsInUTC": True,
        "dataRetentionDuration": "P14D",
        "autoDeleteDuration": "PT1H",
    }
    answer = api.bulk("PUT", f"{PATH}/1", json=body(**changes))
    assert (answer.status_code, timeless(answer.json())) == (200, echo(1, **changes))
    assert list(answer.json()) == list(echo(1, **changes))
    assert api.bulk("GET", f"{PATH}/1").json() == answer.json()
    for path in (PATH, "/exports"):
        assert timeless(api.bulk("GET", path).json()) == page([echo(1, **changes)])
    assert api.bulk("DELETE", f"{PATH}/1").status_code == 204
    assert api.bulk("GET", f"{PATH}/1").status_code == 410
    assert api.bulk("GET", f"{PATH}/2").status_code == 404


COUNT = "Must be an object of 1 to 250 fields: their names, each with a statement."
LIFE = "Must be an ISO 8601 duration such as P7D or PT12H, of at least PT1H"
ACCOUNT = {"x": "{{Contact.Account.Field[7]}}"}
ODD = {"x": "{{Account.Field(M_CompanyName)}}"}


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"fields": None}, failure("fields", COUNT)),
        ({"fields": []}, failure("fields", COUNT, [])),
        ({"fields": {f"f{i}": FIRST for i in range(251)}},
         failure("fields", COUNT, {f"f{i}": FIRST for i in range(251)})),
        ({"fields": ACCOUNT}, failure(
            "fields", "Must be a statement of a contact, such as {{Contact.Field(C_EmailAddress)}} or {{Contact.Id}}: "
            "{{Contact.Account.Field[7]}} is none.", ACCOUNT)),
        ({"fields": ODD}, failure(
            "fields", "Must be a statement of a contact, such as {{Contact.Field(C_EmailAddress)}} or {{Contact.Id}}: "
            "{{Account.Field(M_CompanyName)}} is none.", ODD)),
        ({"fields": {"x": "{{ContactList[9]}}"}},
         failure("fields", "Must name what exists: there is no contact list 9.", {"x": "{{ContactList[9]}}"})),
        ({"fields": {"x": "{{EmailGroup[9]}}"}},
         failure("fields", "Must name what exists: there is no email group 9.", {"x": "{{EmailGroup[9]}}"})),
        ({"maxRecords": 0}, failure("maxRecords", "Must be a whole number of at least 1.", 0)),
        ({"maxRecords": "many"}, failure("maxRecords", "Must be a whole number of at least 1.", "many")),
        ({"areSystemTimestampsInUTC": "UTC"},
         failure("areSystemTimestampsInUTC", "Must be true or false.", "UTC")),
        ({"dataRetentionDuration": "PT30M"}, failure("dataRetentionDuration", LIFE + " and at most P14D.", "PT30M")),
        ({"dataRetentionDuration": "P15D"}, failure("dataRetentionDuration", LIFE + " and at most P14D.", "P15D")),
        ({"autoDeleteDuration": "PT59M"}, failure("autoDeleteDuration", LIFE + ".", "PT59M")),
        ({"syncActions": [add_to_list(9)]},
         failure("syncActions", "Must name what exists: there is no contact list 9.", add_to_list(9))),
    ],
)  # fmt: skip
def test_what_is_refused(api: Api, changes: dict[str, Any], refusal: dict[str, Any]) -> None:
    answer = api.bulk("POST", PATH, json=body(**changes))
    assert (answer.status_code, answer.json()) == (400, refusal)
    assert api.bulk("GET", PATH).json()["totalResults"] == 0


def test_250_fields_are_taken(api: Api) -> None:
    data = run(api, fields={f"f{i}": EMAIL for i in range(250)}, maxRecords="1")
    assert api.bulk("GET", data).json()["items"] == [{f"f{i}": "contact-1@example.com" for i in range(250)}]


def test_an_export_from_definition_to_data(api: Api) -> None:
    api.rest("PUT", "/data/contact/2", json={"firstName": "Jo"}).raise_for_status()
    uri = define(api, maxRecords=3)
    empty = page([])
    assert api.bulk("GET", f"{uri}/data").json() == empty
    sync = api.sync(uri)
    assert timeless(sync) == {
        "syncedInstanceUri": uri,
        "syncStartedAt": "TIME",
        "syncEndedAt": "TIME",
        "status": "success",
        "createdAt": "TIME",
        "createdBy": "ann",
        "uri": "/syncs/1",
    }
    assert [timeless(entry) for entry in api.log("/syncs/1")] == [
        line("ELQ-00102", "information", 3, "Successfully exported members to csv file."),
        line("ELQ-00131", "information", 0, "Internal staging removed."),
        line("ELQ-00106", "information", 0, "The exported data is ready to be read (1 kB)."),
        line("ELQ-00101", "information", 0, "Sync processed for sync , resulting in Success status."),
    ]
    assert api.bulk("GET", "/syncs/1/rejects").json() == empty
    items = [record(1), record(2) | {"First name": "Jo"}, record(3)]
    for path in ("/syncs/1/data", f"{uri}/data"):
        answer = api.bulk("GET", path)
        assert answer.json() == page(items)
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        assert list(answer.json()) == list(page(items))
    assert timeless(api.bulk("GET", uri).json()) == echo(1, maxRecords=3, kbUsed=1)
    storage = api.bulk("GET", "/exports/data").json()
    assert storage == {"kbAllowed": storage["kbAllowed"], "kbUsed": 1}
    assert api.bulk("GET", "/imports/data").json()["kbUsed"] == 0


@one_database
@pytest.mark.parametrize(
    ("query", "first", "count", "limit", "offset"),
    [
        ("", 1, 100, 1000, 0),
        ("limit=10", 1, 10, 10, 0),
        ("limit=10&offset=95", 96, 5, 10, 95),
        ("limit=100", 1, 100, 100, 0),
        ("limit=40&offset=60", 61, 40, 40, 60),
        ("offset=99", 100, 1, 1000, 99),
        ("offset=100", 101, 0, 1000, 100),
        ("offset=7000", 101, 0, 1000, 7000),
        ("limit=0", 1, 1, 1, 0),
        ("limit=50000", 1, 100, 50_000, 0),
        ("limit=99999999&offset=-4", 1, 100, 50_000, 0),
        ("LIMIT=2&totalResults=true", 1, 2, 2, 0),
    ],
)
def test_pages(api: Api, query: str, first: int, count: int, limit: int, offset: int) -> None:
    data = run(api)
    answer = api.bulk("GET", f"{data}?{query}")
    items = [record(number) for number in range(first, first + count)]
    more = offset + count < 100
    assert (answer.status_code, answer.json()) == (
        200,
        page(items, totalResults=100, limit=limit, offset=offset, hasMore=more),
    )
    lines = api.bulk("GET", f"{data}?{query}", headers={"accept": "text/csv"})
    assert list(csv.DictReader(io.StringIO(lines.text))) == items
    assert lines.text.startswith("Email,First name\r\n")


def test_without_a_total(api: Api) -> None:
    data = run(api)
    answer = api.bulk("GET", f"{data}?totalResults=false&limit=1&offset=98").json()
    assert answer == {"items": [record(99)], "limit": 1, "offset": 98, "count": 1, "hasMore": True}


def test_data_cannot_be_searched(api: Api) -> None:
    assert api.bulk("GET", f"{run(api)}?q=Email=x").status_code == 400


@one_database
@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/csv", CSV_TYPE),
        ("TEXT/CSV", CSV_TYPE),
        ("text/csv, application/json;q=0.5", CSV_TYPE),
        ("application/json, text/plain, */*", "application/json; charset=utf-8"),
        ("*/*", "application/json; charset=utf-8"),
        ("application/json, text/csv", "application/json; charset=utf-8"),
        ("text/html", "application/json; charset=utf-8"),
        ("text/*", CSV_TYPE),
        ("application/json;q=0, */*", CSV_TYPE),
        ("text/csv;q=1e400", CSV_TYPE),
        ("text/csv;q=0.2, application/json;q=nonsense", "application/json; charset=utf-8"),
        (",;q", "application/json; charset=utf-8"),
    ],
)
def test_accept_chooses_the_format(api: Api, accept: str, content_type: str) -> None:
    answer = api.bulk("GET", run(api), headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, content_type)
    assert "accept" in answer.headers["vary"].lower()
    is_csv = content_type == CSV_TYPE
    lines = ["Email,First name", *(f"contact-{n}@example.com," for n in range(1, 101)), ""]
    page = {"items": [record(n) for n in range(1, 101)], "totalResults": 100, "limit": 1000, "offset": 0}
    assert (answer.text if is_csv else answer.json()) == (
        "\r\n".join(lines) if is_csv else page | {"count": 100, "hasMore": False}
    )


@one_database
@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
@pytest.mark.parametrize(
    ("coding", "is_gzipped"), [("gzip", True), ("br, gzip;q=0.5", True), ("gzip;q=0", False), ("identity", False)]
)
def test_gzip(api: Api, accept: str, coding: str, is_gzipped: bool) -> None:
    data = run(api)
    plain = api.bulk("GET", data, headers={"accept": accept, "accept-encoding": "identity"}).content
    with api.client.stream(
        "GET", f"/api/bulk/2.0{data}", headers={"accept": accept, "accept-encoding": coding}
    ) as answer:
        raw = b"".join(answer.iter_raw())
    assert (answer.headers.get("content-encoding") == "gzip") is is_gzipped
    assert (gzip.decompress(raw) if is_gzipped else raw) == plain


def test_what_csv_has_to_quote(api: Api) -> None:
    odd = ["a,b", 'say "x"', "two\nlines", "a\r\nb", " blanks ", "=1+1", "'", "", "日本 🙂", "a\u2028b", "null"]
    records = [{"emailAddress": f"contact-{n}@example.com", "firstName": text} for n, text in enumerate(odd, 1)]
    assert run_import(api, records)["status"] == "success"
    data = run(api, fields={'na,"me'.replace('"', "'"): FIRST, "é": EMAIL}, maxRecords=len(odd))
    text = api.bulk("GET", data, headers={"accept": "text/csv"}).content.decode()
    assert text.splitlines(keepends=True)[0] == '"na,\'me",é\r\n'
    found = [row["na,'me"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert found == odd
    assert [item["na,'me"] for item in api.bulk("GET", data).json()["items"]] == odd


def test_every_part_of_a_contact(api: Api, store: CompanyStore) -> None:
    list_id, group_id = api.new_list(), api.new_group()
    group = "{{EmailGroup[%d]}}" % group_id

    def in_group(status: str) -> dict[str, str]:
        return {"action": "setStatus", "destination": group, "status": status}

    who = {1: [add_to_list(list_id), in_group("subscribed")], 2: [UNSUBSCRIBE, in_group("unsubscribed")]}
    for number, actions in who.items():
        uri = api.define(*actions)
        api.upload(uri, [{"Id": number}])
        api.sync(uri)
    bounces = {"mail": EMAIL, "bounced": "{{Contact.Email.IsBounced}}"}
    run_import(api, [{"mail": "contact-3@example.com", "bounced": 1}], fields=bounces, identifierFieldName="mail")
    api.rest("PUT", "/data/contact/3", json={"firstName": "A", "lastName": "B"})
    fields = {
        "id": "{{contact.id}}",
        "ext": "{{Contact.Field(ContactIDExt)}}",
        "domain": "{{Contact.Field(C_EmailAddressDomain)}}",
        "name": "{{Contact.Field(C_FirstAndLastName)}}",
        "md5": "{{Contact.Field(C_MD5HashedBusPhone)}}",
        "subscribed": "{{Contact.Email.IsSubscribed}}",
        "bounced": "{{Contact.Email.IsBounced}}",
        "format": "{{Contact.Email.Format}}",
        "list": "{{ContactList[%d]}}" % list_id,
        "group": group,
    }
    data = run(api, fields=fields, maxRecords=4)
    rest = {"domain": "example.com", "name": "", "md5": "", "format": "unspecified"}
    assert api.bulk("GET", data).json()["items"] == [
        {name: value for name in fields for value in [(rest | row)[name]]}
        for row in (
            {"id": "1", "ext": "CSTAI000000000001", "subscribed": "True", "bounced": "False", "list": "True",
             "group": "subscribed"},
            {"id": "2", "ext": "CSTAI000000000002", "subscribed": "False", "bounced": "False", "list": "False",
             "group": "unsubscribed"},
            {"id": "3", "ext": "CSTAI000000000003", "subscribed": "True", "bounced": "True", "list": "False",
             "group": "", "name": "A B"},
            {"id": "4", "ext": "CSTAI000000000004", "subscribed": "True", "bounced": "False", "list": "False",
             "group": ""},
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("in_utc", "winter", "summer"),
    [
        (None, "2021-01-15 07:00:00.000", "2021-07-15 08:00:00.500"),
        (False, "2021-01-15 07:00:00.000", "2021-07-15 08:00:00.500"),
        ("true", "2021-01-15 12:00:00.000", "2021-07-15 12:00:00.500"),
    ],
)
def test_system_times_are_eastern_unless_utc_is_asked_for(api: Api, in_utc: Any, winter: str, summer: str) -> None:
    at = "{{Contact.Field(C_LastModifiedByExtIntegrateSystem)}}"
    records = [
        {"emailAddress": "contact-1@example.com", "at": "2021-01-15T12:00:00Z"},
        {"emailAddress": "contact-2@example.com", "at": "2021-07-15T12:00:00.5Z"},
    ]
    run_import(api, records, fields={"emailAddress": EMAIL, "at": at})
    fields = {"at": at, "modified": "{{Contact.Field(C_DateModified)}}", "updated": "{{Contact.UpdatedAt}}"}
    items = api.bulk("GET", run(api, fields=fields, areSystemTimestampsInUTC=in_utc, maxRecords=2)).json()["items"]
    assert [item["at"] for item in items] == [winter, summer]
    for item in items:
        assert item["modified"] == item["updated"] != ""


def test_times_of_the_system_always_have_three_decimals(api: Api, store: CompanyStore) -> None:
    """A client reads them with a fraction that must be there; dates that people fill have one if it is not zero."""
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE contact SET created_at = 1610712000000000, updated_at = 1610712000120000")
    fields = {
        "made": "{{Contact.CreatedAt}}",
        "madeField": "{{Contact.Field(C_DateCreated)}}",
        "changed": "{{Contact.UpdatedAt}}",
        "changedField": "{{Contact.Field(C_DateModified)}}",
        "crm": "{{Contact.Field(C_LastModifiedByExtIntegrateSystem)}}",
    }
    data = run(api, fields=fields, areSystemTimestampsInUTC=True, maxRecords=1)
    made, changed = "2021-01-15 12:00:00.000", "2021-01-15 12:00:00.120"
    answer = api.bulk("GET", data)
    assert answer.json() == page(
        [{"made": made, "madeField": made, "changed": changed, "changedField": changed, "crm": ""}]
    )
    assert api.bulk("GET", data, headers={"accept": "text/csv"}).text == (
        f"made,madeField,changed,changedField,crm\r\n{made},{made},{changed},{changed},\r\n"
    )


def test_accounts_are_empty_until_there_are_any(api: Api) -> None:
    """tap-eloqua selects a field of theirs unless it is told not to."""
    company, number = "{{Contact.Account.Field(M_CompanyName)}}", "{{contact.account.id}}"
    fields = {"Id": "{{Contact.Id}}", "AccountName": company, "again": company, "AccountId": number}
    changes = {"fields": fields, "filter": f"'{company}' = '' AND '{{{{Contact.Id}}}}' < '3'"}
    answer = api.bulk("POST", PATH, json=body(**changes))
    assert (answer.status_code, timeless(answer.json())) == (201, echo(1, **changes))
    assert api.sync(f"{PATH}/1")["status"] == "success"
    records = [{"Id": number, "AccountName": "", "again": "", "AccountId": ""} for number in "12"]
    assert api.bulk("GET", "/syncs/1/data").json() == page(records)
    assert [timeless(entry) for entry in api.log("/syncs/1")] == [
        line("ELQ-00102", "information", 2, "Successfully exported members to csv file."),
        line("ELQ-00131", "information", 0, "Internal staging removed."),
        line("ELQ-00106", "information", 0, "The exported data is ready to be read (1 kB)."),
        line("ELQ-00121", "information", 2, f"No contact has an account yet, so these are empty: {company}, {number}."),
        line("ELQ-00101", "information", 0, "Sync processed for sync , resulting in Success status."),
    ]


def test_sync_actions_reach_the_exported_contacts(api: Api, store: CompanyStore) -> None:
    list_id = api.new_list()
    sync = api.sync(define(api, maxRecords=2, syncActions=[add_to_list(list_id), UNSUBSCRIBE]))
    assert members(store, f"contactList/{list_id}") == [1, 2]
    assert members(store, "globalUnsubscribed") == [1, 2]
    assert [timeless(e) for e in api.log(sync["uri"])][3:5] == [
        line("ELQ-00119", "information", 2, f"Contacts put on contact list {list_id} (2 newly)."),
        line("ELQ-00017", "information", 2, "Contacts globally unsubscribed (2 newly)."),
    ]


def test_an_export_of_nobody(server: RunningServer) -> None:
    api, _ = server.new_company("nobody-to-export")
    data = run(api)
    assert api.bulk("GET", data).json() == page([])
    assert api.bulk("GET", data, headers={"accept": "text/csv"}).text == "Email,First name\r\n"


def test_each_sync_has_a_snapshot_of_its_own(api: Api) -> None:
    uri = define(api, maxRecords=1)
    first = api.sync(uri)["uri"]
    api.rest("PUT", "/data/contact/1", json={"firstName": "Jo"}).raise_for_status()
    second = api.sync(uri)["uri"]
    old, new = [record(1)], [record(1) | {"First name": "Jo"}]
    for path, items in ((first, old), (second, new), (uri, new)):
        assert api.bulk("GET", f"{path}/data").json()["items"] == items
    assert api.bulk("DELETE", uri).status_code == 204
    assert api.bulk("GET", f"{first}/data").json()["items"] == old
    assert api.bulk("GET", f"{uri}/data").status_code == 410
    assert api.bulk("DELETE", first).status_code == 204
    assert api.bulk("GET", f"{first}/data").status_code == 410


GONE = {
    "status": 410,
    "error": "Gone",
    "message": "The data of sync 1 was deleted or has expired.",
    "advice": "Sync the export again.",
}


@pytest.mark.parametrize("of_definition", [False, True])
def test_deleted_data_is_gone_and_its_sync_stays(api: Api, store: CompanyStore, of_definition: bool) -> None:
    uri = define(api)
    data = f"{api.sync(uri)['uri']}/data"
    assert len(list(store.exports.root.iterdir())) == 1
    for _ in range(2):
        answer = api.bulk("DELETE", f"{uri}/data" if of_definition else data)
        assert (answer.status_code, answer.content) == (204, b"")
    assert list(store.exports.root.iterdir()) == []
    for path in (data, f"{uri}/data"):
        answer = api.bulk("GET", path)
        assert (answer.status_code, answer.json()) == (410, GONE)
    assert api.bulk("GET", "/syncs/1").json()["status"] == "success"
    assert "kbUsed" not in api.bulk("GET", uri).json()


def test_only_who_started_a_sync_reads_its_data(server: RunningServer, api: Api, store: CompanyStore) -> None:
    accounts.set_user(server.stores, store.company, "bob", "secret", Role.ADMIN, system_clock())
    bob = server.api(f"{store.company.name}\\bob:secret")
    uri = define(api)
    data = f"{api.sync(uri)['uri']}/data"
    for method, path in (("GET", data), ("GET", f"{uri}/data"), ("DELETE", data)):
        answer = bob.bulk(method, path)
        assert (answer.status_code, answer.json()["error"]) == (403, "Forbidden")
        assert "ann" in answer.json()["message"]
    assert bob.bulk("DELETE", f"{uri}/data").status_code == 204
    assert api.bulk("GET", data).json()["count"] == 100
    own = f"{bob.sync(uri)['uri']}/data"
    assert bob.bulk("GET", own).json()["count"] == 100
    assert api.bulk("GET", own).status_code == 403


def test_data_is_empty_until_the_sync_has_ended(api: Api, paused_worker: Any) -> None:
    uri = define(api)
    sync = api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri}).json()["uri"]
    for path in (f"{sync}/data", f"{uri}/data"):
        assert api.bulk("GET", path).json() == page([])
        assert api.bulk("GET", path, headers={"accept": "text/csv"}).text == ""
    assert api.bulk("PUT", uri, json=body()).status_code == 409
    paused_worker.resume()
    api.wait(sync)
    assert api.bulk("GET", f"{sync}/data").json()["count"] == 100


def test_a_list_whose_membership_is_exported_cannot_be_deleted(api: Api) -> None:
    list_id = api.new_list()
    uri = define(api, fields={"x": "{{ContactList[%d]}}" % list_id})
    answer = api.rest("DELETE", f"/assets/contact/list/{list_id}")
    message = f"The contact list {list_id} cannot be deleted while definitions name it: {uri}."
    assert (answer.status_code, answer.json()["message"]) == (412, message)
    assert api.bulk("DELETE", uri).status_code == 204
    assert api.rest("DELETE", f"/assets/contact/list/{list_id}").status_code == 200


def test_exports_take_no_uploads(api: Api) -> None:
    assert api.upload(define(api), []).status_code in (404, 405)


def test_pages_across_the_batches_of_a_file(server: RunningServer) -> None:
    api, _ = server.new_company("many-to-export", contacts=20_000)
    data = run(api)
    for offset, limit in ((0, 50_000), (8191, 1), (8192, 1), (8190, 5), (8000, 9000), (16_383, 2), (19_999, 50_000)):
        answer = api.bulk("GET", f"{data}?limit={limit}&offset={offset}").json()
        last = min(offset + limit, 20_000)
        assert answer["items"] == [record(number) for number in range(offset + 1, last + 1)]
        assert (answer["count"], answer["hasMore"]) == (last - offset, last < 20_000)
        text = api.bulk("GET", f"{data}?limit={limit}&offset={offset}", headers={"accept": "text/csv"}).text
        assert list(csv.DictReader(io.StringIO(text))) == answer["items"]
