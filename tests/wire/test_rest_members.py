"""The contacts of lists, segments and filters in the Application API, and subscriptions to email groups."""

from __future__ import annotations

from typing import Any

import pytest

from staithe.domain.catalogue import STANDARD
from staithe.domain.id_set import IdSet
from staithe.domain.search_query import read_search_query
from staithe.services.stores import CompanyStore
from staithe.storage import contacts, searching, sets
from tests.support.api import Api
from tests.support.rest import wrong, wrong_parameter

SUBSCRIPTIONS = "/data/contact/5/email/groups/subscription"


def ids(api: Api, path: str, **parameters: Any) -> tuple[list[int], int]:
    """The ids on a page, and how many there are in all."""
    found = api.rest("GET", path, params=parameters).raise_for_status().json()
    return [int(element["id"]) for element in found["elements"]], found["total"]


@pytest.fixture
def containers(api: Api) -> dict[str, list[int]]:
    """A list, a segment and a filter, by their paths, with their contacts."""
    for number, city in ((3, "Kiel"), (5, "Bonn"), (50, "Kiel"), (99, "kiel")):
        email = f"contact-{number}@example.com"
        api.rest("PUT", f"/data/contact/{number}", json={"emailAddress": email, "city": city})
    members = [str(n) for n in range(1, 100) if n != 50]
    api.rest("POST", "/assets/contact/list", json={"name": "x", "membershipAdditions": members})
    condition = {"type": "TextValueCondition", "operator": "equal", "value": "Kiel"}
    criteria = [{"type": "ContactFieldCriterion", "id": "1", "condition": condition, "fieldId": "100009"}]
    api.rest("POST", "/assets/contact/filter", json={"name": "x", "criteria": criteria}).raise_for_status()
    elements = [
        {"type": "ContactListSegmentElement", "list": {"id": "1"}},
        {"type": "ContactFilterSegmentElement", "filter": {"id": "1"}, "isIncluded": "false"},
    ]
    api.rest("POST", "/assets/contact/segment", json={"name": "x", "elements": elements}).raise_for_status()
    return {
        "/data/contacts/list/1": [n for n in range(1, 100) if n != 50],
        "/data/contacts/filter/1": [3, 50, 99],
        "/data/contacts/segment/1": [n for n in range(1, 99) if n not in (3, 50)],
    }


def test_members_are_contacts_searched_ordered_and_paged(api: Api, containers: dict[str, list[int]]) -> None:
    for path, members in containers.items():
        assert ids(api, path) == (members, len(members))
        assert ids(api, path, count=2, page=2) == (members[2:4], len(members))
        assert ids(api, path, count=2, orderBy="id DESC") == (members[:-3:-1], len(members))
        by_address = sorted(members, key=lambda n: f"contact-{n}@example.com")
        assert ids(api, path, orderBy="emailAddress", count=5) == (by_address[:5], len(members))
        found = [n for n in members if n > 20]
        assert ids(api, path, search="id>20", count=3) == (found[:3], len(found))
        assert ids(api, path, search="ContactIDExt='CSTAI000000000004'") == ([4] * (4 in members), 4 in members)
    own = {str(e["id"]): e for e in api.rest("GET", "/data/contacts").json()["elements"]}
    answer = api.rest("GET", "/data/contacts/filter/1", params={"count": 1, "page": 3})
    assert (answer.status_code, answer.json()) == (
        200,
        {"elements": [own["99"]], "page": 3, "pageSize": 1, "total": 3},
    )
    complete = api.rest("GET", "/data/contacts/filter/1", params={"depth": "complete"}).json()["elements"]
    assert complete == [api.rest("GET", f"/data/contact/{n}").json() for n in (3, 50, 99)]


