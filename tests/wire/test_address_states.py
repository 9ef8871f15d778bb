"""States of email addresses over HTTP: who has said no stays so, whatever becomes of the contact."""

from __future__ import annotations

from typing import Any

import pytest

from staithe.clock import system_clock
from staithe.services import seeding
from staithe.services.stores import CompanyStore
from tests.support.api import UNSUBSCRIBE, Api, add_to_list
from tests.support.audit import Replay, kept_states
from tests.support.imports import EMAIL, FIRST, PATH, define_import, import_body, members, run_import

CONTACT = "/data/contact"
STATES = {
    "mail": EMAIL,
    "subscribed": "{{Contact.Email.IsSubscribed}}",
    "bounced": "{{contact.email.isBounced}}",
}
BY_ID = {"id": "{{Contact.Id}}", "mail": EMAIL}


def states(api: Api, number: int) -> tuple[str, str]:
    """(isSubscribed, isBounceback) of a contact."""
    found = api.rest("GET", f"{CONTACT}/{number}").raise_for_status().json()
    return found["isSubscribed"], found["isBounceback"]


def make(api: Api, email: str, **more: Any) -> int:
    answer = api.rest("POST", CONTACT, json={"emailAddress": email, **more}).raise_for_status()
    return int(answer.json()["id"])


def act(api: Api, number: int, *actions: dict[str, str]) -> None:
    """Take sync actions for one contact."""
    uri = api.define(*actions)
    api.upload(uri, [{"Id": number}])
    assert api.sync(uri)["status"] == "success"
    api.bulk("DELETE", uri).raise_for_status()


def in_group(number: int, status: str) -> dict[str, str]:
    return {"action": "setStatus", "destination": "{{EmailGroup[%d]}}" % number, "status": status}


def kept(store: CompanyStore) -> list[tuple[str, str]]:
    """What is kept of addresses without a contact; the recorded changes say the same."""
    with store.database.read() as connection:
        Replay().follow(connection)
        return sorted(kept_states(connection))


def opt_out(api: Api, number: int, group: int) -> None:
    """A contact that is unsubscribed, has bounced, has said yes to a group, and is on a list."""
    act(api, number, UNSUBSCRIBE, in_group(group, "subscribed"), add_to_list(api.new_list()))
    email = api.rest("GET", f"{CONTACT}/{number}").json()["emailAddress"]
    run_import(api, [{"mail": email, "bounced": "1"}], fields=STATES, identifierFieldName="mail")


OF_GROUP = "emailGroup/1/subscribed"
ALL = ["bounced", OF_GROUP, "globalUnsubscribed"]


@pytest.mark.parametrize("way", ["REST", "import"])
def test_an_opt_out_survives_the_contact(api: Api, store: CompanyStore, way: str) -> None:
    opt_out(api, 5, api.new_group())
    api.rest("DELETE", f"{CONTACT}/5").raise_for_status()
    assert kept(store) == [("contact-5@example.com", name) for name in ALL]
    assert [members(store, name) for name in ALL] == [[], [], []]
    again = {"mail": " Contact-5@Example.com ", "subscribed": "True", "bounced": ""}
    if way == "REST":
        make(api, "Contact-5@Example.com", isSubscribed="true", isBounceback="false")
    else:
        run_import(api, [again, {"mail": "new@x.yz"}], fields=STATES, identifierFieldName="mail")
    assert states(api, 101) == ("false", "true")
    assert kept(store) == []
    assert [members(store, name) for name in (*ALL, "contactList/1")] == [[101], [101], [101], []]
    body = {"name": "no", "fields": {"mail": EMAIL}, "filter": "'{{Contact.Email.IsSubscribed}}' = 'False'"}
    uri = api.bulk("POST", "/contacts/exports", json=body).raise_for_status().json()["uri"]
    assert api.bulk("GET", f"{api.sync(uri)['uri']}/data").json()["items"][0]["mail"].lower() == "contact-5@example.com"


def test_states_stay_with_an_address_when_a_contact_leaves_it(api: Api, store: CompanyStore) -> None:
    opt_out(api, 5, api.new_group())
    answer = api.rest("PUT", f"{CONTACT}/5", json={"emailAddress": "other@x.yz"})
    assert (answer.json()["isSubscribed"], answer.json()["isBounceback"]) == ("true", "false")
    assert kept(store) == [("contact-5@example.com", name) for name in ALL]
    assert members(store, "contactList/1") == [5]
    # Nothing has moved where only the spelling changes.
    api.rest("PUT", f"{CONTACT}/5", json={"emailAddress": "OTHER@x.yz"}).raise_for_status()
    answer = api.rest("PUT", f"{CONTACT}/6", json={"emailAddress": "contact-5@example.com", "isSubscribed": "true"})
    assert (answer.json()["isSubscribed"], answer.json()["isBounceback"]) == ("false", "true")
    assert kept(store) == []
    assert members(store, OF_GROUP) == [6]


