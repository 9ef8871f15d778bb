"""Contact lists, email groups and the staging quota, as the Bulk API shows them."""

from __future__ import annotations

import pytest

from tests.support.api import Api, add_to_list
from tests.support.times import timeless

AUDIT = {"createdBy": "ann", "createdAt": "TIME", "updatedBy": "ann", "updatedAt": "TIME"}
EMPTY = b'{"items":[],"totalResults":0,"limit":1000,"offset":0,"count":0,"hasMore":false}'


def test_contact_lists(api: Api) -> None:
    assert api.bulk("GET", "/contacts/lists").content == EMPTY
    for name in ("first", "second"):
        api.new_list(name)
    uri = api.define(add_to_list(2))
    api.upload(uri, [{"Id": 1}, {"Id": 2}])
    api.sync(uri)
    items = [
        {"name": name, "count": count, "statement": f"{{{{ContactList[{n}]}}}}", "uri": f"/contacts/lists/{n}"} | AUDIT
        for n, name, count in ((1, "first", 0), (2, "second", 2))
    ]
    answer = api.bulk("GET", "/contacts/lists")
    assert timeless(answer.json()) == {
        "items": items,
        "totalResults": 2,
        "limit": 1000,
        "offset": 0,
        "count": 2,
        "hasMore": False,
    }
    assert list(answer.json()["items"][0]) == list(items[0])
    assert timeless(api.bulk("GET", "/contacts/lists/2").json()) == items[1]
    found = api.bulk("GET", '/contacts/lists?q="name=SEC*"').json()
    assert [item["name"] for item in found["items"]] == ["second"]


def test_email_groups(api: Api) -> None:
    assert api.bulk("GET", "/emailGroups").content == EMPTY
    api.new_group("news")
    item = {"name": "news", "statement": "{{EmailGroup[1]}}", "uri": "/emailGroups/1"} | AUDIT
    answer = api.bulk("GET", "/emailGroups")
    assert timeless(answer.json()) == {
        "items": [item],
        "totalResults": 1,
        "limit": 1000,
        "offset": 0,
        "count": 1,
        "hasMore": False,
    }
    one = api.bulk("GET", "/emailGroups/1").json()
    assert timeless(one) == item
    assert list(one) == list(item)


def test_lists_and_groups_that_never_were(api: Api) -> None:
    for path, what in (("/contacts/lists/1", "contact list 1"), ("/emailGroups/1", "email group 1")):
        answer = api.bulk("GET", path)
        assert (answer.status_code, answer.json()) == (
            404,
            {"status": 404, "error": "Not Found", "message": f"There is no {what}."},
        )


def test_deleted_lists_are_gone(api: Api) -> None:
    api.new_list()
    assert api.rest("DELETE", "/assets/contact/list/1").status_code == 200
    answer = api.bulk("GET", "/contacts/lists/1")
    assert (answer.status_code, answer.json()) == (
        410,
        {"status": 410, "error": "Gone", "message": "The contact list 1 was deleted."},
    )


def test_the_staging_quota(api: Api) -> None:
    assert api.bulk("GET", "/imports/data").content == b'{"kbAllowed":500000000,"kbUsed":0}'
    uri = api.define()
    api.upload(uri, [{"Id": 1}])
    assert api.bulk("GET", "/imports/data").content == b'{"kbAllowed":500000000,"kbUsed":1}'
    api.sync(uri)
    assert api.bulk("GET", "/imports/data").content == b'{"kbAllowed":500000000,"kbUsed":0}'


def test_import_priorities(api: Api) -> None:
    default = {
        "name": "Default",
        "priority": 1,
        "uri": "/imports/priorities/1",
        "createdAt": "1900-01-01T05:00:00.0000000Z",
        "updatedAt": "1900-01-01T05:00:00.0000000Z",
    }
    page = {"items": [default], "totalResults": 1, "limit": 1000, "offset": 0, "count": 1, "hasMore": False}
    assert api.bulk("GET", "/imports/priorities").json() == page
    assert api.bulk("GET", "/imports/priorities/1").json() == default
    assert api.bulk("GET", "/imports/priorities/2").status_code == 404
    definition = {
        "name": "x",
        "fields": {"Email": "{{Contact.Field(C_EmailAddress)}}"},
        "identifierFieldName": "Email",
        "importPriorityUri": "/imports/priorities/1",
    }
    assert api.bulk("POST", "/contacts/imports", json=definition).json()["importPriorityUri"] == "/imports/priorities/1"
    answer = api.bulk("POST", "/contacts/imports", json={**definition, "importPriorityUri": "/imports/priorities/2"})
    constraint = "Must be the uri of an import priority: GET /imports/priorities lists them."
    failure = {"field": "importPriorityUri", "value": "/imports/priorities/2", "constraint": constraint}
    assert (answer.status_code, answer.json()) == (400, {"failures": [failure]})


@pytest.mark.parametrize(
    "path",
    ["/contacts/scoring/models", "/accounts/fields", "/activities/fields?activityType=EmailOpen", "/customObjects"],
)
def test_catalogues_of_what_nobody_has_are_empty(api: Api, path: str) -> None:
    page = {"items": [], "totalResults": 0, "limit": 1000, "offset": 0, "count": 0, "hasMore": False}
    assert api.bulk("GET", path).json() == page
    answer = api.bulk("GET", f"{path.partition('?')[0]}/1")
    assert (answer.status_code, answer.json()) == (
        404,
        {
            "status": 404,
            "error": "Not Found",
            "message": "There is none with the id 1: this version of Staithe has none of this kind.",
        },
    )
