"""JSON Schemas of the bodies by which clients log in, and find out who they are and where the APIs are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from staithe.domain.oauth import OAuthFault, Problem
from staithe.wire.identity import NOT_AUTHENTICATED, SOAP_SERVICES
from staithe.wire.schemas import COUNT, TEXT, Schema, make_object

TOKEN_PARAMETERS: Final = (
    "code",
    "redirect_uri",
    "code_verifier",
    "refresh_token",
    "username",
    "password",
    "scope",
    "client_id",
    "client_secret",
)
USER_TEXTS: Final = ("username", "displayName", "firstName", "lastName", "emailAddress")


def make_texts(names: tuple[str, ...]) -> Schema:
    """An object of texts that are all there."""
    return make_object(dict.fromkeys(names, TEXT), names)


APIS: Final = make_object(
    {"soap": make_texts(tuple(SOAP_SERVICES)), "rest": make_texts(("standard", "bulk"))}, ("soap", "rest")
)

LOGIN_SCHEMAS: Final[Mapping[str, Schema]] = {
    "Identity": make_object(
        {
            "site": make_object({"id": COUNT, "name": TEXT}, ("id", "name")),
            "user": make_object({"id": COUNT, **dict.fromkeys(USER_TEXTS, TEXT)}, ("id", *USER_TEXTS)),
            "urls": make_object({"base": TEXT, "apis": APIS}, ("base", "apis")),
        },
        ("site", "user", "urls"),
        description="Who is logged in, and where the APIs are; put `2.0` for `{version}`.",
    ),
    "TokenRequest": make_object(
        {
            "grant_type": {"type": "string", "enum": ["authorization_code", "refresh_token", "password"]},
            **dict.fromkeys(TOKEN_PARAMETERS, TEXT),
        },
        ("grant_type",),
        description="The client's id and secret stand here or in HTTP Basic.",
    ),
    "RevocationRequest": make_object(
        dict.fromkeys(("token", "token_type_hint", "client_id", "client_secret"), TEXT),
        ("token",),
        description="The client's id and secret stand here or in HTTP Basic.",
    ),
    "Tokens": make_object(
        {
            "access_token": TEXT,
            "token_type": {"type": "string", "const": "bearer"},
            "expires_in": {**COUNT, "description": "seconds"},
            "refresh_token": TEXT,
        },
        ("access_token", "token_type", "expires_in", "refresh_token"),
    ),
    "OAuthError": make_object(
        {
            "error": {"type": "string", "enum": [fault.value for fault in OAuthFault]},
            "error_code": {"type": "integer", "enum": [problem.value for problem in Problem]},
            "error_description": TEXT,
        },
        ("error", "error_code", "error_description"),
    ),
    "Consent": make_object(
        {
            "client_id": TEXT,
            "form_key": TEXT,
            "username": TEXT,
            "password": TEXT,
            "decision": {"type": "string", "enum": ["allow", "deny"]},
        },
        ("client_id", "form_key", "decision"),
    ),
    "NotAuthenticated": {"type": "string", "const": NOT_AUTHENTICATED},
}
