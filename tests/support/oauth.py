"""A program that logs in with OAuth, and the browser of the user who lets it."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Self
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx

from staithe.clock import system_clock
from staithe.services import clients
from staithe.services.stores import CompanyStore
from tests.support import bare
from tests.support.server import RunningServer
from tests.support.waiting import LONGEST_SECONDS

REDIRECT = "https://app.example.com/callback"
AUTHORIZE = "/auth/oauth2/authorize"
TOKEN = "/auth/oauth2/token"


@dataclass
class Program:
    """A registered client of a company."""

    url: str
    identifier: str
    secret: str

    def token(self, *, json: bool = False, in_body: bool = False, **parameters: str) -> httpx.Response:
        """A token request, as a form or as JSON, the client's id and secret in the header or in the body."""
        headers = {} if in_body else {"authorization": basic(self.identifier, self.secret)}
        own = {"client_id": self.identifier, "client_secret": self.secret} if in_body else {}
        body: dict[str, Any] = {"json" if json else "data": own | parameters}
        return bare.post(self.url + TOKEN, headers=headers, **body)

    def log_in(self, login: str, password: str = "secret") -> dict[str, Any]:
        """Tokens for a password."""
        answer = self.token(grant_type="password", username=login, password=password, scope="full")
        return dict(answer.raise_for_status().json())

    def refresh(self, token: str) -> httpx.Response:
        """Use a refresh token up."""
        return self.token(grant_type="refresh_token", refresh_token=token)

    def exchange(self, code: str, **more: str) -> httpx.Response:
        """Exchange a code that was asked for with the redirect URI."""
        return self.token(grant_type="authorization_code", code=code, **{"redirect_uri": REDIRECT, **more})

    def bulk(self, access: str, method: str = "GET", path: str = "/syncs", **options: Any) -> httpx.Response:
        """A request of the Bulk API with an access token."""
        headers = {"authorization": f"Bearer {access}"}
        return bare.request(method, f"{self.url}/api/bulk/2.0{path}", headers=headers, **options)


def basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


def register(server: RunningServer, store: CompanyStore, name: str = "Ferry", *uris: str) -> Program:
    """Register a client of a company."""
    made, secret = clients.create_client(server.stores, store.company, name, uris or (REDIRECT,), system_clock())
    return Program(server.url, made.identifier, secret)


@dataclass
class Form(HTMLParser):
    """The one form of a page, read as a browser does."""

    html: str
    method: str = ""
    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.method, self.action = given["method"], given["action"]
        if tag == "input":
            self.fields[given["name"]] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())


class Browser:
    """A user's browser: keeps cookies, follows no redirect by itself."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, trust_env=False, timeout=LONGEST_SECONDS, verify=bare.TRUST)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def open(self, **parameters: str) -> httpx.Response:
        """Follow a program's link to the authorization page."""
        return self.client.get(AUTHORIZE, params=parameters)

    def send(self, page: httpx.Response, **typed: str) -> httpx.Response:
        """Fill in and send the form of a page."""
        form = Form(page.text)
        assert form.method == "post"
        return self.client.post(urljoin(str(page.url), form.action), data=form.fields | typed)

    def allow(self, page: httpx.Response, name: str, password: str = "secret") -> httpx.Response:
        """Log in, and press Allow."""
        return self.send(page, username=name, password=password, decision="allow")


def told(answer: httpx.Response, redirect: str = REDIRECT) -> dict[str, str]:
    """What a redirect tells the program, in its query or in its fragment."""
    assert answer.status_code == 303, answer.text
    assert answer.text == ""
    location = urlsplit(answer.headers["location"])
    assert location._replace(query="", fragment="").geturl() == redirect
    return dict(parse_qsl(location.query or location.fragment, strict_parsing=True, keep_blank_values=True))
