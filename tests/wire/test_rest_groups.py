"""Email groups in the Application API: every operation, whole bodies."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from staithe.services.stores import CompanyStore
from staithe.storage import sets
from tests.support.api import Api
from tests.support.rest import stable, wrong, wrong_parameter

GROUP = "/assets/email/group"
GROUPS = "/assets/email/groups"


def body(number: int, name: str, *, depth: str = "complete", description: str = "", **changes: Any) -> dict[str, Any]:
    shown = changes.pop("displayName", None)
    return {
        "type": "EmailGroup",
        "id": str(number),
        "createdAt": "TIME",
        "createdBy": "USER",
        "depth": depth,
        **({"description": description} if description else {}),
        "name": name,
        "permissions": "fullControl",
        "updatedAt": "TIME",
        "updatedBy": "USER",
        **({"displayName": shown} if shown else {}),
        "emailIds": [],
        "isVisibleInOutlookPlugin": "false",
        "isVisibleInPublicSubscriptionList": "true",
        "subscriptionListDataLookupId": "GUID",
        **changes,
    }


def set_status(number: int, status: str) -> dict[str, str]:
    return {"action": "setStatus", "destination": f"{{{{EmailGroup[{number}]}}}}", "status": status}


def assert_same(answer: httpx.Response, status: int, expected: Any) -> None:
    assert answer.status_code == status, answer.text
    assert stable(answer.json()) == expected
    if isinstance(expected, dict):
        assert list(answer.json()) == list(expected)


def test_create_answers_201_with_its_keys_in_order(api: Api) -> None:
    answer = api.rest("POST", GROUP, json={"name": "Newsletter"})
    assert_same(answer, 201, body(1, "Newsletter"))
    assert answer.headers["content-type"] == "application/json"
    assert api.rest("GET", f"{GROUP}/1").json() == answer.json()


def test_create_echoes_what_it_was_sent(api: Api) -> None:
    sent = {
        "name": "Newsletter",
        "Description": "Monthly",
        "DISPLAYNAME": "News for you",
        "isVisibleInOutlookPlugin": "TRUE",
        "isVisibleInPublicSubscriptionList": False,
        "emailIds": ["1"],
    }
    expected = body(
        1,
        "Newsletter",
        description="Monthly",
        displayName="News for you",
        isVisibleInOutlookPlugin="true",
        isVisibleInPublicSubscriptionList="false",
    )
    assert_same(api.rest("POST", GROUP, json=sent), 201, expected)


def test_put_changes_only_what_it_names(api: Api) -> None:
    sent = {"name": "News", "description": "Monthly", "displayName": "N", "isVisibleInOutlookPlugin": True}
    before = api.rest("POST", GROUP, json=sent).json()
    answer = api.rest("PUT", f"{GROUP}/1", json={"name": "Letter", "displayName": "L", "description": ""})
    assert_same(answer, 200, body(1, "Letter", displayName="L", isVisibleInOutlookPlugin="true"))
    assert answer.json()["subscriptionListDataLookupId"] == before["subscriptionListDataLookupId"]
    answer = api.rest("PUT", f"{GROUP}/1", json={"isVisibleInPublicSubscriptionList": "false", "displayName": ""})
    changed = {"isVisibleInOutlookPlugin": "true", "isVisibleInPublicSubscriptionList": "false"}
    assert_same(answer, 200, body(1, "Letter", **changed))
    assert api.rest("GET", f"{GROUP}/1").json() == answer.json()


def test_put_takes_back_what_get_gave(api: Api) -> None:
    sent = {"name": "News", "description": "Monthly", "displayName": "N", "isVisibleInOutlookPlugin": True}
    before = api.rest("POST", GROUP, json=sent).json()
    assert stable(api.rest("PUT", f"{GROUP}/1", json=before).json()) == stable(before)


def test_delete_takes_everyone_out_and_makes_it_gone(api: Api, store: CompanyStore) -> None:
    number = api.new_group("Newsletter")
    uris = [api.define(set_status(number, status)) for status in ("subscribed", "unsubscribed")]
    for uri, contact in zip(uris, ("1", "2"), strict=True):
        api.upload(uri, [{"Id": contact}])
        api.sync(uri)
    assert_same(
        api.rest("DELETE", f"{GROUP}/1"),
        412,
        {
            "status": 412,
            "error": "Precondition Failed",
            "message": f"The email group 1 cannot be deleted while definitions name it: {uris[0]}, {uris[1]}.",
            "advice": "Delete those definitions first, or replace them.",
        },
    )
    for uri in uris:
        api.bulk("DELETE", uri)
    answer = api.rest("DELETE", f"{GROUP}/1")
    assert (answer.status_code, answer.content) == (200, b"")
    with store.database.read() as connection:
        names = sets.names_with_prefix(connection, "emailGroup/1/")
        assert [len(sets.load_set(connection, name)) for name in names] == [0, 0]
        undone = (
            "SELECT count(*) FROM set_change WHERE removed IS NOT NULL AND change_id = (SELECT max(id) FROM change)"
        )
        assert connection.exec_driver_sql(undone).scalar() == 2
    gone = {"status": 410, "error": "Gone", "message": "The email group 1 was deleted."}
    for method in ("GET", "PUT", "DELETE"):
        assert_same(api.rest(method, f"{GROUP}/1", json={}), 410, gone)


def test_never_given_ids_are_not_found(api: Api) -> None:
    api.new_list("a list has ids of its own")
    expected = {"status": 404, "error": "Not Found", "message": "There is no email group 1."}
    for method in ("GET", "PUT", "DELETE"):
        assert_same(api.rest(method, f"{GROUP}/1", json={}), 404, expected)


@pytest.mark.parametrize(
    ("sent", "failures"),
    [
        ({}, [("name", "NotNull", "")]),
        ({"name": "x" * 101}, [("name", "TextLength", "x" * 101)]),
        (
            {"name": "", "isVisibleInOutlookPlugin": "yes", "isVisibleInPublicSubscriptionList": 1},
            [
                ("name", "NotNull", ""),
                ("isVisibleInOutlookPlugin", "Boolean", "yes"),
                ("isVisibleInPublicSubscriptionList", "Boolean", "1"),
            ],
        ),
        ({"name": "x", "displayName": []}, [("displayName", "Syntax", "")]),
    ],
)
def test_wrong_properties_are_a_list_with_400(api: Api, sent: dict[str, Any], failures: list[tuple[str, ...]]) -> None:
    assert_same(api.rest("POST", GROUP, json=sent), 400, [wrong("EmailGroup", *failure) for failure in failures])
    assert api.rest("GET", GROUPS).json()["total"] == 0


def test_a_reader_may_not_write(api: Api, reader: Api) -> None:
    api.new_group("News")
    assert_same(reader.rest("GET", f"{GROUP}/1"), 200, body(1, "News"))
    for method, path in (("POST", GROUP), ("PUT", f"{GROUP}/1"), ("DELETE", f"{GROUP}/1")):
        assert reader.rest(method, path, json={"name": "x"}).status_code == 403


def test_search(api: Api) -> None:
    for name in ("News", "Events", "Newsletter"):
        api.new_group(name)
    answer = api.rest("GET", GROUPS, params={"search": "name='new*'", "orderBy": "name DESC", "count": 1})
    elements = [body(3, "Newsletter", depth="partial")]
    assert_same(answer, 200, {"elements": elements, "page": 1, "pageSize": 1, "total": 2})
    answer = api.rest("GET", GROUPS, params={"search": "colour=red"})
    assert_same(answer, 400, [wrong_parameter("search", "Enum", "colour=red")])


def test_minimal_depth(api: Api) -> None:
    api.rest("POST", GROUP, json={"name": "News", "displayName": "N", "description": "Monthly"})
    minimal = body(1, "News", depth="minimal")
    kept = ("type", "id", "createdAt", "createdBy", "depth", "name", "permissions", "updatedAt", "updatedBy")
    assert_same(api.rest("GET", f"{GROUP}/1", params={"depth": "minimal"}), 200, {name: minimal[name] for name in kept})


@pytest.mark.parametrize("path", ["/API/REST/1.0//Assets/Email/Group/1/", "/api/rest/2.0/assets/email/group/1"])
def test_paths_in_any_case_and_both_versions(api: Api, path: str) -> None:
    api.new_group("News")
    permissions = ["fullControl"] if "2.0" in path else "fullControl"
    assert_same(api.call("GET", path), 200, body(1, "News") | {"permissions": permissions})
