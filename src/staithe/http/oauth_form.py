"""Parameters of OAuth, from a query, a form, or a JSON object: clients send the last two alike."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

import msgspec

from staithe.domain.oauth import OAuthFault, OAuthRefused

MOST_PARAMETERS = 100


def read_form(text: bytes) -> Mapping[str, str]:
    """The parameters of a query or a form. An empty one counts as left out (RFC 6749, 3.1 and 3.2).

    Raises:
        OAuthRefused: one comes twice, or it is no form.
    """
    try:
        pairs = parse_qsl(text.decode(), errors="strict", max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise OAuthRefused(OAuthFault.INVALID_REQUEST, "The parameters must be a form in UTF-8.") from None
    parameters = dict(pairs)
    if len(parameters) < len(pairs):
        raise OAuthRefused(OAuthFault.INVALID_REQUEST, "A parameter must not be sent twice.")
    return parameters


def read_body(body: bytes) -> Mapping[str, str]:
    """The parameters of a form, or of a JSON object, whatever the Content-Type says; null counts as left out.

    Raises:
        OAuthRefused: it is neither.
    """
    if not body.lstrip().startswith(b"{"):
        return read_form(body.strip())
    try:
        decoded = msgspec.json.decode(body, type=dict[str, str | int | None])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise OAuthRefused(OAuthFault.INVALID_REQUEST, "The body must be a JSON object of texts.") from None
    return {name: str(value) for name, value in decoded.items() if value not in (None, "")}
