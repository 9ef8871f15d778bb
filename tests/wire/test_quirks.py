"""What old clients send and must be tolerated, and the headers and logins of every request."""

from __future__ import annotations

import base64
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support import bare
from tests.support.api import UNSUBSCRIBE, Api
from tests.support.server import RunningServer
from tests.support.waiting import LONGEST_SECONDS

CSV, JSON = "text/csv", "application/json"
DEFINITION = {
    "name": "quirk",
    "fields": {"Id": "{{Contact.Id}}"},
    "identifierFieldName": "Id",
    "syncActions": [UNSUBSCRIBE],
}


@pytest.mark.parametrize(
    "path",
    [
        "/API/Bulk/2.0/contacts/syncActions",
        "/API/BULK/2.0//contacts/syncActions",
        "/API/bulk/2.0/CONTACTS/syncactions/",
        "//api//bulk//2.0//contacts//SYNCACTIONS//",
    ],
)
def test_paths_in_any_case_with_doubled_and_trailing_slashes(api: Api, path: str) -> None:
    answer = api.client.post(str(api.client.base_url) + path, json=DEFINITION)
    assert answer.status_code == 201, answer.text
    assert answer.json()["uri"] == "/contacts/syncActions/1"
    upload = api.client.post(str(api.client.base_url) + path + "/1//data/", json=[{"Id": "1"}])
    assert upload.status_code == 204


def test_property_names_in_any_case(api: Api) -> None:
    body = {
        "NAME": "quirk",
        "Fields": {"Id": "{{contact.ID}}"},
        "identifierfieldname": "Id",
        "SyncActions": [{"Action": "setStatus", "DESTINATION": "{{GlobalSubscribe}}", "Status": "unsubscribed"}],
        "IsSyncTriggeredOnImport": "TRUE",
        "areSystemTimestampsInUTC": True,
    }
    created = api.bulk("POST", "/contacts/syncActions", json=body).json()
    assert {key: created[key] for key in ("name", "fields", "syncActions", "isSyncTriggeredOnImport")} == {
        "name": "quirk",
        "fields": {"Id": "{{contact.ID}}"},
        "syncActions": [UNSUBSCRIBE],
        "isSyncTriggeredOnImport": True,
    }
    assert "areSystemTimestampsInUTC" not in created
    answer = api.bulk("POST", "/syncs", json={"syncedInstanceURI": "/contacts/syncActions/1", "status": "pending"})
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("sent", "echoed"), [("true", True), ("false", False), (True, True), (False, False), (None, False)]
)
def test_booleans_as_texts(api: Api, sent: Any, echoed: bool) -> None:
    body = DEFINITION | ({} if sent is None else {"isSyncTriggeredOnImport": sent})
    assert api.bulk("POST", "/contacts/syncActions", json=body).json()["isSyncTriggeredOnImport"] is echoed


def test_sync_actions_as_one_object_is_echoed_as_a_list(api: Api) -> None:
    created = api.bulk("POST", "/contacts/syncActions", json=DEFINITION | {"syncActions": UNSUBSCRIBE}).json()
    assert created["syncActions"] == [UNSUBSCRIBE]


def test_an_omitted_action_is_add_and_a_status_of_add_is_left_out(api: Api) -> None:
    api.new_list()
    action = {"destination": "{{ContactList[1]}}", "status": "subscribed"}
    created = api.bulk("POST", "/contacts/syncActions", json=DEFINITION | {"syncActions": [action]}).json()
    assert created["syncActions"] == [{"action": "add", "destination": "{{ContactList[1]}}"}]


@pytest.mark.parametrize(
    "uri",
    [
        "/contacts/syncActions/1",
        "contacts/syncActions/1",
        "//contacts/syncactions/1/",
        "/API/Bulk/2.0/contacts/syncActions/1",
        "https://secure.p03.eloqua.com/api/bulk/2.0//contacts/syncActions/1",
    ],
)
def test_synced_instance_uris_as_clients_write_them(api: Api, uri: str) -> None:
    api.define()
    answer = api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri})
    assert (answer.status_code, answer.json()["syncedInstanceUri"]) == (201, "/contacts/syncActions/1")


