"""`/auth/oauth2/authorize`: a user logs in and lets a client act for him or her, or does not."""

from __future__ import annotations

import asyncio
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Final

import anyio.to_thread
from msgspec import Struct

from staithe.app import App
from staithe.domain.errors import Busy
from staithe.domain.oauth import (
    Client,
    OAuthFault,
    OAuthRefused,
    ResponseType,
    Wish,
    add_fragment,
    add_to_query,
    choose_redirect_uri,
    read_wish,
)
from staithe.http.addresses import address_of
from staithe.http.base_url import base_url_of
from staithe.http.bodies import read_object
from staithe.http.calls import Answer
from staithe.http.errors import to_status
from staithe.http.oauth_form import read_form
from staithe.http.oauth_page import show_consent, show_sentence
from staithe.http.oauth_token import token_body
from staithe.http.requests import Request
from staithe.services.accounts import Proof
from staithe.services.clients import find_client
from staithe.services.guesses import Attempt

PATH: Final = "/auth/oauth2/authorize"
ASKED: Final = (
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
)
KEY_NAME: Final = "form_key"
KEY_COOKIE: Final = "staithe_form"
KEY_BYTES: Final = 32
KEY_SECONDS: Final = 3600
IDENTIFIER: Final = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)
"""The form of a client's id: a GUID."""

KEY: Final = re.compile(r"[A-Za-z0-9_-]{43}")

# The sentences on the client are Eloqua's [OAuth responses: authorization code grant request].
NO_CLIENT: Final = 'The "client_id" parameter is required.'
MALFORMED_CLIENT: Final = 'The "client_id" value is not a valid client identifier.'
UNKNOWN_CLIENT: Final = 'The "client_id" value is not a known client identifier.'
NO_REDIRECT: Final = 'The "redirect_uri" parameter is required.'
OTHER_REDIRECT: Final = 'The "redirect_uri" value is not registered for the client.'
STALE_FORM: Final = "This form is no longer good, or cookies are blocked. Please try again."
WRONG_LOGIN: Final = "The user name or the password is wrong."

Parameters = Mapping[str, str]


class FormKey(Struct, frozen=True):
    """What proves that a form was shown by this server to this browser: it has it as a cookie and in the form.

    Another site can send the form, but not with the cookie; and all it would bring is a password of its own.
    """

    key: str
    is_secure: bool

    @property
    def cookie(self) -> str:
        """The Set-Cookie header."""
        secure = "; Secure" if self.is_secure else ""
        return f"{KEY_COOKIE}={self.key}; Path=/; Max-Age={KEY_SECONDS}; HttpOnly; SameSite=Lax{secure}"

    def fits(self, parameters: Parameters) -> bool:
        """Whether a form that was sent has it too."""
        return hmac.compare_digest(self.key.encode(), parameters.get(KEY_NAME, "").encode())


class Question(Struct, frozen=True):
    """A request that can be answered: who asks for what, by which parameters."""

    client: Client
    wish: Wish
    parameters: Parameters


def read_key(app: App, request: Request) -> FormKey:
    """The key that the browser has, or else a new one."""
    sent = read_cookie(request.headers.get("cookie", ""), KEY_COOKIE)
    key = sent if KEY.fullmatch(sent) else secrets.token_urlsafe(KEY_BYTES)
    return FormKey(key, base_url_of(request, app.settings.public_url).startswith("https:"))


def read_cookie(header: str, name: str) -> str:
    """The value of a cookie; empty if it was not sent."""
    pairs = (pair.strip().partition("=") for pair in header.split(";"))
    return next((value.strip('"') for found, _, value in pairs if found == name), "")


async def ask_consent(app: App, request: Request) -> Answer:
    """Answer GET: the page, or what is wrong with the request."""
    ask = partial(show_form, form_key=read_key(app, request))
    return await anyio.to_thread.run_sync(answer_question, app, request.query, ask)


async def take_consent(app: App, request: Request) -> Answer:
    """Answer POST: back to the client with a code, a token or a refusal; or the page again after a wrong login."""
    deadline = asyncio.get_running_loop().time() + app.settings.request_timeout_seconds
    form = await read_object(request, deadline)
    take = partial(decide, app, read_key(app, request), address_of(request))
    return await anyio.to_thread.run_sync(answer_question, app, form, take)


