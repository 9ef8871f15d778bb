"""The part of the OpenAPI document that tells how to log in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from staithe.domain.oauth import SCOPE
from staithe.http import oauth_authorize, oauth_token
from staithe.wire.schemas import Schema, refer

SCOPES: Final = {SCOPE: "Whatever the user may do."}
FLOWS: Final = {
    "authorizationCode": {
        "authorizationUrl": oauth_authorize.PATH,
        "tokenUrl": oauth_token.PATH,
        "refreshUrl": oauth_token.PATH,
        "scopes": SCOPES,
    },
    "implicit": {"authorizationUrl": oauth_authorize.PATH, "scopes": SCOPES},
    "password": {"tokenUrl": oauth_token.PATH, "refreshUrl": oauth_token.PATH, "scopes": SCOPES},
}
SECURITY_SCHEMES: Final[Mapping[str, Any]] = {
    "basic": {"type": "http", "scheme": "basic", "description": "company\\user, a colon, the password"},
    "bearer": {"type": "http", "scheme": "bearer", "description": "an access token"},
    "oauth": {"type": "oauth2", "flows": FLOWS, "description": "how to get one"},
}


def answer_with(description: str, media_type: str, schema: Schema) -> Schema:
    """One response object."""
    return {"description": description, "content": {media_type: {"schema": schema}}}


HTML: Final[Schema] = {"type": "string"}
FAULTS: Final[Mapping[str, Any]] = {
    "500": answer_with("A fault of the server: the error id stands in its log.", "application/json", refer("Error")),
    "503": answer_with("Not now: see Retry-After.", "application/json", refer("Error")),
}
WHERE_IT_GOES: Final[Mapping[str, Any]] = {
    "303": {"description": "Back to the client, with a code, a token or an error."},
    "200": answer_with("A sentence: no client is named, or no redirect URI of its own.", "text/html", HTML),
    **FAULTS,
}

IDENTITY: Final[Mapping[str, Any]] = {
    "operationId": "getId",
    "description": "Who is logged in, and the base URL of all else. Status 200 whether the login is right or not.",
    "responses": {
        "200": answer_with(
            "Whose login it is, or the text that it is none.",
            "application/json",
            {"anyOf": [refer("Identity"), refer("NotAuthenticated")]},
        ),
        **FAULTS,
    },
}

CONSENT_PAGE: Final[Mapping[str, Any]] = {
    "operationId": "getAuthorize",
    "description": "The page on which a user lets a client act for him or her.",
    "security": [],
    "parameters": [
        {"name": name, "in": "query", "required": name in ("response_type", "client_id"), "schema": {"type": "string"}}
        for name in oauth_authorize.ASKED
    ],
    "responses": {**WHERE_IT_GOES, "200": answer_with("The page, or a sentence why there is none.", "text/html", HTML)},
}

CONSENT: Final[Mapping[str, Any]] = {
    "operationId": "postAuthorize",
    "description": "What the form of the page sends.",
    "security": [],
    "requestBody": {
        "required": True,
        "content": {"application/x-www-form-urlencoded": {"schema": refer("Consent")}},
    },
    "responses": {"403": answer_with("The page again: the login is wrong.", "text/html", HTML), **WHERE_IT_GOES},
}


def client_body(schema: str) -> dict[str, Any]:
    """What a client sends, as a form or as JSON."""
    media_types = ("application/x-www-form-urlencoded", "application/json")
    content = {media_type: {"schema": refer(schema)} for media_type in media_types}
    return {"required": True, "content": content}


CLIENT_FAULTS: Final[Mapping[str, Any]] = {
    "400": answer_with("Nothing is done.", "application/json", refer("OAuthError")),
    "401": answer_with("The client or the refresh token is not good.", "application/json", refer("OAuthError")),
    "413": answer_with("The request is too large.", "application/json", refer("Error")),
    **FAULTS,
}
TOKENS: Final[Mapping[str, Any]] = {
    "operationId": "postToken",
    "description": "Tokens for a code, a refresh token, or a user's password.",
    "security": [],
    "requestBody": client_body("TokenRequest"),
    "responses": {"200": answer_with("Tokens.", "application/json", refer("Tokens")), **CLIENT_FAULTS},
}
REVOCATION: Final[Mapping[str, Any]] = {
    "operationId": "postRevoke",
    "description": "Ends an access token, or of a refresh token all that its login was given (RFC 7009).",
    "security": [],
    "requestBody": client_body("RevocationRequest"),
    "responses": {"200": {"description": "Ended, or unknown. There is no body."}, **CLIENT_FAULTS},
}

LOGIN_PATHS: Final[Mapping[str, Any]] = {
    "/id": {"get": IDENTITY},
    oauth_authorize.PATH: {"get": CONSENT_PAGE, "post": CONSENT},
    oauth_token.PATH: {"post": TOKENS},
    oauth_token.REVOKE_PATH: {"post": REVOCATION},
}
