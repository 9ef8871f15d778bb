"""Filters of exports over HTTP: what they find, and how what is wrong with one is told."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from staithe.domain.definitions import EXPORTS, DefinitionKey, ExportDefinition
from staithe.services.stores import CompanyStore
from staithe.storage import definitions
from tests.support.api import Api, add_to_list
from tests.wire.test_contact_fields import new_field
from tests.wire.test_segments import new_segment

EMAIL = "{{Contact.Field(C_EmailAddress)}}"
GUID = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"


def define_export(api: Api, text: object, **more: Any) -> Any:
    body = {"name": "filtered", "fields": {"Id": "{{Contact.Id}}"}, "filter": text, **more}
    return api.bulk("POST", "/contacts/exports", json=body)


def find(api: Api, text: str, **more: Any) -> list[int]:
    """The ids that an export with a filter gives."""
    uri = define_export(api, text, **more).raise_for_status().json()["uri"]
    data = api.bulk("GET", f"{api.sync(uri)['uri']}/data", params={"limit": 50_000}).raise_for_status().json()
    return [int(item["Id"]) for item in data["items"]]


def fill(api: Api) -> None:
    """Countries NL, nl and DE for contacts 1 to 3, and two lists."""
    for number, country in ((1, "NL"), (2, "nl"), (3, "DE")):
        contact = {"id": number, "emailAddress": f"contact-{number}@example.com", "country": country}
        api.rest("PUT", f"/data/contact/{number}", json=contact).raise_for_status()
    for members in (["2", "3", "4"], ["4"]):
        body = {"name": "members", "membershipAdditions": members}
        api.rest("POST", "/assets/contact/list", json=body).raise_for_status()


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("'{{Contact.Account.Field(M_CompanyName)}}' = 'x'", []),
        ("'{{Contact.Account.Id}}' != '' OR '{{Contact.Id}}' = '7'", [7]),
        ("'{{Contact.Account.Field(M_CompanyName)}}' = '' AND '{{Contact.Id}}' = '7'", [7]),
        ("'{{Contact.Field(C_Country)}}' = 'NL'", [1, 2]),
        ("'{{Contact.Field(C_Country)}}' != ''", [1, 2, 3]),
        ("'{{Contact.Field(C_Country)}}' IN ('de', 'fr')", [3]),
        ("'{{Contact.Field(C_Country)}}'~'_l'", [1, 2]),
        (" '{{Contact.Id}}' <= '2' ", [1, 2]),
        (f"'{EMAIL}' = 'Contact-7@Example.com' or '{{{{Contact.Id}}}}' = '9'", [7, 9]),
        ("EXISTS('{{ContactList[1]}}') AND '{{Contact.Field(C_Country)}}' = ''", [4]),
        ("EXISTS('{{ContactList[1]}}') AND NOT '{{ContactList[2]}}' = 'True'", [2, 3]),
        ("'{{Contact.Email.IsSubscribed}}' = 'False'", []),
        ("'{{Contact.UpdatedAt}}' >= '2999-01-01'", []),
        ("'{{Contact.CreatedAt}}' < '2000-01-01' OR '{{Contact.Id}}' = '100'", [100]),
    ],
)
def test_filters_find(api: Api, text: str, ids: list[int]) -> None:
    fill(api)
    assert find(api, text) == ids


def test_a_filter_is_echoed_as_it_was_sent_and_none_if_it_is_blank(api: Api) -> None:
    text = "'{{contact.field(c_country)}}'='NL'"
    made = define_export(api, text).json()
    assert made["filter"] == text
    assert list(made)[:3] == ["name", "fields", "filter"]
    assert api.bulk("GET", made["uri"]).json()["filter"] == text
    assert "filter" not in define_export(api, "  ").json()
    assert "filter" not in define_export(api, None).json()


def test_max_records_and_a_filter_go_together(api: Api) -> None:
    assert find(api, "'{{Contact.Id}}' > '10'", maxRecords=3) == [11, 12, 13]


def test_the_status_in_an_app_service_is_found(api: Api, store: CompanyStore) -> None:
    action = {
        "destination": f"{{{{ActionInstance({GUID}).Execution[31]}}}}",
        "action": "setStatus",
        "status": "complete",
    }
    uri = api.define(action)
    api.upload(uri, [{"Id": 5}, {"Id": 6}])
    api.sync(uri)
    service = f"STATUS('{{{{ActionInstance({GUID}).Execution[31]}}}}')"
    assert find(api, f"{service} = 'complete'") == [5, 6]
    assert find(api, f"{service} = 'pending'") == []
    assert find(api, f"NOT {service} = 'complete' AND '{{{{Contact.Id}}}}' < '7'") == [1, 2, 3, 4]


def test_numbers_and_dates_of_own_fields_compare_by_their_type(api: Api) -> None:
    points, since = new_field(api, "Points", "numeric"), new_field(api, "Since", "date")
    definition = {"name": "x", "fields": {"E": EMAIL, "P": points, "S": since}, "identifierFieldName": "E"}
    uri = api.bulk("POST", "/contacts/imports", json=definition).raise_for_status().json()["uri"]
    values = [("9", "2026-01-31"), ("10", "01/31/2026 10:00:00"), ("-1", "")]
    api.upload(uri, [{"E": f"contact-{n}@example.com", "P": p, "S": s} for n, (p, s) in enumerate(values, 1)])
    assert api.sync(uri)["status"] == "success"
    assert find(api, f"'{points}' > '9'") == [2]
    assert find(api, f"'{points}' < '9.5'") == [1, 3]
    assert find(api, f"'{since}' >= '2026-01-31 00:00:00'") == [1, 2]
    assert find(api, f"'{since}' = '2026-01-31T10:00:00'") == [2]
    assert find(api, f"'{since}' = '' AND '{points}' != ''") == [3]


def test_system_times_are_in_eastern_time_unless_utc_is_asked_for(api: Api) -> None:
    created = api.rest("GET", "/data/contact/1").json()["createdAt"]
    exported = {}
    for in_utc in (True, False):
        body = {"name": "x", "fields": {"C": "{{Contact.CreatedAt}}"}, "areSystemTimestampsInUTC": in_utc}
        uri = api.bulk("POST", "/contacts/exports", json=body).json()["uri"]
        exported[in_utc] = api.bulk("GET", f"{api.sync(uri)['uri']}/data").json()["items"][0]["C"]
    assert int(created) > 0
    assert exported[True] != exported[False]
    for in_utc, text in exported.items():
        same = find(api, f"'{{{{Contact.CreatedAt}}}}' = '{text}'", areSystemTimestampsInUTC=in_utc)
        assert 1 in same
        other = find(api, f"'{{{{Contact.CreatedAt}}}}' = '{text}'", areSystemTimestampsInUTC=not in_utc)
        assert other == []


@pytest.mark.parametrize(
    ("text", "constraint"),
    [
        ("'{{Contact.Field(C_Nope)}}' = 'x'", "Must name a contact field that exists: there is no C_Nope."),
        (
            "'{{Contact.Id}}' = 'x'",
            "Must compare {{Contact.Id}} with a value of its type: 'x' must be a number such as 12 or -0.5.",
        ),
        ("'{{Contact.Id}}' ~ '1%'", "Must compare {{Contact.Id}} with another operator than ~, as it is no text."),
        (
            "'{{Contact.CreatedAt}}' > 'soon'",
            "Must compare {{Contact.CreatedAt}} with a value of its type: 'soon' must be a date: YYYY-MM-DD, "
            "YYYY-MM-DD HH:MM:SS, the same with a fraction, or ISO 8601.",
        ),
        ("'{{Contact.Id}}' = '1' AND", "Must have (, EXISTS, NOT, STATUS or a text in single quotes at its end."),
        ("'{{Contact.Id}}' == '1'", "Must have a text in single quotes at character 19, where \"= '1'\" stands."),
        ("'{{Contact.Id}}' = '1", "Must close the single quote of character 20; one within a text is doubled."),
        ("EXISTS('{{ContactList[9]}}')", "Must name what exists: there is no contact list 9."),
        ("EXISTS('{{ContactSegment[9]}}')", "Must name what exists: there is no contact segment 9."),
        ("EXISTS('{{ContactFilter[9]}}')", "Must name what exists: there is no contact filter 9."),
        (
            "EXISTS('{{EmailGroup[1]}}')",
            "Must name {{ContactList[id]}}, {{ContactSegment[id]}} or {{ContactFilter[id]}} in EXISTS: "
            "{{EmailGroup[1]}} is none.",
        ),
        (
            f"STATUS('{{{{FeederInstance({GUID})}}}}') = 'maybe'",
            f"Must compare STATUS('{{{{FeederInstance({GUID})}}}}') with active, complete, errored, yes, no, pending, "
            "invalid, permission: 'maybe' is none of them.",
        ),
    ],
)
def test_what_is_wrong_with_a_filter_is_told(api: Api, text: str, constraint: str) -> None:
    answer = define_export(api, text)
    assert (answer.status_code, answer.json()) == (
        400,
        {"failures": [{"field": "filter", "value": text, "constraint": constraint}]},
    )
    assert api.bulk("GET", "/contacts/exports").json()["totalResults"] == 0


def test_a_filter_has_at_most_1000_characters_one_exists_and_one_status(api: Api) -> None:
    api.new_list()
    most = "'{{Contact.Id}}' = '1'" + " " * 978
    assert len(most) == 1000
    assert define_export(api, most).status_code == 201
    failures = define_export(api, most + " ").json()["failures"]
    assert failures[0]["constraint"] == "Must be a text of at most 1000 characters."
    assert define_export(api, ["x"]).json()["failures"][0]["field"] == "filter"
    one = "EXISTS('{{ContactList[1]}}')"
    failures = define_export(api, f"{one} OR NOT {one}").json()["failures"]
    assert failures[0]["constraint"] == "Must have at most one EXISTS."


SEGMENT = "EXISTS('{{ContactSegment[1]}}')"
MADE, CHANGED = "'{{Contact.CreatedAt}}' > '2020-01-01'", "'{{contact.field(c_datemodified)}}' > '2020-01-01'"
SEGMENT_RULE = (
    "Must join EXISTS of a segment with nothing but AND and at most two dates: {{Contact.CreatedAt}}, "
    "{{Contact.UpdatedAt}}, {{Contact.Field(C_DateCreated)}} or {{Contact.Field(C_DateModified)}}."
)


def test_a_segment_stands_beside_two_dates_at_most(api: Api) -> None:
    """Eloqua's rule since 19B."""
    fill(api)
    new_segment(api, [{"type": "ContactListSegmentElement", "list": {"id": "1"}}])
    for text in (SEGMENT, f"{MADE} AND {SEGMENT}", f"({SEGMENT} AND ({MADE})) AND {CHANGED}"):
        assert find(api, text) == [2, 3, 4], text
    for text in (
        f"NOT {SEGMENT}",
        f"{SEGMENT} OR {MADE}",
        f"{SEGMENT} AND NOT {MADE}",
        f"{SEGMENT} AND '{EMAIL}' != ''",
        f"{SEGMENT} AND {MADE} AND {CHANGED} AND {MADE}",
        f"{SEGMENT} AND ({MADE} OR {CHANGED})",
    ):
        answer = define_export(api, text)
        failures = [{"field": "filter", "value": text, "constraint": SEGMENT_RULE}]
        assert (answer.status_code, answer.json()) == (400, {"failures": failures}), text


