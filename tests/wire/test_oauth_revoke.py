"""Tokens that their client ends: `POST /auth/oauth2/revoke`, as a public app sends it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from staithe.services.stores import CompanyStore
from tests.support import bare
from tests.support.logins import is_over
from tests.support.oauth import Program, basic, register
from tests.support.server import RunningServer


@pytest.fixture
def program(server: RunningServer, store: CompanyStore) -> Program:
    """A program that may act for users of the company."""
    return register(server, store)


def revoke(program: Program, path: str = "/auth/oauth2/revoke", **options: Any) -> httpx.Response:
    headers = {"authorization": basic(program.identifier, program.secret)}
    return bare.post(program.url + path, **{"headers": headers, **options})


def ended(answer: httpx.Response) -> bool:
    """Whether an answer says that the token is good no more; it has no body."""
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == "0"
    assert "content-type" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    return True


def test_an_access_token_ends_alone_and_a_refresh_token_takes_its_login_along(
    program: Program, server: RunningServer, store: CompanyStore
) -> None:
    login = f"{store.company.name}\\ann"
    other, first = program.log_in(login), program.log_in(login)
    assert program.bulk(first["access_token"]).status_code == 200
    assert ended(revoke(program, data={"token": first["access_token"]}))
    assert is_over(server, lambda: program.bulk(first["access_token"]))
    second = program.refresh(first["refresh_token"]).json()
    assert program.bulk(second["access_token"]).status_code == 200
    hint = {"token_type_hint": "access_token", "client_id": program.identifier, "client_secret": program.secret}
    path = "//Auth/OAUTH2//Revoke/"
    assert ended(revoke(program, path, json={"token": second["refresh_token"], **hint}, headers={}))
    assert is_over(server, lambda: program.bulk(second["access_token"]))
    wrong = program.refresh(second["refresh_token"])
    assert (wrong.status_code, wrong.json()) == (
        401,
        {
            "error": "invalid_grant",
            "error_code": 3000,
            "error_description": "The refresh token is unknown, expired, or was given to another client.",
        },
    )
    assert program.bulk(other["access_token"]).status_code == 200, "another login of the same user goes on"


def test_a_refresh_token_that_was_used_ends_what_followed_it(
    program: Program, server: RunningServer, store: CompanyStore
) -> None:
    first = program.log_in(f"{store.company.name}\\ann")
    second = program.refresh(first["refresh_token"]).json()
    assert ended(revoke(program, data={"token": first["refresh_token"]}))
    assert is_over(server, lambda: program.bulk(second["access_token"]))
    assert program.refresh(second["refresh_token"]).status_code == 401


def test_who_may_end_what(program: Program, server: RunningServer, store: CompanyStore) -> None:
    tokens = program.log_in(f"{store.company.name}\\ann")
    stranger = register(server, store, "Other")
    for name in ("access_token", "refresh_token"):
        refused = revoke(stranger, data={"token": tokens[name]})
        assert (refused.status_code, refused.json()) == (
            400,
            {
                "error": "invalid_grant",
                "error_code": 6000,
                "error_description": "The token was given to another client.",
            },
        )
    nobody = revoke(program, data={"token": tokens["access_token"]}, headers={})
    assert (nobody.status_code, nobody.json()["error"], nobody.json()["error_code"]) == (401, "invalid_client", 2000)
    assert nobody.headers["www-authenticate"] == 'Basic realm="Staithe clients", charset="UTF-8"'
    missing = revoke(program, data={"token_type_hint": "refresh_token"})
    assert (missing.status_code, missing.json()) == (
        400,
        {"error": "invalid_request", "error_code": 1000, "error_description": "token is missing."},
    )
    for unknown in ("nonsense", "é", "x" * 10_000):
        assert ended(revoke(program, data={"token": unknown}))
    assert program.bulk(tokens["access_token"]).status_code == 200
    assert program.refresh(tokens["refresh_token"]).status_code == 200
