"""Contact lists in the Application API: every operation, whole bodies."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from staithe.services.stores import CompanyStore
from staithe.storage import sets
from tests.support.api import Api, add_to_list
from tests.support.rest import stable, wrong, wrong_parameter
from tests.support.server import RunningServer

LIST = "/assets/contact/list"
LISTS = "/assets/contact/lists"


def body(number: int, name: str, *, count: int = 0, depth: str = "complete", description: str = "") -> dict[str, Any]:
    return {
        "type": "ContactList",
        "id": str(number),
        "createdAt": "TIME",
        "createdBy": "USER",
        "depth": depth,
        **({"description": description} if description else {}),
        "folderId": "1",
        "name": name,
        "permissions": "fullControl",
        "updatedAt": "TIME",
        "updatedBy": "USER",
        "count": str(count),
        "dataLookupId": "GUID",
        "scope": "global",
    }


def names(api: Api, **parameters: Any) -> list[str]:
    found = api.rest("GET", LISTS, params=parameters).raise_for_status().json()
    return [element["name"] for element in found["elements"]]


def members(store: CompanyStore, number: int) -> list[int]:
    with store.database.read() as connection:
        return list(sets.load_set(connection, f"contactList/{number}"))


def assert_same(answer: httpx.Response, status: int, expected: Any) -> None:
    assert answer.status_code == status, answer.text
    assert stable(answer.json()) == expected
    if isinstance(expected, dict):
        assert list(answer.json()) == list(expected)


def test_create_answers_201_with_the_recorded_keys_in_order(api: Api) -> None:
    answer = api.rest("POST", LIST, json={"name": "(test) High Value"})
    assert_same(answer, 201, body(1, "(test) High Value"))
    assert answer.headers["content-type"] == "application/json"
    assert api.rest("GET", f"{LIST}/1").json() == answer.json()


def test_create_with_description_and_members(api: Api) -> None:
    sent = {"name": "fair", "description": "Spring", "membershipAdditions": ["1", 2, 2.0, "002"]}
    assert_same(api.rest("POST", LIST, json=sent), 201, body(1, "fair", count=2, description="Spring"))


def test_names_need_not_be_unique_and_ids_rise(api: Api) -> None:
    assert [api.new_list("same"), api.new_list("same")] == [1, 2]


def test_put_changes_members_as_recorded(api: Api, store: CompanyStore) -> None:
    api.new_list("High Value")
    sent = {"id": "1", "name": "High Value", "membershipAdditions": ["5", "7"], "membershipDeletions": []}
    assert_same(api.rest("PUT", f"{LIST}/1", json=sent), 200, body(1, "High Value", count=2))
    sent = {"id": "1", "name": "High Value", "membershipAdditions": [8, 9], "membershipDeletions": ["5", "8", "999999"]}
    assert_same(api.rest("PUT", f"{LIST}/1", json=sent), 200, body(1, "High Value", count=3))
    assert members(store, 1) == [7, 8, 9]


def test_put_changes_only_what_it_names(api: Api) -> None:
    api.rest("POST", LIST, json={"name": "fair", "description": "Spring", "membershipAdditions": ["1"]})
    answer = api.rest("PUT", f"{LIST}/1", json={"id": "1", "name": None})
    assert_same(answer, 200, body(1, "fair", count=1, description="Spring"))
    answer = api.rest("PUT", f"{LIST}/1", json={"NAME": "autumn", "description": ""})
    assert_same(answer, 200, body(1, "autumn", count=1))
    assert api.rest("GET", f"{LIST}/1").json() == answer.json()


def test_every_change_of_members_is_recorded(api: Api, store: CompanyStore) -> None:
    api.rest("POST", LIST, json={"name": "fair", "membershipAdditions": ["1"]})
    api.rest("PUT", f"{LIST}/1", json={"membershipDeletions": ["1"]})
    api.rest("PUT", f"{LIST}/1", json={"membershipAdditions": ["2"]})
    api.rest("DELETE", f"{LIST}/1")
    with store.database.read() as connection:
        actions = connection.exec_driver_sql(
            "SELECT action, added IS NULL, removed IS NULL FROM set_change JOIN change ON change.id = change_id "
            "WHERE set_id = (SELECT id FROM id_set WHERE name = 'contactList/1') ORDER BY change.id"
        ).all()
    assert [tuple(row) for row in actions] == [
        ("change of contact list 1", 0, 1),
        ("change of contact list 1", 1, 0),
        ("change of contact list 1", 0, 1),
        ("deletion of contact list 1", 1, 0),
    ]
    assert members(store, 1) == []


def test_delete_answers_an_empty_200_and_makes_it_gone(api: Api) -> None:
    api.new_list("fair")
    answer = api.rest("DELETE", f"{LIST}/1")
    assert (answer.status_code, answer.content) == (200, b"")
    gone = {"status": 410, "error": "Gone", "message": "The contact list 1 was deleted."}
    for method in ("GET", "PUT", "DELETE"):
        assert_same(api.rest(method, f"{LIST}/1", json={}), 410, gone)


def test_never_given_ids_are_not_found(api: Api) -> None:
    expected = {"status": 404, "error": "Not Found", "message": "There is no contact list 7."}
    for method in ("GET", "PUT", "DELETE"):
        assert_same(api.rest(method, f"{LIST}/7", json={}), 404, expected)


def test_a_list_that_definitions_name_cannot_be_deleted(api: Api) -> None:
    number = api.new_list("fair")
    uris = [api.define(add_to_list(number)), api.define(add_to_list(number))]
    assert_same(
        api.rest("DELETE", f"{LIST}/1"),
        412,
        {
            "status": 412,
            "error": "Precondition Failed",
            "message": f"The contact list 1 cannot be deleted while definitions name it: {uris[0]}, {uris[1]}.",
            "advice": "Delete those definitions first, or replace them.",
        },
    )
    for uri in uris:
        api.bulk("DELETE", uri)
    assert api.rest("DELETE", f"{LIST}/1").status_code == 200


@pytest.mark.parametrize(
    ("sent", "failures"),
    [
        ({}, [("name", "NotNull", "")]),
        ({"name": None}, [("name", "NotNull", "")]),
        ({"name": " "}, [("name", "NotNull", "")]),
        ({"name": "x" * 101}, [("name", "TextLength", "x" * 101)]),
        ({"name": ["x"]}, [("name", "Syntax", "")]),
        ({"name": "x", "description": {}}, [("description", "Syntax", "")]),
        ({"name": "", "membershipAdditions": ["x"]}, [("name", "NotNull", ""), ("membershipAdditions", "Id", "x")]),
        ({"name": "x", "membershipAdditions": "1"}, [("membershipAdditions", "Syntax", "")]),
        ({"name": "x", "membershipDeletions": [0]}, [("membershipDeletions", "Id", "0")]),
        ({"name": "x", "membershipDeletions": [1.5]}, [("membershipDeletions", "Id", "1.5")]),
        ({"name": "x", "membershipDeletions": [True]}, [("membershipDeletions", "Id", "true")]),
        (
            {"name": "x", "membershipAdditions": ["1", "101", 4294967296]},
            [("membershipAdditions", "Relationship", "101, 4294967296")],
        ),
    ],
)
def test_wrong_properties_are_a_list_with_400(api: Api, sent: dict[str, Any], failures: list[tuple[str, ...]]) -> None:
    assert_same(api.rest("POST", LIST, json=sent), 400, [wrong("ContactList", *failure) for failure in failures])
    assert names(api) == []


def test_a_wrong_put_changes_nothing(api: Api) -> None:
    before = api.rest("POST", LIST, json={"name": "fair", "membershipAdditions": ["1"]}).json()
    sent = {"name": "autumn", "membershipAdditions": ["2", "101"], "membershipDeletions": ["1"]}
    expected = [wrong("ContactList", "membershipAdditions", "Relationship", "101")]
    assert_same(api.rest("PUT", f"{LIST}/1", json=sent), 400, expected)
    assert_same(api.rest("PUT", f"{LIST}/1", json={"name": ""}), 400, [wrong("ContactList", "name", "NotNull")])
    assert api.rest("GET", f"{LIST}/1").json() == before


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'"x"', b"\xff"])
def test_a_body_that_is_no_object_is_a_list_with_400(api: Api, content: bytes) -> None:
    answer = api.rest("POST", LIST, content=content)
    assert_same(answer, 400, [wrong("ContactList", "body", "Syntax")])


def test_an_unknown_encoding_is_a_list_with_400(api: Api) -> None:
    answer = api.rest("POST", LIST, content=b"{}", headers={"content-encoding": "br"})
    expected = wrong("", "Content-Encoding", "Syntax", "br")
    del expected["container"]
    assert_same(answer, 400, [expected])


def test_a_reader_reads_and_may_not_write(api: Api, reader: Api) -> None:
    api.new_list("fair")
    assert_same(reader.rest("GET", f"{LIST}/1"), 200, body(1, "fair"))
    assert names(reader) == ["fair"]
    for method, path in (("POST", LIST), ("PUT", f"{LIST}/1"), ("DELETE", f"{LIST}/1")):
        assert reader.rest(method, path, json={"name": "x"}).status_code == 403


def test_a_wrong_login_is_401(server: RunningServer, api: Api) -> None:
    api.new_list("fair")
    stranger = server.api("acme\\ann:wrong")
    for method, path in (
        ("GET", LISTS),
        ("POST", LIST),
        ("GET", f"{LIST}/1"),
        ("PUT", f"{LIST}/1"),
        ("DELETE", f"{LIST}/1"),
    ):
        answer = stranger.rest(method, path)
        assert (answer.status_code, answer.headers["www-authenticate"][:5]) == (401, "Basic")
        assert answer.json()["message"] == "The login is wrong."


def test_search_by_name_as_recorded(api: Api) -> None:
    api.new_list("other")
    api.rest("POST", LIST, json={"name": "(test) High Value", "membershipAdditions": ["1"]})
    found = api.rest("GET", LISTS, params={"search": "name='(test) High Value'", "depth": "partial"})
    element = body(2, "(test) High Value", count=1, depth="partial")
    assert_same(found, 200, {"elements": [element], "page": 1, "pageSize": 1000, "total": 1})
    assert list(found.json()["elements"][0]) == list(element)


def test_search_that_finds_nothing(api: Api) -> None:
    expected = {"elements": [], "page": 1, "pageSize": 1000, "total": 0}
    assert_same(api.rest("GET", LISTS, params={"search": "name='x'"}), 200, expected)


def test_depth(api: Api) -> None:
    api.rest("POST", LIST, json={"name": "fair", "description": "Spring"})
    minimal = body(1, "fair", depth="minimal")
    for name in ("count", "dataLookupId", "scope"):
        del minimal[name]
    assert_same(api.rest("GET", f"{LIST}/1", params={"depth": "Minimal"}), 200, minimal)
    found = api.rest("GET", LISTS, params={"DEPTH": "complete"}).json()["elements"]
    assert stable(found) == [body(1, "fair", description="Spring")]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", ["alpha", "Beta", "Über uns", "50% off_now"]),
        ("*", ["alpha", "Beta", "Über uns", "50% off_now"]),
        ("name='BETA'", ["Beta"]),
        ("NAME=beta", ["Beta"]),
        ("Beta", ["Beta"]),
        ("'Beta'", ["Beta"]),
        ("*a", ["alpha", "Beta"]),
        ("name=*ph*", ["alpha"]),
        ("name='Über uns'", ["Über uns"]),
        ("name=*%*", ["50% off_now"]),
        ("name=*_*", ["50% off_now"]),
        ("id=3", ["Über uns"]),
        ("id=3id=1", ["alpha", "Über uns"]),
        ("id='3' name='beta'", ["Beta", "Über uns"]),
        ("id>1id<4", ["Beta", "Über uns"]),
        ("id>=3", ["Über uns", "50% off_now"]),
        ("id!=3", ["alpha", "Beta", "50% off_now"]),
        ("name!=*a", ["Über uns", "50% off_now"]),
        ("name='beta'id>2", []),
        ("createdAt>0", ["alpha", "Beta", "Über uns", "50% off_now"]),
        ("createdAt<'2020-01-31'", []),
        ("createdAt>1600000000createdAt<1600000001", []),
        ("updatedBy=ann", ["alpha", "Beta", "Über uns", "50% off_now"]),
        ("createdBy='bob'", []),
    ],
)
def test_search_terms(api: Api, search: str, found: list[str]) -> None:
    for name in ("alpha", "Beta", "Über uns", "50% off_now"):
        api.new_list(name)
    assert names(api, search=search) == found


def test_a_quoted_name_may_have_an_apostrophe(api: Api) -> None:
    api.new_list("Ann's fair")
    assert names(api, search="name='Ann's fair'") == ["Ann's fair"]
    assert names(api, search="name='Ann's fair'id=9") == ["Ann's fair"]


def test_the_second_of_a_time_is_what_counts(api: Api) -> None:
    created = api.rest("POST", LIST, json={"name": "fair"}).json()["createdAt"]
    assert names(api, search=f"createdAt={created}") == ["fair"]
    assert names(api, search=f"createdAt>={created}") == ["fair"]
    assert names(api, search=f"createdAt>{created}") == []


def test_pages_and_order(api: Api) -> None:
    for name in ("b", "c", "a"):
        api.new_list(name)
    assert names(api, orderBy="name") == ["a", "b", "c"]
    assert names(api, orderBy="id DESC") == ["a", "c", "b"]
    assert names(api, orderBy="NAME asc", search="id!=2") == ["a", "b"]
    assert names(api, count=2) == ["b", "c"]
    page = api.rest("GET", LISTS, params={"count": "2", "page": "2"}).json()
    assert ([e["name"] for e in page["elements"]], page["page"], page["pageSize"], page["total"]) == (["a"], 2, 2, 3)
    assert api.rest("GET", LISTS, params={"count": 50000}).json()["pageSize"] == 1000
    low = api.rest("GET", LISTS, params={"count": 0, "page": 0}).json()
    assert (low["pageSize"], low["page"], low["total"]) == (1, 1, 3)
    assert names(api, page=99) == []


@pytest.mark.parametrize(
    ("name", "value", "requirement"),
    [
        ("count", "many", "Integer"),
        ("page", "first", "Integer"),
        ("depth", "deep", "Enum"),
        ("orderBy", "colour", "Enum"),
        ("orderBy", "name SIDEWAYS", "Enum"),
        ("search", "colour='red'", "Enum"),
        ("search", "id=x", "Integer"),
        ("search", "createdAt>yesterday", "Date"),
    ],
)
def test_wrong_parameters_are_a_list_with_400(api: Api, name: str, value: str, requirement: str) -> None:
    answer = api.rest("GET", LISTS, params={name: value})
    assert_same(answer, 400, [wrong_parameter(name, requirement, value)])


def test_searches_have_limits(api: Api) -> None:
    long = "x" * 16_001
    answer = api.rest("GET", LISTS, params={"search": long})
    assert_same(answer, 400, [wrong_parameter("search", "TextLength", long[:100])])
    assert names(api, search="id=1" * 500) == []
    answer = api.rest("GET", LISTS, params={"search": "id=1" * 501})
    assert_same(answer, 400, [wrong_parameter("search", "TextLength", ("id=1" * 25))])
    assert names(api, search="name=*" + "_" * 15_900) == []


@pytest.mark.parametrize(
    "path",
    ["/API/REST/1.0//Assets/Contact/List/1/", "/api/rest/1.0/assets/contact/list/1", "/API/REST/2.0" + LIST + "/1"],
)
def test_paths_in_any_case_and_both_versions(api: Api, path: str) -> None:
    api.new_list("fair")
    permissions = ["fullControl"] if "2.0" in path else "fullControl"
    assert_same(api.call("GET", path), 200, body(1, "fair") | {"permissions": permissions})


def test_lists_of_the_bulk_api_are_the_same(api: Api) -> None:
    api.rest("POST", LIST, json={"name": "fair", "membershipAdditions": ["1", "2"]})
    item = api.bulk("GET", "/contacts/lists/1").json()
    assert (item["name"], item["count"]) == ("fair", 2)
    assert api.bulk("GET", "/contacts/lists", params={"q": "name='Fair'"}).json()["totalResults"] == 1
