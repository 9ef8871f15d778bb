"""Segments and contact filters in both APIs: whole bodies, what they find, and what is wrong with one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api import Api
from tests.support.rest import stable, wrong
from tests.support.times import timeless

SEGMENT, FILTER = "/assets/contact/segment", "/assets/contact/filter"
Body = dict[str, Any]


def criterion(
    field_id: int, operator: str, value: str = "", kind: str = "TextValueCondition", number: str = "1"
) -> Body:
    name = "quickListString" if kind == "TextSetCondition" else "value"
    condition = {"type": kind, "operator": operator, name: value}
    return {"type": "ContactFieldCriterion", "id": number, "condition": condition, "fieldId": str(field_id)}


def filter_element(*criteria: Body, **more: Any) -> Body:
    return {"type": "ContactFilterSegmentElement", "filter": {"criteria": list(criteria), **more}}


def new_segment(api: Api, elements: list[Body]) -> int:
    answer = api.rest("POST", SEGMENT, json={"name": "segment", "elements": elements})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def members(api: Api, container: str) -> list[int]:
    """Who an export with EXISTS gives."""
    body = {"name": "x", "fields": {"Id": "{{Contact.Id}}"}, "filter": f"EXISTS('{container}')"}
    uri = api.bulk("POST", "/contacts/exports", json=body).raise_for_status().json()["uri"]
    return [int(item["Id"]) for item in api.bulk("GET", f"{api.sync(uri)['uri']}/data").json()["items"]]


def fill(api: Api) -> int:
    for number, city in ((1, "Amsterdam"), (2, "amstelveen"), (3, "Berlin"), (4, "100% [Bonn]")):
        contact = {"emailAddress": f"contact-{number}@example.com", "city": city}
        api.rest("PUT", f"/data/contact/{number}", json=contact).raise_for_status()
    body = {"name": "static", "membershipAdditions": ["3", "50"]}
    return int(api.rest("POST", "/assets/contact/list", json=body).raise_for_status().json()["id"])


def north_body(list_id: int) -> Body:
    return {
        "type": "ContactSegment",
        "id": "1",
        "createdAt": "TIME",
        "createdBy": "USER",
        "depth": "complete",
        "description": "Up there",
        "folderId": "1",
        "name": "North",
        "permissions": "fullControl",
        "updatedAt": "TIME",
        "updatedBy": "USER",
        "count": "2",
        "lastCalculatedAt": "TIME",
        "elements": [
            {
                "type": "ContactListSegmentElement",
                "id": "1",
                "isIncluded": "true",
                "list": {"type": "ContactList", "id": str(list_id)},
            },
            {
                "type": "ContactFilterSegmentElement",
                "id": "2",
                "isIncluded": "true",
                "filter": {
                    "type": "ContactFilter",
                    "name": "Filter Criteria 1",
                    "criteria": [
                        criterion(100009, "startsWith", "Amst", number="-1500199"),
                        criterion(100009, "contains", "veen", number="-1500202"),
                    ],
                    "statement": "-1500199 AND NOT -1500202",
                    "scope": "local",
                },
            },
            {
                "type": "ContactFilterSegmentElement",
                "id": "3",
                "isIncluded": "false",
                "filter": {
                    "type": "ContactFilter",
                    "criteria": [criterion(100001, "equal", "CONTACT-50@example.com")],
                    "statement": "1",
                    "scope": "local",
                },
            },
        ],
    }


def test_a_segment_of_a_list_and_criteria_is_made_shown_and_found(api: Api) -> None:
    list_id = fill(api)
    elements = [
        {
            "type": "ContactListSegmentElement",
            "list": {"type": "ContactList", "id": str(list_id)},
            "isIncluded": "true",
        },
        filter_element(
            criterion(100009, "startsWith", "Amst", number="-1500199"),
            criterion(100009, "contains", "veen", number="-1500202"),
            statement="-1500199 AND NOT -1500202",
            name="Filter Criteria 1",
        ),
        {"isIncluded": False, **filter_element(criterion(100001, "equal", "CONTACT-50@example.com"))},
    ]
    answer = api.rest("POST", SEGMENT, json={"name": "North", "description": "Up there", "elements": elements})
    expected = north_body(list_id)
    assert (answer.status_code, stable(answer.json())) == (201, expected)
    assert list(answer.json()) == list(expected)
    assert api.rest("GET", f"{SEGMENT}/1").json() == answer.json()
    assert members(api, "{{ContactSegment[1]}}") == [1, 3]
    assert timeless(api.bulk("GET", "/contacts/segments/1").json()) == {
        "name": "North",
        "count": 2,
        "executedAt": "TIME",
        "statement": "{{ContactSegment[1]}}",
        "uri": "/contacts/segments/1",
        "createdBy": "ann",
        "createdAt": "TIME",
        "updatedBy": "ann",
        "updatedAt": "TIME",
    }


def test_a_shared_filter_is_made_shown_found_and_used_by_a_segment(api: Api) -> None:
    fill(api)
    sent = {"name": "Dutch", "criteria": [criterion(100009, "endsWith", "veen")]}
    answer = api.rest("POST", FILTER, json=sent)
    expected = {
        "type": "ContactFilter",
        "id": "1",
        "createdAt": "TIME",
        "createdBy": "USER",
        "depth": "complete",
        "folderId": "1",
        "name": "Dutch",
        "permissions": "fullControl",
        "updatedAt": "TIME",
        "updatedBy": "USER",
        "count": "1",
        "lastCalculatedAt": "TIME",
        "criteria": [criterion(100009, "endsWith", "veen")],
        "statement": "1",
        "scope": "global",
    }
    assert (answer.status_code, stable(answer.json())) == (201, expected)
    new_segment(api, [{"type": "ContactFilterSegmentElement", "filter": {"id": "1"}}])
    assert members(api, "{{ContactFilter[1]}}") == members(api, "{{ContactSegment[1]}}") == [2]
    page = api.bulk("GET", "/contacts/filters", params={"q": "name=d*"}).json()
    assert [(i["statement"], i["uri"]) for i in page["items"]] == [("{{ContactFilter[1]}}", "/contacts/filters/1")]
    answer = api.rest("DELETE", f"{FILTER}/1")
    assert (answer.status_code, answer.json()["message"].partition(" while")[0]) == (
        412,
        "The contact filter 1 cannot be deleted",
    )


def test_members_are_those_of_the_moment_and_the_count_is_of_the_last_calculation(api: Api) -> None:
    list_id = fill(api)
    new_segment(api, [{"type": "ContactListSegmentElement", "list": {"id": list_id}}])
    api.rest(
        "PUT", f"/assets/contact/list/{list_id}", json={"name": "x", "membershipAdditions": ["7"]}
    ).raise_for_status()
    assert members(api, "{{ContactSegment[1]}}") == [3, 7, 50]
    assert api.bulk("GET", "/contacts/segments/1").json()["count"] == 2
    answer = api.rest("POST", f"{SEGMENT}/queue/1")
    assert (answer.status_code, answer.json()["count"]) == (201, "3")
    assert api.bulk("GET", "/contacts/segments/1").json()["count"] == 3


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        (criterion(100009, "equal", "berlin"), [3]),
        (criterion(100009, "notContains", "ams"), [3, 4]),
        (criterion(100009, "contains", "0% ["), [4]),
        (criterion(100009, "isBlank"), []),
        (criterion(100009, "isNotBlank"), [1, 2, 3, 4]),
        (criterion(100009, "in", "Berlin, Amsterdam", "TextSetCondition"), [1, 3]),
        (criterion(100009, "notIn", "Berlin,Amsterdam", "TextSetCondition"), [2, 4]),
        (criterion(100026, "greater", "4102444800", "DateValueCondition"), []),
        (criterion(100026, "notLess", "1000000000", "DateValueCondition"), [1, 2, 3, 4]),
        (criterion(100034, "equal", "2026-01-31 10:00:00", "DateValueCondition"), [2]),
        (criterion(100034, "less", "1769853600", "DateValueCondition"), [1]),
    ],
)
def test_every_operator_finds(api: Api, condition: Body, ids: list[int]) -> None:
    fill(api)
    for number, moment in ((1, "1000"), (2, "1769853600")):
        values = [{"type": "FieldValue", "id": "100034", "value": moment}]
        contact = {"emailAddress": f"contact-{number}@example.com", "fieldValues": values}
        api.rest("PUT", f"/data/contact/{number}", json=contact).raise_for_status()
    first_four = {
        "type": "ContactFilterSegmentElement",
        "isIncluded": "false",
        "filter": {"criteria": [criterion(100009, "isBlank")]},
    }
    new_segment(api, [filter_element(condition), first_four])
    assert members(api, "{{ContactSegment[1]}}") == ids


def test_a_segment_is_renamed_and_its_elements_stay_unless_they_are_sent(api: Api) -> None:
    list_id = fill(api)
    new_segment(api, [{"type": "ContactListSegmentElement", "list": {"id": list_id}}])
    renamed = api.rest("PUT", f"{SEGMENT}/1", json={"name": "Renamed"}).raise_for_status().json()
    assert (renamed["name"], renamed["count"], len(renamed["elements"])) == ("Renamed", "2", 1)
    emptied = api.rest("PUT", f"{SEGMENT}/1", json={"name": "Renamed", "elements": []}).raise_for_status().json()
    assert (emptied["count"], emptied["elements"]) == ("0", [])
    assert api.rest("DELETE", f"/assets/contact/list/{list_id}").status_code == 200
    found = api.rest("GET", "/assets/contact/segments", params={"search": "ren*"}).json()
    assert [(e["name"], e["count"], "elements" in e) for e in found["elements"]] == [("Renamed", "0", False)]
    assert api.rest("DELETE", f"{SEGMENT}/1").status_code == 200
    assert api.rest("GET", f"{SEGMENT}/1").status_code == 410
    assert api.bulk("GET", "/contacts/segments/2").status_code == 404


@pytest.mark.parametrize(
    ("elements", "requirement"),
    [
        ("x", "Syntax"),
        ([{"type": "ContactIndividualSegmentElement"}], "Syntax"),
        ([{"type": "ContactListSegmentElement"}], "Syntax"),
        ([{"type": "ContactFilterSegmentElement", "filter": {}}], "Syntax"),
        ([filter_element()], "Syntax"),
        ([filter_element(criterion(1, "equal", "x"))], "Syntax"),
        ([filter_element(criterion(100009, "sounds like", "x"))], "Syntax"),
        ([filter_element(criterion(100009, "equal", "x", "MoonPhaseCondition"))], "Syntax"),
        ([filter_element(criterion(100034, "equal", "soon", "DateValueCondition"))], "Syntax"),
        ([filter_element(criterion(100009, "equal", "x"), statement="1 AND 2")], "Syntax"),
        ([filter_element(criterion(100009, "equal", "x"), statement="1 1")], "Syntax"),
        ([filter_element(criterion(100009, "equal", "x"), statement="'a' = 'b'")], "Syntax"),
        ([filter_element(criterion(100009, "equal", "x"), criterion(100009, "equal", "y"))], "Syntax"),
    ],
)
def test_what_is_wrong_with_a_segment_is_told_and_nothing_is_made(api: Api, elements: Any, requirement: str) -> None:
    answer = api.rest("POST", SEGMENT, json={"name": "bad", "elements": elements})
    assert (answer.status_code, answer.json()) == (400, [wrong("ContactSegment", "elements", requirement)])
    assert api.bulk("GET", "/contacts/segments").json()["totalResults"] == 0


def test_lists_and_filters_of_a_segment_must_exist(api: Api) -> None:
    elements = [
        {"type": "ContactListSegmentElement", "list": {"id": "8"}},
        {"type": "ContactFilterSegmentElement", "filter": {"id": "9"}},
    ]
    answer = api.rest("POST", SEGMENT, json={"name": "bad", "elements": elements})
    assert (answer.status_code, answer.json()) == (
        400,
        [
            wrong("ContactSegment", "elements", "Relationship", "9"),
            wrong("ContactSegment", "elements", "Relationship", "8"),
        ],
    )
