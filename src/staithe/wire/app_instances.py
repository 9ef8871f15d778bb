"""Bodies of the API of apps: what is known of an instance, and a decision's answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from staithe.domain.app_instances import CHECKED, DECISIONS, RECORD_DEFINITION, REQUIRES_CONFIGURATION
from staithe.wire.bulk import canonical_names, decode_object
from staithe.wire.schemas import TEXT, Schema, make_object


def read_properties(body: bytes) -> dict[str, object]:
    """All properties of an instance; those that are known in canonical spelling.

    Raises:
        ParseFailed: the body is no JSON object.
    """
    sent = decode_object(body)
    known = canonical_names(sent, CHECKED)
    spellings = {name.lower() for name in CHECKED}
    return known | {name: value for name, value in sent.items() if name.lower() not in spellings}


def read_decision(body: bytes) -> object:
    """What a decision's app answers; None if it says nothing.

    Raises:
        ParseFailed: the body is no JSON object.
    """
    return canonical_names(decode_object(body), ("decision",)).get("decision")


APP_SCHEMAS: Final[Mapping[str, Schema]] = {
    "AppInstance": make_object(
        {
            RECORD_DEFINITION: {
                "type": "object",
                "additionalProperties": TEXT,
                "examples": [{"ContactID": "{{Contact.Id}}", "EmailAddress": "{{Contact.Field(C_EmailAddress)}}"}],
            },
            REQUIRES_CONFIGURATION: {"type": "boolean"},
        },
        description="What an app tells of an instance of its service; whatever else it sends is kept as well.",
    ),
    "Decision": make_object({"decision": {"type": "string", "enum": list(DECISIONS)}}, ("decision",)),
}
