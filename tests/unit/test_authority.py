"""The authority that vouches for Eloqua's names: how it is kept, when it is renewed, what clients make of it."""

from __future__ import annotations

import datetime
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from staithe.proxy.authority import Authority, make_authority, open_authority

DAY = datetime.timedelta(days=1)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def shake_hands(authority: Authority, certificate_for: str, wanted: str) -> None:
    """A TLS handshake in memory of a client that trusts the authority, and a server that has a certificate of it."""
    client_to_server, server_to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    trust = ssl.create_default_context(cadata=authority.pem.decode())
    client = trust.wrap_bio(server_to_client, client_to_server, server_hostname=wanted)
    context = authority.context_of(certificate_for)
    server = context.wrap_bio(client_to_server, server_to_client, server_side=True)
    ends = [client, server]
    while ends:
        for end in list(ends):
            try:
                end.do_handshake()
                ends.remove(end)
            except ssl.SSLWantReadError:
                continue


@pytest.mark.parametrize("host", ["login.eloqua.com", "secure.p01.eloqua.com", "eloqua.com", "a.b.c.eloqua.com"])
def test_clients_accept_the_names_of_eloqua(host: str) -> None:
    shake_hands(make_authority(), host, host)


@pytest.mark.parametrize("host", ["example.com", "eloqua.com.example.com", "noteloqua.com"])
def test_clients_accept_no_other_name(host: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        shake_hands(make_authority(), host, host)


def test_a_certificate_counts_for_its_host_alone() -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(make_authority(), "login.eloqua.com", "secure.p01.eloqua.com")


def test_it_is_kept_and_its_key_is_the_owners(tmp_path: Path) -> None:
    folder = tmp_path / "authority"
    made = open_authority(folder)
    assert mode(folder / "key.pem") == 0o600
    assert mode(folder / "certificate.pem") == 0o644
    assert (folder / "certificate.pem").read_bytes() == made.pem
    assert open_authority(folder).pem == made.pem
    assert sorted(path.name for path in folder.iterdir()) == ["certificate.pem", "key.pem", "lock"]


def write_ending(folder: Path, life: datetime.timedelta) -> bytes:
    """An authority as it is kept, but with so much life left: its certificate."""
    made = make_authority()
    old, now = made.certificate, datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(extensions=list(old.extensions)).subject_name(old.subject)
    builder = builder.issuer_name(old.issuer).public_key(old.public_key()).serial_number(old.serial_number)
    ending = builder.not_valid_before(now - 400 * DAY).not_valid_after(now + life).sign(made.key, hashes.SHA256())
    pem = ending.public_bytes(serialization.Encoding.PEM)
    folder.mkdir()
    (folder / "certificate.pem").write_bytes(pem)
    key = made.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(key)
    return pem


@pytest.mark.parametrize(("days", "renewed"), [(61, False), (59, True), (-1, True)])
def test_it_is_renewed_near_its_end(tmp_path: Path, days: int, renewed: bool) -> None:
    kept = write_ending(tmp_path / "authority", days * DAY + DAY / 24)
    opened = open_authority(tmp_path / "authority")
    assert (opened.pem != kept) is renewed
    assert open_authority(tmp_path / "authority").pem == opened.pem
    shake_hands(opened, "login.eloqua.com", "login.eloqua.com")


@pytest.mark.parametrize("damage", [b"", b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"])
@pytest.mark.parametrize("name", ["certificate.pem", "key.pem"])
def test_a_damaged_one_is_replaced(tmp_path: Path, name: str, damage: bytes) -> None:
    before = open_authority(tmp_path).pem
    (tmp_path / name).write_bytes(damage)
    assert open_authority(tmp_path).pem != before
    assert mode(tmp_path / "key.pem") == 0o600


def test_a_key_that_is_not_its_own_is_replaced(tmp_path: Path) -> None:
    one, other = open_authority(tmp_path / "one"), open_authority(tmp_path / "other")
    (tmp_path / "one" / "key.pem").write_bytes((tmp_path / "other" / "key.pem").read_bytes())
    assert open_authority(tmp_path / "one").pem not in (one.pem, other.pem)
