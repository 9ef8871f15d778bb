"""Bodies of the Application API with what differs between runs made equal, and the errors it gives."""

from __future__ import annotations

import re
import time
from typing import Any

SECONDS = re.compile(r"\d{10}")
GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
ABOUT_NOW_SECONDS = 3600


def stable(body: Any) -> Any:
    """The same body with TIME for Unix seconds of about now as a text, USER for a user's id, GUID for a random guid."""
    if isinstance(body, dict):
        return {key: "USER" if is_user(key, value) else stable(value) for key, value in body.items()}
    if isinstance(body, list):
        return [stable(value) for value in body]
    if not isinstance(body, str):
        return body
    if SECONDS.fullmatch(body) and abs(int(body) - time.time()) < ABOUT_NOW_SECONDS:
        return "TIME"
    return "GUID" if GUID.fullmatch(body) else body


def is_user(key: str, value: Any) -> bool:
    return key in ("createdBy", "updatedBy") and str(value).isdigit()


def wrong(object_type: str, name: str, requirement: str, value: str = "") -> dict[str, Any]:
    """A wrong property as a reply says it."""
    return {
        "type": "ObjectValidationError",
        "container": {"type": "ObjectKey", "objectType": object_type},
        "property": name,
        "requirement": {"type": f"{requirement}Requirement"},
        "value": value,
    }


def wrong_parameter(name: str, requirement: str, value: str) -> dict[str, Any]:
    """A wrong query parameter as a reply says it."""
    rule = {"type": f"{requirement}Requirement"}
    return {"type": "EndpointParameterError", "parameter": name, "requirement": rule, "value": value}
