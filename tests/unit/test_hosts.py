"""Hosts and ports as they stand in requests to a proxy, and the environment that a command gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from staithe.proxy.environment import child_environment, trusted
from staithe.proxy.hosts import Place, base_host, is_of_eloqua, read_place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("login.eloqua.com:443", Place("login.eloqua.com", 443)),
        ("Login.Eloqua.COM.", Place("login.eloqua.com", 80)),
        ("ann:secret@login.eloqua.com:8443", Place("login.eloqua.com", 8443)),
        ("127.0.0.1", Place("127.0.0.1", 80)),
        ("[::1]", Place("::1", 80)),
        ("[::1]:8080", Place("::1", 8080)),
        ("my_host-1", Place("my_host-1", 80)),
    ],
)
def test_places(text: str, place: Place) -> None:
    assert read_place(text, 80) == place


@pytest.mark.parametrize(
    "text",
    ["", ":80", "a b", "a:", "a:0", "a:65536", "a:\u0661", "a:-1", "-a", "a..b", "[::1", "é.com", "a/b", "a" * 254],
)
def test_what_names_no_place(text: str) -> None:
    with pytest.raises(ValueError, match="names no"):
        read_place(text, 80)


@pytest.mark.parametrize("host", ["eloqua.com", "login.eloqua.com", "secure.p08.eloqua.com", "www02.secure.eloqua.com"])
def test_hosts_of_eloqua(host: str) -> None:
    assert is_of_eloqua(host)


@pytest.mark.parametrize("host", ["example.com", "noteloqua.com", "eloqua.com.example.com", "eloqua"])
def test_other_hosts(host: str) -> None:
    assert not is_of_eloqua(host)


def test_the_login_host_gives_a_pod_for_a_base() -> None:
    assert base_host("login.eloqua.com") == "secure.p01.eloqua.com"
    assert base_host("secure.p06.eloqua.com") == "secure.p06.eloqua.com"


def test_the_environment_of_a_command() -> None:
    parent = {"PATH": "/bin", "no_proxy": "*", "NO_PROXY": ".eloqua.com", "ALL_PROXY": "socks5://a"}
    parent["SSL_CERT_FILE"] = "b"
    proxy, bundle = "http://127.0.0.1:1", "/a/bundle.pem"
    assert child_environment(parent, proxy, Path(bundle)) == {
        "PATH": "/bin",
        "HTTP_PROXY": proxy,
        "http_proxy": proxy,
        "HTTPS_PROXY": proxy,
        "https_proxy": proxy,
        "ALL_PROXY": proxy,
        "all_proxy": proxy,
        "NO_PROXY": "localhost,127.0.0.1,::1",
        "no_proxy": "localhost,127.0.0.1,::1",
        "GLOBAL_AGENT_HTTP_PROXY": proxy,
        "GLOBAL_AGENT_NO_PROXY": "localhost,127.0.0.1,::1",
        "NODE_USE_ENV_PROXY": "1",
        "SSL_CERT_FILE": bundle,
        "REQUESTS_CA_BUNDLE": bundle,
        "CURL_CA_BUNDLE": bundle,
        "NODE_EXTRA_CA_CERTS": bundle,
        "DENO_CERT": bundle,
    }
    assert parent["no_proxy"] == "*", "the parent's own is left alone"


def test_what_a_command_trusts(tmp_path: Path) -> None:
    own, other = tmp_path / "own.pem", tmp_path / "other.pem"
    own.write_bytes(b"OWN")
    other.write_bytes(b"OTHER")
    parent = {"SSL_CERT_FILE": str(own), "CURL_CA_BUNDLE": str(own), "NODE_EXTRA_CA_CERTS": str(other)}
    assert trusted(b"OURS", parent, others_too=False) == b"OURS\nOTHER\nOWN"
    assert trusted(b"OURS", {"SSL_CERT_FILE": "/no/such/file"}, others_too=False) == b"OURS"
    everything = trusted(b"OURS", {}, others_too=True)
    assert everything.startswith(b"OURS\n")
    assert everything.count(b"-----BEGIN CERTIFICATE-----") > 50