def test_an_import_that_changes_addresses_leaves_the_states_with_them(api: Api, store: CompanyStore) -> None:
    """Contact 5 gives its address to 6 in the same upload, and 6 its own to a contact that is made later."""
    opt_out(api, 5, api.new_group())
    act(api, 6, UNSUBSCRIBE)
    records = [
        {"id": 5, "mail": "free@x.yz"},
        {"id": 6, "mail": "contact-5@example.com"},
        {"id": 7, "mail": "contact-7@example.com"},
    ]
    assert run_import(api, records, fields=BY_ID, identifierFieldName="id")["status"] == "success"
    assert [states(api, number) for number in (5, 6, 7)] == [("true", "false"), ("false", "true"), ("true", "false")]
    assert kept(store) == [("contact-6@example.com", "globalUnsubscribed")]
    run_import(api, [{"emailAddress": "contact-6@example.com"}])
    assert (states(api, 101), kept(store)) == (("false", "false"), [])


PUTS: list[tuple[dict[str, Any], str]] = [
    ({}, "false"),
    ({"isSubscribed": None}, "false"),
    ({"isSubscribed": ""}, "false"),
    ({"isSubscribed": "true"}, "true"),
    ({"isSubscribed": "true", "emailAddress": "CONTACT-9@example.com"}, "true"),
    ({"isSubscribed": "true", "emailAddress": "taken-up@x.yz"}, "false"),
    ({"isSubscribed": "false", "emailAddress": "never@x.yz"}, "false"),
    ({"emailAddress": "never.2@x.yz"}, "true"),
]


def test_what_a_put_makes_of_a_contact_that_is_unsubscribed(api: Api) -> None:
    api.rest("DELETE", f"{CONTACT}/{make(api, 'taken-up@x.yz', isSubscribed='false')}").raise_for_status()
    for number, (sent, subscribed) in enumerate(PUTS, 5):
        api.rest("PUT", f"{CONTACT}/{number}", json={"isSubscribed": False}).raise_for_status()
        answer = api.rest("PUT", f"{CONTACT}/{number}", json=sent)
        assert answer.status_code == 200, answer.text
        assert (sent, answer.json()["isSubscribed"]) == (sent, subscribed)


def test_a_group_that_is_deleted_takes_the_states_of_addresses_with_it(api: Api, store: CompanyStore) -> None:
    act(api, 5, in_group(api.new_group(), "unsubscribed"), in_group(api.new_group(), "subscribed"))
    api.rest("DELETE", f"{CONTACT}/5").raise_for_status()
    api.rest("DELETE", "/assets/email/group/1").raise_for_status()
    assert kept(store) == [("contact-5@example.com", "emailGroup/2/subscribed")]


def test_seeded_contacts_take_up_states(api: Api, store: CompanyStore) -> None:
    api.rest("DELETE", f"{CONTACT}/{make(api, 'contact-102@example.com', isSubscribed='false')}").raise_for_status()
    assert kept(store) == [("contact-102@example.com", "globalUnsubscribed")]
    seeding.seed(store, 2, system_clock(), lambda _: None)
    assert (members(store, "globalUnsubscribed"), kept(store)) == ([102], [])


SYSTEM = {
    "id": "{{Contact.Id}}",
    "made": "{{Contact.CreatedAt}}",
    "changed": "{{Contact.UpdatedAt}}",
    "format": "{{Contact.Email.Format}}",
    "ext": "{{Contact.Field(ContactIDExt)}}",
    "domain": "{{Contact.Field(C_EmailAddressDomain)}}",
}


