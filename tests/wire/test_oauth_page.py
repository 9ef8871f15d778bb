"""The authorization page: what a user sees, decides, and what the program is told; sent as a browser sends it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import pytest

from staithe.clock import system_clock
from staithe.services import clients
from staithe.services.stores import CompanyStore
from tests.support import bare
from tests.support.oauth import AUTHORIZE, REDIRECT, Browser, Form, Program, register, told
from tests.support.server import RunningServer

STATE = 'x y&z="<é>'


@pytest.fixture
def program(server: RunningServer, store: CompanyStore) -> Program:
    """A program whose name is not meant well."""
    return register(server, store, "<b>Ferry</b> & Co")


@pytest.fixture
def browser(server: RunningServer) -> Iterator[Browser]:
    """A browser without cookies."""
    with Browser(server.url) as opened:
        yield opened


def asked(program: Program, **more: str) -> dict[str, str]:
    """The parameters of a link to the page."""
    return {"response_type": "code", "client_id": program.identifier, "redirect_uri": REDIRECT, "state": STATE} | more


def test_the_page_says_who_asks_for_what_and_keeps_what_was_asked(
    program: Program, browser: Browser, store: CompanyStore
) -> None:
    page = browser.open(**asked(program, scope="full"))
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    form = Form(page.text)
    text = " ".join(form.texts)
    assert "Allow <b>Ferry</b> & Co?" in text
    assert f"asks to act for you in company {store.company.name}" in text
    assert "app.example.com" in text
    assert "<b>" not in page.text, "a name is text, never HTML"
    key = form.fields.pop("form_key")
    assert form.fields == asked(program, scope="full") | {"username": "", "password": ""}
    assert page.headers["set-cookie"] == f"staithe_form={key}; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"


def test_every_field_has_a_label_and_the_page_its_language(program: Program, browser: Browser) -> None:
    html = browser.open(**asked(program)).text
    assert '<html lang="en">' in html
    visible = re.findall(r'<input id="(\w+)"', html)
    assert visible == re.findall(r'<label for="(\w+)">', html) == ["username", "password"]
    assert "<script" not in html


def test_nobody_can_frame_the_page_or_load_anything_into_it(program: Program, browser: Browser) -> None:
    headers = browser.open(**asked(program)).headers
    policy = re.sub(r"sha256-[\w+/=]+", "HASH", headers["content-security-policy"])
    assert policy == (
        "default-src 'none'; style-src 'HASH'; form-action 'self' https://app.example.com; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("DENY", "nosniff")
    assert (headers["referrer-policy"], headers["cache-control"]) == ("no-referrer", "no-store")


def test_allowing_gives_a_code_and_the_state(program: Program, browser: Browser) -> None:
    answer = browser.allow(browser.open(**asked(program)), "ann")
    given = told(answer)
    assert list(given) == ["code", "state"]
    assert given["state"] == STATE
    assert program.bulk(program.exchange(given["code"]).json()["access_token"]).status_code == 200


def test_without_a_state_there_is_none(program: Program, browser: Browser) -> None:
    parameters = asked(program)
    del parameters["state"]
    assert list(told(browser.allow(browser.open(**parameters), "ANN"))) == ["code"]


def test_the_company_may_be_typed_too(program: Program, browser: Browser, store: CompanyStore) -> None:
    page = browser.open(**asked(program))
    assert "code" in told(browser.allow(page, f"{store.company.name.upper()}\\ann"))


def test_denying_needs_no_login(program: Program, browser: Browser) -> None:
    answer = browser.send(browser.open(**asked(program)), decision="deny")
    assert told(answer) == {
        "error": "access_denied",
        "error_description": "The user does not allow it.",
        "state": STATE,
    }


@pytest.mark.parametrize(("name", "password"), [("ann", "wrong"), ("nobody", "secret"), ("acme\\ann", "secret")])
def test_a_wrong_login_shows_the_page_again(program: Program, browser: Browser, name: str, password: str) -> None:
    """Also that of another company: `acme` and `ann` are real."""
    page = browser.allow(browser.open(**asked(program)), name, password)
    assert page.status_code == 403
    form = Form(page.text)
    assert "The user name or the password is wrong." in form.texts
    assert form.fields["username"] == name
    assert form.fields["password"] == ""
    assert "www-authenticate" not in page.headers
    assert "code" in told(browser.allow(page, "ann"))


def test_a_form_of_another_site_is_not_taken(program: Program, browser: Browser, server: RunningServer) -> None:
    page = browser.open(**asked(program))
    fields = Form(page.text).fields | {"username": "ann", "password": "secret", "decision": "allow"}
    for cookies in ({}, {"staithe_form": "A" * 43}, {"staithe_form": ""}):
        answer = bare.post(server.url + AUTHORIZE, data=fields, cookies=cookies)
        assert answer.status_code == 403
        assert "This form is no longer good, or cookies are blocked. Please try again." in Form(answer.text).texts
    for key in ("", "A" * 43, "\u00e9"):
        answer = browser.client.post(AUTHORIZE, data=fields | {"form_key": key})
        assert answer.status_code == 403
    denied = bare.post(server.url + AUTHORIZE, data=fields | {"decision": "deny"})
    assert denied.status_code == 403, "not even a refusal is told for a form of another site"


def test_two_forms_of_one_browser_are_both_good(program: Program, browser: Browser) -> None:
    first, second = browser.open(**asked(program)), browser.open(**asked(program, state="2"))
    assert told(browser.allow(first, "ann"))["state"] == STATE
    assert told(browser.allow(second, "ann"))["state"] == "2"


OTHER_REDIRECT = 'The "redirect_uri" value is not registered for the client.'
SENTENCES = (
    ({"client_id": ""}, 'The "client_id" parameter is required.'),
    ({"client_id": "malformed"}, 'The "client_id" value is not a valid client identifier.'),
    ({"client_id": "0" * 32}, 'The "client_id" value is not a known client identifier.'),
    *(
        ({"redirect_uri": uri}, OTHER_REDIRECT)
        for uri in (
            REDIRECT + "/",
            REDIRECT + "?x=1",
            REDIRECT.upper(),
            "https://evil.example.com/callback",
            "https://app.example.com/callback/../evil",
        )
    ),
)


def test_what_cannot_be_answered_is_told_the_user_alone_in_a_sentence(program: Program, browser: Browser) -> None:
    twice = [*asked(program).items(), ("state", "2")]
    answers = [(browser.client.get(AUTHORIZE, params=twice), "A parameter must not be sent twice.")]
    for change, said in SENTENCES:
        answers.append((browser.open(**asked(program, **change)), said))
        answers.append((browser.client.post(AUTHORIZE, data=asked(program, **change)), said))
    for answer, said in answers:
        assert (answer.status_code, answer.text) == (200, said)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert (answer.headers["x-frame-options"], answer.headers["x-content-type-options"]) == ("DENY", "nosniff")
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; ")
        assert {"location", "set-cookie"}.isdisjoint(answer.headers)


@pytest.mark.parametrize(
    ("change", "fault", "description"),
    [
        ({"response_type": ""}, "invalid_request", "response_type must be code or token."),
        ({"response_type": "id_token"}, "unsupported_response_type", "response_type must be code or token."),
        ({"scope": "some"}, "invalid_scope", "scope must be full, or left out."),
        ({"code_challenge": "A" * 43}, "invalid_request", "code_challenge_method must be S256."),
        (
            {"code_challenge": "A" * 43, "code_challenge_method": "plain"},
            "invalid_request",
            "code_challenge_method must be S256.",
        ),
        (
            {"code_challenge": "A" * 42, "code_challenge_method": "S256"},
            "invalid_request",
            "code_challenge must be a SHA-256 in base64url.",
        ),
    ],
)
def test_what_else_is_wrong_is_told_the_program(
    program: Program, browser: Browser, change: dict[str, str], fault: str, description: str
) -> None:
    answer = browser.open(**asked(program, **change))
    assert told(answer) == {"error": fault, "error_description": description, "state": STATE}


def test_the_implicit_grant_gives_an_access_token_in_the_fragment(program: Program, browser: Browser) -> None:
    answer = browser.allow(browser.open(**asked(program, response_type="token")), "ann")
    assert "?" not in answer.headers["location"]
    given = told(answer)
    assert list(given) == ["access_token", "token_type", "expires_in", "state"]
    assert (given["token_type"], given["expires_in"], given["state"]) == ("bearer", "28800", STATE)
    assert program.bulk(given["access_token"]).status_code == 200
    denied = browser.send(browser.open(**asked(program, response_type="token")), decision="deny")
    assert denied.headers["location"].startswith(f"{REDIRECT}#error=access_denied&")


def test_a_program_with_one_redirect_uri_need_not_name_it(program: Program, browser: Browser) -> None:
    parameters = asked(program)
    del parameters["redirect_uri"]
    given = told(browser.allow(browser.open(**parameters), "ann"))
    assert program.token(grant_type="authorization_code", code=given["code"]).status_code == 200


def test_a_program_with_two_redirect_uris_must_name_one(
    server: RunningServer, store: CompanyStore, browser: Browser
) -> None:
    on_device, local = "com.example.ferry:/done?from=1", "http://127.0.0.1:4000/done"
    program = register(server, store, "Two", on_device, local)
    parameters = asked(program, redirect_uri=on_device)
    page = browser.open(**parameters)
    assert "form-action 'self' com.example.ferry:;" in page.headers["content-security-policy"]
    location = browser.allow(page, "ann").headers["location"]
    assert location.startswith(on_device + "&code=")
    assert (
        "form-action 'self' http://127.0.0.1:4000;"
        in (browser.open(**asked(program, redirect_uri=local)).headers["content-security-policy"])
    )
    del parameters["redirect_uri"]
    assert browser.open(**parameters).text == 'The "redirect_uri" parameter is required.'


def test_an_app_may_add_a_path_or_a_query_below_its_prefix(
    server: RunningServer, store: CompanyStore, browser: Browser
) -> None:
    """As two public apps do: `callback/{installId}`, and `callback?installId=...`."""
    made, secret = clients.create_client(server.stores, store.company, "App", [], system_clock(), [REDIRECT])
    program = Program(server.url, made.identifier, secret)
    exact = register(server, store)
    for added in ("/7b95fe48-6598-43e8-8fd1-dcb40cf83ef6", "?installId=7b95fe48", ""):
        below = REDIRECT + added
        page = browser.open(**asked(program, redirect_uri=below))
        location = browser.allow(page, "ann").headers["location"]
        assert location.startswith(below + ("&" if "?" in below else "?") + "code=")
        code = dict(parse_qsl(urlsplit(location).query))["code"]
        if added:
            wrong = program.exchange(code).json()
            assert (wrong["error"], wrong["error_code"]) == ("invalid_grant", 4002)
            assert browser.open(**asked(exact, redirect_uri=below)).text == OTHER_REDIRECT
        assert program.exchange(code, redirect_uri=below).status_code == 200
    for beside in ("x", ".evil.example", "/../evil", "/%2e%2e/evil", "\\evil", "?code=stolen", "#x", "/7?state=x"):
        assert browser.open(**asked(program, redirect_uri=REDIRECT + beside)).text == OTHER_REDIRECT
    parameters = asked(program)
    del parameters["redirect_uri"]
    assert list(told(browser.allow(browser.open(**parameters), "ann"))) == ["code", "state"]


def test_the_cookie_goes_over_tls_alone_where_clients_use_tls(program: Program, browser: Browser) -> None:
    page = browser.client.get(AUTHORIZE, params=asked(program), headers={"x-forwarded-proto": "https"})
    assert page.headers["set-cookie"].endswith("; SameSite=Lax; Secure")


def test_any_spelling_of_the_paths(program: Program, browser: Browser) -> None:
    assert browser.client.get(f"{program.url}//Auth/OAuth2/Authorize/", params=asked(program)).status_code == 200
    assert browser.client.post("/AUTH/oauth2/TOKEN", data={}).json()["error"] == "invalid_client"
    assert browser.client.get("/auth/oauth2/token").status_code == 405
