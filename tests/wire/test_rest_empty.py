"""What all operations of the Application API share, and its searches for what no company can have yet."""

from __future__ import annotations

import pytest

from tests.support.api import Api
from tests.support.rest import wrong_parameter

PROBED = ("assets/campaigns", "assets/emails", "assets/forms", "assets/externals", "data/visitors", "data/accounts")
"""Most of what a public client asks for with `count=1` before all else: it stops at a 404."""

PATHS = (*PROBED, "assets/landingPages", "assets/customObjects")


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_searches_for_what_nobody_has_are_empty(reader: Api, version: str) -> None:
    for path in PATHS:
        answer = reader.call("GET", f"/API/REST/{version}/{path}", params={"count": 1})
        assert (answer.status_code, answer.content) == (200, b'{"elements":[],"page":1,"pageSize":1,"total":0}'), path
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["content-length"] == str(len(answer.content))


def test_their_parameters_are_checked_but_for_the_names_of_properties(api: Api) -> None:
    parameters = {"page": 3, "depth": "complete", "orderBy": "V_LastVisitDateAndTime DESC"}
    search = "V_LastVisitDateAndTime>='2020-01-01 00:00:00'updatedAt>1500000000"
    answer = api.rest("GET", "/data/visitors", params={**parameters, "search": search, "count": 50000})
    assert (answer.status_code, answer.json()) == (200, {"elements": [], "page": 3, "pageSize": 1000, "total": 0})
    for name, value, requirement in (
        ("count", "many", "Integer"),
        ("page", "first", "Integer"),
        ("depth", "deep", "Enum"),
        ("orderBy", "name SIDEWAYS", "Enum"),
    ):
        answer = api.rest("GET", "/assets/emails", params={name: value})
        assert (answer.status_code, answer.json()) == (400, [wrong_parameter(name, requirement, value)])
    answer = api.rest("GET", "/assets/emails", params={"search": "x" * 16_001})
    assert (answer.status_code, answer.json()) == (400, [wrong_parameter("search", "TextLength", "x" * 100)])


def test_an_empty_answer_says_nothing_of_its_type(api: Api) -> None:
    api.new_list()
    answer = api.rest("DELETE", "/assets/contact/list/1")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")
    assert "content-type" not in answer.headers


@pytest.mark.parametrize("text", ["sandwich", "-1", "1.5", "9" * 19, "%D9%A1"])
def test_a_malformed_id_is_refused_as_documented(api: Api, text: str) -> None:
    value = "\u0661" if text.startswith("%") else text
    requirement = {"type": "IdRequirement", "isRelativeAllowed": False}
    body = [{"type": "EndpointParameterError", "parameter": "id", "requirement": requirement, "value": value}]
    answer = api.rest("GET", f"/data/contact/1/email/group/{text}/subscription")
    assert (answer.status_code, answer.json()) == (400, [{**body[0], "parameter": "groupId"}])
    for method, path in (
        ("GET", f"/api/REST/1.0/assets/contact/list/{text}"),
        ("PUT", f"/api/REST/2.0/assets/contact/field/{text}"),
        ("DELETE", f"/api/rest/2.0/data/contact/{text}"),
        ("GET", f"/api/REST/2.0/data/contact/{text}/membership"),
    ):
        answer = api.call(method, path, json={})
        assert (answer.status_code, answer.json()) == (400, body), path
        assert answer.headers["content-type"] == "application/json"
    assert api.bulk("GET", f"/contacts/lists/{text}").status_code == 404
    assert api.rest("GET", "/assets/contact/list/0").status_code == 404
