"""A company that has some of everything, and all that can be seen of one: by the wire, and by its rows and files."""

from __future__ import annotations

import random
from typing import Any

from msgspec import Struct
from sqlalchemy import select

from staithe.services.stores import CompanyStore
from staithe.storage.backup import tables_of
from tests.support.api import UNSUBSCRIBE, Api, add_to_list
from tests.support.imports import define_import
from tests.wire.test_round_trip import DATES, NUMBERS, OWN_FIELDS, TEXTS
from tests.wire.test_segments import criterion, filter_element

CONTACTS = 300
OWN_TEXT = "{{Contact.Field(C_Own_text1)}}"
FIELDS = {
    "email": "{{Contact.Field(C_EmailAddress)}}",
    "first": "{{Contact.Field(C_FirstName)}}",
    "text": OWN_TEXT,
    "number": "{{Contact.Field(C_Own_number1)}}",
    "date": "{{Contact.Field(C_Own_date1)}}",
}
CONTAINERS = (
    "/contacts/imports",
    "/contacts/exports",
    "/contacts/syncActions",
    "/contacts/fields",
    "/contacts/lists",
    "/contacts/segments",
    "/contacts/filters",
    "/emailGroups",
    "/syncs",
)
TOTALS = ("/imports", "/exports", "/syncActions", "/imports/data", "/exports/data", "/imports/priorities")
REST_SEARCHES = (
    "/data/contacts",
    "/assets/contact/lists",
    "/assets/contact/fields",
    "/assets/contact/segments",
    "/assets/contact/filters",
    "/assets/email/groups",
)
APP_INSTANCE = "/api/cloud/1.0/actions/instances/7b95fe48-6598-43e8-8fd1-dcb40cf83ef6"
SINGLE = (
    "/data/contact/7",
    "/data/contact/9999",
    "/assets/contact/list/2",
    "/assets/contact/list/99",
    "/data/contacts/list/1?search=id>5",
    "/data/contacts/segment/1",
    "/assets/contact/segments/recent",
    "/data/contact/7/email/groups/subscription",
)
OF_A_SYNC = ("logs", "rejects", "data")


STRIDE = 7
"""Each seventh contact, field and so on is read alone as well."""


class Waiting(Struct, frozen=True):
    """The definitions that have an upload waiting for a sync."""

    sync_actions: str
    imports: str


def fill(api: Api) -> Waiting:
    """Give a company some of everything: contacts with odd values, and all that names them."""
    for name, data_type in OWN_FIELDS.items():
        field = {"name": name, "dataType": data_type, "displayType": "text"}
        api.rest("POST", "/assets/contact/field", json=field).raise_for_status()
    import_contacts(api)
    list_id, group_id = api.new_list("kept"), api.new_group()
    deleted = api.new_list("deleted")
    api.rest("DELETE", f"/assets/contact/list/{deleted}").raise_for_status()
    make_segments(api, list_id)
    joins = api.define(add_to_list(list_id), group_action(group_id))
    api.upload(joins, [{"Id": number} for number in range(1, 400)], **{"idempotency-key": "first"})
    assert api.sync(joins)["status"] == "warning"
    export(api, list_id)
    # Its states stay: unsubscribed by the export, subscribed to the group.
    api.rest("DELETE", "/data/contact/7").raise_for_status()
    api.upload(joins, [{"Id": number} for number in range(250, 320)], **{"idempotency-key": "second"})
    imports = define_import(api, name="waiting", fields=FIELDS, identifierFieldName="email")
    api.upload(imports, [{"email": f"new{n}@x.yz", "first": "N", "number": "1", "date": ""} for n in range(50)])
    csv = "email,first,text\nOdd.1@Example.com,changed,\nno address,x,y\n"
    api.upload(imports, csv.encode(), **{"content-type": "text/csv"})
    api.call("PUT", APP_INSTANCE, json={"recordDefinition": FIELDS, "requiresConfiguration": False}).raise_for_status()
    return Waiting(sync_actions=joins, imports=imports)


def import_contacts(api: Api) -> None:
    """Contacts with odd values in every field; then some of them once more, matched by a field of the company's own."""
    chance = random.Random(1)
    records = [
        {
            "email": f"Odd.{n}@Example.com",
            "first": chance.choice(TEXTS),
            "text": f"Key {n}",
            "number": chance.choice(NUMBERS),
            "date": chance.choice(DATES),
        }
        for n in range(1, CONTACTS + 1)
    ]
    imports = define_import(api, name="odd", fields=FIELDS, identifierFieldName="email")
    api.upload(imports, [*records, {"email": "none"}, {"email": ""}, {"email": "odd.1@example.com", "first": "again"}])
    assert api.sync(imports)["status"] == "warning"
    matched = define_import(api, name="matched", fields=FIELDS, identifierFieldName="text")
    api.upload(matched, [{"text": f"key {n}", "first": f"Matched {n}"} for n in range(10, 20)] + [{"text": "key 999"}])
    assert api.sync(matched)["status"] == "warning"


