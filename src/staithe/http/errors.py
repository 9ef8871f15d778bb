"""Our errors as answers: the one table of status codes, and the bodies people act on."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from staithe.domain import errors
from staithe.domain.elements import OPERATIONS
from staithe.domain.errors import Failure, RequestError, ValidationFailed
from staithe.http.calls import Answer
from staithe.observing.fields import add_log_fields

LOGGER: Final = logging.getLogger(__name__)
BULK_ROOT: Final = "/api/bulk/2.0"

STATUSES: Final[Mapping[type[RequestError], int]] = {
    errors.NotUnique: 409,
    errors.ValidationFailed: 400,
    errors.NotAuthenticated: 401,
    errors.NotAllowed: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Gone: 410,
    errors.InUse: 412,
    errors.TooLarge: 413,
    errors.StorageFull: 413,
    errors.StoreUnusable: 503,
    errors.Damaged: 500,
    errors.TooManyRequests: 429,
    errors.Busy: 503,
}

BASIC_CHALLENGE: Final = 'Basic realm="Staithe", charset="UTF-8"'

PHRASES: Final = {413: "Content Too Large", 414: "URI Too Long"}
"""Where Python's name differs between versions: that of RFC 9110."""


def to_status(error: RequestError) -> int:
    """The status of an error: its own, or that of the family it belongs to."""
    return next(status for kind, status in STATUSES.items() if isinstance(error, kind))


def to_answer(error: RequestError) -> Answer:
    """A refused request as the Bulk API answers it: `failures` for 400, else what is wrong and what to do."""
    status = to_status(error)
    headers: dict[str, str] = {}
    if isinstance(error, errors.NotAuthenticated):
        fault = ', error="invalid_token"' if isinstance(error, errors.InvalidToken) else ""
        headers["WWW-Authenticate"] = f'{BASIC_CHALLENGE}, Bearer realm="Staithe"{fault}'
    if isinstance(error, errors.Damaged):
        LOGGER.error("%s", error.message)
    if isinstance(error, errors.Busy):
        headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, ValidationFailed):
        return Answer(status, {"failures": [failure_body(f) for f in error.failures]}, headers)
    return Answer(status, error_body(status, error.message, error.advice, error.details), headers)


def failure_body(failure: Failure) -> dict[str, Any]:
    value = {} if failure.value is None else {"value": failure.value}
    return {"field": failure.field, **value, "constraint": failure.constraint}


def error_body(
    status: int, message: str, advice: str = "", details: Mapping[str, object] | None = None
) -> dict[str, Any]:
    """The body of every refusal but 400."""
    return {
        "status": status,
        "error": PHRASES.get(status) or HTTPStatus(status).phrase,
        "message": message,
        **({"advice": advice} if advice else {}),
        **(details or {}),
    }


def fault_answer(error: BaseException, what: str, *, may_have_stored: bool) -> Answer:
    """Our own fault: an id that stands in the log beside the trace.

    Args:
        error: what was raised.
        what: the request, for the log.
        may_have_stored: whether something may have been stored before: nobody knows where it went wrong.
    """
    error_id = uuid.uuid4().hex
    LOGGER.error("error %s: %s", error_id, what, exc_info=error, extra={"error_id": error_id})
    add_log_fields(error_id=error_id)
    message = "The server made a mistake" + ("; whether anything was stored is not known." if may_have_stored else ".")
    look = "Look whether it was done before you send it again. " if may_have_stored else ""
    advice = f"{look}Give the operator the error id {error_id}: the server's log has it."
    return Answer(500, error_body(500, message, advice, {"errorId": error_id}))


def no_method_answer(path: str, allow: str) -> Answer:
    """A path that has not the method; `allow` names those it has."""
    status = HTTPStatus.METHOD_NOT_ALLOWED
    body = error_body(status, f"{path} does not take this method.", "GET /schema lists them.")
    return Answer(status, body, {"Allow": allow})


def no_path_answer(path: str) -> Answer:
    """A path that is not served; one that Eloqua has and this version has not is called so."""
    segments = path.removeprefix(BULK_ROOT).strip("/").split("/")
    known = any(matches(operation.path.strip("/").split("/"), segments) for operation in OPERATIONS)
    message = f"{path} is part of the Bulk API, but this version does not serve it." if known else f"No path {path}."
    return Answer(404, error_body(404, message, "GET /schema lists every path."))


def matches(pattern: list[str], segments: list[str]) -> bool:
    return len(pattern) == len(segments) and all(
        p.startswith("{") or p.lower() == s.lower() for p, s in zip(pattern, segments, strict=True)
    )
