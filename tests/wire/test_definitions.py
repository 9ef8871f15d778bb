"""Definitions of sync actions: every operation on them, whole bodies."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api import UNSUBSCRIBE, Api, add_to_list
from tests.support.times import timeless

PATH = "/contacts/syncActions"
ALLOWED = "{{Contact.Id}} or {{Contact.Field(C_EmailAddress)}} or {{Contact.Field(ContactIDExt)}}"


def body(**changes: Any) -> dict[str, Any]:
    whole = {
        "name": "Spring fair",
        "fields": {"mail": "{{Contact.Field(C_EmailAddress)}}"},
        "identifierFieldName": "mail",
        "syncActions": [UNSUBSCRIBE],
        "isSyncTriggeredOnImport": False,
    } | changes
    return {name: value for name, value in whole.items() if value is not None}


def echo(number: int, **changes: Any) -> dict[str, Any]:
    audit = {"createdBy": "ann", "createdAt": "TIME", "updatedBy": "ann", "updatedAt": "TIME"}
    return body(**changes) | {"uri": f"{PATH}/{number}"} | audit


def test_create_echoes_the_definition_with_its_keys_in_order(api: Api) -> None:
    number = api.new_list("fair")
    actions = [
        add_to_list(number),
        {"action": "setStatus", "destination": "{{globalsubscribe}}", "status": "unsubscribed"},
    ]
    answer = api.bulk("POST", PATH, json=body(syncActions=actions))
    assert answer.status_code == 201
    assert timeless(answer.json()) == echo(1, syncActions=actions)
    assert list(answer.json()) == list(echo(1))
    assert answer.json()["createdAt"] == answer.json()["updatedAt"]
    assert api.bulk("GET", f"{PATH}/1").json() == answer.json()


def test_replace_keeps_uri_and_creation(api: Api) -> None:
    created = api.bulk("POST", PATH, json=body()).json()
    answer = api.bulk("PUT", f"{PATH}/1", json=body(name="Autumn", isSyncTriggeredOnImport=True))
    assert answer.status_code == 200
    assert timeless(answer.json()) == echo(1, name="Autumn", isSyncTriggeredOnImport=True)
    assert answer.json()["createdAt"] == created["createdAt"]
    assert answer.json()["updatedAt"] > created["updatedAt"]
    assert api.bulk("GET", f"{PATH}/1").json() == answer.json()


def test_delete_makes_it_gone(api: Api) -> None:
    api.bulk("POST", PATH, json=body())
    answer = api.bulk("DELETE", f"{PATH}/1")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers
    assert "content-length" not in answer.headers
    gone = {
        "status": 410,
        "error": "Gone",
        "message": "The sync action definition 1 of contacts was deleted or has expired.",
        "advice": "Create a new definition.",
    }
    for method, path in (
        ("GET", ""),
        ("PUT", ""),
        ("DELETE", ""),
        ("POST", "/data"),
        ("DELETE", "/data"),
    ):
        answer = api.bulk(method, f"{PATH}/1{path}", json=body() if method == "PUT" else [])
        assert (answer.status_code, answer.json()) == (410, gone)


def test_list_of_an_element_and_of_all(api: Api) -> None:
    for name in ("b", "a", "A test c"):
        api.bulk("POST", PATH, json=body(name=name))
    items = [echo(1, name="b"), echo(2, name="a"), echo(3, name="A test c")]
    envelope = {"totalResults": 3, "limit": 1000, "offset": 0, "count": 3, "hasMore": False}
    for path in (PATH, "/syncActions"):
        answer = api.bulk("GET", path)
        assert answer.status_code == 200
        assert timeless(answer.json()) == {"items": items} | envelope
        assert list(answer.json()) == ["items", *envelope]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=name=b*", ["bb", "B1"]),
        ('q="name=*B*"', ["ab", "bb", "B1"]),
        ("q=name='ab'", ["ab"]),
        ("q=name!=ab", ["bb", "B1", "z%_z"]),
        ("q=name=z%25_z", ["z%_z"]),
        ("q=name=z__z", []),
        ("q=createdAt<2020-01-01", []),
        ("q=createdAt>=2020-01-01T00:00:00Z", ["ab", "bb", "B1", "z%_z"]),
        ("q=createdBy=ANN", ["ab", "bb", "B1", "z%_z"]),
        ("orderBy=name DESC", ["z%_z", "bb", "ab", "B1"]),
        ("orderBy=name", ["B1", "ab", "bb", "z%_z"]),
        ("limit=2", ["ab", "bb"]),
        ("limit=2&offset=1", ["bb", "B1"]),
        ("LIMIT=50000", ["ab", "bb", "B1", "z%_z"]),
        ("limit=0", ["ab"]),
        ("offset=10", []),
        ("orderBy=size", ["ab", "bb", "B1", "z%_z"]),
        ("orderBy=name sideways", ["ab", "bb", "B1", "z%_z"]),
        ("links=all&unknown=1", ["ab", "bb", "B1", "z%_z"]),
    ],
)
def test_paging_search_and_order(api: Api, query: str, names: list[str]) -> None:
    for name in ("ab", "bb", "B1", "z%_z"):
        api.bulk("POST", PATH, json=body(name=name))
    answer = api.bulk("GET", f"{PATH}?{query}")
    assert answer.status_code == 200, answer.text
    assert [item["name"] for item in answer.json()["items"]] == names


def test_has_more_with_and_without_a_total(api: Api) -> None:
    for name in "abc":
        api.bulk("POST", PATH, json=body(name=name))
    page = api.bulk("GET", f"{PATH}?limit=2&offset=1").json()
    del page["items"]
    assert page == {"totalResults": 3, "limit": 2, "offset": 1, "count": 2, "hasMore": False}
    page = api.bulk("GET", f"{PATH}?limit=2&totalResults=false").json()
    del page["items"]
    assert page == {"limit": 2, "offset": 0, "count": 2, "hasMore": True}


@pytest.mark.parametrize(
    ("query", "field", "value"),
    [
        ("q=size=3", "q", "size=3"),
        ("q=name", "q", "name"),
        ("q=createdAt<yesterday", "q", "createdAt<yesterday"),
        ("limit=many", "limit", "many"),
        ("offset=x", "offset", "x"),
    ],
)
def test_a_wrong_query_is_refused(api: Api, query: str, field: str, value: str) -> None:
    answer = api.bulk("GET", f"{PATH}?{query}")
    assert answer.status_code == 400
    (failure,) = answer.json()["failures"]
    assert (failure["field"], failure["value"]) == (field, value)
    assert failure["constraint"].startswith("Must ")


def test_names_may_be_left_out(api: Api) -> None:
    """A client on the command line sends none. Lists can be searched and ordered by names all the same."""
    for name in ("b", None, "a"):
        api.bulk("POST", PATH, json=body(name=name)).raise_for_status()
    nameless = echo(2, name=None)
    assert "name" not in nameless
    assert timeless(api.bulk("GET", f"{PATH}/2").json()) == nameless
    assert list(api.bulk("GET", f"{PATH}/2").json()) == list(nameless)
    assert timeless(api.bulk("GET", f"{PATH}?q=name=").json()["items"]) == [nameless]
    for query, numbers in (
        ("orderBy=name", [2, 3, 1]),
        ("orderBy=name DESC", [1, 3, 2]),
        ("q=name!=b", [2, 3]),
        ("q=name=*", [1, 3]),
        ("q=name>=a", [1, 3]),
    ):
        items = api.bulk("GET", f"{PATH}?{query}").json()["items"]
        assert [item["uri"] for item in items] == [f"{PATH}/{number}" for number in numbers], query
    assert timeless(api.bulk("PUT", f"{PATH}/1", json=body(name=None)).json()) == echo(1, name=None)
    assert timeless(api.bulk("PUT", f"{PATH}/2", json=body(name="c")).json()) == echo(2, name="c")


def test_when_a_definition_deletes_itself_is_echoed(api: Api) -> None:
    answer = api.bulk("POST", PATH, json=body(autoDeleteDuration="P2D"))
    assert (answer.status_code, timeless(answer.json())) == (201, echo(1, autoDeleteDuration="P2D"))
    assert list(answer.json()) == list(echo(1, autoDeleteDuration="P2D"))
    assert timeless(api.bulk("PUT", f"{PATH}/1", json=body()).json()) == echo(1)


WRONG = [
    ({"name": ""}, "name", "Must be a string value, at least 1 character and at most 100 characters long."),
    ({"name": "x" * 101}, "name", "Must be a string value, at least 1 character and at most 100 characters long."),
    ({"name": 7}, "name", "Must be a string value, at least 1 character and at most 100 characters long."),
    (
        {"identifierFieldName": None},
        "identifierFieldName",
        "Must be a string value, at least 1 character and at most 100 characters long.",
    ),
    ({"identifierFieldName": "id"}, "identifierFieldName", "Must be the name of the field in fields: mail."),
    ({"fields": None}, "fields", f"Must be an object of exactly one field, its statement {ALLOWED}."),
    ({"fields": ["mail"]}, "fields", f"Must be an object of exactly one field, its statement {ALLOWED}."),
    ({"fields": {}}, "fields", f"Must be an object of exactly one field, its statement {ALLOWED}."),
    (
        {"fields": {"mail": "{{Contact.Id}}", "b": "{{Contact.Id}}"}},
        "fields",
        f"Must be an object of exactly one field, its statement {ALLOWED}.",
    ),
    (
        {"fields": {"mail": "{{Contact.Field(C_City)}}"}},
        "fields",
        f"Must be {ALLOWED} in a definition of sync actions.",
    ),
    (
        {"fields": {"mail": "{{Contact.}}"}},
        "fields",
        f"Must be {ALLOWED} and must have a name at character 11 of {{{{Contact.}}}}.",
    ),
    ({"fields": {"mail": 1}}, "fields", f"Must be {ALLOWED}, as a text."),
    ({"syncActions": None}, "syncActions", "Must be a list of 1 to 10 sync actions."),
    ({"syncActions": []}, "syncActions", "Must be a list of 1 to 10 sync actions."),
    ({"syncActions": [UNSUBSCRIBE] * 11}, "syncActions", "Must be a list of 1 to 10 sync actions."),
    ({"syncActions": ["add"]}, "syncActions", "Must be an object with action and destination."),
    (
        {"syncActions": [{"action": "move", "destination": "{{ContactList[1]}}"}]},
        "syncActions",
        "Must have an action of add, remove or setStatus.",
    ),
    (
        {"syncActions": [{"action": "add", "destination": "{{ContactList[9]}}"}]},
        "syncActions",
        "Must name what exists: there is no contact list 9.",
    ),
    (
        {"syncActions": [{"action": "setStatus", "destination": "{{EmailGroup[9]}}", "status": "subscribed"}]},
        "syncActions",
        "Must name what exists: there is no email group 9.",
    ),
    (
        {"syncActions": [{"action": "setStatus", "destination": "{{GlobalSubscribe}}"}]},
        "syncActions",
        "Must have, for this destination, the action setStatus with status subscribed or setStatus with status "
        "unsubscribed.",
    ),
    (
        {"syncActions": [{"action": "remove", "destination": "{{GlobalSubscribe}}"}]},
        "syncActions",
        "Must have, for this destination, the action setStatus with status subscribed or setStatus with status "
        "unsubscribed.",
    ),
    ({"isSyncTriggeredOnImport": "perhaps"}, "isSyncTriggeredOnImport", "Must be true or false."),
    (
        {"autoDeleteDuration": "PT1M"},
        "autoDeleteDuration",
        "Must be an ISO 8601 duration such as P7D or PT12H, of at least PT1H.",
    ),
]


@pytest.mark.one_database("A wrong definition is refused before a database is asked.")
@pytest.mark.parametrize(("changes", "field", "constraint"), WRONG)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_wrong_definition_names_the_property(
    api: Api, method: str, changes: dict[str, Any], field: str, constraint: str
) -> None:
    path = PATH if method == "POST" else f"{PATH}/1"
    before = api.bulk("POST", PATH, json=body()).json()
    answer = api.bulk(method, path, json=body(**changes))
    assert answer.status_code == 400
    value = changes[field][0] if field == "syncActions" and len(changes[field] or []) == 1 else changes[field]
    expected = {"field": field, "value": value, "constraint": constraint}
    if value is None:
        del expected["value"]
    assert answer.json() == {"failures": [expected]}
    assert api.bulk("GET", PATH).json()["items"] == [before]


def test_all_wrong_properties_are_named_at_once(api: Api) -> None:
    answer = api.bulk("POST", PATH, json={})
    assert [failure["field"] for failure in answer.json()["failures"]] == [
        "identifierFieldName",
        "fields",
        "syncActions",
    ]


@pytest.mark.parametrize(
    ("content", "constraint"),
    [
        (b"", "Must be a JSON object: input data was truncated."),
        (b"[]", "Must be a JSON object."),
        (b'{"name":', "Must be a JSON object: input data was truncated."),
        (b'{"name":"\xff"}', "Must be a JSON object"),
    ],
)
def test_a_body_that_is_no_object(api: Api, content: bytes, constraint: str) -> None:
    answer = api.bulk("POST", PATH, content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    (failure,) = answer.json()["failures"]
    assert failure["field"] == "body"
    assert failure["constraint"].startswith(constraint)


def test_ids_that_never_were(api: Api) -> None:
    for number in ("1", "0", "99999999999999999999", "abc", "-1"):
        answer = api.bulk("GET", f"{PATH}/{number}")
        assert answer.status_code == 404, number
        assert answer.json()["error"] == "Not Found"


def test_another_companys_definition_is_not_found(api: Api, server: Any) -> None:
    other, _ = server.new_company("elsewhere")
    api.bulk("POST", PATH, json=body())
    answer = other.bulk("GET", f"{PATH}/1")
    assert answer.status_code == 404
    assert answer.json() == {
        "status": 404,
        "error": "Not Found",
        "message": "There is no sync action definition 1 of contacts.",
        "advice": "GET /contacts/syncActions lists those that there are.",
    }
