"""OAuth tokens: got for a password, a code or a refresh token, used once or for a time, ended by what must end them."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from staithe.clock import system_clock
from staithe.domain.companies import Role
from staithe.services import accounts, clients
from staithe.services.stores import CompanyStore
from staithe.storage.tables import CONTROL_METADATA, OAUTH_CLIENT, OAUTH_GRANT, OAUTH_TOKEN
from tests.conftest import StartServer
from tests.support import bare
from tests.support.api import Api
from tests.support.clock import Clock
from tests.support.logins import is_over
from tests.support.oauth import REDIRECT, TOKEN, Browser, Program, basic, register, told
from tests.support.server import RunningServer
from tests.support.waiting import until

HOUR = 3600
CHALLENGE = 'Basic realm="Staithe", charset="UTF-8", Bearer realm="Staithe"'


@pytest.fixture
def program(server: RunningServer, store: CompanyStore) -> Program:
    """A program that may act for users of the company."""
    return register(server, store)


@pytest.fixture
def login(store: CompanyStore) -> str:
    """The login of the company's user."""
    return f"{store.company.name}\\ann"


def code_for(program: Program, **more: str) -> str:
    """A code that the user has allowed."""
    asked = {"response_type": "code", "client_id": program.identifier, "redirect_uri": REDIRECT} | more
    with Browser(program.url) as browser:
        return told(browser.allow(browser.open(**asked), "ann"))["code"]


