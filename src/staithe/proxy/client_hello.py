"""Which host a client of TLS wants, read from its first message, before anything is answered."""

from __future__ import annotations

import ssl
from typing import Final

HANDSHAKE: Final = b"\x16"
"""The first byte of TLS [RFC 8446, 5.1], with which no request begins."""


def wanted_host(received: bytes) -> str | None:
    """The host that a ClientHello names, an empty text if it names none, or None if more of it must come.

    Raises:
        ssl.SSLError: it is no ClientHello.
    """
    named: list[str] = []

    def note(_: object, name: str | None, __: object) -> int:
        named.append(name or "")
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME  # ends the handshake, which is begun anew with a certificate

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = note
    incoming = ssl.MemoryBIO()
    incoming.write(received)
    try:
        context.wrap_bio(incoming, ssl.MemoryBIO(), server_side=True).do_handshake()
    except ssl.SSLWantReadError:
        return None
    except ssl.SSLError:
        if not named:
            raise
    return named[0]
