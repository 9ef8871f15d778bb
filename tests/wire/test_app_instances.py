"""The API of apps: what they tell of their instances, and how the app of a decision answers, as public apps call it."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from staithe.services.stores import CompanyStore
from staithe.storage.sets import load_set
from staithe.storage.tables import CHANGE
from tests.support.api import Api
from tests.support.server import RunningServer

CLOUD = "/api/cloud/1.0"
DASHED = "7B95FE48-6598-43E8-8FD1-DCB40CF83EF6"
PLAIN = DASHED.replace("-", "").lower()
FIELDS = {"ContactID": "{{Contact.Id}}", "EmailAddress": "{{Contact.Field(C_EmailAddress)}}"}
SERVICES = ("actions", "contents", "decisions", "feeders")


def path_of(service: str = "actions", instance: str = PLAIN) -> str:
    return f"{CLOUD}/{service}/instances/{instance}"


def test_an_instance_is_kept_as_its_app_tells(api: Api) -> None:
    for service in SERVICES:
        sent = {"recordDefinition": FIELDS, "requiresConfiguration": True, "height": 256, "service": service}
        for answer in (
            api.call("PUT", path_of(service, DASHED), json=sent),
            api.call("GET", path_of(service)),
        ):
            assert (answer.status_code, answer.text) == (200, json.dumps(sent, separators=(",", ":")))
            assert answer.headers["content-type"] == "application/json; charset=utf-8"
            assert answer.headers["cache-control"] == "no-store"


def test_paths_and_ids_in_any_spelling_are_the_same_instance(api: Api) -> None:
    for width, path in enumerate(
        (
            f"/API/Cloud/1.0/Actions/Instances/{DASHED}",
            f"//api//cloud/1.0//actions/instances//{PLAIN.upper()}/",
            f"/api/cloud/1.0/ACTIONS/instances/{DASHED.lower()}",
        )
    ):
        sent = {"RECORDDEFINITION": FIELDS, "RequiresConfiguration": "FALSE", "width": width}
        answer = api.client.put(str(api.client.base_url) + path, json=sent, headers={"content-type": "text/json"})
        assert answer.json() == {"recordDefinition": FIELDS, "requiresConfiguration": False, "width": width}
        assert api.call("GET", path_of()).json() == answer.json()


def test_what_is_left_out_stays_and_what_is_sent_takes_its_place(api: Api) -> None:
    api.call("PUT", path_of(), json={"recordDefinition": FIELDS, "requiresConfiguration": True, "width": 1})
    changed = api.call("PUT", path_of(), json={"requiresConfiguration": False, "recordDefinition": None, "width": None})
    assert changed.json() == {"recordDefinition": FIELDS, "requiresConfiguration": False, "width": None}
    fewer = {"a1": "{{Contact.Field(C_FirstName)}}"}
    assert api.call("PUT", path_of(), json={"recordDefinition": fewer}).json()["recordDefinition"] == fewer
    assert api.call("PUT", path_of("feeders"), json={}).json() == {}, "each service has instances of its own"


def test_statements_of_what_is_unknown_are_taken(api: Api) -> None:
    statements = (
        "{{Contact.Field(C_No_such_field9)}}",
        "{{CustomObject[1].Field[4]}}",
        "{{CustomObject[1].Contact.Field(C_EmailAddress)}}",
        "{{Something.Else}}",
    )
    sent = {"recordDefinition": {f"a{number}": statement for number, statement in enumerate(statements)}}
    answer = api.call("PUT", path_of(), json=sent)
    assert (answer.status_code, answer.json()) == (200, sent)


DEFINITION, FLAG = "recordDefinition", "requiresConfiguration"
NO_BRACES = "Must be a statement in double braces such as {{Contact.Field(C_EmailAddress)}}."
MALFORMED: list[tuple[Any, str, Any, str]] = [
    ({DEFINITION: {"good": "{{Contact.Id}}", "bad": "Contact.Id"}}, DEFINITION, {"bad": "Contact.Id"}, NO_BRACES),
    (
        {DEFINITION: {"bad": "{{Contact.}}"}},
        DEFINITION,
        {"bad": "{{Contact.}}"},
        "Must have a name at character 11 of {{Contact.}}.",
    ),
    ({DEFINITION: {"bad": 7}}, DEFINITION, {"bad": 7}, "Must have a statement for each name, as a text."),
    ({DEFINITION: ["x"]}, DEFINITION, ["x"], "Must be an object of field names, each with a statement."),
    ({FLAG: "maybe"}, FLAG, "maybe", "Must be true or false."),
    ({FLAG: 1}, FLAG, 1, "Must be true or false."),
]


def test_what_is_malformed_is_400_and_changes_nothing(api: Api) -> None:
    for body, field, value, constraint in MALFORMED:
        answer = api.call("PUT", path_of(), json=body)
        failure = {"field": field, "value": value, "constraint": constraint}
        assert (answer.status_code, answer.json()) == (400, {"failures": [failure]})
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
    both = api.call("PUT", path_of(), json={DEFINITION: {"a": "", "b": "{{"}, FLAG: ""}).json()["failures"]
    assert [failure["field"] for failure in both] == [DEFINITION, DEFINITION, FLAG]
    no_object = {"failures": [{"field": "body", "constraint": "Must be a JSON object."}]}
    assert api.call("PUT", path_of(), json=["x"]).json() == no_object
    assert api.call("GET", path_of()).status_code == 404


def test_an_instance_that_no_app_has_configured_and_an_id_that_is_none(api: Api, server: RunningServer) -> None:
    unknown = api.call("GET", path_of("decisions"))
    assert (unknown.status_code, unknown.json()) == (
        404,
        {
            "status": 404,
            "error": "Not Found",
            "message": f"No app has configured the instance {PLAIN} of decisions.",
            "advice": "Its app does that by a PUT to this path. Sync actions can name it all the same.",
        },
    )
    for method, body in (("GET", None), ("PUT", {})):
        for text in ("1", PLAIN[:-1], PLAIN + "0", "7b95fe48-659843e8-8fd1-dcb40cf83ef6"):
            answer = api.call(method, path_of(instance=text), json=body)
            assert (answer.status_code, answer.json()["message"]) == (404, f"There is no instance {text}.")
    assert api.call("PUT", path_of(), json={"width": 1}).status_code == 200
    other, _ = server.new_company("of-no-app")
    assert other.call("GET", path_of()).status_code == 404, "an instance is its company's alone"


def test_a_reader_may_look_and_not_tell(api: Api, reader: Api) -> None:
    api.call("PUT", path_of("decisions"), json={"width": 1}).raise_for_status()
    assert reader.call("PUT", path_of("decisions"), json={"width": 2}).status_code == 403
    assert reader.call("POST", path_of("decisions") + "/contacts/1", json={"decision": "yes"}).status_code == 403
    assert reader.call("GET", path_of("decisions")).json() == {"width": 1}


def answers_of(store: CompanyStore) -> dict[str, list[int]]:
    """The contacts that have each answer of the decision."""
    with store.database.read() as connection:
        names = ("yes", "no", "errored", "pending")
        return {name: list(load_set(connection, f"decisioninstance/{PLAIN}/0/{name}")) for name in names}


def test_the_app_of_a_decision_answers_for_one_contact(api: Api, store: CompanyStore) -> None:
    contact = path_of("decisions", DASHED) + "/contacts/3"
    answer = api.call("POST", contact, json={"decision": "Yes"})
    assert (answer.status_code, answer.text) == (200, '{"decision":"yes"}')
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answers_of(store) == {"yes": [3], "no": [], "errored": [], "pending": []}
    assert api.call("POST", contact, json={"decision": "no"}).json() == {"decision": "no"}
    assert answers_of(store) == {"yes": [], "no": [3], "errored": [], "pending": []}
    with store.database.read() as connection:
        changes = connection.execute(select(CHANGE.c.action, CHANGE.c.changed_by, CHANGE.c.sync_id)).all()
    assert list(changes[-1]) == [f"answer of decision instance {PLAIN} for contact 3", "ann", None]


def test_an_answer_and_a_sync_action_without_an_execution_are_the_same(api: Api, store: CompanyStore) -> None:
    action = {"action": "setStatus", "destination": "{{DecisionInstance(%s)}}" % DASHED, "status": "yes"}
    uri = api.define(action)
    api.upload(uri, [{"Id": 3}, {"Id": 4}])
    assert api.sync(uri)["status"] == "success"
    api.call("POST", path_of("decisions") + "/contacts/4", json={"decision": "errored"}).raise_for_status()
    assert answers_of(store) == {"yes": [3], "no": [], "errored": [4], "pending": []}
    api.rest("DELETE", "/data/contact/4").raise_for_status()
    assert answers_of(store)["errored"] == []


def test_answers_that_are_refused_change_nothing(api: Api, store: CompanyStore) -> None:
    api.rest("DELETE", "/data/contact/2").raise_for_status()
    yes: dict[str, Any] = {"decision": "yes"}
    refused: list[tuple[str, int, str]] = [
        ("0", 404, "There is no contact 0."),
        ("999", 404, "There is no contact 999."),
        ("34180951296", 404, "There is no contact 34180951296."),
        ("2", 410, "The contact 2 was deleted."),
        ("x", 404, "There is nothing with the id x."),
    ]
    for contact, status, said in refused:
        answer = api.call("POST", f"{path_of('decisions')}/contacts/{contact}", json=yes)
        assert (answer.status_code, answer.json()["message"]) == (status, said)
    for body in ({"decision": "maybe"}, {"decision": True}, {}):
        answer = api.call("POST", f"{path_of('decisions')}/contacts/3", json=body)
        failure = {"field": "decision", **({"value": body["decision"]} if body else {})}
        told = {"failures": [failure | {"constraint": "Must be yes or no or errored."}]}
        assert (answer.status_code, answer.json()) == (400, told)
    assert answers_of(store) == {"yes": [], "no": [], "errored": [], "pending": []}