CODES = {
    "invalid_request": (1000,),
    "unsupported_grant_type": (1001,),
    "invalid_scope": (1002,),
    "invalid_client": (2000,),
    "invalid_grant": (3000, 3001, 4000, 4001, 4002, 4003, 5000, 6000),
}
CLIENT_CHALLENGE = 'Basic realm="Staithe clients", charset="UTF-8"'


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, error and description; the body is nothing else but a number that goes with them."""
    body = answer.json()
    assert list(body) == ["error", "error_code", "error_description"]
    assert body["error_code"] in CODES[body["error"]]
    assert answer.headers["cache-control"] == "no-store"
    is_unauthorized = body["error_code"] // 1000 in (2, 3)
    assert (answer.status_code == 401) is is_unauthorized
    assert answer.headers.get("www-authenticate") == (CLIENT_CHALLENGE if is_unauthorized else None)
    return answer.status_code, body["error"], body["error_description"]


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("in_body", [False, True])
def test_a_password_gives_tokens(program: Program, login: str, as_json: bool, in_body: bool) -> None:
    answer = program.token(
        json=as_json, in_body=in_body, grant_type="password", username=login, password="secret", scope="full"
    )
    body = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json; charset=utf-8")
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
    assert answer.text == json.dumps(
        {
            "access_token": body["access_token"],
            "token_type": "bearer",
            "expires_in": 28800,
            "refresh_token": body["refresh_token"],
        },
        separators=(",", ":"),
    )
    assert len({body["access_token"], body["refresh_token"]}) == 2
    assert min(len(body["access_token"]), len(body["refresh_token"])) >= 43
    assert program.bulk(body["access_token"]).status_code == 200


def test_a_token_is_good_wherever_a_password_is(
    program: Program, login: str, api: Api, server: RunningServer, store: CompanyStore
) -> None:
    access = program.log_in(login)["access_token"]
    headers = {"authorization": f"bEaReR  {access}"}
    assert bare.get(f"{server.url}/id", headers=headers).json() == api.call("GET", "/id").json()
    uri = api.define()
    assert program.bulk(access, "POST", f"{uri}/data", json=[{"Id": "1"}]).status_code == 204
    made = bare.post(f"{server.url}/api/REST/1.0/assets/contact/list", headers=headers, json={"name": "x"})
    assert (made.status_code, made.json()["createdBy"]) == (201, str(api.call("GET", "/id").json()["user"]["id"]))


def test_a_reader_only_reads_with_a_token_too(program: Program, reader: Api, store: CompanyStore) -> None:
    access = program.log_in(f"{store.company.name}\\rita")["access_token"]
    assert program.bulk(access).status_code == 200
    assert program.bulk(access, "POST", json={}).status_code == 403


@pytest.mark.parametrize("token", ["", "nonsense", "\u00e9\u00e9"])
def test_an_unknown_token_is_refused(server: RunningServer, token: str) -> None:
    headers = {"authorization": f"Bearer {token}".strip().encode()}
    answer = bare.get(f"{server.url}/api/bulk/2.0/syncs", headers=headers)
    assert answer.json() == {
        "status": 401,
        "error": "Unauthorized",
        "message": "The access token is unknown or has expired.",
        "advice": "Get another with the refresh token, or by logging in again.",
    }
    assert answer.headers["www-authenticate"] == f'{CHALLENGE}, error="invalid_token"'
    without = bare.get(f"{server.url}/api/bulk/2.0/syncs")
    assert (without.status_code, without.headers["www-authenticate"]) == (401, CHALLENGE)


def test_a_refresh_token_is_no_access_token_and_the_other_way_round(program: Program, login: str) -> None:
    tokens = program.log_in(login)
    assert program.bulk(tokens["refresh_token"]).status_code == 401
    assert refusal(program.refresh(tokens["access_token"]))[:2] == (401, "invalid_grant")
    assert refusal(program.exchange(tokens["refresh_token"]))[:2] == (400, "invalid_grant")


def test_refreshing_gives_new_tokens_each_time(program: Program, login: str) -> None:
    first = program.log_in(login)
    second = program.token(
        json=True, grant_type="refresh_token", refresh_token=first["refresh_token"], scope="full", redirect_uri=REDIRECT
    ).json()
    third = program.refresh(second["refresh_token"]).json()
    assert list(third) == ["access_token", "token_type", "expires_in", "refresh_token"]
    issued = [t[name] for t in (first, second, third) for name in ("access_token", "refresh_token")]
    assert len(set(issued)) == 6
    for tokens in (first, second, third):
        assert program.bulk(tokens["access_token"]).status_code == 200, "a job that runs on is not cut short"


def test_a_refresh_token_used_twice_ends_its_family_and_no_other(moved: RunningServer, clock: Clock) -> None:
    _, store = moved.new_company("twice")
    program = register(moved, store)
    other, first = program.log_in("twice\\ann"), program.log_in("twice\\ann")
    second = program.refresh(first["refresh_token"]).json()
    clock.forward(seconds=61)
    used = "The refresh token was used before: all tokens of its login have ended."
    assert refusal(program.refresh(first["refresh_token"])) == (401, "invalid_grant", used)
    assert is_over(moved, lambda: program.bulk(first["access_token"]))
    assert is_over(moved, lambda: program.bulk(second["access_token"]))
    assert refusal(program.refresh(second["refresh_token"]))[:2] == (401, "invalid_grant")
    assert program.bulk(other["access_token"]).status_code == 200


def test_a_refresh_token_gets_the_same_answer_again_for_a_minute(moved: RunningServer, clock: Clock) -> None:
    _, store = moved.new_company("lost")
    program, stranger = register(moved, store), register(moved, store, "Other")
    while True:
        began = time.monotonic()
        token = program.log_in("lost\\ann")["refresh_token"]
        lost = program.refresh(token).json()
        clock.forward(seconds=40)
        wrong = "The refresh token is unknown, expired, or was given to another client."
        assert refusal(stranger.refresh(token)) == (401, "invalid_grant", wrong)
        again = program.refresh(token)
        # If all that has taken long, the token was given up rightly, and this says nothing.
        if time.monotonic() - began < 20:
            break
    assert again.json() == lost | {"expires_in": again.json()["expires_in"]}
    assert list(again.json()) == list(lost)
    assert 8 * HOUR - 60 <= again.json()["expires_in"] <= 8 * HOUR - 40, "the rest of the time"
    assert program.bulk(lost["access_token"]).status_code == 200
    following = program.refresh(lost["refresh_token"]).json()
    assert len({*lost.values(), *following.values()}) >= 6, "the chain goes on with new tokens"
    clock.forward(seconds=21)
    assert refusal(program.refresh(token))[:2] == (401, "invalid_grant")
    assert is_over(moved, lambda: program.bulk(following["access_token"]))


def test_a_refresh_token_gets_nothing_again_after_its_login_has_ended(
    program: Program, login: str, server: RunningServer, store: CompanyStore
) -> None:
    token = program.log_in(login)["refresh_token"]
    lost = program.refresh(token).json()
    accounts.set_user(server.stores, store.company, "ann", "secret", Role.API, system_clock())
    assert refusal(program.refresh(token))[:2] == (401, "invalid_grant")
    assert is_over(server, lambda: program.bulk(lost["access_token"]))


def test_what_makes_tokens_again_is_forgotten_with_the_next_refresh(moved: RunningServer, clock: Clock) -> None:
    """Else an old refresh token and a copy of the store would do to make all that followed it."""
    _, store = moved.new_company("salts")
    program = register(moved, store)
    tokens = program.log_in("salts\\ann")
    for _ in range(3):
        tokens = program.refresh(tokens["refresh_token"]).json()
        clock.forward(seconds=61)
    assert [salt is None for salt, used_at in tokens_of(moved, program) if used_at].count(False) == 1


def test_many_who_refresh_at_once_get_the_same_tokens(program: Program, login: str, server: RunningServer) -> None:
    token = program.log_in(login)["refresh_token"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(program.refresh, [token] * 8))
    assert [a.status_code for a in answers] == [200] * 8
    assert len({(a.json()["access_token"], a.json()["refresh_token"]) for a in answers}) == 1
    assert len(tokens_of(server, program)) == 4, "one more pair of tokens came to be"
    assert program.bulk(answers[0].json()["access_token"]).status_code == 200


def test_a_code_gives_tokens_once(program: Program, server: RunningServer) -> None:
    code = code_for(program)
    tokens = program.exchange(code).json()
    assert list(tokens) == ["access_token", "token_type", "expires_in", "refresh_token"]
    assert program.bulk(tokens["access_token"]).status_code == 200
    used = "The code was used before: what it gave has ended."
    assert refusal(program.exchange(code)) == (400, "invalid_grant", used)
    assert is_over(server, lambda: program.bulk(tokens["access_token"]))
    assert refusal(program.refresh(tokens["refresh_token"]))[:2] == (401, "invalid_grant")


def test_a_code_that_was_exchanged_wrongly_is_still_good(
    program: Program, server: RunningServer, store: CompanyStore
) -> None:
    code = code_for(program)
    other = register(server, store, "Other")
    redirect = "redirect_uri is not the one that the code was asked for with."
    wrong = "The code is unknown, expired, or was given to another client."
    assert refusal(other.exchange(code)) == (400, "invalid_grant", wrong)
    assert refusal(program.exchange(code, redirect_uri=REDIRECT + "/")) == (400, "invalid_grant", redirect)
    assert refusal(program.token(grant_type="authorization_code", code=code)) == (400, "invalid_grant", redirect)
    assert program.exchange(code).status_code == 200


# The example of RFC 7636, appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
S256 = {"code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256"}


def test_a_code_with_a_challenge_needs_its_verifier(program: Program) -> None:
    code = code_for(program, **S256)
    wrong = "code_verifier does not fit the code_challenge that the code was asked for with."
    assert refusal(program.exchange(code)) == (400, "invalid_grant", wrong)
    assert refusal(program.exchange(code, code_verifier=VERIFIER[::-1])) == (400, "invalid_grant", wrong)
    assert program.exchange(code, code_verifier=VERIFIER).status_code == 200


def test_a_verifier_without_a_challenge_is_refused(program: Program) -> None:
    """Else whoever takes the challenge out of the link could use a stolen code."""
    assert refusal(program.exchange(code_for(program), code_verifier=VERIFIER))[:2] == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("parameters", "fault", "description"),
    [
        ({}, "invalid_request", "grant_type is missing."),
        ({"grant_type": ""}, "invalid_request", "grant_type is missing."),
        (
            {"grant_type": "client_credentials"},
            "unsupported_grant_type",
            "grant_type must be one of authorization_code, refresh_token, password.",
        ),
        ({"grant_type": "password", "username": "x"}, "invalid_request", "password is missing."),
        ({"grant_type": "authorization_code"}, "invalid_request", "code is missing."),
        ({"grant_type": "refresh_token"}, "invalid_request", "refresh_token is missing."),
        ({"grant_type": "refresh_token", "scope": "all"}, "invalid_scope", "scope must be full, or left out."),
        (
            {"grant_type": "refresh_token", "refresh_token": "x"},
            "invalid_grant",
            "The refresh token is unknown, expired, or was given to another client.",
        ),
        (
            {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "y"},
            "invalid_request",
            "client_id is another than in the Authorization header.",
        ),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_what_is_wrong_with_a_token_request(
    program: Program, parameters: dict[str, str], fault: str, description: str, as_json: bool
) -> None:
    status = 401 if parameters.get("refresh_token") and fault == "invalid_grant" else 400
    assert refusal(program.token(json=as_json, **parameters)) == (status, fault, description)


@pytest.mark.parametrize(
    ("body", "description"),
    [
        (b'{"grant_type": ["password"]}', "The body must be a JSON object of texts."),
        (b'{"grant_type": ', "The body must be a JSON object of texts."),
        (b"grant_type=password&grant_type=password", "A parameter must not be sent twice."),
        (b"grant_type=%ff", "The parameters must be a form in UTF-8."),
    ],
)
def test_bodies_that_are_none(program: Program, body: bytes, description: str) -> None:
    headers = {"authorization": basic(program.identifier, program.secret)}
    answer = bare.post(program.url + TOKEN, content=body, headers=headers)
    assert refusal(answer) == (400, "invalid_request", description)


def test_wrong_users_are_refused(program: Program, server: RunningServer, login: str) -> None:
    server.new_company(f"other-than-{login.partition(chr(92))[0]}")
    wrong = "The user name or the password is wrong; the name has the form company\\user."
    others = f"other-than-{login}"
    for user, password in ((login, "no"), (login + "x", "secret"), ("ann", "secret"), (others, "secret")):
        answer = program.token(grant_type="password", username=user, password=password)
        assert refusal(answer) == (400, "invalid_grant", wrong), user
    assert server.api(f"{others}:secret").bulk("GET", "/syncs").status_code == 200, "another company's user"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": basic("nobody", "nothing")},
        {"authorization": "Basic !"},
        {"authorization": "Basic YWJj"},
        {"authorization": "Basic \xff".encode("latin-1")},
        {"authorization": "Bearer x"},
    ],
)
def test_wrong_clients_are_refused(program: Program, login: str, headers: dict[str, str | bytes]) -> None:
    body = {"grant_type": "password", "username": login, "password": "secret"}
    answer = bare.post(program.url + TOKEN, data=body, headers=headers)
    assert refusal(answer)[:2] == (401, "invalid_client")
    wrong = Program(program.url, program.identifier, program.secret[::-1])
    for in_body in (False, True):
        assert refusal(wrong.token(in_body=in_body, **body))[:2] == (401, "invalid_client")


def test_a_password_set_anew_ends_tokens_and_codes(
    program: Program, login: str, server: RunningServer, store: CompanyStore
) -> None:
    tokens, code = program.log_in(login), code_for(program)
    accounts.set_user(server.stores, store.company, "ann", "secret", Role.API, system_clock())
    assert is_over(server, lambda: program.bulk(tokens["access_token"]))
    assert refusal(program.refresh(tokens["refresh_token"]))[:2] == (401, "invalid_grant")
    assert refusal(program.exchange(code))[:2] == (400, "invalid_grant")
    assert program.bulk(program.log_in(login)["access_token"]).status_code == 200


def test_a_deleted_client_takes_its_tokens_along(
    program: Program, login: str, server: RunningServer, store: CompanyStore
) -> None:
    other = register(server, store, "Other")
    kept, ended = other.log_in(login), program.log_in(login)
    clients.delete_client(server.stores, store.company, "FERRY")
    assert is_over(server, lambda: program.bulk(ended["access_token"]))
    assert refusal(program.refresh(ended["refresh_token"]))[:2] == (401, "invalid_client")
    again = register(server, store)
    assert refusal(again.refresh(ended["refresh_token"]))[:2] == (401, "invalid_grant")
    assert program.bulk(kept["access_token"]).status_code == 200


def test_no_secret_is_stored_in_clear(program: Program, login: str, server: RunningServer) -> None:
    tokens, code = program.log_in(login), code_for(program)
    refreshed = program.refresh(tokens["refresh_token"]).json()
    secrets = [t[name] for t in (tokens, refreshed) for name in ("access_token", "refresh_token")]
    secrets += [code, program.secret]
    stored = b"".join(path.read_bytes() for path in server.data.glob("control.db*") if path.is_file())
    if server.database:
        with server.stores.control.read() as connection:
            tables = [list(connection.execute(select(table))) for table in CONTROL_METADATA.sorted_tables]
        stored = repr(tables).encode()
    assert program.identifier.encode() in stored, "the files do hold what was registered"
    assert [secret for secret in secrets if secret.encode() in stored] == []


def test_access_tokens_are_good_for_eight_hours(moved: RunningServer, clock: Clock) -> None:
    _, store = moved.new_company("hours")
    program = register(moved, store)
    tokens = program.log_in("hours\\ann")
    clock.forward(seconds=8 * HOUR - 600)
    assert program.bulk(tokens["access_token"]).status_code == 200
    clock.forward(seconds=601)
    assert program.bulk(tokens["access_token"]).status_code == 401
    assert bare.get(f"{moved.url}/id", headers={"authorization": f"Bearer {tokens['access_token']}"}).json() == (
        "Not authenticated."
    )
    tokens = program.refresh(tokens["refresh_token"]).json()
    assert program.bulk(tokens["access_token"]).status_code == 200


def test_codes_are_good_for_a_minute(moved: RunningServer, clock: Clock) -> None:
    _, store = moved.new_company("minute")
    program = register(moved, store)
    while True:
        began = time.monotonic()
        in_time, too_late = code_for(program), code_for(program)
        clock.forward(seconds=40)
        answered = program.exchange(in_time)
        # If all that has taken long, the code was given up rightly, and this says nothing.
        if time.monotonic() - began < 20:
            break
    assert answered.status_code == 200
    clock.forward(seconds=21)
    wrong = "The code is unknown, expired, or was given to another client."
    assert refusal(program.exchange(too_late)) == (400, "invalid_grant", wrong)


def test_refresh_tokens_are_good_for_a_year_and_what_expired_is_removed(moved: RunningServer, clock: Clock) -> None:
    _, store = moved.new_company("year")
    program = register(moved, store)
    idle, used = program.log_in("year\\ann"), program.log_in("year\\ann")
    clock.forward(364)
    used = program.refresh(used["refresh_token"]).json()
    clock.forward(2)
    assert refusal(program.refresh(idle["refresh_token"]))[:2] == (401, "invalid_grant")
    # What is left: one grant, with the refresh token that was used, and the one that took its place.
    until(lambda: counted(moved) == (1, 2), "what expired is removed")
    assert program.refresh(used["refresh_token"]).status_code == 200
    clock.forward(800)
    until(lambda: counted(moved) == (0, 0), "all is removed")


def counted(server: RunningServer) -> tuple[int, int]:
    """How many grants and tokens are stored."""
    with server.stores.control.read() as connection:
        grants, tokens = (
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (OAUTH_GRANT, OAUTH_TOKEN)
        )
    return grants, tokens


def tokens_of(server: RunningServer, program: Program) -> list[tuple[bytes | None, int | None]]:
    """(salt, when it was used) of each token that is stored for a program."""
    is_of_program = OAUTH_GRANT.c.client_id == OAUTH_CLIENT.c.id, OAUTH_CLIENT.c.identifier == program.identifier
    stored = select(OAUTH_TOKEN.c.salt, OAUTH_TOKEN.c.used_at).where(
        OAUTH_TOKEN.c.grant_id == OAUTH_GRANT.c.id, *is_of_program
    )
    with server.stores.control.read() as connection:
        return [(row.salt, row.used_at) for row in connection.execute(stored)]


def test_the_life_of_access_tokens_can_be_set(servers: StartServer, tmp_path: Path) -> None:
    clock = Clock(tmp_path / "offset")
    options = ("--access-token-seconds", "600", "--clock-file", str(clock.file))
    short = servers(*options)
    _, store = short.new_company("short")
    program = register(short, store)
    tokens = program.log_in("short\\ann")
    assert tokens["expires_in"] == 600
    assert program.bulk(tokens["access_token"]).status_code == 200
    clock.forward(seconds=601)
    assert program.bulk(tokens["access_token"]).status_code == 401
    assert short.stop() == 0
