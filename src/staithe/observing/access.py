"""Who may read metrics: callers on the server's own machine, and those who have the operator's token."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from typing import Final

PROXY_HEADERS: Final = ("forwarded", "via", "x-real-ip")
PROXY_PREFIX: Final = "x-forwarded-"
"""A request that has one of these headers, or one that begins so, has come through a proxy: that it comes from this
machine says nothing."""

REFUSED: Final = "Metrics are for callers on the server's own machine, and for those with the token of --metrics-token."
ADVICE: Final = "Send it as Authorization: Bearer TOKEN."


def may_read(host: str, headers: Mapping[str, str], token: str) -> bool:
    """Whether a caller may read the metrics.

    Args:
        host: the address that it has.
        headers: of its request, by lower-case name or in any case.
        token: the operator's; empty if there is none.
    """
    return is_local(host, headers) or is_token(headers.get("authorization", ""), token)


def is_local(host: str, headers: Mapping[str, str]) -> bool:
    """Whether a request comes from this machine, and not through a proxy on it."""
    names = [name.lower() for name in headers]
    if any(name in PROXY_HEADERS or name.startswith(PROXY_PREFIX) for name in names):
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def is_token(header: str, token: str) -> bool:
    """Whether an Authorization header has the token; never, if there is none."""
    scheme, _, sent = header.strip().partition(" ")
    is_right = hmac.compare_digest(sent.strip().encode(), token.encode())
    return bool(token) and scheme.lower() == "bearer" and is_right
