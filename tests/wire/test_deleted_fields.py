"""Contact fields that a company deletes: what keeps them, what goes with them, and who uses them meanwhile."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from staithe.services.stores import CompanyStore
from staithe.storage import dialect
from tests.support.api import Api
from tests.support.rest import wrong_parameter

FIELD = "/assets/contact/field"
EMAIL = "{{Contact.Field(C_EmailAddress)}}"
NAME = {"name": "x"}
COLOR = "{{Contact.Field(C_Color1)}}"
LOWER = "{{contact.field(c_color1)}}"
CONDITION = {"type": "TextValueCondition", "operator": "equal", "value": "red"}
CRITERIA = [{"type": "ContactFieldCriterion", "id": "1", "condition": CONDITION, "fieldId": "100313"}]


def new_field(api: Api, name: str = "Color", data_type: str = "text") -> int:
    sent = {"name": name, "dataType": data_type, "displayType": "text"}
    return int(api.rest("POST", FIELD, json=sent).raise_for_status().json()["id"])


def columns_of(store: CompanyStore) -> set[str]:
    with store.database.read() as connection:
        return set(connection.exec_driver_sql("SELECT * FROM contact WHERE false").keys())


def test_a_deleted_field_is_gone_with_its_values_its_column_and_its_index(api: Api, store: CompanyStore) -> None:
    new_field(api)
    fields = {"Color": COLOR, "Email": EMAIL}
    definition = {"name": "by color", "fields": fields, "identifierFieldName": "Color", "importRule": "updateOnly"}
    uri = api.bulk("POST", "/contacts/imports", json=definition).raise_for_status().json()["uri"]
    api.rest("PUT", "/data/contact/5", json={"fieldValues": [{"id": "100313", "value": "red"}]}).raise_for_status()
    api.upload(uri, [{"Color": "RED", "Email": "five@example.com"}])
    assert api.sync(uri)["status"] == "success"
    with store.database.read() as connection:
        assert dialect.of(connection).match_index_columns(connection) == ["c_color1"]
    assert api.bulk("DELETE", uri).status_code == 204
    before = columns_of(store)
    answer = api.rest("DELETE", f"{FIELD}/100313")
    assert (answer.status_code, answer.content) == (200, b"")
    assert "content-type" not in answer.headers
    assert before - columns_of(store) == {"c_color1"}
    with store.database.read() as connection:
        assert dialect.of(connection).match_index_columns(connection) == []
    gone = {"status": 410, "error": "Gone", "message": "The contact field 100313 was deleted."}
    answers = [api.rest(method, f"{FIELD}/100313", json={"name": "x"}) for method in ("GET", "PUT", "DELETE")]
    for answer in (*answers, api.bulk("GET", "/contacts/fields/100313")):
        assert (answer.status_code, answer.json()) == (410, gone)
    contact = api.rest("GET", "/data/contact/5").json()
    assert contact["emailAddress"] == "five@example.com"
    assert "100313" not in {value["id"] for value in contact["fieldValues"]}
    assert api.bulk("GET", "/contacts/fields").json()["totalResults"] == 49
    answer = api.rest("GET", "/data/contacts", params={"search": "C_Color1='red'"})
    assert (answer.status_code, answer.json()) == (400, [wrong_parameter("search", "Enum", "C_Color1='red'")])


def test_the_next_field_has_another_id_and_none_of_the_values(api: Api) -> None:
    new_field(api)
    api.rest("PUT", "/data/contact/5", json={"fieldValues": [{"id": "100313", "value": "red"}]}).raise_for_status()
    assert api.rest("DELETE", f"{FIELD}/100313").status_code == 200
    assert new_field(api, "Color", "numeric") == 100314
    assert api.rest("GET", f"{FIELD}/100314").json()["internalName"] == "C_Color1"
    assert api.rest("GET", "/data/contacts", params={"search": "C_Color1>-1000000"}).json()["total"] == 0
    api.rest("PUT", "/data/contact/6", json={"fieldValues": [{"id": "100314", "value": "7.5"}]}).raise_for_status()
    found = api.rest("GET", "/data/contacts", params={"search": "C_Color1>7"}).json()
    assert [element["id"] for element in found["elements"]] == ["6"]
    assert api.rest("GET", f"{FIELD}/100313").status_code == 410


@pytest.mark.parametrize(
    ("uri", "sent"),
    [
        ("/contacts/imports", {"fields": {"E": EMAIL, "C": LOWER}, "identifierFieldName": "E"}),
        ("/contacts/exports", {"fields": {"C": COLOR}}),
        ("/contacts/exports", {"fields": {"E": EMAIL}, "filter": f"NOT ('{EMAIL}' = 'x' OR '{LOWER}' IN ('red'))"}),
        ("/contacts/filters", {"criteria": CRITERIA}),
        (
            "/contacts/segments",
            {"elements": [{"type": "ContactFilterSegmentElement", "filter": {"criteria": CRITERIA}}]},
        ),
    ],
)
def test_what_names_a_field_keeps_it(api: Api, uri: str, sent: dict[str, Any]) -> None:
    new_field(api)
    new_field(api, "Color 1")
    kind = uri.rpartition("/")[2].removesuffix("s")
    is_asset = kind in ("filter", "segment")
    path = f"/assets/contact/{kind}"
    made = api.rest("POST", path, json={"name": "x", **sent}) if is_asset else api.bulk("POST", uri, json=sent | NAME)
    assert made.status_code == 201, made.text
    answer = api.rest("DELETE", f"{FIELD}/100313")
    assert (answer.status_code, answer.json()) == (
        412,
        {
            "status": 412,
            "error": "Precondition Failed",
            "message": f"The contact field 100313 cannot be deleted while these name it: {uri}/1.",
            "advice": "Delete them first, or replace them.",
        },
    )
    assert api.rest("GET", f"{FIELD}/100313").status_code == 200
    # Its name stands in no other, although that begins alike.
    assert api.rest("DELETE", f"{FIELD}/100314").status_code == 200
    deleted = api.rest("DELETE", f"{path}/1") if is_asset else api.bulk("DELETE", f"{uri}/1")
    assert deleted.is_success
    assert api.rest("DELETE", f"{FIELD}/100313").status_code == 200


def test_of_very_many_that_name_a_field_ten_are_told(api: Api) -> None:
    new_field(api)
    for _ in range(11):
        api.bulk("POST", "/contacts/exports", json={"name": "x", "fields": {"C": COLOR}}).raise_for_status()
    named = ", ".join(f"/contacts/exports/{number}" for number in range(1, 11))
    message = f"The contact field 100313 cannot be deleted while these name it: {named}, ...."
    assert api.rest("DELETE", f"{FIELD}/100313").json()["message"] == message


def test_built_in_fields_stay_readers_delete_nothing_and_what_never_was_is_not_found(api: Api, reader: Api) -> None:
    new_field(api)
    answer = api.rest("DELETE", f"{FIELD}/100002")
    message, advice = "The contact field 100002 is built in.", "Only fields that you made can be deleted."
    expected = {"status": 403, "error": "Forbidden", "message": message, "advice": advice}
    assert (answer.status_code, answer.json()) == (403, expected)
    assert reader.rest("DELETE", f"{FIELD}/100313").status_code == 403
    for number in (99, 100_312, 100_314):
        assert api.rest("DELETE", f"{FIELD}/{number}").status_code == 404
    assert api.rest("GET", f"{FIELD}/100313").status_code == 200


def test_when_postgresql_counts_too_many_deleted_columns_it_is_said(
    api: Api, store: CompanyStore, database_kind: str
) -> None:
    if database_kind == "postgresql":
        names = [f"deleted{number}" for number in range(1600 - len(columns_of(store)))]
        with store.database.write() as connection:
            for verb, end in (("ADD", " int"), ("DROP", "")):
                parts = (f"{verb} COLUMN {name}{end}" for name in names)
                connection.exec_driver_sql(f"ALTER TABLE contact {', '.join(parts)}")
    answer = api.rest("POST", FIELD, json={"name": "Color"})
    if database_kind == "sqlite":
        assert answer.status_code == 201
        return
    message = "The company has made and deleted as many contact fields as PostgreSQL's table of contacts can count."
    advice = "Back the company up and restore it: what was deleted is not counted any more then."
    expected = {"status": 409, "error": "Conflict", "message": message, "advice": advice}
    assert (answer.status_code, answer.json()) == (409, expected)
    assert api.bulk("GET", "/contacts/fields").json()["totalResults"] == 49
    assert api.rest("GET", "/data/contact/5").status_code == 200


def test_fields_are_deleted_while_contacts_are_read_written_and_synced(api: Api) -> None:
    """Whoever meets a field that is just deleted is asked to come again, and everybody else notices nothing."""
    definition = {"name": "x", "fields": {"E": EMAIL, "First": "{{Contact.Field(C_FirstName)}}"}}
    uri = api.bulk("POST", "/contacts/imports", json=definition | {"identifierFieldName": "E"}).json()["uri"]
    done = threading.Event()
    statuses: set[int] = set()

    def read() -> None:
        while not done.is_set():
            for path in ("/data/contact/5", "/data/contacts?count=20&depth=complete", "/data/contacts?orderBy=C_City"):
                statuses.add(api.rest("GET", path).status_code)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(3):
            number = new_field(api)
            api.upload(uri, [{"E": "contact-5@example.com", "First": str(number)}])
            sync = api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri}).json()["uri"]
            value = {"fieldValues": [{"id": str(number), "value": "red"}]}
            assert api.rest("PUT", "/data/contact/5", json=value).status_code == 200
            assert api.rest("DELETE", f"{FIELD}/{number}").status_code == 200
            assert api.wait(sync)["status"] == "success"
            assert api.rest("GET", "/data/contact/5").json()["firstName"] == str(number)
    finally:
        done.set()
        reader.join()
    assert 200 in statuses
    assert statuses <= {200, 503}
