"""Redirect addresses below a registered one: for apps that add a path or a query to theirs.

The rule in general is that of OAuth (RFC 9700, 2.1): a redirect URI is one that is registered, to the letter. Below a
prefix anybody can have an answer sent to any page that is there; so nothing is let through that a server, a proxy or a
browser might read as a place elsewhere, or as a part of the answer.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from staithe.domain.base_url import DEFAULT_PORTS, to_base_url
from staithe.domain.errors import Failure, ValidationFailed
from staithe.domain.limits import REDIRECT_URI_CHARACTERS

SEGMENT: Final = r"(?!\.+(?:[;/?]|$))(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%(?!2[EeFf5]|5[Cc]|[01])[0-9A-Fa-f]{2})+"
"""Not dots alone, also before a `;`; no control character, dot, slash, backslash or percent sign in an encoding."""

PATH: Final = re.compile(rf"(?:/{SEGMENT})+")
BELOW: Final = re.compile(rf"(?:/{SEGMENT})*/?(?:\?(?P<query>[A-Za-z0-9._~:/?@!$&'()*+,;=%-]*))?")
ANSWER: Final = frozenset(
    ("code", "state", "error", "error_description", "error_uri", "access_token", "token_type", "expires_in", "scope")
)
"""What an answer may say: a client must not find it in its query from somebody else."""

NAME: Final = re.compile(r"\w*")


def check_redirect_prefix(prefix: str) -> None:
    """Whether redirect addresses may be registered by what they begin with: an http or https URL with a path.

    Raises:
        ValidationFailed: it is none, or has anything else.
    """
    try:
        parts = urlsplit(prefix)
    except ValueError:
        parts = urlsplit("")
    base = to_base_url(parts.scheme, parts.netloc) if parts.scheme in DEFAULT_PORTS else None
    is_all = f"{parts.scheme}://{parts.netloc}{parts.path}" == prefix
    if base is None or not is_all or not PATH.fullmatch(parts.path) or len(prefix) > REDIRECT_URI_CHARACTERS:
        rule = (
            "Must be an http or https URL with a path such as https://app.example.com/callback, without a slash at the "
            "end, a query or a fragment."
        )
        raise ValidationFailed(Failure("redirect-prefix", rule, prefix))


def is_below(prefix: str, uri: str) -> bool:
    """Whether a URI is a registered prefix, or goes on from it with path segments, a query, or both.

    Up to the end of the prefix, which has a path, both are the same text: so are scheme, host and port.
    """
    found = BELOW.fullmatch(uri.removeprefix(prefix)) if uri.startswith(prefix) else None
    if found is None or len(uri) > REDIRECT_URI_CHARACTERS:
        return False
    pairs = parse_qsl((found["query"] or "").replace(";", "&"), keep_blank_values=True)
    names = {name[0] for key, _ in pairs if (name := NAME.match(key.strip().lower()))}
    return ANSWER.isdisjoint(names)
