"""A certificate authority that can vouch for nothing but Eloqua's names, and the certificates it gives them.

It is kept in a folder: `certificate.pem`, which anybody may have, and `key.pem`, which only the owner may read. The
certificates of hosts are made anew by each process, and kept nowhere.
"""

from __future__ import annotations

import datetime
import fcntl
import ipaddress
import os
import ssl
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from staithe.proxy.hosts import ELOQUA

CERTIFICATE: Final = "certificate.pem"
KEY: Final = "key.pem"
DAY: Final = datetime.timedelta(days=1)
AUTHORITY_LIFE: Final = 1825 * DAY
LEAST_LIFE_LEFT: Final = 60 * DAY
HOST_LIFE: Final = 30 * DAY
"""Longer than any command runs, and short of what is left of the authority."""
HOSTS_KEPT: Final = 64
EVERY_ADDRESS: Final = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))


class Authority:
    """Signs for the hosts of Eloqua."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate = certificate
        self.key = key
        self.host_key = ec.generate_private_key(ec.SECP256R1())
        self.context_of = lru_cache(HOSTS_KEPT)(self.make_context)

    @property
    def pem(self) -> bytes:
        """What clients are to trust."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def make_context(self, host: str) -> ssl.SSLContext:
        """What a server needs to speak as this host; `context_of` remembers the last ones."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        chain = key_pem(self.host_key) + self.sign(host).public_bytes(serialization.Encoding.PEM)
        with tempfile.NamedTemporaryFile(prefix="staithe-", suffix=".pem") as file:
            file.write(chain)
            file.flush()
            context.load_cert_chain(file.name)
        return context

    def sign(self, host: str) -> x509.Certificate:
        """A certificate for one host."""
        own = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        key = self.host_key.public_key()
        return (
            started(name("Staithe", host), self.certificate.subject, key, HOST_LIFE)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), critical=False)
            .sign(self.key, hashes.SHA256())
        )


def make_authority() -> Authority:
    """A new authority: its certificate says that it counts for Eloqua's names alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    subject = name("Staithe", "Staithe, for eloqua.com alone")
    limits = x509.NameConstraints(
        permitted_subtrees=[x509.DNSName(ELOQUA)],
        excluded_subtrees=[x509.IPAddress(network) for network in EVERY_ADDRESS],
    )
    certificate = (
        started(subject, subject, public, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(signs_certificates=True), critical=True)
        .add_extension(limits, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def open_authority(folder: Path) -> Authority:
    """The authority kept in a folder; a new one if there is none, or it is damaged or near its end.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        kept = read_authority(folder)
        if kept is not None:
            return kept
        made = make_authority()
        write_new(folder / KEY, key_pem(made.key), 0o600)
        write_new(folder / CERTIFICATE, made.pem, 0o644)
        return made


def read_authority(folder: Path) -> Authority | None:
    """The authority kept in a folder, if it can be used for a while yet."""
    try:
        certificate = x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())
        key = serialization.load_pem_private_key((folder / KEY).read_bytes(), password=None)
        certificate.verify_directly_issued_by(certificate)
    except (FileNotFoundError, ValueError, TypeError, InvalidSignature):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        return None
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    return Authority(certificate, key) if left > LEAST_LIFE_LEFT else None


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Keep other processes out: two that made an authority each would hand out keys of different ones."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Put a file in place of any that is there, never readable by more than `mode` says."""
    aside = path.with_suffix(".new")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    aside.replace(path)


def started(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, life: datetime.timedelta
) -> x509.CertificateBuilder:
    """A certificate that lacks its extensions; valid since yesterday, as clocks differ."""
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - DAY).not_valid_after(now + life)


def name(organization: str, common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common[:64]),
        ]
    )


def key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
