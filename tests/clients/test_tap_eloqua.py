"""tap-eloqua 1.3.0 as it is: OAuth with rotating refresh tokens, discovery of fields, and what was updated since."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from staithe.services.contacts import ContactView
from staithe.services.stores import CompanyStore
from tests.clients.installed import moment_of, program_of_python, result_of, run_client, stored
from tests.conftest import StartServer
from tests.support import bare
from tests.support.api import Api
from tests.support.oauth import REDIRECT, register
from tests.support.server import RunningServer

pytestmark = pytest.mark.one_database("The program sends and reads the same, whichever database answers it.")

STATIC = {
    "visitors": "/data/visitors",
    "campaigns": "/assets/campaigns",
    "emails": "/assets/emails",
    "forms": "/assets/forms",
    "assets": "/assets/externals",
    "emailGroups": "/assets/email/groups",
}
"""The streams of the Application API, with their paths: 1.4.0, which is not on PyPI, probes each as it discovers."""
COMPARED = ("Id", "CreatedAt", "UpdatedAt", "IsSubscribed", "IsBounceback", "C_EmailAddress", "C_FirstName", "C_City")


class Tap:
    """A configured tap-eloqua."""

    def __init__(self, server: RunningServer, store: CompanyStore, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.config = folder / "config.json"
        program = register(server, store, "tap-eloqua")
        configuration = {
            "start_date": "2020-01-01T00:00:00Z",
            "client_id": program.identifier,
            "client_secret": program.secret,
            "refresh_token": program.log_in(f"{store.company.name}\\ann")["refresh_token"],
            "redirect_uri": REDIRECT,
            "user_agent": "tap-eloqua of a test",
            "bulk_page_size": 7,
        }
        self.config.write_text(json.dumps(configuration))

    def refresh_token(self) -> str:
        """The one that the tap keeps for its next run."""
        return str(json.loads(self.config.read_text())["refresh_token"])

    def discover(self) -> dict[str, Any]:
        """The catalog, with all streams of the Application API chosen, and all fields of contacts."""
        command = [program_of_python("tap-eloqua"), "--config", str(self.config), "--discover"]
        catalog = result_of(self.server, self.folder, command)
        contacts = stream_of(catalog, "contacts")
        for entry in contacts["metadata"]:
            entry["metadata"]["selected"] = True
        for name in STATIC:
            stream_of(catalog, name)["metadata"].append({"breadcrumb": [], "metadata": {"selected": True}})
        return catalog

    def sync(self, catalog: dict[str, Any], state: dict[str, Any]) -> list[dict[str, Any]]:
        """The messages that the tap writes."""
        files = {"catalog": catalog, "state": state}
        words = ["--config", str(self.config)]
        for name, content in files.items():
            path = self.folder / f"{name}.json"
            path.write_text(json.dumps(content))
            words += [f"--{name}", str(path)]
        done = run_client(self.server, self.folder, [program_of_python("tap-eloqua"), *words])
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    """A file whose number moves the clock of the server."""
    file = tmp_path / "clock"
    file.write_text("0")
    return file


@pytest.fixture
def own_server(servers: StartServer, clock: Path) -> Iterator[RunningServer]:
    """A server whose clock can be moved."""
    running = servers("--clock-file", str(clock))
    yield running
    assert running.stop() == 0


def stream_of(catalog: dict[str, Any], name: str) -> dict[str, Any]:
    (stream,) = (stream for stream in catalog["streams"] if stream["stream"] == name)
    return stream


def record_of(view: ContactView) -> dict[str, Any]:
    """A contact as the tap is to give it."""
    contact = view.contact
    return {
        "Id": str(contact.id),
        "CreatedAt": tap_time(contact.created_at),
        "UpdatedAt": tap_time(contact.updated_at),
        "IsSubscribed": str(view.is_subscribed),
        "IsBounceback": str(view.is_bounced),
        **{name: contact.values.get(name) for name in COMPARED if name.startswith("C_")},
    }


def tap_time(microseconds: int) -> str:
    return f"{moment_of(microseconds):%Y-%m-%dT%H:%M:%S.%fZ}"


def change(api: Api, contact_id: int, **properties: str) -> None:
    before = api.rest("GET", f"/data/contact/{contact_id}").raise_for_status().json()
    body = {"id": str(contact_id), "emailAddress": before["emailAddress"], **properties}
    api.rest("PUT", f"/data/contact/{contact_id}", json=body).raise_for_status()


def records_in(messages: list[dict[str, Any]], stream: str = "contacts") -> list[dict[str, Any]]:
    return [m["record"] for m in messages if m["type"] == "RECORD" and m["stream"] == stream]


def compared(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records of contacts, with the fields that `record_of` tells."""
    return [{name: record[name] for name in COMPARED} for record in records_in(messages)]