def test_a_stored_export_that_breaks_the_rule_of_segments_ends_in_error(api: Api, store: CompanyStore) -> None:
    fill(api)
    new_segment(api, [{"type": "ContactListSegmentElement", "list": {"id": "1"}}])
    uri = define_export(api, SEGMENT).json()["uri"]
    with store.database.write() as connection:
        stored = definitions.find_definition(connection, DefinitionKey(EXPORTS, 1))
        assert stored is not None
        assert isinstance(stored.definition, ExportDefinition)
        older = replace(stored.definition, filter=f"NOT {SEGMENT}")
        definitions.replace_definition(connection, stored.key, older, stored.updated_at, stored.updated_by)
    assert api.sync(uri)["status"] == "error"
    assert [(line["statusCode"], line["severity"], line["message"]) for line in api.log("/syncs/1")] == [
        ("ELQ-00137", "information", "Ready for data import processing."),
        (
            "ELQ-00122",
            "error",
            f"The definition is not valid, so the sync does not go on: it m{SEGMENT_RULE[1:]} Create a new definition.",
        ),
        ("ELQ-00101", "information", "Sync processed for sync , resulting in Error status."),
    ]
    assert api.bulk("GET", "/syncs/1/data").json()["items"] == []


def test_deep_nesting_is_no_danger(api: Api) -> None:
    assert find(api, "(" * 480 + "'{{Contact.Id}}'='1'" + ")" * 480) == [1]
    assert find(api, "NOT " * 240 + "'{{Contact.Id}}'='1'") == [1]


