"""https with a certificate of one's own, and what is wrong with certificates, told before the server starts."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from staithe.services import accounts
from tests.conftest import NewDatabase
from tests.support.commands import staithe
from tests.support.oauth import AUTHORIZE, REDIRECT, register
from tests.support.server import LOGIN, RunningServer
from tests.support.waiting import LONGEST_SECONDS

pytestmark = pytest.mark.one_database("TLS knows nothing of what is behind it.")


class Files:
    """A certificate authority, and the files of a server that it vouches for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = trustme.CA()
        issued = self.authority.issue_cert("127.0.0.1", "login.eloqua.com", common_name="login.eloqua.com")
        self.certificate, self.key = folder / "server.pem", folder / "server.key"
        issued.private_key_pem.write_to_path(str(self.key))
        for blob in issued.cert_chain_pems:
            blob.write_to_path(str(self.certificate), append=True)

    def trusting(self) -> ssl.SSLContext:
        """What a client needs that trusts the authority and nothing else."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context

    def write(self, name: str, content: bytes) -> Path:
        """One more file."""
        path = self.folder / name
        path.write_bytes(content)
        return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """The files of a server."""
    return Files(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def server(
    files: Files, tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase
) -> Iterator[RunningServer]:
    """A server that serves https."""
    options = ("--tls-cert", str(files.certificate), "--tls-key", str(files.key))
    running = RunningServer(tmp_path_factory.mktemp("server") / "data", *options, database=new_database())
    yield running
    assert running.stop() == 0


@pytest.fixture
def client(files: Files, server: RunningServer) -> Iterator[httpx.Client]:
    """A client that checks certificates."""
    user, _, password = LOGIN.partition(":")
    with httpx.Client(
        base_url=server.url, auth=(user, password), verify=files.trusting(), trust_env=False, timeout=LONGEST_SECONDS
    ) as opened:
        yield opened


def test_a_client_that_checks_certificates_finds_its_way(client: httpx.Client, server: RunningServer) -> None:
    assert server.url.startswith("https://127.0.0.1:")
    bulk = client.get("/id").raise_for_status().json()["urls"]["apis"]["rest"]["bulk"]
    assert bulk == f"{server.url}/API/Bulk/{{version}}/"
    lists = client.get(f"{bulk.replace('{version}', '2.0')}contacts/lists")
    assert (lists.status_code, lists.json()["count"]) == (200, 0)


def test_a_client_that_calls_it_by_another_name_is_answered_by_that_name(client: httpx.Client) -> None:
    """As one does whose hosts file leads the name of Eloqua's login host here."""
    answer = client.get("/id", headers={"host": "login.eloqua.com"}, extensions={"sni_hostname": "login.eloqua.com"})
    assert answer.json()["urls"]["base"] == "https://login.eloqua.com"


def test_the_cookie_of_the_authorization_page_goes_over_tls_alone(client: httpx.Client, server: RunningServer) -> None:
    program = register(server, server.stores.open(accounts.find_company(server.stores, "acme")))
    asked = {"response_type": "code", "client_id": program.identifier, "redirect_uri": REDIRECT}
    assert client.get(AUTHORIZE, params=asked).headers["set-cookie"].endswith("; Secure")


def test_others_are_not_served(server: RunningServer) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{server.url}/healthz", trust_env=False, timeout=LONGEST_SECONDS)
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{server.url.replace('https', 'http')}/healthz", trust_env=False, timeout=LONGEST_SECONDS)


def start(folder: Path, *options: object) -> str:
    """What a server says that must not start; its data directory is not made."""
    data = folder / "data"
    failed = staithe("serve", "--port", "0", "--data", str(data), *map(str, options))
    assert failed.returncode == 1
    assert "Traceback" not in failed.stderr
    assert not data.exists()
    return " ".join(failed.stderr.split())


def test_one_file_without_the_other_is_refused(files: Files, tmp_path: Path) -> None:
    alone = "staithe: {}: Must be given together with {}."
    assert start(tmp_path, "--tls-cert", files.certificate) == alone.format("--tls-key", "--tls-cert")
    assert start(tmp_path, "--tls-key", files.key) == alone.format("--tls-cert", "--tls-key")


def test_files_that_are_not_there_are_named(files: Files, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    said = f"Must be a file that can be read: {missing}: No such file or directory."
    assert start(tmp_path, "--tls-cert", missing, "--tls-key", files.key) == f"staithe: --tls-cert: {said}"
    assert start(tmp_path, "--tls-cert", files.certificate, "--tls-key", missing) == f"staithe: --tls-key: {said}"


def test_files_that_are_something_else_are_named(files: Files, tmp_path: Path) -> None:
    other = files.write("other.txt", b"no PEM")
    assert start(tmp_path, "--tls-cert", other, "--tls-key", files.key) == (
        f"staithe: --tls-cert: Must be a certificate in PEM; {other} is none."
    )
    assert start(tmp_path, "--tls-cert", files.certificate, "--tls-key", other) == (
        f"staithe: --tls-key: Must be a private key in PEM; {other} is none."
    )
    broken = files.write("broken.key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    assert "Must be a certificate and its key" in start(tmp_path, "--tls-cert", files.certificate, "--tls-key", broken)


def test_the_key_of_another_certificate_is_refused(files: Files, tmp_path: Path) -> None:
    others = files.write("others.key", trustme.CA().issue_cert("other.example").private_key_pem.bytes())
    assert start(tmp_path, "--tls-cert", files.certificate, "--tls-key", others) == (
        f"staithe: --tls-key: Must be the key of the certificate {files.certificate}; {others} is another's."
    )


def test_a_key_with_a_password_is_refused(files: Files, tmp_path: Path) -> None:
    key = load_pem_private_key(files.key.read_bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    said = start(tmp_path, "--tls-cert", files.certificate, "--tls-key", files.write("locked.key", locked))
    assert said.startswith("staithe: --tls-key: Must be a key without a password")
