"""The proxy of `staithe run`, spoken to directly: who is answered, reached and refused, and what becomes of bodies."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import trustme

from staithe.proxy.authority import make_authority
from staithe.proxy.forwarding import read_server_url
from staithe.proxy.server import Proxy
from tests.conftest import StartServer
from tests.support import curl
from tests.support.api import Api
from tests.support.run import OpenRun
from tests.support.server import RunningServer
from tests.support.waiting import LONGEST_SECONDS, until

pytestmark = pytest.mark.one_database("The proxy speaks to a server, and to no database.")

SYNCS = "/api/bulk/2.0/syncs"
EMPTY_PAGE = {"items": [], "totalResults": 0, "limit": 1000, "offset": 0, "count": 0, "hasMore": False}


@pytest.fixture(scope="module")
def run(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenRun]:
    """A proxy before the server that may reach localhost."""
    with OpenRun("--server", server.url, "--allow-host", "LOCALHOST", cwd=tmp_path_factory.mktemp("run")) as opened:
        yield opened
    assert not any("Traceback" in line for line in opened.lines)


@pytest.fixture
def client(run: OpenRun, api: Api) -> Iterator[httpx.Client]:
    """A client of a company of its own that goes through the proxy."""
    with httpx.Client(
        proxy=run.proxy, verify=run.trust(), auth=api.client.auth, timeout=LONGEST_SECONDS, trust_env=False
    ) as made:
        yield made


def ask(run: OpenRun, *lines: str, body: bytes = b"") -> tuple[str, str]:
    """Send a request by hand: (status line, body)."""
    with run.connect() as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        head, _, rest = read_all(connection).partition(b"\r\n\r\n")
    return head.decode().splitlines()[0], rest.decode()


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def refusal(host: str) -> tuple[str, str]:
    return (
        f"HTTP/1.1 403 Forbidden: {host} needs --allow-host {host}",
        f"staithe run: {host} is not a host of Eloqua, and is not reached.\n"
        f"If the command needs it: staithe run --allow-host {host} -- COMMAND\n",
    )


def test_other_hosts_are_refused_and_named_once(run: OpenRun) -> None:
    expected = refusal("api.example.com")
    assert ask(run, "CONNECT api.example.com:443 HTTP/1.1", "Host: api.example.com:443") == expected
    assert ask(run, "GET http://api.example.com/x HTTP/1.1", "Host: api.example.com") == expected
    post = ("POST http://API.example.com:8080/x HTTP/1.1", "Host: api.example.com", "Content-Length: 100000")
    assert ask(run, *post, body=b"x" * 100_000) == expected
    assert ask(run, "GET https://127.0.0.1/ HTTP/1.1", "Host: 127.0.0.1") == refusal("127.0.0.1")
    assert [line for line in run.lines if "example" in line] == [
        "staithe run: refused api.example.com, which is not Eloqua's; "
        "--allow-host api.example.com lets the command reach it."
    ]


@pytest.mark.parametrize(
    ("request_line", "status", "text"),
    [
        ("GET / HTTP/1.1", "400 Bad Request", "This is a proxy: it must be asked for the URL of a host, or to CONNECT"),
        ("GET ftp://login.eloqua.com/ HTTP/1.1", "400 Bad Request", "This is a proxy"),
        ("GET http:///x HTTP/1.1", "400 Bad Request", "This is a proxy"),
        ("CONNECT login.eloqua.com:port HTTP/1.1", "400 Bad Request", "CONNECT must be followed by host:port."),
        ("GET https://localhost/ HTTP/1.1", "501 Not Implemented", "The command must CONNECT to localhost"),
        ("CONNECT localhost:1 HTTP/1.1", "502 Bad Gateway", "localhost:1 does not answer"),
        ("GET http://localhost:1/ HTTP/1.1", "502 Bad Gateway", "localhost:1 does not answer"),
    ],
)
def test_what_a_proxy_cannot_do(run: OpenRun, request_line: str, status: str, text: str) -> None:
    line, body = ask(run, request_line, "Host: x")
    assert line == f"HTTP/1.1 {status}"
    assert body.startswith(f"staithe run: {text}")


def test_a_connection_that_is_no_http_ends(run: OpenRun) -> None:
    with run.connect() as connection:
        connection.sendall(b"\x16\x03\x01\x00\x05hello\r\n\r\n")
        assert read_all(connection) == b""


@pytest.mark.parametrize("target", ["https://login.eloqua.com/healthz?x=1", "/healthz"])
def test_tls_without_connect_is_answered(run: OpenRun, target: str) -> None:
    """As axios 0.18 speaks with a proxy: as if it were the host, but for the whole URL."""
    request = f"GET {target} HTTP/1.1\r\nHost: login.eloqua.com\r\n\r\n".encode()
    context = run.trust()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with run.connect() as connection, context.wrap_socket(connection, server_hostname="Login.Eloqua.com") as tls:
        assert tls.selected_alpn_protocol() == "http/1.1"
        received = b""
        for count in (1, 2):
            tls.sendall(request)
            while received.count(b'{"status":"alive"}') < count:
                received += tls.recv(65536)


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (
            "www.example.org",
            "staithe run: refused www.example.org, which is not Eloqua's; --allow-host www.example.org",
        ),
        (None, "staithe run: the command speaks TLS with the proxy itself, and does not say with which host (SNI)"),
    ],
)
def test_tls_without_connect_that_cannot_be_answered_is_told_of(run: OpenRun, host: str | None, said: str) -> None:
    context = run.trust()
    context.check_hostname = False
    with run.connect() as connection, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(connection, server_hostname=host)
    until(lambda: any(line.startswith(said) for line in run.lines), "what was said")


@pytest.mark.parametrize(
    "base", ["https://login.eloqua.com", "https://secure.p07.eloqua.com", "http://login.eloqua.com"]
)
def test_every_host_of_eloqua_is_answered(client: httpx.Client, base: str) -> None:
    answer = client.get(base + SYNCS)
    assert (answer.status_code, answer.json(), answer.http_version) == (200, EMPTY_PAGE, "HTTP/1.1")
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert "x-request-id" in answer.headers


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_whole_url_of_either_scheme_is_answered(run: OpenRun, scheme: str) -> None:
    line, body = ask(
        run, f"GET {scheme}://login.eloqua.com/healthz HTTP/1.1", "Host: login.eloqua.com", "Connection: close"
    )
    assert (line, json.loads(body)) == ("HTTP/1.1 200 OK", {"status": "alive"})


def test_a_tunnel_to_port_80_is_plain(run: OpenRun) -> None:
    with run.connect() as connection:
        connection.sendall(b"CONNECT login.eloqua.com:80 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(65536) == b"HTTP/1.1 200 Connection established\r\n\r\n"
        connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert read_all(connection).endswith(b'{"status":"alive"}')


def secure(run: OpenRun, connection: socket.socket, host: str, early: bytes = b"") -> ssl.SSLSocket:
    """A TLS connection through the proxy."""
    connection.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode() + early)
    assert connection.recv(65536) == b"HTTP/1.1 200 Connection established\r\n\r\n"
    context = run.trust()
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context.wrap_socket(connection, server_hostname=host)


def test_a_connection_is_kept_for_many_requests(run: OpenRun) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: login.eloqua.com\r\n\r\n"
    with run.connect() as connection, secure(run, connection, "login.eloqua.com") as tls:
        assert tls.selected_alpn_protocol() == "http/1.1"
        received = b""
        for count in (1, 2):
            tls.sendall(request)
            while received.count(b'{"status":"alive"}') < count:
                received += tls.recv(65536)
        tls.sendall(request + request)  # the second is sent before the first is answered
        while received.count(b'{"status":"alive"}') < 4:
            received += tls.recv(65536)
        assert received.count(b"HTTP/1.1 200 OK\r\n") == 4


def test_a_client_that_does_not_trust_us_is_told_of(run: OpenRun) -> None:
    stranger = ssl.create_default_context()
    with run.connect() as connection:
        connection.sendall(b"CONNECT secure.p02.eloqua.com:443 HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.recv(65536)
        with pytest.raises(ssl.SSLCertVerificationError):
            stranger.wrap_socket(connection, server_hostname="secure.p02.eloqua.com")
    with run.connect() as connection:  # what was said is read when this is answered
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        read_all(connection)
    until(lambda: any("p02" in line for line in run.lines), "what was said")
    assert [line for line in run.lines if "p02" in line] == [
        "staithe run: the command does not trust the certificate for secure.p02.eloqua.com "
        "(TLSV1_ALERT_UNKNOWN_CA). Have it trust the file that SSL_CERT_FILE names."
    ]


def define(client: httpx.Client) -> str:
    body = {
        "name": "Opt out",
        "fields": {"Id": "{{Contact.Id}}"},
        "identifierFieldName": "Id",
        "syncActions": [{"action": "setStatus", "destination": "{{GlobalSubscribe}}", "status": "unsubscribed"}],
    }
    made = client.post("https://secure.p01.eloqua.com/API/Bulk/2.0/contacts/syncActions", json=body)
    assert made.status_code == 201
    return f"https://secure.p01.eloqua.com/API/Bulk/2.0{made.json()['uri']}"


def big_records(size: int) -> bytes:
    """A JSON array of about so many bytes."""
    record = b'{"Id":"1","pad":"' + b"x" * 1000 + b'"}'
    return b"[" + b",".join([record] * (size // (len(record) + 1))) + b"]"


def test_big_bodies_pass_in_a_stream(client: httpx.Client, run: OpenRun) -> None:
    definition = define(client)
    body = big_records(30 * 1024 * 1024)
    before = run.memory_bytes()
    pieces = (body[start : start + 100_000] for start in range(0, len(body), 100_000))
    headers = {"content-type": "application/json"}
    for content in (body, pieces):  # with a length, and in chunks
        assert client.post(f"{definition}/data", content=content, headers=headers).status_code == 204
        assert run.memory_bytes() - before < 16 * 1024 * 1024
    answer = client.get(definition)
    assert answer.json()["kbUsed"] > 0


def test_a_refusal_of_a_big_body_comes_through(client: httpx.Client) -> None:
    definition = define(client)
    answer = client.post(
        f"{definition}/data", content=big_records(34 * 1024 * 1024), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 413
    assert answer.json()["status"] == 413


def test_an_upload_that_breaks_off_stores_nothing(run: OpenRun, api: Api, client: httpx.Client) -> None:
    definition = define(client).removeprefix("https://secure.p01.eloqua.com")
    login = api.client.build_request("GET", "/")
    request = next(api.client.auth.auth_flow(login)) if api.client.auth else login
    head = (
        f"POST {definition}/data HTTP/1.1\r\nHost: secure.p01.eloqua.com\r\nContent-Type: application/json\r\n"
        f"Authorization: {request.headers['authorization']}\r\nContent-Length: 1000\r\n\r\n"
    )
    with run.connect() as connection, secure(run, connection, "secure.p01.eloqua.com") as tls:
        tls.sendall(head.encode() + b'[{"Id":"1"}]')
    assert client.get(f"https://secure.p01.eloqua.com{definition}").json().get("kbUsed") is None
    assert client.get(f"https://secure.p01.eloqua.com{SYNCS}").status_code == 200


@pytest.mark.parametrize("kind", curl.KINDS)
def test_curl_uploads_with_an_expectation(
    run: OpenRun, client: httpx.Client, api: Api, tmp_path: Path, kind: str
) -> None:
    """curl asks before it sends a big body, and waits for `100 Continue`."""
    definition = define(client)
    file = tmp_path / "records.json"
    file.write_bytes(big_records(3 * 1024 * 1024))
    name = str(api.call("GET", "/id").json()["site"]["name"])
    words = ["-sS", "-v", "-u", f"{name}\\ann:secret", "-H", "Content-Type: application/json"]
    words += ["-H", "Expect: 100-continue", "--expect100-timeout", "60", "--data-binary", f"@{file}"]
    program = curl.curl_in(tmp_path / "programs", kind)
    done = subprocess.run(
        [program, *words, f"{definition}/data"],
        env=run.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "< HTTP/1.1 100 Continue" in done.stderr
    assert "< HTTP/1.1 204 No Content" in done.stderr


@contextmanager
def echo_server(context: ssl.SSLContext | None) -> Iterator[int]:
    """A server on localhost that answers one connection with what it got until the client had no more: its port."""
    listener = socket.create_server(("localhost", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with context.wrap_socket(connection, server_side=True) if context else connection as stream:
            received = b""
            while not received.endswith(b"END"):
                received += stream.recv(65536)
            stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(received) + received)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        thread.join(LONGEST_SECONDS)
        listener.close()


def test_an_allowed_host_is_tunnelled_untouched(run: OpenRun) -> None:
    """It shows its own certificate, and gets the bytes as they were sent."""
    authority = trustme.CA()
    context, trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(trust)
    sent = b"PUT /x HTTP/1.1\r\nX-Forwarded-Host: a\r\nConnection: Upgrade\r\n\r\nEND"
    with echo_server(context) as port, run.connect() as connection:
        connection.sendall(f"CONNECT localhost:{port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        with trust.wrap_socket(connection, server_hostname="localhost") as tls:
            tls.sendall(sent)
            assert read_all(tls).endswith(b"\r\n\r\n" + sent)


def test_an_allowed_host_is_reached_by_tls_without_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the port of https: a client that does not CONNECT cannot tell another."""
    authority = trustme.CA()
    context, trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(trust)
    proxy = Proxy(make_authority(), read_server_url("http://127.0.0.1:1"), frozenset({"localhost"}), print)
    sent = b"GET https://localhost/x HTTP/1.1\r\n\r\nEND"
    with echo_server(context) as port, proxy.running() as url:
        monkeypatch.setattr("staithe.proxy.server.HTTPS_PORT", port)
        place = ("127.0.0.1", int(url.rpartition(":")[2]))
        connection = socket.create_connection(place)
        with connection, trust.wrap_socket(connection, server_hostname="localhost") as tls:
            tls.sendall(sent)
            assert read_all(tls).endswith(b"\r\n\r\n" + sent)


