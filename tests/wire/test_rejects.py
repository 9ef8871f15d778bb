"""Rejects of a sync, searched, ordered and paged: whole bodies against a list that is sorted here."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api import Api
from tests.wire.test_syncs import page

MESSAGES = {
    "ELQ-00032": "The record cannot be read: its columns or its identifier are malformed.",
    "ELQ-00061": "A required field is empty or missing.",
    "ELQ-00085": "No contact has this identifier.",
}
VALUES = ["x", "", "1", "7777", "y", "2", "8888", "", "z", "9999"]


def rejects() -> list[dict[str, Any]]:
    """Those of `VALUES`."""
    made = []
    for number, value in enumerate(VALUES, 1):
        if value not in ("1", "2"):
            code = "ELQ-00061" if not value else "ELQ-00085" if value.isdigit() else "ELQ-00032"
            made.append(
                {
                    "fieldValues": {"Id": value},
                    "message": MESSAGES[code],
                    "statusCode": code,
                    "recordIndex": number,
                    "invalidFields": ["Id"],
                }
            )
    return made


@pytest.fixture
def path(api: Api) -> str:
    """The rejects of a sync in two uploads."""
    uri = api.define()
    for values in (VALUES[:6], VALUES[6:]):
        api.upload(uri, [{"Id": value} for value in values])
    return f"{api.sync(uri)['uri']}/rejects"


def test_searches_and_orders(api: Api, path: str) -> None:
    every = rejects()
    by_code = sorted(every, key=lambda r: r["statusCode"])
    for query, expected in (
        ("", every),
        ("q=statusCode=ELQ-00085", [r for r in every if r["statusCode"] == "ELQ-00085"]),
        ('q="statuscode!=elq-00085"', [r for r in every if r["statusCode"] != "ELQ-00085"]),
        ("q=message=*required*", [r for r in every if r["statusCode"] == "ELQ-00061"]),
        ("q=recordIndex>=7", [r for r in every if r["recordIndex"] >= 7]),
        ("q=recordIndex=4", [r for r in every if r["recordIndex"] == 4]),
        ("q=invalidFields=id", every),
        ("q=invalidFields!=Id", []),
        ("orderBy=recordIndex", every),
        ("orderBy=recordIndex DESC", every[::-1]),
        ("orderBy=statusCode", by_code),
        ("orderBy=statusCode DESC", sorted(every, key=lambda r: r["statusCode"], reverse=True)),
        ("orderBy=message&q=recordIndex<9", sorted(
            (r for r in every if r["recordIndex"] < 9), key=lambda r: r["message"])),
        ("orderBy=invalidFields DESC", every),
        ("orderBy=fieldValues", every),
    ):  # fmt: skip
        answer = api.bulk("GET", f"{path}?{query}")
        assert (answer.status_code, answer.json()) == (200, page(expected)), query
        assert list(answer.json()) == list(page([]))
        for limit, offset in ((1, 0), (2, 1), (3, 3), (2, 7), (5, 100)):
            found = expected[offset : offset + limit]
            body = api.bulk("GET", f"{path}?{query}&limit={limit}&offset={offset}").json()
            more = offset + len(found) < len(expected)
            changes = {"totalResults": len(expected), "limit": limit, "offset": offset, "hasMore": more}
            assert body == page(found, **changes), (query, limit, offset)
    body = api.bulk("GET", f"{path}?q=recordIndex>4&limit=2&totalResults=false").json()
    assert "totalResults" not in body
    assert (body["count"], body["hasMore"]) == (2, True)


@pytest.mark.parametrize("query", ["fieldValues=x", "nothing=1", "recordIndex=x"])
def test_what_cannot_be_searched_is_told(api: Api, path: str, query: str) -> None:
    answer = api.bulk("GET", f"{path}?q={query}")
    assert answer.status_code == 400
    assert [failure["field"] for failure in answer.json()["failures"]] == ["q"]


def test_a_reject_with_several_invalid_fields_is_found_by_each(api: Api) -> None:
    fields = {
        "email": "{{Contact.Field(C_EmailAddress)}}",
        "a": "{{Contact.Field(C_LastModifiedByExtIntegrateSystem)}}",
        "b": "{{Contact.Field(C_FirstName)}}",
    }
    body = {"name": "x", "fields": fields, "identifierFieldName": "email"}
    answer = api.bulk("POST", "/contacts/imports", json=body)
    uri = answer.raise_for_status().json()["uri"]
    records = [
        {"email": "contact-1@example.com", "a": "soon", "b": "b" * 101},
        {"email": "no address", "a": "", "b": ""},
    ]
    api.upload(uri, records)
    path = f"{api.sync(uri)['uri']}/rejects"
    for query, numbers in (
        ("q=invalidFields=a", [1]),
        ("q=invalidFields=B", [1]),
        ("q=invalidFields!=a", [2]),
        ("q=invalidFields=*", [1, 2]),
        ("orderBy=invalidFields DESC", [2, 1]),
    ):
        items = api.bulk("GET", f"{path}?{query}").json()["items"]
        assert [item["recordIndex"] for item in items] == numbers, query
