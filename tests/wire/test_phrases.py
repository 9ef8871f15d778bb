"""The reason phrases of the Bulk API, which are part of the wire: whole status lines, as they come from the socket."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.api import Api
from tests.support.run import OpenRun
from tests.support.server import RunningServer
from tests.wire.test_connections import Wire

VALIDATION = "HTTP/1.1 400 There was a validation error."
UNAUTHORIZED = "HTTP/1.1 401 You are not authorized to make this request"
NOT_FOUND = "HTTP/1.1 404 The requested resource was not found."
CONFLICT = "HTTP/1.1 409 There was a conflict."
FULL = "HTTP/1.1 413 Storage space exceeded."


def exchange(server: RunningServer, head: str, body: bytes = b"") -> tuple[str, dict[str, str], bytes]:
    """Send a request by hand: the status line, the headers and the body of the answer."""
    with Wire(server) as wire:
        wire.send(f"{head}Connection: close\r\n\r\n".encode() + body)
        read, _, rest = wire.read().partition(b"\r\n\r\n")
    line, *headers = read.decode().split("\r\n")
    return line, dict(header.split(": ", 1) for header in headers), rest


def request(api: Api, method: str, target: str, body: bytes = b"", **headers: str) -> str:
    """The head of a request with a login, but for its end."""
    assert api.client.auth is not None
    login = next(api.client.auth.auth_flow(httpx.Request("GET", "http://x")))
    sent = {"Host": "x", "Authorization": login.headers["authorization"]}
    sent |= {"Content-Length": str(len(body)), "Content-Type": "application/json"} if body else {}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in sent.items())


@pytest.mark.parametrize(
    ("method", "target", "body", "line"),
    [
        ("POST", "/api/bulk/2.0/contacts/imports", b"{}", VALIDATION),
        ("POST", "/API/Bulk/2.0//contacts/imports/", b"not JSON", VALIDATION),
        ("GET", "/api/bulk/2.0/syncs?limit=x", b"", VALIDATION),
        ("GET", "/api/bulk/2.0/syncs/999999", b"", NOT_FOUND),
        ("GET", "/API/BULK/2.0/nothing", b"", NOT_FOUND),
        ("HEAD", "//api/bulk/2.0/nothing?a=/api/REST/1.0", b"", NOT_FOUND),
        ("GET", "http://x/api/bulk/2.0", b"", NOT_FOUND),
        ("PATCH", "/api/bulk/2.0/syncs", b"", "HTTP/1.1 405 Method Not Allowed"),
        ("GET", "/api/REST/1.0/data/contact/999999", b"", "HTTP/1.1 404 Not Found"),
        ("POST", "/api/REST/1.0/assets/contact/list", b"{}", "HTTP/1.1 400 Bad Request"),
        ("GET", "/api/bulk/2.01/syncs", b"", "HTTP/1.1 404 Not Found"),
        ("GET", "/", b"", "HTTP/1.1 404 Not Found"),
        ("GET", "/id", b"", "HTTP/1.1 200 OK"),
    ],
)
def test_answers_of_the_bulk_api_alone_have_its_phrases(
    server: RunningServer, api: Api, method: str, target: str, body: bytes, line: str
) -> None:
    assert exchange(server, request(api, method, target, body), body)[0] == line


@pytest.mark.parametrize("path", ["/api/bulk/2.0/syncs", "/API/Bulk/2.0//syncs", "/API/BULK/2.0/contacts/imports/1"])
def test_a_missing_login(server: RunningServer, path: str) -> None:
    line, headers, body = exchange(server, f"GET {path} HTTP/1.1\r\nHost: x\r\n")
    assert line == UNAUTHORIZED
    assert headers.pop("date")
    assert headers.pop("x-request-id")
    assert headers.pop("content-length") == str(len(body))
    assert headers == {
        "cache-control": "no-store",
        "pragma": "no-cache",
        "expires": "-1",
        "www-authenticate": 'Basic realm="Staithe", charset="UTF-8", Bearer realm="Staithe"',
        "content-type": "application/json; charset=utf-8",
        "connection": "close",
    }
    assert json.loads(body)["status"] == 401
    assert exchange(server, "GET /api/REST/1.0/users HTTP/1.1\r\nHost: x\r\n")[0] == "HTTP/1.1 404 Not Found"
    line, _, _ = exchange(server, "GET /api/REST/1.0/data/contacts HTTP/1.1\r\nHost: x\r\n")
    assert line == "HTTP/1.1 401 Unauthorized"


@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("GET /API/bulk/2.0/syncs HTTP/1.1\r\nHost: x\r\nno header\r\n", VALIDATION),
        ("GET /API/bulk/2.0/syncs HTTP/1.1\r\nHost: x\r\nHost: y\r\n", VALIDATION),
        ("GET /api/bulk/2.0/syncs HTTP/1.1\r\n", VALIDATION),
        ("GET /api/REST/2.0/data/contacts HTTP/1.1\r\nHost: x\r\nno header\r\n", "HTTP/1.1 400 Bad Request"),
        ("no request\r\n", "HTTP/1.1 400 Bad Request"),
    ],
)
def test_what_no_route_has_seen(server: RunningServer, head: str, line: str) -> None:
    assert exchange(server, head)[0] == line


def test_a_conflict_and_an_upload_that_is_too_large(server: RunningServer, api: Api) -> None:
    data = f"/API/BULK/2.0{api.define()}/data"
    for body, line in ((b"[]", "HTTP/1.1 204 No Content"), (b'[{"Id":"1"}]', CONFLICT)):
        assert exchange(server, request(api, "POST", data, body, Idempotency_Key="k"), body)[0] == line
    large = gzip.compress(b"[" + b" " * (33 << 20), 1)
    line, _, body = exchange(server, request(api, "POST", data, large, Content_Encoding="gzip"), large)
    assert line == FULL
    assert json.loads(body)["status"] == 413


@pytest.fixture
def run(server: RunningServer, tmp_path: Path) -> Iterator[OpenRun]:
    """A proxy before the server."""
    with OpenRun("--server", server.url, cwd=tmp_path) as opened:
        yield opened


def test_the_proxy_passes_them_on(run: OpenRun, api: Api) -> None:
    with httpx.Client(proxy=run.proxy, verify=run.trust(), auth=api.client.auth, trust_env=False) as client:
        answer = client.get("https://secure.p01.eloqua.com/API/Bulk/2.0/syncs/999999")
        assert (answer.status_code, answer.reason_phrase) == (404, NOT_FOUND.removeprefix("HTTP/1.1 404 "))
        answer = client.get("https://secure.p01.eloqua.com/API/REST/2.0/data/contact/999999")
        assert (answer.status_code, answer.reason_phrase) == (404, "Not Found")