def test_system_statements_are_taken_and_told_of_once(api: Api) -> None:
    fields = {"mail": EMAIL, "first": FIRST, **SYSTEM, **{n: s for n, s in STATES.items() if n != "mail"}}
    answer = api.bulk("POST", PATH, json=import_body(fields=fields, identifierFieldName="mail"))
    assert (answer.status_code, answer.json()["fields"]) == (201, fields)
    api.bulk("DELETE", answer.json()["uri"])
    before = api.rest("GET", f"{CONTACT}/5").json()
    records = [
        {"mail": "contact-5@example.com", "first": "A", "id": 77, "made": "2001-01-01", "subscribed": "True"},
        {"mail": "contact-6@example.com", "first": "B", "id": " ", "domain": "x", "subscribed": "yes", "bounced": 0},
        {"mail": "none", "id": 78, "domain": "y", "subscribed": True},
    ]
    sync = run_import(api, records, fields=fields, identifierFieldName="mail")
    told = {e["message"]: (e["severity"], e["count"]) for e in api.log(sync["uri"]) if e["statusCode"] == "ELQ-00111"}
    assert told == {
        f"Values of {name} ignored: an import does not write them.": ("information", count)
        for name, count in (("domain", 1), ("id", 1), ("made", 1), ("subscribed", 2))
    }
    after = api.rest("GET", f"{CONTACT}/5").json()
    assert after["firstName"] == "A"
    assert (after["id"], after["createdAt"]) == (before["id"], before["createdAt"])


def test_an_import_with_system_values_alone_is_a_success(api: Api) -> None:
    records = [{"emailAddress": "contact-5@example.com", "id": 5}]
    sync = run_import(api, records, fields={"emailAddress": EMAIL, "id": "{{Contact.Id}}"})
    assert sync["status"] == "success"


def test_memberships_are_no_fields_of_an_import(api: Api) -> None:
    statements = {"list": "{{ContactList[%d]}}" % api.new_list(), "group": "{{EmailGroup[%d]}}" % api.new_group()}
    for name, statement in statements.items():
        answer = api.bulk("POST", PATH, json=import_body(fields={"emailAddress": EMAIL, name: statement}))
        rule = f"Must name what an import can write: {name} is a membership."
        expected = {"field": "fields", "value": {name: statement}, "constraint": rule}
        assert (answer.status_code, answer.json()) == (400, {"failures": [expected]})


def test_an_import_sets_and_clears_the_bounce(api: Api, store: CompanyStore) -> None:
    """In every spelling, again without a change, and whatever the update rule says of fields."""
    values: list[Any] = ["1", 1, True, "TRUE", "yes", " true "]
    records = [{"mail": f"contact-{n}@example.com", "bounced": value} for n, value in enumerate(values, 5)]
    uri = define_import(api, fields=STATES, identifierFieldName="mail", updateRule="ifExistingIsNull")
    for _ in range(2):
        api.upload(uri, [*records, {"mail": "new@x.yz", "bounced": "True"}])
        assert api.sync(uri)["status"] == "success"
    assert members(store, "bounced") == [5, 6, 7, 8, 9, 10, 101]
    left = enumerate(["0", 0, False, "false", "", None], 5)
    records = [{"mail": f"contact-{n}@example.com", "bounced": value} for n, value in left]
    api.upload(uri, [*records, {"mail": "new@x.yz"}])
    assert api.sync(uri)["status"] == "success"
    assert members(store, "bounced") == [9, 10, 101]
    assert kept(store) == []


def test_an_import_unsubscribes_and_never_subscribes(api: Api, store: CompanyStore) -> None:
    sent = {5: "0", 6: "false", 7: "N", 8: "1", 9: "True", 10: ""}
    act(api, 8, UNSUBSCRIBE)
    records = [{"mail": f"contact-{n}@example.com", "subscribed": value} for n, value in sent.items()]
    assert run_import(api, records, fields=STATES, identifierFieldName="mail")["status"] == "success"
    assert members(store, "globalUnsubscribed") == [5, 6, 7, 8]


def test_another_value_of_a_state_is_unusable(api: Api, store: CompanyStore) -> None:
    records = [{"mail": "contact-5@example.com", "subscribed": "maybe", "bounced": "2"}, {"mail": "no", "bounced": "x"}]
    sync = run_import(api, records, fields=STATES, identifierFieldName="mail")
    found = [(r["recordIndex"], r["statusCode"], r["invalidFields"]) for r in api.rejects(sync["uri"])]
    assert found == [(1, "ELQ-00040", ["subscribed", "bounced"]), (2, "ELQ-00002", ["mail"])]
    assert (members(store, "bounced"), members(store, "globalUnsubscribed")) == ([], [])


def test_a_bounce_that_is_sent_with_a_new_address_is_of_that(api: Api, store: CompanyStore) -> None:
    """The contact was bounced, and is again: under its new address."""
    run_import(api, [{"mail": "contact-5@example.com", "bounced": 1}], fields=STATES, identifierFieldName="mail")
    fields = {**BY_ID, "bounced": STATES["bounced"]}
    run_import(api, [{"id": 5, "mail": "other@x.yz", "bounced": 1}], fields=fields, identifierFieldName="id")
    assert members(store, "bounced") == [5]
    assert kept(store) == [("contact-5@example.com", "bounced")]