def last_state(messages: list[dict[str, Any]]) -> dict[str, Any]:
    return next(message["value"] for message in reversed(messages) if message["type"] == "STATE")


def test_discovery_and_two_syncs(own_server: RunningServer, clock: Path, tmp_path: Path) -> None:
    api, store = own_server.new_company("north")
    for number in range(1, 21):
        body = {"emailAddress": f"ann{number}@example.com", "firstName": f"Ann {number}"}
        api.rest("POST", "/data/contact", json=body).raise_for_status()
    group = api.new_group("News")
    unsubscribing = api.define()
    api.upload(unsubscribing, [{"Id": "9"}])
    assert api.sync(unsubscribing)["status"] == "success"
    clock.write_text("3600")
    change(api, 5, city="Ålesund")

    tap = Tap(own_server, store, tmp_path)
    first_token = tap.refresh_token()
    catalog = tap.discover()
    assert tap.refresh_token() != first_token, "it is replaced at each use, and the tap keeps the new one"
    contacts = stream_of(catalog, "contacts")
    found = {entry["breadcrumb"][-1]: entry["metadata"] for entry in contacts["metadata"][1:]}
    assert found["C_FirstName"]["tap-eloqua.statement"] == "{{Contact.Field(C_FirstName)}}"
    assert contacts["schema"]["properties"]["C_DateCreated"]["format"] == "date-time"
    assert len(catalog["streams"]) == 17, "accounts, contacts, 9 activities, 6 of the Application API"

    messages = tap.sync(catalog, {})
    assert compared(messages) == [record_of(view) for view in stored(own_server, store, range(1, 21))]
    assert len(records_in(messages)[0]) == len(found)
    assert records_in(messages)[8]["IsSubscribed"] == "False"
    assert [(g["id"], g["name"]) for g in records_in(messages, "emailGroups")] == [(str(group), "News")]
    assert {message["stream"] for message in messages if message["type"] == "SCHEMA"} == {"contacts", *STATIC}
    assert {message["stream"] for message in messages if message["type"] == "RECORD"} == {"contacts", "emailGroups"}

    clock.write_text("7200")
    change(api, 7, firstName="Zoë")
    api.rest("POST", "/data/contact", json={"emailAddress": "new@example.com"}).raise_for_status()
    messages = tap.sync(catalog, last_state(messages))
    # The tap asks for what was updated in the second of its bookmark or later, so the last of before comes again.
    assert compared(messages) == [record_of(view) for view in stored(own_server, store, (5, 7, 21))]

    messages = tap.sync(catalog, last_state(messages))
    assert {record["Id"] for record in records_in(messages)} <= {"7", "21"}


def test_the_probes_of_a_newer_one(server: RunningServer, store: CompanyStore) -> None:
    """1.4.0 asks for one record of each stream; 401 and 403 leave a stream out, and any other error ends it."""
    program = register(server, store, "tap-eloqua 1.4.0")
    access = program.log_in(f"{store.company.name}\\ann")["access_token"]
    headers = {"authorization": f"Bearer {access}", "user-agent": "tap-eloqua of a test"}
    for path in STATIC.values():
        answer = bare.get(f"{server.url}/api/REST/2.0{path}", params={"count": 1}, headers=headers)
        assert (answer.status_code, answer.json()) == (200, {"elements": [], "page": 1, "pageSize": 1, "total": 0})