def test_an_allowed_host_is_reached_in_plain(run: OpenRun) -> None:
    with echo_server(None) as port:
        headers = ("X-Custom: a", "Proxy-Authorization: secret", "Connection: close, x-hop", "X-Hop: b")
        line, body = ask(
            run,
            f"POST http://localhost:{port}/x?y HTTP/1.1",
            "Host: other",
            *headers,
            "Content-Length: 3",
            body=b"END",
        )
    assert line == "HTTP/1.1 200 OK"
    assert body.splitlines() == [
        "POST /x?y HTTP/1.1",
        f"Host: localhost:{port}",
        "X-Custom: a",
        "Content-Length: 3",
        "Connection: close",
        "",
        "END",
    ]


def test_allowing_a_host_brings_what_everybody_trusts(run: OpenRun) -> None:
    assert len(run.trust().get_ca_certs()) > 50


def test_a_server_that_is_gone_is_told_of(servers: StartServer, tmp_path: Path) -> None:
    own = servers()
    with OpenRun("--data", str(own.data), cwd=tmp_path) as opened:
        assert own.stop() == 0
        place = own.url.removeprefix("http://")
        line, body = ask(opened, "GET http://login.eloqua.com/id HTTP/1.1", "Host: login.eloqua.com")
        assert line == "HTTP/1.1 502 Bad Gateway"
        assert body.startswith(f"staithe run: {place} does not answer: ")
    assert opened.lines == []
