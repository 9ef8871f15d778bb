"""Host names: which are Eloqua's, and how they stand in requests to a proxy."""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

ELOQUA: Final = "eloqua.com"
LOGIN_HOST: Final = "login.eloqua.com"
BASE_HOST: Final = "secure.p01.eloqua.com"
"""The host that base URLs name when the login host is asked: clients expect a pod of Eloqua there."""

HTTP_PORT: Final = 80
HTTPS_PORT: Final = 443
HIGHEST_PORT: Final = 65535
LONGEST_HOST: Final = 253
NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
ADDRESS: Final = re.compile(r"\[[0-9a-f:.]+\]")


class Place(Struct, frozen=True):
    """Where a request wants to go: a host in lower case (an IPv6 address without brackets) and a port."""

    host: str
    port: int


def read_place(text: str, default_port: int) -> Place:
    """The place that `host` or `host:port` names; a user before it is ignored.

    Raises:
        ValueError: it names none.
    """
    host, colon, digits = text.rpartition("@")[2].lower().rpartition(":")
    if not colon or digits.endswith("]"):
        host, digits = text.rpartition("@")[2].lower(), str(default_port)
    host = host.removesuffix(".")
    if len(host) > LONGEST_HOST or not (NAME.fullmatch(host) or ADDRESS.fullmatch(host)):
        raise ValueError(f"{text!r} names no host")
    if not (digits.isascii() and digits.isdigit() and 0 < int(digits) <= HIGHEST_PORT):
        raise ValueError(f"{text!r} names no port")
    return Place(host.strip("[]"), int(digits))


def is_of_eloqua(host: str) -> bool:
    """Whether a host is one that Staithe answers for: login, secure, secure.p01 and whatever else is below."""
    return host == ELOQUA or host.endswith("." + ELOQUA)


def base_host(host: str) -> str:
    """The host that base URLs are to name, when this one is asked."""
    return BASE_HOST if host == LOGIN_HOST else host