def raw(url: str, head: str, auth: str) -> tuple[int, Any]:
    """Send a request line as it is: no client may tidy it."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=LONGEST_SECONDS) as connection:
        connection.sendall(f"{head}\r\nHost: x\r\nAuthorization: {auth}\r\nConnection: close\r\n\r\n".encode())
        received = b""
        while piece := connection.recv(65536):
            received += piece
    status, _, body = received.partition(b"\r\n\r\n")
    return int(status.split()[1]), json.loads(body)


@pytest.mark.parametrize(
    "query", ['q="name=*tes*"', "q='name=*tes*'", "q=name='*Test*'", "q=name=*test*", 'Q="NAME=*t+e*"']
)
def test_raw_quotes_and_stars_in_q(api: Api, server: RunningServer, query: str) -> None:
    api.define(name="a Test")
    auth = base64.b64encode(b"%s\\ann:secret" % company_of(api).encode()).decode()
    status, body = raw(server.url, f"GET /api/bulk/2.0/contacts/syncActions?{query} HTTP/1.1", f"Basic {auth}")
    assert status == 200, body
    assert body["totalResults"] == (0 if "+" in query else 1)


def company_of(api: Api) -> str:
    header = api.bulk("GET", "/syncs").request.headers["authorization"]
    return base64.b64decode(header.removeprefix("Basic ")).decode().partition("\\")[0]


def test_a_body_on_get_and_delete(api: Api) -> None:
    uri = api.define()
    assert api.bulk("GET", uri, content=b"{}").status_code == 200
    assert api.bulk("DELETE", f"{uri}/data", content=b"{}").status_code == 204
    assert api.bulk("DELETE", uri, content=b"{}").status_code == 204


@pytest.mark.parametrize(
    "content_type", [None, "application/json", "Application/JSON; charset=UTF-8", "application/json;charset=utf-8"]
)
def test_content_types_of_json(api: Api, content_type: str | None) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    uri = api.define()
    answer = api.bulk("POST", f"{uri}/data", content=b'[{"Id":"1"}]', headers=headers)
    assert answer.status_code == 204
    assert api.bulk("POST", "/contacts/syncActions", content=json.dumps(DEFINITION), headers=headers).status_code == 201


RULE = "Must be application/json, or text/csv for an upload."


@pytest.mark.parametrize(
    ("content_type", "of_browser"),
    [
        ("text/plain", {}),
        ("Text/Plain; charset=UTF-8", {"origin": "https://evil.example"}),
        ("application/x-www-form-urlencoded", {"origin": "null"}),
        ("application/x-www-form-urlencoded", {"sec-fetch-site": "cross-site"}),
        ("multipart/form-data; boundary=x", {"referer": "https://evil.example/"}),
        ("", {"origin": "https://evil.example"}),
    ],
)
def test_a_form_of_another_site_makes_nothing(api: Api, content_type: str, of_browser: dict[str, str]) -> None:
    headers = {"content-type": content_type, **of_browser}
    answer = api.bulk("POST", "/contacts/syncActions", content=json.dumps(DEFINITION), headers=headers)
    wrong = {"field": "Content-Type", "value": content_type, "constraint": RULE}
    assert (answer.status_code, answer.json()) == (400, {"failures": [wrong]})
    answer = api.rest("POST", "/assets/contact/list", content=b'{"name":"l"}', headers=headers)
    assert answer.status_code == 400
    uri = api.define()
    answer = api.bulk("POST", f"{uri}/data", content=b'[{"Id":"1"}]', headers=headers)
    assert (answer.status_code, answer.json()) == (400, {"failures": [wrong]})
    api.bulk("DELETE", uri).raise_for_status()
    assert api.bulk("GET", "/contacts/syncActions").json()["totalResults"] == 0
    assert api.bulk("GET", "/contacts/lists").json()["totalResults"] == 0


def test_a_body_that_curl_calls_a_form_is_taken(api: Api) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    body = json.dumps(DEFINITION)
    assert api.bulk("POST", "/contacts/syncActions", content=body, headers=headers).status_code == 201


@pytest.mark.parametrize("content_type", ["text/csv", "text/csv; charset=utf-8", "TEXT/CSV"])
def test_content_types_of_csv(api: Api, content_type: str) -> None:
    uri = api.define()
    body = b'\xef\xbb\xbf"Id"\r\n"1"\r\n3\r\n'
    assert api.upload(uri, body, **{"content-type": content_type}).status_code == 204
    assert api.sync(uri)["status"] == "success"


@pytest.mark.parametrize(
    "wrap", [lambda text: text, lambda text: text.rstrip("="), lambda text: f"{text[:8]} {text[8:]}"]
)
def test_logins_in_any_case_and_wrapped(api: Api, server: RunningServer, wrap: Any) -> None:
    login = f"{company_of(api).upper()}\\Ann:secret"
    header = "bAsIc " + wrap(base64.b64encode(login.encode()).decode())
    answer = bare.get(f"{server.url}/api/bulk/2.0/syncs", headers={"authorization": header})
    assert answer.status_code == 200


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic /////w==", "Bearer abc", "Basic YWJj", "Basic YVxi"])
def test_malformed_logins(server: RunningServer, header: str) -> None:
    answer = bare.get(f"{server.url}/api/bulk/2.0/syncs", headers={"authorization": header})
    assert answer.status_code == 401
    assert answer.json()["error"] == "Unauthorized"


def test_headers_of_every_answer(api: Api) -> None:
    uri = api.define()
    for answer in (api.bulk("GET", uri), api.bulk("GET", "/nonsense"), api.upload(uri, [])):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["pragma"] == "no-cache"
        assert answer.headers["expires"] == "-1"
        request_id, _, number = answer.headers["x-request-id"].partition("/")
        assert (len(request_id), int(request_id, 16) >= 0, number.isdigit()) == (32, True, True)
    assert api.bulk("GET", uri).headers["content-type"] == "application/json; charset=utf-8"


def test_keys_of_records_in_any_spelling(api: Api) -> None:
    uri = api.define()
    assert api.upload(uri, [{"ID": "1"}, {" id ": "2"}, {"iD": "4"}, {"\ufeffId": "5"}]).status_code == 204
    sync = api.sync(uri)
    assert sync["status"] == "success"
    assert [e["count"] for e in api.log(sync["uri"]) if e["statusCode"] == "ELQ-00017"] == [4]


@pytest.mark.parametrize(
    ("body", "content_type", "rule"),
    [
        (
            b'[{"id":"1"},{"id":"2","Id":"3"}]',
            JSON,
            "Must have one value for each field, but in record 2 'Id' and 'id' both mean 'Id'.",
        ),
        (
            b'[{"Id":"2","Id":"3"}]',
            JSON,
            "Must have one value for each field, but in record 1 'Id' and 'Id' both mean 'Id'.",
        ),
        (
            b"Id,more,more, ID \n1,2,3,4\n",
            CSV,
            "Must have one column for each field, but 'Id' and 'ID' both mean 'Id'.",
        ),
    ],
)
def test_two_values_for_one_field_are_refused(api: Api, body: bytes, content_type: str, rule: str) -> None:
    uri = api.define()
    answer = api.upload(uri, body, **{"content-type": content_type})
    assert answer.status_code == 400
    assert [failure["constraint"] for failure in answer.json()["failures"]] == [rule]
    assert api.upload(uri, [{"Id": "1", "x": "1", "X": "2"}]).status_code == 204


def test_a_login_of_letters_that_base64_has_not(server: RunningServer) -> None:
    with socket.create_connection(urlsplit(server.url).netloc.split(":")) as connection:
        head = "GET /api/bulk/2.0/syncs HTTP/1.1\r\nHost: x\r\nAuthorization: Basic \u00ff\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode("latin-1"))
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 401 ")


def test_of_very_many_unknown_names_a_hundred_are_told(api: Api) -> None:
    uri = api.define()
    assert api.upload(uri, [{"Id": str(i), f"name{i}": "x"} for i in range(1, 5001)]).status_code == 204
    columns = ",".join(f"column{i}" for i in range(5000))
    assert api.upload(uri, f"Id,{columns}\n7{',' * 5000}\n".encode(), **{"content-type": CSV}).status_code == 204
    told = [e["message"].split()[1] for e in api.log(api.sync(uri)["uri"]) if e["statusCode"] == "ELQ-00111"]
    assert told == [f"name{i}" for i in range(1, 101)]