def make_segments(api: Api, list_id: int) -> None:
    """A segment of a list and of criteria, and a shared filter."""
    element = {"type": "ContactListSegmentElement", "list": {"type": "ContactList", "id": str(list_id)}}
    body = {"name": "segment", "elements": [element, filter_element(criterion(100002, "startsWith", "Matched"))]}
    api.rest("POST", "/assets/contact/segment", json=body).raise_for_status()
    body = {"name": "shared", "criteria": [criterion(100001, "equal", "odd.3@example.com")], "statement": "1"}
    api.rest("POST", "/assets/contact/filter", json=body).raise_for_status()


def group_action(group_id: int) -> dict[str, str]:
    """The sync action that subscribes to a group."""
    return {"action": "setStatus", "destination": "{{EmailGroup[%d]}}" % group_id, "status": "subscribed"}


def export(api: Api, list_id: int) -> None:
    """Exported data that is kept, with a sync action; and an export whose data was deleted."""
    body = {"name": "all", "fields": FIELDS | {"listed": "{{ContactList[%d]}}" % list_id}, "syncActions": [UNSUBSCRIBE]}
    uri = api.bulk("POST", "/contacts/exports", json=body).raise_for_status().json()["uri"]
    assert api.sync(uri)["status"] == "success"
    body = {"name": "few", "fields": FIELDS, "filter": f"EXISTS('{{{{ContactList[{list_id}]}}}}')", "maxRecords": 9}
    uri = api.bulk("POST", "/contacts/exports", json=body).raise_for_status().json()["uri"]
    api.bulk("DELETE", f"{api.sync(uri)['uri']}/data").raise_for_status()


def everything(api: Api) -> dict[str, tuple[int, Any]]:
    """Path -> (status, body) of all that can be read of a company; users by names, as a restore numbers them anew."""
    seen: dict[str, tuple[int, Any]] = {}
    for path in CONTAINERS:
        for uri in [item["uri"] for item in read(api, seen, "/api/bulk/2.0" + path)["items"]]:
            read(api, seen, "/api/bulk/2.0" + uri)
            for part in OF_A_SYNC if path == "/syncs" else ():
                read(api, seen, f"/api/bulk/2.0{uri}/{part}?limit=1000")
            if path == "/contacts/exports":
                read(api, seen, f"/api/bulk/2.0{uri}/data?limit=100&offset=50", accept="text/csv")
    for path in TOTALS:
        read(api, seen, "/api/bulk/2.0" + path)
    for path in REST_SEARCHES:
        found = read(api, seen, f"/api/REST/1.0{path}?depth=complete&count=1000")
        one = "/api/REST/1.0" + path[:-1]
        for element in found["elements"][::STRIDE]:
            read(api, seen, f"{one}/{element['id']}")
            if path == "/data/contacts":
                read(api, seen, f"{one}/{element['id']}/membership")
    for path in SINGLE:
        read(api, seen, "/api/REST/2.0" + path)
    read(api, seen, APP_INSTANCE)
    names = {user["id"]: user["name"] for user in api.rest("GET", "/system/users").json()["elements"]}
    return {path: (status, with_names(body, names)) for path, (status, body) in seen.items()}


def with_names(body: Any, names: dict[str, str]) -> Any:
    """A body with the names of users in place of their ids."""
    if isinstance(body, list):
        return [with_names(item, names) for item in body]
    if not isinstance(body, dict):
        return body
    return {
        key: names.get(value, value) if key in ("createdBy", "updatedBy") else with_names(value, names)
        for key, value in body.items()
    }


def read(api: Api, seen: dict[str, tuple[int, Any]], path: str, accept: str = "application/json") -> Any:
    answer = api.call("GET", path, headers={"accept": accept})
    is_json = answer.headers.get("content-type", "").startswith("application/json")
    seen[path] = (answer.status_code, answer.json() if is_json else answer.text)
    return seen[path][1]


FORGOTTEN = ("lease_owner", "lease_until", "called_back_at")
"""What a restore does not keep of a sync."""


def rows_of(store: CompanyStore) -> dict[str, list[dict[str, Any]]]:
    """Table -> its rows by their key, but for leases and callbacks."""
    with store.database.read() as connection:
        return {
            table.name: [
                {str(name): value for name, value in row.items() if name not in FORGOTTEN}
                for row in connection.execute(select(table).order_by(*table.primary_key.columns)).mappings()
            ]
            for table in tables_of(connection)
        }


def files_of(store: CompanyStore) -> dict[str, bytes]:
    """Folder and name -> the bytes of each file."""
    return {
        f"{folder.value}/{path.name}": path.read_bytes()
        for folder, files in store.folders.items()
        for path in sorted(files.root.iterdir())
    }