def test_what_a_filter_names_cannot_be_deleted_and_its_loss_is_told_before_a_sync(api: Api) -> None:
    list_id = api.new_list()
    segment_id = new_segment(api, [{"type": "ContactListSegmentElement", "list": {"id": str(list_id)}}])
    uri = define_export(api, f"EXISTS('{{{{ContactSegment[{segment_id}]}}}}')").json()["uri"]
    answer = api.rest("DELETE", f"/assets/contact/segment/{segment_id}")
    assert (answer.status_code, answer.json()["message"]) == (
        412,
        "The contact segment 1 cannot be deleted while definitions name it: /contacts/exports/1.",
    )
    answer = api.rest("DELETE", f"/assets/contact/list/{list_id}")
    assert (answer.status_code, answer.json()["message"]) == (
        412,
        "The contact list 1 cannot be deleted while definitions name it: /contacts/segments/1.",
    )
    assert api.bulk("DELETE", uri).status_code == 204
    assert api.rest("DELETE", f"/assets/contact/segment/{segment_id}").status_code == 200
    assert api.rest("DELETE", f"/assets/contact/list/{list_id}").status_code == 200


def test_sync_actions_act_on_who_the_filter_found(api: Api) -> None:
    list_id = api.new_list()
    uri = define_export(api, "'{{Contact.Id}}' < '4'", syncActions=[add_to_list(list_id)]).json()["uri"]
    assert api.sync(uri)["status"] == "success"
    assert api.bulk("GET", f"/contacts/lists/{list_id}").json()["count"] == 3
