"""Users in the Application API: who made something is told by the id, and who has which id can be read."""

from __future__ import annotations

from typing import Any

import pytest

from staithe.clock import system_clock
from staithe.domain.companies import Role
from staithe.services import accounts, administration
from staithe.services.stores import CompanyStore
from tests.support.api import Api
from tests.support.rest import stable, wrong_parameter
from tests.support.server import RunningServer
from tests.support.waiting import until

LIST, LISTS = "/assets/contact/list", "/assets/contact/lists"
USERS = "/system/users"


def id_of(api: Api) -> int:
    """The `user.id` of `/id`."""
    return int(api.call("GET", "/id").json()["user"]["id"])


def add_user(server: RunningServer, store: CompanyStore, name: str, role: Role = Role.ADMIN) -> Api:
    accounts.set_user(server.stores, store.company, name, "secret", role, system_clock())
    return server.api(f"{store.company.name}\\{name}:secret")


def user_body(number: int, name: str, **more: str) -> dict[str, Any]:
    head = {"type": "User", "id": str(number), "createdAt": "TIME", "depth": "complete", "name": name}
    return {**head, **more, "isDisabled": "false", "loginName": name}


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_who_made_and_changed_something_is_an_id_in_both_versions_and_a_name_in_the_bulk_api(
    api: Api, store: CompanyStore, server: RunningServer, version: str
) -> None:
    root = f"/api/REST/{version}/assets/contact"
    bob = add_user(server, store, "bob@example.org")
    ids = {"createdBy": str(id_of(api)), "updatedBy": str(id_of(bob))}
    assert len(set(ids.values())) == 2
    segment = {"name": "x", "elements": [{"type": "ContactListSegmentElement", "list": {"id": "1"}}]}
    criteria = {"condition": {"type": "TextValueCondition", "operator": "isBlank"}, "fieldId": "100002"}
    shared = {"name": "x", "criteria": [{"type": "ContactFieldCriterion", **criteria}]}
    for kind, sent in (("list", {"name": "x"}), ("segment", segment), ("filter", shared), ("field", {"name": "x"})):
        made = api.call("POST", f"{root}/{kind}", json=sent).raise_for_status().json()
        changed = bob.call("PUT", f"{root}/{kind}/{made['id']}", json={"name": "y"}).raise_for_status().json()
        read = api.call("GET", f"{root}/{kind}/{made['id']}").json()
        found = api.call("GET", f"{root}/{kind}s", params={"search": "name=y"}).json()["elements"]
        for body in (changed, read, found[0]):
            assert {name: body[name] for name in ids} == ids, kind
            expected = None if kind == "field" else ["fullControl"] if version == "2.0" else "fullControl"
            assert body.get("permissions") == expected
        bulk = api.bulk("GET", f"/contacts/{kind}s/{made['id']}").json()
        assert (bulk["createdBy"], bulk["updatedBy"]) == ("ann", "bob@example.org")


def test_a_new_user_is_told_at_once_and_one_that_is_gone_is_left_out(
    api: Api, store: CompanyStore, server: RunningServer
) -> None:
    api.new_list("first")
    bob = add_user(server, store, "bob")
    number = id_of(bob)
    made = bob.rest("POST", LIST, json={"name": "second"}).json()
    assert (made["createdBy"], made["updatedBy"]) == (str(number), str(number))
    administration.delete_user(server.stores, store.company, "bob")
    until(lambda: "createdBy" not in api.rest("GET", f"{LIST}/2").json(), "a user without an id")
    read = api.rest("GET", f"{LIST}/2").json()
    kept = {name: value for name, value in made.items() if name not in ("createdBy", "updatedBy")}
    assert (read, list(read)) == (kept, list(kept))
    assert api.bulk("GET", "/contacts/lists/2").json()["createdBy"] == "bob"
    # Who comes with the same name is taken for whoever made it.
    again = id_of(add_user(server, store, "BOB"))
    until(lambda: api.rest("GET", f"{LIST}/2").json().get("createdBy") == str(again), "the new user's id")


def test_searches_name_users_by_id_or_by_name(api: Api, store: CompanyStore, server: RunningServer) -> None:
    bob = add_user(server, store, "bob")
    api.new_list("of ann")
    bob.new_list("of bob")

    def names(search: str) -> list[str]:
        found = bob.rest("GET", LISTS, params={"search": search}).raise_for_status().json()
        return [element["name"] for element in found["elements"]]

    assert names(f"createdBy={id_of(api)}") == ["of ann"]
    assert names(f"createdBy!='{id_of(api)}'") == ["of bob"]
    assert names(f"updatedBy={id_of(api)}updatedBy={id_of(bob)}") == ["of ann", "of bob"]
    assert names("createdBy='BOB'") == ["of bob"]
    assert names("createdBy=999999999") == []


def test_users_are_read_and_searched(api: Api, store: CompanyStore, server: RunningServer) -> None:
    reader = add_user(server, store, "rita@example.org", Role.READER)
    ann, rita = id_of(api), id_of(reader)
    bodies = [user_body(ann, "ann"), user_body(rita, "rita@example.org", emailAddress="rita@example.org")]
    for number, body in zip((ann, rita), bodies, strict=True):
        answer = reader.rest("GET", f"/system/user/{number}")
        assert (answer.status_code, stable(answer.json())) == (200, body)
        assert list(answer.json()) == list(body)
    answer = api.rest("GET", USERS, params={"depth": "complete"})
    assert stable(answer.json()) == {"elements": bodies, "page": 1, "pageSize": 1000, "total": 2}
    found = api.rest("GET", USERS, params={"search": "loginName='rita*'", "depth": "minimal"}).json()
    head = {name: bodies[1][name] for name in ("type", "id", "createdAt", "depth", "name")}
    assert stable(found["elements"]) == [head | {"depth": "minimal"}]
    page = api.rest("GET", USERS, params={"orderBy": "name DESC", "count": 1}).json()
    assert ([e["id"] for e in page["elements"]], page["total"]) == ([str(rita)], 2)
    answer = api.rest("GET", USERS, params={"search": "password=x"})
    assert (answer.status_code, answer.json()) == (400, [wrong_parameter("search", "Enum", "password=x")])


def test_users_of_another_company_are_none(api: Api, server: RunningServer) -> None:
    other, _ = server.new_company(f"other of {id_of(api)}")
    answer = api.rest("GET", f"/system/user/{id_of(other)}")
    message = f"There is no user {id_of(other)}."
    assert (answer.status_code, answer.json()) == (404, {"status": 404, "error": "Not Found", "message": message})
    assert [element["id"] for element in api.rest("GET", USERS).json()["elements"]] == [str(id_of(api))]
