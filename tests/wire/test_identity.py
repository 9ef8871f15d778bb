"""`/id`: who is logged in and where the APIs are, which every client asks before anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from staithe.clock import system_clock
from staithe.domain.companies import Role
from staithe.services import accounts
from staithe.services.stores import CompanyStore
from tests.conftest import StartServer
from tests.support import bare
from tests.support.api import Api
from tests.support.server import LOGIN, RunningServer

WRONG = '"Not authenticated."'


def identity(company_id: int, company: str, user_id: int, user: str, base: str, email: str = "") -> dict[str, Any]:
    """The whole body, keys in the order of a recorded reply."""
    return {
        "site": {"id": company_id, "name": company},
        "user": {
            "id": user_id,
            "username": user,
            "displayName": user,
            "firstName": user,
            "lastName": "",
            "emailAddress": email,
        },
        "urls": {
            "base": base,
            "apis": {
                "soap": {
                    "standard": f"{base}/API/{{version}}/Service.svc",
                    "dataTransfer": f"{base}/API/{{version}}/DataTransferService.svc",
                    "email": f"{base}/API/{{version}}/EmailService.svc",
                    "externalAction": f"{base}/API/{{version}}/ExternalActionService.svc",
                },
                "rest": {"standard": f"{base}/API/REST/{{version}}/", "bulk": f"{base}/API/Bulk/{{version}}/"},
            },
        },
    }


def user_id(store: CompanyStore, server: RunningServer, name: str = "ann", role: Role = Role.ADMIN) -> int:
    return accounts.set_user(server.stores, store.company, name, "secret", role, system_clock()).id


def base_of(server: RunningServer, **headers: str) -> str:
    """The base URL in the answer to a request with some headers."""
    answer = server.api().call("GET", "/id", headers={k.replace("_", "-"): v for k, v in headers.items()})
    text = answer.raise_for_status().json()["urls"]["base"]
    bases = {text, *(url.partition("/API/")[0] for url in every_api(answer.json()))}
    assert bases == {text}, "every address begins with the base URL"
    return str(text)


def every_api(body: dict[str, Any]) -> list[str]:
    return [url for family in body["urls"]["apis"].values() for url in family.values()]


def test_the_whole_body_in_the_order_of_recorded_replies(api: Api, store: CompanyStore, server: RunningServer) -> None:
    answer = api.call("GET", "/id")
    company = store.company
    expected = identity(company.id, company.name, user_id(store, server), "ann", server.url)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json; charset=utf-8")
    assert answer.text == json.dumps(expected, separators=(",", ":"))


def test_a_name_that_is_an_address_is_the_email_address(store: CompanyStore, server: RunningServer) -> None:
    number = user_id(store, server, "bo@example.org", Role.READER)
    body = server.api(f"{store.company.name}\\bo@example.org:secret").call("GET", "/id").json()
    company = store.company
    assert body == identity(company.id, company.name, number, "bo@example.org", server.url, "bo@example.org")


@pytest.mark.parametrize("path", ["/id", "//id", "/ID", "/Id/", "//iD//"])
def test_any_spelling_of_the_path(server: RunningServer, path: str) -> None:
    user, _, password = LOGIN.partition(":")
    answer = bare.get(server.url + path, auth=(user, password))
    assert answer.json()["site"]["name"] == "acme"


@pytest.mark.parametrize(
    "authorization",
    ["", "Basic", "Basic !!!", "Basic YWNtZVxhbm46bm8=", "Basic bm9cYW5uOm5v", "Bearer abc", "Digest x"],
)
def test_a_missing_or_wrong_login_is_answered_200_with_a_text(server: RunningServer, authorization: str) -> None:
    headers = {"authorization": authorization} if authorization else {}
    answer = bare.get(f"{server.url}/id", headers=headers)
    assert (answer.status_code, answer.text) == (200, WRONG)
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize(
    ("headers", "base"),
    [
        ({"host": "login.eloqua.com"}, "http://login.eloqua.com"),
        ({"host": "Login.Eloqua.com:80"}, "http://login.eloqua.com"),
        ({"host": "[::1]:9000"}, "http://[::1]:9000"),
        ({"host": "a.example:8080", "x_forwarded_proto": "https"}, "https://a.example:8080"),
        ({"host": "inside", "x_forwarded_host": "bulk.example.com"}, "http://bulk.example.com"),
        (
            {"host": "inside", "x_forwarded_host": "bulk.example.com:444, inner", "x_forwarded_proto": "HTTPS, http"},
            "https://bulk.example.com:444",
        ),
        (
            {"host": "inside", "x_forwarded_host": "bulk.example.com:443", "x_forwarded_proto": "https"},
            "https://bulk.example.com",
        ),
        (
            {"host": "a.example", "x_forwarded_proto": "https", "x_forwarded_port": "8443"},
            "https://a.example:8443",
        ),
        ({"host": "a.example", "x_forwarded_proto": "https", "x_forwarded_port": "80"}, "https://a.example"),
        ({"host": "a.example", "x_forwarded_port": "0443"}, "http://a.example"),
        ({"host": "a.example:0080"}, "http://a.example"),
        ({"host": "a.example:81", "x_forwarded_port": "8443"}, "http://a.example:81"),
        ({"host": "a.example", "x_forwarded_port": "8443x"}, "http://a.example"),
        ({"host": "a.example", "x_forwarded_port": "99999999999"}, "http://a.example"),
        (
            {"host": "inside", "forwarded": 'for=10.1.2.3;Host="b.example:444";proto=https, for=x'},
            "https://b.example:444",
        ),
        (
            {"host": "inside", "forwarded": "host=b.example;proto=https", "x_forwarded_host": "a.example"},
            "https://a.example",
        ),
        ({"host": "a.example", "x_forwarded_host": "evil.example/path"}, "http://a.example"),
        ({"host": "a.example", "x_forwarded_host": 'evil"onload="x'}, "http://a.example"),
        ({"host": "a.example", "x_forwarded_host": "user@evil.example"}, "http://a.example"),
        ({"host": "a.example", "x_forwarded_host": "a:99999"}, "http://a.example"),
        ({"host": "a.example", "x_forwarded_proto": "javascript"}, "http://a.example"),
        ({"host": "a.example", "forwarded": 'host="evil example"'}, "http://a.example"),
    ],
)
def test_the_base_url_is_where_the_client_sent_its_request(
    server: RunningServer, headers: dict[str, str], base: str
) -> None:
    assert base_of(server, **headers) == base


def test_an_address_without_a_well_formed_port_is_not_repeated(server: RunningServer) -> None:
    assert base_of(server, host="a.example:99999") == server.url


@pytest.mark.parametrize("host", ["a/b?c", "a b", 'a"onload="x'])
def test_a_host_that_is_none_is_refused(server: RunningServer, host: str) -> None:
    answer = server.api().call("GET", "/id", headers={"host": host})
    failure = {"field": "request", "constraint": "Must be well-formed HTTP: Invalid host header."}
    assert (answer.status_code, answer.json()) == (400, {"failures": [failure]})


def test_the_operators_url_counts_before_all_others(servers: StartServer) -> None:
    fixed = servers("--public-url", "https://Bulk.example.com/staithe/")
    assert base_of(fixed, host="a.example", x_forwarded_host="b.example") == "https://bulk.example.com/staithe"
    assert fixed.stop() == 0


def test_a_client_goes_where_the_answer_sends_it(api: Api) -> None:
    bulk = api.call("GET", "/id").json()["urls"]["apis"]["rest"]["bulk"].replace("{version}", "2.0")
    answer = api.client.get(f"{bulk}/contacts/lists")
    assert (answer.status_code, answer.json()["count"]) == (200, 0)
