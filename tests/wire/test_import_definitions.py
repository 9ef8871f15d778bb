"""Definitions of imports: every operation and every property, whole bodies."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api import UNSUBSCRIBE, Api, add_to_list
from tests.support.imports import CRM_TIME, FIELDS, FIRST, PATH, define_import, import_body, import_echo
from tests.support.times import timeless
from tests.wire.test_syncs import page

WITH_ACCOUNT = FIELDS | {"x": "{{Contact.Account.Field(M_CompanyName)}}"}


def test_create_answers_as_recorded(api: Api) -> None:
    """The recorded request has a property of exports, which is dropped."""
    sent = {
        "areSystemTimestampsInUTC": True,
        "name": "acme-import-app_789-po09-EOEP-HKp8-3039",
        "fields": FIELDS,
        "identifierFieldName": "emailAddress",
        "isSyncTriggeredOnImport": False,
        "isUpdatingMultipleMatchedRecords": True,
    }
    answer = api.bulk("POST", PATH, json=sent)
    expected = {
        "name": "acme-import-app_789-po09-EOEP-HKp8-3039",
        "fields": FIELDS,
        "identifierFieldName": "emailAddress",
        "isSyncTriggeredOnImport": False,
        "dataRetentionDuration": "P7D",
        "isUpdatingMultipleMatchedRecords": True,
        "uri": "/contacts/imports/1",
        "createdBy": "ann",
        "createdAt": "TIME",
        "updatedBy": "ann",
        "updatedAt": "TIME",
    }
    assert (answer.status_code, timeless(answer.json())) == (201, expected)
    assert list(answer.json()) == list(expected)
    assert answer.json()["createdAt"] == answer.json()["updatedAt"]


def test_every_property_is_echoed(api: Api) -> None:
    number = api.new_list()
    changes = {
        "syncActions": [add_to_list(number), UNSUBSCRIBE],
        "isSyncTriggeredOnImport": True,
        "dataRetentionDuration": "PT36H",
        "autoDeleteDuration": "P30D",
        "updateRule": "ifNewIsNotNull",
        "updateRuleByField": {"firstName": "useFieldRule"},
        "importRule": "updateOnly",
        "isUpdatingMultipleMatchedRecords": True,
        "isIdentifierFieldCaseSensitive": True,
        "nullIdentifierFieldName": True,
    }
    answer = api.bulk("POST", PATH, json=import_body(**changes))
    assert (answer.status_code, timeless(answer.json())) == (201, import_echo(1, **changes))
    assert list(answer.json()) == list(import_echo(1, **changes))
    assert api.bulk("GET", f"{PATH}/1").json() == answer.json()
    assert timeless(api.bulk("GET", PATH).json()) == page([import_echo(1, **changes)])
    assert timeless(api.bulk("GET", "/imports").json()) == page([import_echo(1, **changes)])
    replaced = api.bulk("PUT", f"{PATH}/1", json=import_body(name="Autumn"))
    assert (replaced.status_code, timeless(replaced.json())) == (200, import_echo(1, name="Autumn"))
    assert replaced.json()["createdAt"] == answer.json()["createdAt"]
    assert api.bulk("GET", f"{PATH}/1").json() == replaced.json()


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [
        ({"UPDATERULE": "IFNEWISNOTNULL"}, {"updateRule": "ifNewIsNotNull"}),
        ({"isUpdatingMultipleMatchedRecords": "true"}, {"isUpdatingMultipleMatchedRecords": True}),
        (
            {"isUpdatingMultipleMatchedRecords": "0", "nullIdentifierFieldName": 1},
            {"isUpdatingMultipleMatchedRecords": False, "nullIdentifierFieldName": True},
        ),
        ({"isSyncTriggeredOnImport": "False"}, {}),
        ({"fields": WITH_ACCOUNT}, {"fields": WITH_ACCOUNT}),
        ({"isIdentifierFieldCaseSensitive": False}, {"isIdentifierFieldCaseSensitive": False}),
        ({"nullIdentifierFieldName": "false"}, {"nullIdentifierFieldName": False}),
        ({"importRule": "create"}, {"importRule": "createOnly"}),
        ({"importRule": "UpdateOnly"}, {"importRule": "updateOnly"}),
        ({"dataRetentionDuration": "PT1H"}, {"dataRetentionDuration": "PT1H"}),
        ({"dataRetentionDuration": "P14D"}, {"dataRetentionDuration": "P14D"}),
        ({"autoDeleteDuration": "P1000D"}, {"autoDeleteDuration": "P1000D"}),
        ({"updateRule": None, "importRule": None, "dataRetentionDuration": None, "syncActions": None}, {}),
        ({"syncActions": [], "kbUsed": 7, "uri": "/x", "createdBy": "bob", "mapDataCards": True}, {}),
        ({"updateRuleByField": {}}, {"updateRuleByField": {}}),
        ({"importPriorityUri": ""}, {}),
    ],
)
def test_spellings_are_taken(api: Api, sent: dict[str, Any], echoed: dict[str, Any]) -> None:
    answer = api.bulk("POST", PATH, json=import_body() | sent)
    assert (answer.status_code, timeless(answer.json())) == (201, import_echo(1, **echoed))


def failure(field: str, constraint: str, value: Any = None) -> dict[str, Any]:
    return {"failures": [{"field": field, **({} if value is None else {"value": value}), "constraint": constraint}]}


FIELD_COUNT = "Must be an object of 1 to 100 fields: their names, each with a statement."
MISSING = "Must be a string value, at least 1 character and at most 100 characters long."
"""Pasted from a live reply."""
RULES = "Must be always or ifNewIsNotNull or ifExistingIsNull or useFieldRule."
LIFE = "Must be an ISO 8601 duration such as P7D or PT12H, of at least PT1H"


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"name": "n" * 101}, failure("name", MISSING, "n" * 101)),
        ({"fields": None}, failure("fields", FIELD_COUNT)),
        ({"fields": {}}, failure("fields", FIELD_COUNT, {})),
        (
            {"fields": FIELDS | {"x": "{{Contact.Field(C_Nothing)}}"}},
            failure("fields", "Must name a contact field that exists: there is no C_Nothing.",
                    {"x": "{{Contact.Field(C_Nothing)}}"}),
        ),
        (
            {"fields": {"emailAddress": "{{Contact.Email.IsBounced}}"}},
            failure("fields", "Must be identified by a text, number, email address or id field.",
                    {"emailAddress": "{{Contact.Email.IsBounced}}"}),
        ),
        (
            {"fields": {"emailAddress": "{{Contact.CreatedAt}}"}},
            failure("fields", "Must be identified by a text, number, email address or id field.",
                    {"emailAddress": "{{Contact.CreatedAt}}"}),
        ),
        (
            {"fields": {"emailAddress": CRM_TIME}},
            failure("fields", "Must be identified by a text, number, email address or id field.",
                    {"emailAddress": CRM_TIME}),
        ),
        (
            {"fields": {"emailAddress": "{{Contact.Field(C_EmailAddressDomain)}}"}},
            failure("fields", "Must be identified by a text, number, email address or id field.",
                    {"emailAddress": "{{Contact.Field(C_EmailAddressDomain)}}"}),
        ),
        ({"identifierFieldName": None}, failure("identifierFieldName", MISSING)),
        (
            {"identifierFieldName": "Email"},
            failure("identifierFieldName", "Must be the name of one of the fields (ELQ-00112).", "Email"),
        ),
        ({"updateRule": "never"}, failure("updateRule", RULES, "never")),
        ({"updateRuleByField": "always"},
         failure("updateRuleByField", "Must be an object of names in fields, each with an update rule.", "always")),
        ({"updateRuleByField": {"C_FirstName": "always"}},
         failure("updateRuleByField", "Must be about names in fields.", {"C_FirstName": "always"})),
        ({"updateRuleByField": {"firstName": "x"}}, failure("updateRuleByField", RULES, {"firstName": "x"})),
        ({"importRule": "delete"},
         failure("importRule", "Must be createAndUpdate or updateOnly or createOnly.", "delete")),
        ({"isSyncTriggeredOnImport": "yes"}, failure("isSyncTriggeredOnImport", "Must be true or false.", "yes")),
        ({"nullIdentifierFieldName": 2}, failure("nullIdentifierFieldName", "Must be true or false.", 2)),
        ({"dataRetentionDuration": "PT59M"},
         failure("dataRetentionDuration", LIFE + " and at most P14D.", "PT59M")),
        ({"dataRetentionDuration": "P15D"}, failure("dataRetentionDuration", LIFE + " and at most P14D.", "P15D")),
        ({"dataRetentionDuration": "P1M"}, failure("dataRetentionDuration", LIFE + " and at most P14D.", "P1M")),
        ({"dataRetentionDuration": 7}, failure("dataRetentionDuration", LIFE + " and at most P14D.", 7)),
        ({"autoDeleteDuration": "PT1M"}, failure("autoDeleteDuration", LIFE + ".", "PT1M")),
        ({"importPriorityUri": "/imports/priorities/99"},
         failure("importPriorityUri", "Must be the uri of an import priority: GET /imports/priorities lists them.",
                 "/imports/priorities/99")),
        ({"syncActions": [UNSUBSCRIBE] * 11},
         failure("syncActions", "Must be a list of 1 to 10 sync actions.", [UNSUBSCRIBE] * 11)),
        ({"syncActions": [add_to_list(9)]},
         failure("syncActions", "Must name what exists: there is no contact list 9.", add_to_list(9))),
        (
            {"fields": FIELDS | {"id": "{{Contact.Id}}"}, "identifierFieldName": "id",
             "isUpdatingMultipleMatchedRecords": True},
            failure("isUpdatingMultipleMatchedRecords",
                    "Must be false when the import changes email addresses: each belongs to one contact.", True),
        ),
    ],
)  # fmt: skip
def test_what_is_refused(api: Api, changes: dict[str, Any], refusal: dict[str, Any]) -> None:
    answer = api.bulk("POST", PATH, json=import_body(**changes))
    assert (answer.status_code, answer.json()) == (400, refusal)
    assert api.bulk("GET", PATH).json()["totalResults"] == 0
    api.bulk("POST", PATH, json=import_body()).raise_for_status()
    assert api.bulk("PUT", f"{PATH}/1", json=import_body(**changes)).json() == refusal
    assert timeless(api.bulk("GET", f"{PATH}/1").json()) == import_echo(1)


def test_a_name_may_be_left_out(api: Api) -> None:
    answer = api.bulk("POST", PATH, json=import_body(name=None))
    assert (answer.status_code, timeless(answer.json())) == (201, import_echo(1, name=None))
    assert next(iter(answer.json())) == "fields"
    assert api.bulk("GET", "/imports?q=name=*").json()["totalResults"] == 0


def test_a_hundred_fields_are_taken_and_one_more_is_not(api: Api) -> None:
    hundred = FIELDS | {f"f{i}": FIRST for i in range(98)}
    assert api.bulk("POST", PATH, json=import_body(fields=hundred)).status_code == 201
    assert api.bulk("POST", PATH, json=import_body(fields=hundred | {"one more": FIRST})).status_code == 400


def test_deleted_definitions_are_gone(api: Api) -> None:
    uri = define_import(api)
    assert api.bulk("DELETE", uri).status_code == 204
    gone = {
        "status": 410,
        "error": "Gone",
        "message": "The import definition 1 of contacts was deleted or has expired.",
        "advice": "Create a new definition.",
    }
    for method, path in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/data"), ("DELETE", "/data")):
        answer = api.bulk(method, uri + path, json=import_body() if method == "PUT" else [])
        assert (answer.status_code, answer.json()) == (410, gone)
    assert api.bulk("GET", f"{PATH}/2").status_code == 404
    assert api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri}).status_code == 400
