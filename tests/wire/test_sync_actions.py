"""The nine sync actions of contacts, from the request to the sets they change."""

from __future__ import annotations

from typing import Any

import pytest

from staithe.services.stores import CompanyStore
from staithe.storage import sets
from tests.support.api import Api, add_to_list

INSTANCE = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"


def members(store: CompanyStore) -> dict[str, set[int]]:
    """Every set that has members, but the contacts."""
    with store.database.read() as connection:
        names = [n for n in sets.names_with_prefix(connection, "") if n != "contacts"]
        loaded = {name: set(sets.load_set(connection, name)) for name in names}
    return {name: ids for name, ids in loaded.items() if ids}


def run(api: Api, ids: list[int], *actions: dict[str, Any]) -> list[tuple[str, int, str]]:
    """Run actions on contacts; gives code, count and message of the lines that they left in the log."""
    uri = api.define(*actions)
    api.upload(uri, [{"Id": i} for i in ids])
    sync = api.sync(uri)
    assert sync["status"] == "success", api.log(sync["uri"])
    general = ("ELQ-00137", "ELQ-00134", "ELQ-00104", "ELQ-00140", "ELQ-00001", "ELQ-00101")
    lines = [(e["statusCode"], e["count"], e["message"]) for e in api.log(sync["uri"])]
    return [line for line in lines if line[0] not in general]


def set_status(destination: str, status: str, **more: Any) -> dict[str, Any]:
    return {"action": "setStatus", "destination": destination, "status": status, **more}


def test_list_add_and_remove(api: Api, store: CompanyStore) -> None:
    api.new_list()
    assert run(api, [1, 2, 3], add_to_list(1)) == [("ELQ-00119", 3, "Contacts put on contact list 1 (3 newly).")]
    assert run(api, [3, 4], add_to_list(1)) == [("ELQ-00119", 2, "Contacts put on contact list 1 (1 newly).")]
    remove = {"action": "remove", "destination": "{{ContactList[1]}}"}
    assert run(api, [2, 9], remove) == [("ELQ-00118", 2, "Contacts taken off contact list 1 (1 were on it).")]
    assert members(store) == {"contactList/1": {1, 3, 4}}
    assert api.bulk("GET", "/contacts/lists/1").json()["count"] == 3


def test_group_subscribe_and_unsubscribe(api: Api, store: CompanyStore) -> None:
    api.new_group()
    subscribe, unsubscribe = (set_status("{{EmailGroup[1]}}", s) for s in ("subscribed", "unsubscribed"))
    assert run(api, [1, 2, 3], subscribe) == [("ELQ-00115", 3, "Contacts subscribed to email group 1 (3 newly).")]
    assert run(api, [3, 4], unsubscribe) == [("ELQ-00116", 2, "Contacts unsubscribed from email group 1 (2 newly).")]
    assert members(store) == {"emailGroup/1/subscribed": {1, 2}, "emailGroup/1/unsubscribed": {3, 4}}


def test_global_subscribe_and_unsubscribe_leave_groups_alone(api: Api, store: CompanyStore) -> None:
    api.new_group()
    run(api, [1, 2], set_status("{{EmailGroup[1]}}", "subscribed"))
    assert run(api, [1, 5], set_status("{{GlobalSubscribe}}", "unsubscribed")) == [
        ("ELQ-00017", 2, "Contacts globally unsubscribed (2 newly).")
    ]
    assert run(api, [5, 6], set_status("{{GlobalSubscribe}}", "subscribed")) == [
        ("ELQ-00138", 2, "Contacts globally subscribed (1 were unsubscribed).")
    ]
    assert members(store) == {"emailGroup/1/subscribed": {1, 2}, "globalUnsubscribed": {1}}


@pytest.mark.parametrize(
    ("destination", "kind", "execution", "statuses"),
    [
        ("{{DecisionInstance(%s).Execution[7]}}", "decisioninstance", 7, ["yes", "no", "errored"]),
        ("{{ActionInstance(%s).Execution[12345]}}", "actioninstance", 12345, ["active", "complete", "errored"]),
        ("{{ActionInstance(%s)}}", "actioninstance", 0, ["complete"]),
        ("{{FeederInstance(%s)}}", "feederinstance", 0, ["complete", "errored"]),
        # Not in Eloqua's table, and accepted all the same.
        ("{{FeederInstance(%s)}}", "feederinstance", 0, ["pending", "permission"]),
    ],
)
def test_app_answers_are_the_status_in_their_execution(
    api: Api, store: CompanyStore, destination: str, kind: str, execution: int, statuses: list[str]
) -> None:
    text = destination % INSTANCE.upper()
    for status in statuses:
        assert run(api, [1, 2], set_status(text, status)) == [
            ("ELQ-00128", 2, f"Contacts set to {status} in service instance {INSTANCE} (2 newly).")
        ]
        assert members(store) == {f"{kind}/{INSTANCE}/{execution}/{status}": {1, 2}}
    run(api, [2], set_status(text, statuses[0]))
    last = {f"{kind}/{INSTANCE}/{execution}/{statuses[-1]}": {1}} if len(statuses) > 1 else {}
    first = {f"{kind}/{INSTANCE}/{execution}/{statuses[0]}": {2} if len(statuses) > 1 else {1, 2}}
    assert members(store) == last | first


