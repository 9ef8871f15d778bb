"""Which host the first message of a TLS client names."""

from __future__ import annotations

import ssl

import pytest

from staithe.proxy.client_hello import HANDSHAKE, wanted_host


def hello(host: str | None, version: ssl.TLSVersion) -> bytes:
    """What a client sends first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.maximum_version = version
    sent = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname=host).do_handshake()
    return sent.read()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("host", ["login.eloqua.com", "Secure.P01.Eloqua.com", None])
def test_the_host_is_read_when_all_has_come(host: str | None, version: ssl.TLSVersion) -> None:
    sent = hello(host, version)
    assert sent.startswith(HANDSHAKE)
    assert [wanted_host(sent[:length]) for length in (1, 5, 6, len(sent) - 1)] == [None] * 4
    assert wanted_host(sent) == (host or "")


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x01\xff\xff", b"\x16GET / HTTP/1.1\r\n"])
def test_what_is_no_hello_is_told_apart(sent: bytes) -> None:
    with pytest.raises(ssl.SSLError):
        wanted_host(sent)