def test_members_too_many_to_look_up_are_found_alike(store: CompanyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    members = IdSet.of(range(1, 101, 3))
    for text, order in (("id>20", ""), ("id>20", "id DESC"), ("", "emailAddress DESC"), ("contact-1*", "createdAt")):
        query = read_search_query({"search": text, "orderby": order, "count": "7"}, contacts.searchable(STANDARD))
        found: list[object] = []
        for few in (0, 1000):
            monkeypatch.setattr(searching, "FEW_MEMBERS", few)
            with store.database.read() as connection:
                found.append(contacts.search_among(connection, STANDARD, query, members))
        assert found[0] == found[1]
        assert found[0] != ([], 0)


def test_whose_members_there_are_not_and_what_is_wrong_is_told(api: Api, containers: dict[str, list[int]]) -> None:
    for path in containers:
        answer = api.rest("GET", path, params={"search": "C_Colour='red'"})
        assert (answer.status_code, answer.json()) == (400, [wrong_parameter("search", "Enum", "C_Colour='red'")])
        assert api.rest("GET", path.replace("/1", "/9")).status_code == 404
    assert api.rest("DELETE", "/assets/contact/segment/1").status_code == 200
    answer = api.rest("GET", "/data/contacts/segment/1")
    message = "The contact segment 1 was deleted."
    assert (answer.status_code, answer.json()) == (410, {"status": 410, "error": "Gone", "message": message})


def test_a_contact_that_is_gone_is_no_member(api: Api, containers: dict[str, list[int]]) -> None:
    api.rest("DELETE", "/data/contact/3")
    for path, members in containers.items():
        left = [n for n in members if n != 3]
        assert ids(api, path) == ids(api, path, search="id>0") == (left, len(left))


def subscription(number: int, name: str, subscribed: str, depth: str = "complete") -> dict[str, Any]:
    return {
        "type": "ContactEmailSubscription",
        "depth": depth,
        "contactId": "5",
        "emailGroup": {"type": "EmailGroup", "id": str(number), "name": name},
        "isSubscribed": subscribed,
    }


def test_a_contact_is_subscribed_to_a_group_and_unsubscribed(api: Api, store: CompanyStore) -> None:
    for name in ("News", "Alerts"):
        api.new_group(name)
    answer = api.rest("GET", SUBSCRIPTIONS, params={"orderBy": "name ASC", "count": 50})
    elements = [subscription(2, "Alerts", "false", "partial"), subscription(1, "News", "false", "partial")]
    assert (answer.status_code, answer.json()) == (200, {"elements": elements, "page": 1, "pageSize": 50, "total": 2})
    assert list(answer.json()["elements"][0]) == list(elements[0])
    one = "/data/contact/5/email/group/2/subscription"
    for sent, other in (("true", "unsubscribed"), (False, "subscribed")):
        state = str(sent).lower()
        answer = api.rest("PUT", one, json={"contactId": "5", "emailGroup": {"id": "2"}, "isSubscribed": sent})
        assert (answer.status_code, answer.json()) == (200, subscription(2, "Alerts", state))
        assert api.rest("GET", one).json() == answer.json()
        found = api.rest("GET", SUBSCRIPTIONS, params={"depth": "complete"}).json()["elements"]
        assert found == [subscription(1, "News", "false"), subscription(2, "Alerts", state)]
        with store.database.read() as connection:
            states = {name: list(sets.load_set(connection, f"emailGroup/2/{name}")) for name in ("subscribed", other)}
            last = connection.exec_driver_sql("SELECT action FROM change ORDER BY id DESC LIMIT 1").scalar_one()
        assert states[other] == []
        assert last == "change of contact 5 in email group 2"
    export = {"name": "x", "fields": {"State": "{{EmailGroup[2]}}"}, "filter": "'{{Contact.Id}}' = '5'"}
    uri = api.sync(api.bulk("POST", "/contacts/exports", json=export).json()["uri"])["uri"]
    assert api.bulk("GET", f"{uri}/data").json()["items"] == [{"State": "unsubscribed"}]


def test_what_is_wrong_with_a_subscription_is_told(api: Api, reader: Api) -> None:
    api.new_group("News")
    one = "/data/contact/5/email/group/1/subscription"
    for sent, rule, value in (({}, "NotNull", ""), ({"isSubscribed": "maybe"}, "Boolean", "maybe")):
        answer = api.rest("PUT", one, json=sent)
        failure = wrong("ContactEmailSubscription", "isSubscribed", rule, value)
        assert (answer.status_code, answer.json()) == (400, [failure])
    assert reader.rest("PUT", one, json={"isSubscribed": "true"}).status_code == 403
    assert reader.rest("GET", one).json()["isSubscribed"] == "false"
    for path in ("/data/contact/5/email/group/9/subscription", "/data/contact/999/email/group/1/subscription"):
        for method in ("GET", "PUT"):
            assert api.rest(method, path, json={"isSubscribed": "true"}).status_code == 404
    assert api.rest("GET", "/data/contact/999/email/groups/subscription").status_code == 404


def test_recent_segments_begin_with_the_one_that_was_changed_last(api: Api, store: CompanyStore) -> None:
    api.new_list()
    elements = [{"type": "ContactListSegmentElement", "list": {"id": "1"}}]
    for name in ("first", "second", "third"):
        api.rest("POST", "/assets/contact/segment", json={"name": name, "elements": elements}).raise_for_status()
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE contact_segment SET updated_at = updated_at + 1000000 * (4 - id)")
    recent = api.rest("GET", "/assets/contact/segments/recent", params={"count": 2})
    by_id = {e["id"]: e for e in api.rest("GET", "/assets/contact/segments").json()["elements"]}
    assert (recent.status_code, recent.json()) == (
        200,
        {"elements": [by_id["1"], by_id["2"]], "page": 1, "pageSize": 2, "total": 3},
    )
    found = api.rest("GET", "/assets/contact/segments/recent", params={"orderBy": "name DESC"}).json()["elements"]
    assert [e["name"] for e in found] == ["third", "second", "first"]