def test_a_status_in_a_cloud_connector_is_kept_and_found(api: Api, store: CompanyStore) -> None:
    destination = "{{CloudConnectorStatus(7)}}"
    assert run(api, [1, 2], set_status(destination, "pending")) == [
        ("ELQ-00120", 2, "Contacts set to pending in cloud connector instance 7 (2 newly).")
    ]
    run(api, [2], set_status(destination, "complete"))
    assert members(store) == {"cloudconnectorstatus/7/0/pending": {1}, "cloudconnectorstatus/7/0/complete": {2}}
    for service in ("CloudConnectorStatus(7)", destination):
        body = {"name": "x", "fields": {"Id": "{{Contact.Id}}"}, "filter": f"STATUS('{service}') = 'pending'"}
        uri = api.bulk("POST", "/contacts/exports", json=body).raise_for_status().json()["uri"]
        assert api.bulk("GET", f"{api.sync(uri)['uri']}/data").json()["items"] == [{"Id": "1"}]


def test_update_all_acts_on_every_unfinished_record_of_the_execution(api: Api, store: CompanyStore) -> None:
    text = "{{ActionInstance(%s).Execution[1]}}" % INSTANCE
    run(api, [1, 2, 3], set_status(text, "active"))
    assert run(api, [1], set_status(text, "complete", updateAll=True)) == [
        ("ELQ-00128", 3, f"Contacts set to complete in service instance {INSTANCE} (3 newly).")
    ]
    assert members(store) == {f"actioninstance/{INSTANCE}/1/complete": {1, 2, 3}}
    assert api.bulk("GET", "/contacts/syncActions/2").json()["syncActions"] == [
        {"action": "setStatus", "destination": text, "status": "complete", "updateAll": True}
    ]


def test_actions_run_in_order_and_each_leaves_a_line(api: Api, store: CompanyStore) -> None:
    api.new_list()
    api.new_group()
    lines = run(
        api,
        [1, 2],
        add_to_list(1),
        {"action": "remove", "destination": "{{ContactList[1]}}"},
        set_status("{{EmailGroup[1]}}", "unsubscribed"),
        set_status("{{GlobalSubscribe}}", "unsubscribed"),
    )
    assert lines == [
        ("ELQ-00119", 2, "Contacts put on contact list 1 (2 newly)."),
        ("ELQ-00118", 2, "Contacts taken off contact list 1 (2 were on it)."),
        ("ELQ-00116", 2, "Contacts unsubscribed from email group 1 (2 newly)."),
        ("ELQ-00017", 2, "Contacts globally unsubscribed (2 newly)."),
    ]
    assert members(store) == {"emailGroup/1/unsubscribed": {1, 2}, "globalUnsubscribed": {1, 2}}
    with store.database.read() as connection:
        rows = connection.exec_driver_sql(
            "SELECT id_set.name FROM set_change JOIN id_set ON id_set.id = set_id JOIN change ON change.id = change_id "
            "WHERE sync_id = 1 ORDER BY name"
        )
        assert [name for (name,) in rows] == ["emailGroup/1/unsubscribed", "globalUnsubscribed"]


@pytest.mark.parametrize(
    "destination",
    [
        "{{ContactList(1)}}",
        "{{ContactList[1].Execution[2]}}",
        "{{GlobalSubscribe[1]}}",
        "{{ActionInstance(0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f)}}",
        "{{ActionInstance(12)}}",
        "{{CloudConnectorStatus(x)}}",
        "{{CloudConnectorStatus[7]}}",
        "{{FeederInstance(%s).Execution[1]}}" % INSTANCE,
        "{{DecisionInstance(%s).Step[1]}}" % INSTANCE,
        "{{Contact.Id}}",
        "ContactList[1]",
        "",
    ],
)
def test_destinations_that_are_none(api: Api, destination: str) -> None:
    api.new_list()
    body = {
        "name": "x",
        "fields": {"Id": "{{Contact.Id}}"},
        "identifierFieldName": "Id",
        "syncActions": [set_status(destination, "complete")],
    }
    answer = api.bulk("POST", "/contacts/syncActions", json=body)
    assert answer.status_code == 400
    (failure,) = answer.json()["failures"]
    assert (failure["field"], failure["value"]) == ("syncActions", body["syncActions"][0])
    assert failure["constraint"].startswith("Must ")
