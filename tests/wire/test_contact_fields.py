"""Contact fields in both APIs: the catalogue, and fields that a company makes, at once usable everywhere."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api import Api
from tests.support.rest import stable, wrong
from tests.support.times import timeless

FIELD, FIELDS = "/assets/contact/field", "/assets/contact/fields"
EMAIL = "{{Contact.Field(C_EmailAddress)}}"


def rest_field(number: int, name: str, internal_name: str, **more: str) -> dict[str, Any]:
    return {
        "type": "ContactField",
        "id": str(number),
        "createdAt": "TIME",
        "createdBy": "USER",
        "depth": more.get("depth", "complete"),
        **({"description": more["description"]} if "description" in more else {}),
        "name": name,
        "updatedAt": "TIME",
        "updatedBy": "USER",
        "dataType": more.get("data_type", "text"),
        "displayType": more.get("display_type", "text"),
        "internalName": internal_name,
        "isReadOnly": "false",
        "isRequired": "false",
        "isStandard": "false",
        "showTrustedVisitorsOnly": "true",
        "updateType": more.get("update_type", "always"),
    }


def new_field(api: Api, name: str, data_type: str = "text", **more: str) -> str:
    """Make a field, and give its statement."""
    answer = api.rest("POST", FIELD, json={"name": name, "dataType": data_type, "displayType": "text", **more})
    assert answer.status_code == 201, answer.text
    return "{{Contact.Field(%s)}}" % answer.json()["internalName"]


def test_a_built_in_field_has_the_recorded_keys_in_order(api: Api) -> None:
    expected = {
        "name": "Email Address",
        "internalName": "C_EmailAddress",
        "dataType": "emailAddress",
        "hasReadOnlyConstraint": False,
        "hasNotNullConstraint": True,
        "hasUniquenessConstraint": True,
        "statement": EMAIL,
        "uri": "/contacts/fields/100001",
        "createdAt": "1900-01-01T05:00:00.0000000Z",
        "updatedAt": "1900-01-01T05:00:00.0000000Z",
    }
    answer = api.bulk("GET", "/contacts/fields/100001")
    assert (answer.status_code, answer.json()) == (200, expected)
    assert list(answer.json()) == list(expected)
    page = api.bulk("GET", "/contacts/fields", params={"limit": 1}).json()
    assert page == {
        "items": [expected],
        "totalResults": 49,
        "limit": 1,
        "offset": 0,
        "count": 1,
        "hasMore": True,
    }


def test_read_only_and_date_fields_are_told(api: Api) -> None:
    found = api.bulk("GET", "/contacts/fields/100026").json()
    assert (found["dataType"], found["hasReadOnlyConstraint"], found["hasNotNullConstraint"]) == ("date", True, False)


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({"q": "name=*SFDC Lead*"}, ["C_SFDCLeadID"]),
        ({"q": "internalName=c_fax"}, ["C_Fax"]),
        ({"q": "dataType=emailaddress"}, ["C_EmailAddress"]),
        ({"q": "name!=*e*", "orderBy": "name DESC", "limit": 2}, ["C_Salutation", "C_SFDCLeadID"][:0]),
        ({"orderBy": "name ASC", "limit": 2}, ["C_Address1", "C_Address2"]),
        ({"orderBy": "internalName DESC", "limit": 2}, ["ContactIDExt", "C_elqPURLName1"]),
        ({"offset": 48}, ["C_SFDCLastCampaignName"]),
        ({"offset": 49}, []),
    ],
)
def test_the_catalogue_is_searched_ordered_and_paged(api: Api, parameters: dict[str, Any], names: list[str]) -> None:
    items = api.bulk("GET", "/contacts/fields", params=parameters).raise_for_status().json()["items"]
    if parameters.get("q") == "name!=*e*":
        assert all("e" not in item["name"].lower() for item in items)
        assert items
    else:
        assert [item["internalName"] for item in items] == names


def test_an_unknown_field_is_404(api: Api) -> None:
    assert api.bulk("GET", "/contacts/fields/99").json() == {
        "status": 404,
        "error": "Not Found",
        "message": "There is no contact field 99.",
        "advice": "GET /contacts/fields lists those that there are.",
    }


def test_a_new_field_is_answered_and_stands_in_both_catalogues(api: Api) -> None:
    sent = {"name": "edm playlist name", "dataType": "text", "displayType": "text", "updateType": "newNotBlank"}
    answer = api.rest("POST", FIELD, json={**sent, "description": "What they hear"})
    expected = rest_field(
        100313, sent["name"], "C_edm_playlist_name1", update_type="newNotBlank", description="What they hear"
    )
    audit = ("createdAt", "createdBy", "updatedAt", "updatedBy")
    made = {name: value for name, value in expected.items() if name not in audit}
    assert (answer.status_code, answer.json()) == (201, made)
    assert list(answer.json()) == list(made)
    read = api.rest("GET", f"{FIELD}/100313").json()
    assert (stable(read), list(read)) == (expected, list(expected))
    found = api.rest("GET", FIELDS, params={"search": "name='edm*'", "depth": "complete"}).json()
    assert found == {"elements": [read], "page": 1, "pageSize": 1000, "total": 1}
    assert timeless(api.bulk("GET", "/contacts/fields/100313").json()) == {
        "name": "edm playlist name",
        "internalName": "C_edm_playlist_name1",
        "dataType": "string",
        "hasReadOnlyConstraint": False,
        "hasNotNullConstraint": False,
        "hasUniquenessConstraint": False,
        "statement": "{{Contact.Field(C_edm_playlist_name1)}}",
        "uri": "/contacts/fields/100313",
        "createdBy": "ann",
        "createdAt": "TIME",
        "updatedBy": "ann",
        "updatedAt": "TIME",
    }


def test_names_that_are_alike_get_running_numbers(api: Api) -> None:
    made = [new_field(api, name) for name in ("Lead Score", "Lead-Score", "LEAD SCORE", "Ländername")]
    assert made == [
        f"{{{{Contact.Field({name})}}}}"
        for name in ("C_Lead_Score1", "C_Lead_Score2", "C_LEAD_SCORE3", "C_L_ndername1")
    ]


def test_a_field_is_renamed_but_keeps_its_internal_name_and_type(api: Api) -> None:
    new_field(api, "Points", "numeric")
    answer = api.rest("PUT", f"{FIELD}/100313", json={"id": "100313", "name": "Score", "updateType": "existingBlank"})
    expected = rest_field(100313, "Score", "C_Points1", data_type="numeric", update_type="existingBlank")
    assert (answer.status_code, stable(answer.json())) == (200, expected)
    answer = api.rest("PUT", f"{FIELD}/100313", json={"name": "Score", "dataType": "date", "internalName": "C_Other"})
    assert (answer.status_code, answer.json()) == (
        400,
        [
            wrong("ContactField", "dataType", "Immutability", "date"),
            wrong("ContactField", "internalName", "Immutability", "C_Other"),
        ],
    )


@pytest.mark.parametrize(
    ("properties", "failures"),
    [
        ({}, [("name", "NotNull", "")]),
        ({"name": "x" * 101}, [("name", "TextLength", "x" * 101)]),
        ({"name": "Ok", "dataType": "blob"}, [("dataType", "Enum", "blob")]),
        (
            {"name": "Ok", "displayType": "dial", "updateType": "never"},
            [("updateType", "Enum", "never"), ("displayType", "Enum", "dial")],
        ),
    ],
)
def test_what_is_wrong_with_a_new_field_is_told(
    api: Api, properties: dict[str, str], failures: list[tuple[str, str, str]]
) -> None:
    answer = api.rest("POST", FIELD, json=properties)
    assert (answer.status_code, answer.json()) == (400, [wrong("ContactField", *failure) for failure in failures])
    assert api.bulk("GET", "/contacts/fields").json()["totalResults"] == 49


def test_built_in_fields_and_readers_change_nothing(api: Api, reader: Api) -> None:
    assert api.rest("PUT", f"{FIELD}/100002", json={"name": "Given name"}).status_code == 403
    assert reader.rest("POST", FIELD, json={"name": "Mine"}).status_code == 403
    assert reader.rest("GET", f"{FIELD}/100002").json()["name"] == "First Name"


def test_new_fields_of_every_type_are_imported_exported_searched_and_shown(api: Api) -> None:
    statements = {
        "Email": EMAIL,
        "Color": new_field(api, "Color"),
        "Essay": new_field(api, "Essay", "largeText"),
        "Points": new_field(api, "Points", "numeric"),
        "Since": new_field(api, "Since", "date"),
    }
    definition = {"name": "all types", "fields": statements, "identifierFieldName": "Email"}
    uri = api.bulk("POST", "/contacts/imports", json=definition).raise_for_status().json()["uri"]
    record = {
        "Email": "new@example.com",
        "Color": "grün",
        "Essay": "long\n" * 500,
        "Points": "-1.50",
        "Since": "2026-03-01 10:00:00",
    }
    assert api.upload(uri, [record]).status_code == 204
    assert api.sync(uri)["status"] == "success"
    export = api.bulk("POST", "/contacts/exports", json={"name": "all types", "fields": statements}).json()["uri"]
    sync_uri = api.sync(export)["uri"]
    assert api.bulk("GET", f"{sync_uri}/data", params={"offset": 100}).json()["items"] == [{**record, "Points": "-1.5"}]
    found = api.rest("GET", "/data/contacts", params={"search": "C_Points1<0", "depth": "complete"}).json()
    values = {v["id"]: v["value"] for v in found["elements"][0]["fieldValues"]}
    assert values["100313"] == "grün"
    assert values["100315"] == "-1.5"
    assert values["100316"] == "1772359200"


def test_a_field_rule_decides_where_the_import_asks_for_it(api: Api) -> None:
    kept = new_field(api, "Kept", updateType="existingBlank")
    definition = {
        "name": "rules",
        "fields": {"Email": EMAIL, "Kept": kept},
        "identifierFieldName": "Email",
        "updateRule": "useFieldRule",
    }
    uri = api.bulk("POST", "/contacts/imports", json=definition).raise_for_status().json()["uri"]
    for value in ("first", "second"):
        api.upload(uri, [{"Email": "contact-1@example.com", "Kept": value}])
        assert api.sync(uri)["status"] == "success"
    contact = api.rest("GET", "/data/contact/1").json()
    assert {"type": "FieldValue", "id": "100313", "value": "first"} in contact["fieldValues"]


def test_fields_of_one_company_are_unknown_to_another(api: Api, server: Any) -> None:
    statement = new_field(api, "Ours")
    other, _ = server.new_company("other_company_of_fields", contacts=1)
    answer = other.bulk("POST", "/contacts/exports", json={"name": "x", "fields": {"Ours": statement}})
    assert (answer.status_code, answer.json()) == (
        400,
        {
            "failures": [
                {
                    "field": "fields",
                    "value": {"Ours": statement},
                    "constraint": "Must name a contact field that exists: there is no C_Ours1.",
                }
            ]
        },
    )
