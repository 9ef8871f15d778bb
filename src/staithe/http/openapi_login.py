"""The part of the OpenAPI document that tells how to log in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from staithe.wire.schemas import refer

SECURITY_SCHEMES: Final[Mapping[str, Any]] = {
    "basic": {"type": "http", "scheme": "basic", "description": "company\\user, a colon, the password"},
}

IDENTITY: Final[Mapping[str, Any]] = {
    "operationId": "getId",
    "description": "Who is logged in, and the base URL of all else. Status 200 whether the login is right or not.",
    "responses": {
        "200": {
            "description": "Whose login it is, or the text that it is none.",
            "content": {"application/json": {"schema": {"anyOf": [refer("Identity"), refer("NotAuthenticated")]}}},
        },
        "500": {
            "description": "A fault of the server: the error id stands in its log.",
            "content": {"application/json": {"schema": refer("Error")}},
        },
        "503": {
            "description": "Not now: see Retry-After.",
            "content": {"application/json": {"schema": refer("Error")}},
        },
    },
}

LOGIN_PATHS: Final[Mapping[str, Any]] = {"/id": {"get": IDENTITY}}