def answer_question(app: App, form: bytes, answer: Callable[[Question], Answer]) -> Answer:
    """Answer a request as `answer` does, if something can be.

    What is wrong with it goes to the redirect URI, but only to one that is the client's; else the user is told.
    """
    try:
        parameters = read_form(form)
        client = choose_client(app, parameters.get("client_id", ""))
        redirect_uri = choose_place(client, parameters.get("redirect_uri"))
    except OAuthRefused as error:
        return show_sentence(error.description)
    try:
        return answer(Question(client, read_wish(parameters, redirect_uri), parameters))
    except OAuthRefused as error:
        told = {"error": error.fault.value, "error_description": error.description}
        return go_back(redirect_uri, parameters, told)


def choose_client(app: App, identifier: str) -> Client:
    """The client that asks.

    Raises:
        OAuthRefused: there is none, with a sentence for the user.
    """
    client = find_client(app.stores, identifier)
    if client is None:
        unknown = UNKNOWN_CLIENT if IDENTIFIER.fullmatch(identifier) else MALFORMED_CLIENT
        raise OAuthRefused(OAuthFault.INVALID_CLIENT, unknown if identifier else NO_CLIENT)
    return client


def choose_place(client: Client, asked: str | None) -> str:
    """Where the answer goes.

    Raises:
        OAuthRefused: it may not go there, with a sentence for the user.
    """
    redirect_uri = choose_redirect_uri(client, asked)
    if redirect_uri is None:
        raise OAuthRefused(OAuthFault.INVALID_REQUEST, NO_REDIRECT if asked is None else OTHER_REDIRECT)
    return redirect_uri


def show_form(question: Question, form_key: FormKey, *, user_name: str = "", problem: str = "") -> Answer:
    asked = {name: question.parameters[name] for name in ASKED if name in question.parameters}
    hidden = {**asked, KEY_NAME: form_key.key}
    return show_consent(
        question.client, question.wish.redirect_uri, hidden, form_key.cookie, user_name=user_name, problem=problem
    )


def decide(app: App, form_key: FormKey, address: str, question: Question) -> Answer:
    """Do what the user has decided.

    Raises:
        OAuthRefused: the user denies it.
    """
    parameters = question.parameters
    user_name = parameters.get("username", "").strip()
    if not form_key.fits(parameters):
        return show_form(question, form_key, user_name=user_name, problem=STALE_FORM)
    if parameters.get("decision") != "allow":
        raise OAuthRefused(OAuthFault.ACCESS_DENIED, "The user does not allow it.")
    login = user_name if "\\" in user_name else f"{question.client.company.name}\\{user_name}"
    try:
        attempt = Attempt(login, parameters.get("password", ""), address)
        proof = app.tokens.prove_for(question.client, attempt)
    except OAuthRefused:
        return show_form(question, form_key, user_name=user_name, problem=WRONG_LOGIN)
    except Busy as error:
        wait = f"{error.message} Please try again in {error.retry_after_seconds} s."
        answer = show_form(question, form_key, user_name=user_name, problem=wait)
        told = {**answer.headers, "Retry-After": str(error.retry_after_seconds)}
        return Answer(to_status(error), answer.body, told)
    return go_back(question.wish.redirect_uri, parameters, grant(app, question, proof))


def grant(app: App, question: Question, proof: Proof) -> Parameters:
    """What the client is given: a code, or by the implicit grant an access token and nothing to refresh it with."""
    now = app.clock()
    if question.wish.response_type is ResponseType.CODE:
        return {"code": app.tokens.grant_code(question.client, proof, question.wish, now)}
    issued = app.tokens.grant_access(question.client, proof, now, may_refresh=False)
    return {name: str(value) for name, value in token_body(issued).items()}


def go_back(redirect_uri: str, parameters: Parameters, told: Parameters) -> Answer:
    """Send the browser back to the client; answers of the implicit grant stand in the fragment (RFC 6749, 4.2.2)."""
    state = {"state": parameters["state"]} if "state" in parameters else {}
    add = add_fragment if parameters.get("response_type") == ResponseType.IMPLICIT else add_to_query
    return Answer(HTTPStatus.SEE_OTHER, None, {"Location": add(redirect_uri, {**told, **state})})
