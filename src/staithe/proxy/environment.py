"""The environment of a command whose Eloqua is a Staithe server: which variables clients look at, and what they get."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import certifi

PROXY_VARIABLES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
"""Read in both cases; curl reads `http_proxy` in lower case alone."""

DIRECT: Final = "localhost,127.0.0.1,::1"
"""What is not asked of the proxy. What the parent's NO_PROXY names would reach the real Eloqua, so it is dropped."""

BUNDLE_VARIABLES: Final = (
    "SSL_CERT_FILE",  # OpenSSL, and with it Python's ssl, httpx, Ruby, .NET; Go; curl
    "REQUESTS_CA_BUNDLE",  # requests
    "CURL_CA_BUNDLE",  # curl, requests
    "NODE_EXTRA_CA_CERTS",  # Node.js, Bun
    "DENO_CERT",  # Deno
)


def child_environment(parent: Mapping[str, str], proxy: str, bundle: Path) -> dict[str, str]:
    """What a command needs to reach Eloqua's names through the proxy, and to trust what it finds there.

    Args:
        parent: the environment to start from.
        proxy: the proxy's URL.
        bundle: a file of certificates, as `trusted` makes them.
    """
    made = dict(parent)
    for variable in PROXY_VARIABLES:
        made[variable] = made[variable.lower()] = proxy
    made["NO_PROXY"] = made["no_proxy"] = DIRECT
    made["GLOBAL_AGENT_HTTP_PROXY"] = proxy
    made["GLOBAL_AGENT_NO_PROXY"] = DIRECT
    # Node.js from 22.21 and 24 on heeds the variables only if told to; older ones do not know it.
    made["NODE_USE_ENV_PROXY"] = "1"
    for variable in BUNDLE_VARIABLES:
        made[variable] = str(bundle)
    return made


def trusted(authority: bytes, parent: Mapping[str, str], *, others_too: bool) -> bytes:
    """The certificates a command is to trust, as PEM: most clients take them in place of their own.

    Args:
        authority: the certificate of our authority.
        parent: its variables name what the command trusts already, which it goes on to trust.
        others_too: whether it will talk to other hosts, and so needs what everybody trusts.
    """
    files = {Path(parent[variable]) for variable in BUNDLE_VARIABLES if parent.get(variable)}
    if others_too:
        files.add(Path(ssl.get_default_verify_paths().cafile or certifi.where()))
    return b"\n".join([authority, *(file.read_bytes() for file in sorted(files) if file.is_file())])
