"""JSON Schemas of the bodies by which clients find out who they are and where the APIs are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from staithe.wire.identity import NOT_AUTHENTICATED, SOAP_SERVICES
from staithe.wire.schemas import COUNT, TEXT, Schema, make_object

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
    "NotAuthenticated": {"type": "string", "const": NOT_AUTHENTICATED},
}
