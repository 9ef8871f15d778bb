"""Where a request comes from, for those who count what one client does."""

from __future__ import annotations

from ipaddress import ip_address

from staithe.http.requests import Request


def address_of(request: Request) -> str:
    """The address of a client; empty if it says nothing: this machine, or a proxy on it that does not say for whom.

    A proxy that is on this machine or in a private network appends the address that it has seen to X-Forwarded-For.
    What stands before it, anybody may have written.
    """
    try:
        peer = ip_address(request.client_host)
    except ValueError:
        return ""
    if peer.is_private or peer.is_loopback:
        told = request.header_list("x-forwarded-for").rpartition(",")[2].strip()
        try:
            return str(ip_address(told))
        except ValueError:
            pass
    return "" if peer.is_loopback else str(peer)
