"""The base URL by which a client reaches the server, as its request tells: all its later requests begin with it."""

from __future__ import annotations

from collections.abc import Mapping

from staithe.domain.base_url import DEFAULT_PORTS, to_base_url
from staithe.http.header_values import read_parameters, split_list
from staithe.http.requests import Request


def base_url_of(request: Request, public_url: str) -> str:
    """The base URL for the answer to a request: the operator's, or else where the request was sent to."""
    if public_url:
        return public_url
    host, port = request.scope["server"] or ("localhost", None)
    listening = f"{f'[{host}]' if ':' in host else host}:{port or ''}".rstrip(":")
    return told_base_url(request.headers, request.scope["scheme"], listening)


def told_base_url(headers: Mapping[str, str], scheme: str, listening: str) -> str:
    """The base URL by the headers of proxies, by Host, or by the address that the server listens on.

    A header that is not well-formed is passed over, and the next one counts. Whoever sends headers that are not true
    gets a wrong base URL for itself alone: the answers are not to be stored.

    Args:
        headers: of the request.
        scheme: by which the request reached this process.
        listening: host and port that it reached.
    """
    forwarded = read_forwarded(headers.get("forwarded", ""))
    schemes = (first_value(headers, "x-forwarded-proto"), forwarded.get("proto", ""))
    chosen = next((s.lower() for s in schemes if s.lower() in DEFAULT_PORTS), scheme)
    hosts = (first_value(headers, "x-forwarded-host"), forwarded.get("host", ""), headers.get("host", ""))
    port = first_value(headers, "x-forwarded-port")
    bases = (to_base_url(chosen, host, port) for host in hosts)
    return next((base for base in bases if base), f"{chosen}://{listening}")


def first_value(headers: Mapping[str, str], name: str) -> str:
    """The first of comma-separated values: the proxy nearest to the client wrote it."""
    return headers.get(name, "").partition(",")[0].strip()


def read_forwarded(header: str) -> Mapping[str, str]:
    """The parameters of the first proxy in a `Forwarded` header (RFC 7239), by lower-case name."""
    _, parameters = read_parameters(f"first; {next(split_list(header), '')}")
    return parameters
