"""TLS: whether the files of a server can be used, told before it starts."""

from __future__ import annotations

import ssl
from pathlib import Path

from staithe.domain.errors import Failure, ValidationFailed


class KeyNeedsPassword(Exception):
    """The key is encrypted."""


def check_tls_files(certificate: Path | None, key: Path | None) -> None:
    """Whether a server can use its certificate and key, if it has any.

    Raises:
        ValidationFailed: one is given without the other, cannot be read, or does not fit.
    """
    if certificate is None and key is None:
        return
    for option, path, other in (("--tls-cert", certificate, "--tls-key"), ("--tls-key", key, "--tls-cert")):
        if path is None:
            raise ValidationFailed(Failure(option, f"Must be given together with {other}."))
        check_readable(option, path)
    assert certificate is not None
    assert key is not None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, refuse_password)
    except KeyNeedsPassword:
        rule = "Must be a key without a password, as nobody is there to type it when the server starts anew."
        raise ValidationFailed(Failure("--tls-key", rule, str(key))) from None
    except ssl.SSLError as error:
        raise ValidationFailed(to_failure(error, certificate, key)) from None


def check_readable(option: str, path: Path) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise ValidationFailed(Failure(option, f"Must be a file that can be read: {path}: {error.strerror}.")) from None


def to_failure(error: ssl.SSLError, certificate: Path, key: Path) -> Failure:
    """Which of the two files is wrong: OpenSSL says it of the pair alone."""
    if error.reason == "KEY_VALUES_MISMATCH":
        return Failure("--tls-key", f"Must be the key of the certificate {certificate}; {key} is another's.")
    if "-----BEGIN CERTIFICATE-----" not in certificate.read_text(errors="replace"):
        return Failure("--tls-cert", f"Must be a certificate in PEM; {certificate} is none.")
    if "PRIVATE KEY-----" not in key.read_text(errors="replace"):
        return Failure("--tls-key", f"Must be a private key in PEM; {key} is none.")
    return Failure("--tls-cert and --tls-key", f"Must be a certificate and its key: {error.reason or error}.")


def refuse_password() -> str:
    raise KeyNeedsPassword


def accept_any_certificate() -> ssl.SSLContext:
    """For asking a server of one's own whether it is up, and nothing else: its certificate is for another name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
