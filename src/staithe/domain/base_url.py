"""Base URLs: scheme, host and port, and perhaps a path, without a slash at the end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from staithe.domain.errors import Failure, ValidationFailed

DEFAULT_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}
"""Scheme -> the port that a URL need not name."""

HIGHEST_PORT: Final = 65535
PORT_DIGITS: Final = 5
HOST: Final = re.compile(
    r"(?P<name>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63}){0,30}\.?)(?::(?P<port>[0-9]{1,5}))?"
)
PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")


def to_base_url(scheme: str, host: str, port: str = "") -> str | None:
    """`scheme://host`, or None if the host is anything but a name or address with perhaps a port.

    What a request says of its host stands in answers and pages: a text with anything else in it must not get there.

    Args:
        scheme: `http` or `https`.
        host: as in a Host header, perhaps with a port.
        port: the port if the host names none. 80 and 443 are not taken from here: behind proxies that end TLS both are
            told for the wrong scheme, and a client that named no port needs none.
    """
    found = HOST.fullmatch(host)
    if found is None or int(found["port"] or 0) > HIGHEST_PORT:
        return None
    chosen = int(found["port"] or (port if is_unusual_port(port) else 0))
    written = f":{chosen}" if chosen not in (0, DEFAULT_PORTS[scheme]) else ""
    return f"{scheme}://{found['name'].lower()}{written}"


def is_unusual_port(text: str) -> bool:
    """Whether a text is the number of a port that a URL has to name."""
    if not (text.isascii() and text.isdigit()) or len(text) > PORT_DIGITS:
        return False
    return 0 < int(text) <= HIGHEST_PORT and int(text) not in DEFAULT_PORTS.values()


def read_public_url(text: str) -> str:
    """The base URL that an operator gives, without a slash at the end.

    Raises:
        ValidationFailed: it is no http or https URL of a host, or has more than a path behind it.
    """
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    base = to_base_url(parts.scheme, parts.netloc) if parts.scheme in DEFAULT_PORTS else None
    path = parts.path.rstrip("/")
    if base is None or parts.query or parts.fragment or PATH.fullmatch(path) is None:
        rule = "Must be the URL by which clients reach the server, such as https://bulk.example.com."
        raise ValidationFailed(Failure("--public-url", rule, text))
    return base + path
