"""Everything that is exported can be imported into an empty company, and is then exported alike, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import json
import random

import pytest

from tests.support.api import Api, add_to_list
from tests.support.server import RunningServer

CONTACTS = 300
OWN_FIELDS = {"Own text": "largeText", "Own number": "numeric", "Own date": "date"}
TEXTS = ["", "plain", "Ünïcödé 日本 🙂 \u202e", "a,b;c\td", 'quo"te', "two\nlines", "a\r\nb", " blanks ", "null",
         "NULL", "0", "'", "\\", "=1+1", "{{x}}", "x" * 100, "a\u2028b", "\u200b!", "\x01\x7f", "<x>"]  # fmt: skip
NUMBERS = ["", "0", "-0.5", "12", "123456789012345", "0.0000001", "3.14"]
DATES = ["", "1899-12-31", "0001-01-01", "9999-12-31 23:59:59", "2021-07-04 13:05:09.123", "1970-01-01"]
TIMES = ["", "1850-01-01 00:00:00", "2021-03-14 03:30:00", "2021-07-04 13:05:09.123", "2050-07-01 00:00:00"]


def statements(api: Api) -> dict[str, str]:
    """Every field that can be written, by its name."""
    found = api.bulk("GET", "/contacts/fields").json()["items"]
    return {f["internalName"]: f["statement"] for f in found if not f["hasReadOnlyConstraint"]}


def prepare(api: Api) -> tuple[int, int]:
    """The own fields, a list and a group: alike in both companies."""
    for name, data_type in OWN_FIELDS.items():
        field = {"name": name, "dataType": data_type, "displayType": "text"}
        api.rest("POST", "/assets/contact/field", json=field).raise_for_status()
    return api.new_list(), api.new_group()


def fill(api: Api, list_id: int, group_id: int) -> list[dict[str, str]]:
    """Make contacts with odd values in every field, some of them on the list or in the group; gives their texts."""
    chance, fields = random.Random(1), statements(api)
    large = [*TEXTS, "x" * 32_000]
    types = {
        "C_Own_text1": large,
        "C_Own_number1": NUMBERS,
        "C_Own_date1": DATES,
        "C_LastModifiedByExtIntegrateSystem": TIMES,
    }
    records = [
        {name: chance.choice(types.get(name, TEXTS)) for name in fields} | {"C_EmailAddress": f"Näme.{n}@Example.com"}
        for n in range(CONTACTS)
    ]
    body = {"name": "fill", "fields": fields, "identifierFieldName": "C_EmailAddress"}
    uri = api.bulk("POST", "/contacts/imports", json=body).raise_for_status().json()["uri"]
    assert api.upload(uri, records).status_code == 204
    assert api.sync(uri)["status"] == "success"
    mark(api, range(1, 100), add_to_list(list_id))
    mark(api, range(50, 150), group_action(group_id, "subscribed"))
    mark(api, range(140, 200), group_action(group_id, "unsubscribed"))
    return [{n: text for n, text in record.items() if types.get(n, large) is large} for record in records]


def group_action(group_id: int, status: str) -> dict[str, str]:
    return {"action": "setStatus", "destination": "{{EmailGroup[%d]}}" % group_id, "status": status}


def mark(api: Api, ids: range, action: dict[str, str]) -> None:
    uri = api.define(action)
    api.upload(uri, [{"Id": number} for number in ids])
    assert api.sync(uri)["status"] == "success"


def export(api: Api, list_id: int, group_id: int, accept: str) -> str:
    """The data of all contacts as a body."""
    fields = statements(api) | {
        "list": "{{ContactList[%d]}}" % list_id,
        "group": "{{EmailGroup[%d]}}" % group_id,
        "id": "{{Contact.Id}}",
        "name": "{{Contact.Field(C_FirstAndLastName)}}",
    }
    body = {"name": "all", "fields": fields}
    uri = api.bulk("POST", "/contacts/exports", json=body).raise_for_status().json()["uri"]
    data = f"{api.sync(uri)['uri']}/data?limit=50000"
    return api.bulk("GET", data, headers={"accept": accept}).content.decode()


def as_records(text: str, accept: str) -> list[dict[str, str]]:
    """The contacts of a page."""
    if accept == "text/csv":
        return list(csv.DictReader(io.StringIO(text, newline="")))
    return list(json.loads(text)["items"])


def to_upload(text: str, accept: str) -> bytes:
    """A page as an upload: CSV as it is, of JSON the array that it holds."""
    return (text if accept == "text/csv" else text[text.index("[") : text.rindex("]") + 1]).encode()


def restore(api: Api, list_id: int, group_id: int, text: str, accept: str) -> None:
    """Import a page, and with sync actions the memberships that it shows."""
    body = {"fields": statements(api), "identifierFieldName": "C_EmailAddress"}
    uri = api.bulk("POST", "/contacts/imports", json=body | {"name": "all"}).raise_for_status().json()["uri"]
    assert api.upload(uri, to_upload(text, accept), **{"content-type": accept}).status_code == 204
    sync = api.sync(uri)
    assert api.rejects(sync["uri"]) == []
    assert {line["statusCode"]: line["count"] for line in api.log(sync["uri"])}["ELQ-00004"] == CONTACTS
    for column, value, action in (
        ("list", "True", add_to_list(list_id)),
        ("group", "subscribed", group_action(group_id, "subscribed")),
        ("group", "unsubscribed", group_action(group_id, "unsubscribed")),
    ):
        sent = [{"C_EmailAddress": r["C_EmailAddress"]} for r in as_records(text, accept) if r[column] == value]
        assert sent, f"no contact has {value} as its {column}: the test tests nothing"
        definition = body | {"name": value, "syncActions": [action]}
        uri = api.bulk("POST", "/contacts/imports", json=definition).raise_for_status().json()["uri"]
        assert api.upload(uri, sent).status_code == 204
        assert api.sync(uri)["status"] == "success"


@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
def test_what_is_exported_can_be_imported(server: RunningServer, accept: str) -> None:
    kind = accept.partition("/")[2]
    source, _ = server.new_company(f"source-of-{kind}")
    target, _ = server.new_company(f"target-of-{kind}")
    ids = prepare(source)
    assert prepare(target) == ids
    texts = fill(source, *ids)
    exported = export(source, *ids, accept)
    assert [{n: r[n] for n in texts[0]} for r in as_records(exported, accept)] == texts
    restore(target, *ids, exported, accept)
    assert export(target, *ids, accept) == exported
