"""HEAD, OPTIONS, and methods that a path has not."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from tests.support import bare
from tests.support.api import Api
from tests.support.server import RunningServer
from tests.wire.test_exports import run

one_database = pytest.mark.one_database("Which methods a path has, no database decides.")

BULK = "/api/bulk/2.0"
VARYING = ("date", "x-request-id")


def headers_of(answer: httpx.Response) -> dict[str, str]:
    """The headers of an answer that are the same each time."""
    return {name: value for name, value in answer.headers.items() if name not in VARYING}


@pytest.mark.parametrize(
    "path",
    [
        "/healthz",
        "/readyz",
        "/id",
        "/schema",
        f"{BULK}/contacts/syncActions",
        f"{BULK}/contacts/syncActions/1",
        f"{BULK}/contacts/syncActions/99",
        f"{BULK}/syncs?limit=none",
        "/api/REST/1.0/assets/contact/lists",
        "/auth/oauth2/authorize?client_id=nobody",
        "/nonsense",
    ],
)
def test_head_is_answered_as_get_is_but_for_the_body(api: Api, path: str) -> None:
    api.define()
    got, headed = api.call("GET", path), api.call("HEAD", path)
    assert (headed.status_code, headers_of(headed), headed.content) == (got.status_code, headers_of(got), b"")
    assert got.headers["content-length"] == str(len(got.content))


@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
def test_head_of_data_makes_none_of_it(api: Api, accept: str) -> None:
    """Its length would be known after all of it was made: so it is not told, as it is not when it is sent."""
    data = run(api)
    got, headed = (api.bulk(method, data, headers={"accept": accept}) for method in ("GET", "HEAD"))
    without_framing = {name: value for name, value in headers_of(got).items() if name != "transfer-encoding"}
    assert (headed.status_code, headers_of(headed), headed.content) == (200, without_framing, b"")
    assert api.bulk("GET", data, headers={"accept": accept}).content == got.content


def test_a_reader_may_ask_for_heads_and_they_change_nothing(api: Api, reader: Api) -> None:
    uri = api.define()
    before = api.bulk("GET", uri).json()
    assert reader.bulk("HEAD", uri).status_code == 200
    assert api.bulk("GET", uri).json() == before


def refusal(path: str) -> dict[str, Any]:
    return {
        "status": 405,
        "error": "Method Not Allowed",
        "message": f"{path} does not take this method.",
        "advice": "GET /schema lists them.",
    }


@one_database
@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PATCH", f"{BULK}/contacts/syncActions", "GET, HEAD, OPTIONS, POST"),
        ("PUT", f"{BULK}/contacts/syncActions", "GET, HEAD, OPTIONS, POST"),
        ("POST", f"{BULK}/contacts/syncActions/1", "DELETE, GET, HEAD, OPTIONS, PUT"),
        ("HEAD", f"{BULK}/contacts/syncActions/1/data", "DELETE, OPTIONS, POST"),
        ("GET", f"{BULK}/contacts/syncActions/1/data", "DELETE, OPTIONS, POST"),
        ("PROPFIND", "/healthz", "GET, HEAD, OPTIONS"),
        ("POST", "/id", "GET, HEAD, OPTIONS"),
        ("GET", "/auth/oauth2/token", "OPTIONS, POST"),
    ],
)
def test_a_method_that_a_path_has_not_is_405_and_names_those_it_has(
    api: Api, method: str, path: str, allow: str
) -> None:
    content = None if method in ("GET", "HEAD") else b"[1, 2, 3]"
    answer = api.call(method, path, content=content)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    if method == "HEAD":
        assert answer.content == b""
    else:
        assert answer.json() == refusal(path)


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        (f"{BULK}/contacts/syncActions/1", "DELETE, GET, HEAD, OPTIONS, PUT"),
        (f"{BULK}//CONTACTS/syncactions/", "GET, HEAD, OPTIONS, POST"),
        ("/auth/oauth2/token", "OPTIONS, POST"),
    ],
)
def test_options_names_the_methods_of_a_path_to_everybody(server: RunningServer, path: str, allow: str) -> None:
    answer = bare.request("OPTIONS", server.url + path)
    assert (answer.status_code, answer.headers["allow"], answer.content) == (204, allow, b"")
    assert "content-length" not in answer.headers


def test_options_of_no_path_is_404(server: RunningServer) -> None:
    answer = bare.request("OPTIONS", f"{server.url}/nonsense")
    message, advice = "No path /nonsense.", "GET /schema lists every path."
    assert answer.json() == {"status": 404, "error": "Not Found", "message": message, "advice": advice}


def test_what_is_no_id_is_looked_for_where_one_could_stand(api: Api) -> None:
    """A segment that is a name elsewhere can stand in place of an id; it is none."""
    answer = api.bulk("GET", "/contacts/lists/data")
    message, advice = "There is nothing with the id data.", "Ids are whole numbers from 1 up."
    assert answer.json() == {"status": 404, "error": "Not Found", "message": message, "advice": advice}


def paths_of_everything(server: RunningServer) -> dict[str, set[str]]:
    """Every path that the server has, with the methods that its schema tells of; and those that no schema names."""
    schema = bare.get(f"{server.url}/schema").json()
    told = {path: {method.upper() for method in operations} for path, operations in schema["paths"].items()}
    return {re.sub(r"{\w+}", "1", path): methods - {"PARAMETERS"} for path, methods in told.items()} | {
        "/metrics": {"GET"},
    }


@one_database
def test_every_path_takes_head_where_it_takes_get_and_names_its_methods_to_others(
    api: Api, server: RunningServer
) -> None:
    """Whether there is anything with the id 1 or not."""
    api.define()
    for path, methods in sorted(paths_of_everything(server).items()):
        # HEAD and OPTIONS are in no schema.
        allow = ", ".join(sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())))
        assert bare.request("OPTIONS", server.url + path).headers["allow"] == allow, path
        for method in {"HEAD", "GET", "POST", "PUT", "DELETE", "PATCH"} - set(allow.split(", ")):
            answer = api.call(method, path)
            assert (answer.status_code, answer.headers["allow"]) == (405, allow), f"{method} {path}"
        if "GET" in methods:
            got, headed = api.call("GET", path), api.call("HEAD", path)
            assert (headed.status_code, headed.content) == (got.status_code, b""), path
            assert headed.headers.get("content-type") == got.headers.get("content-type"), path
