"""What clients send with their secret: `POST /auth/oauth2/token`, for tokens, and `/auth/oauth2/revoke`, to end them.

Tokens are given for a code, a refresh token, or a user's password.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote_plus

import anyio.to_thread

from staithe.app import App
from staithe.domain.errors import ValidationFailed
from staithe.domain.oauth import Client, OAuthFault, OAuthRefused, check_scope
from staithe.http.addresses import address_of
from staithe.http.bodies import read_object
from staithe.http.calls import Answer
from staithe.http.header_values import basic_text
from staithe.http.oauth_form import read_body
from staithe.http.requests import Request
from staithe.services.clients import authenticate_client
from staithe.services.guesses import Attempt
from staithe.services.tokens import Exchange, Issued

PATH: Final = "/auth/oauth2/token"
REVOKE_PATH: Final = "/auth/oauth2/revoke"
CLIENT_CHALLENGE: Final = 'Basic realm="Staithe clients", charset="UTF-8"'

Parameters = Mapping[str, str]
Perform = Callable[[App, str, Parameters, str], Answer]
"""Answers a request from its Authorization header, its parameters, and the address it comes from."""


async def answer_client(app: App, perform: Perform, request: Request) -> Answer:
    """Answer a request of a client with what `perform` gives for it, or with an error of RFC 6749, section 5.2."""
    deadline = asyncio.get_running_loop().time() + app.settings.request_timeout_seconds
    try:
        parameters = read_body(await read_object(request, deadline))
        header = request.headers.get("authorization", "")
        return await anyio.to_thread.run_sync(perform, app, header, parameters, address_of(request))
    except ValidationFailed as error:
        return refuse(OAuthRefused(OAuthFault.INVALID_REQUEST, error.message))
    except OAuthRefused as error:
        return refuse(error)


def give_tokens(app: App, header: str, parameters: Parameters, address: str) -> Answer:
    """Answer a token request."""
    return Answer(200, token_body(issue_tokens(app, header, parameters, address)))


def revoke_token(app: App, header: str, parameters: Parameters, _address: str) -> Answer:
    """End a token (RFC 7009). One that is unknown has ended already; what the client thinks it is does not matter.

    Raises:
        OAuthRefused: the client is unknown, or the token is another client's.
    """
    client = authenticate_client(app.stores, *read_client(header, parameters), app.clock())
    app.tokens.revoke(client, need(parameters, "token"))
    return Answer(200)


def issue_tokens(app: App, header: str, parameters: Parameters, address: str) -> Issued:
    """The tokens that a request is good for.

    Raises:
        OAuthRefused: it is good for none.
    """
    client = authenticate_client(app.stores, *read_client(header, parameters), app.clock())
    grant = GRANTS.get(need(parameters, "grant_type"))
    if grant is None:
        raise OAuthRefused(OAuthFault.UNSUPPORTED_GRANT_TYPE, f"grant_type must be one of {', '.join(GRANTS)}.")
    check_scope(parameters.get("scope", ""))
    return grant(app, client, parameters, address)


def exchange_code(app: App, client: Client, parameters: Parameters, _address: str) -> Issued:
    sent = Exchange(need(parameters, "code"), parameters.get("redirect_uri"), parameters.get("code_verifier"))
    return app.tokens.exchange(client, sent, app.clock())


def refresh(app: App, client: Client, parameters: Parameters, _address: str) -> Issued:
    return app.tokens.refresh(client, need(parameters, "refresh_token"), app.clock())


def log_in(app: App, client: Client, parameters: Parameters, address: str) -> Issued:
    attempt = Attempt(need(parameters, "username"), need(parameters, "password"), address)
    return app.tokens.log_in(client, attempt, app.clock())


GRANTS: Final[Mapping[str, Callable[[App, Client, Parameters, str], Issued]]] = {
    "authorization_code": exchange_code,
    "refresh_token": refresh,
    "password": log_in,
}
"""Grant type -> what gives its tokens."""


def need(parameters: Parameters, name: str) -> str:
    """A parameter that has to be there.

    Raises:
        OAuthRefused: it is not.
    """
    if name not in parameters:
        raise OAuthRefused(OAuthFault.INVALID_REQUEST, f"{name} is missing.")
    return parameters[name]


def read_client(header: str, parameters: Parameters) -> tuple[str, str]:
    """Identifier and secret of a client: from HTTP Basic [observed in clients], or else from the body.

    Raises:
        OAuthRefused: they are not there, or said twice and not alike.
    """
    if not header:
        if "client_id" in parameters and "client_secret" in parameters:
            return parameters["client_id"], parameters["client_secret"]
        raise OAuthRefused(OAuthFault.INVALID_CLIENT, "The client must send its id and secret by HTTP Basic.")
    try:
        text = basic_text(header) or ""
    except ValueError:
        text = ""
    identifier, colon, secret = text.partition(":")
    if not colon:
        raise OAuthRefused(OAuthFault.INVALID_CLIENT, "The Authorization header is no HTTP Basic with id and secret.")
    if parameters.get("client_id", unquote_plus(identifier)) != unquote_plus(identifier):
        raise OAuthRefused(OAuthFault.INVALID_REQUEST, "client_id is another than in the Authorization header.")
    return unquote_plus(identifier), unquote_plus(secret)


def token_body(issued: Issued) -> dict[str, object]:
    """The body of Eloqua's token answers; without a refresh token where none is given."""
    more = {"refresh_token": issued.refresh} if issued.refresh else {}
    return {
        "access_token": issued.access,
        "token_type": "bearer",
        "expires_in": issued.expires_in_seconds,
        **more,
    }


def refuse(error: OAuthRefused) -> Answer:
    """A refused request of a client."""
    body = {
        "error": error.fault.value,
        "error_code": error.problem.value,
        "error_description": error.description,
    }
    if error.problem.is_unauthorized:
        return Answer(HTTPStatus.UNAUTHORIZED, body, {"WWW-Authenticate": CLIENT_CHALLENGE})
    return Answer(HTTPStatus.BAD_REQUEST, body)
