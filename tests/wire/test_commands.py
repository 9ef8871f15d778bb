"""The command line, beside a running server."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest

from staithe import __version__
from staithe.processes import FORKS_VARIABLE
from tests.conftest import Deployment, StartServer
from tests.support.commands import staithe, where
from tests.support.logins import is_over
from tests.support.oauth import Program
from tests.support.server import HTTP, WORKER, RunningServer
from tests.support.waiting import LONGEST_SECONDS


def test_version_and_help() -> None:
    assert staithe("--version").stdout == f"staithe {__version__}\n"
    for words in (
        [],
        ["serve"],
        ["run"],
        ["demo"],
        ["seed"],
        ["status"],
        ["company", "create"],
        ["company", "list"],
        ["company", "rename"],
        ["company", "delete"],
        ["user", "create"],
        ["user", "list"],
        ["user", "password"],
        ["user", "disable"],
        ["user", "enable"],
        ["user", "delete"],
        ["client", "create"],
        ["client", "rotate"],
    ):
        shown = staithe(*words, "--help")
        assert shown.returncode == 0
        assert "Usage: " in shown.stdout


def test_companies_users_and_contacts_beside_a_running_server(server: RunningServer) -> None:
    data = where(server)
    made = json.loads(staithe("company", "create", "north", *data, "--json").stdout)
    assert made["name"] == "north"
    user = staithe(
        "user", "create", "north", "bo", "--role", "reader", "--password-stdin", *data, "--json", given="pw\n"
    )
    assert json.loads(user.stdout) == {"company": "north", "name": "bo", "role": "reader"}
    api = server.api("north\\bo:pw")
    assert api.bulk("GET", "/syncs").status_code == 200
    assert api.bulk("POST", "/syncs", json={}).status_code == 403
    staithe("user", "create", "north", "bo", "--role", "api", "--password-stdin", *data, given="pw2\n")
    assert is_over(server, lambda: api.bulk("GET", "/syncs")), "a changed password ends remembered logins"
    api = server.api("north\\bo:pw2")
    seeded = json.loads(staithe("seed", "north", "--contacts", "250", *data, "--json").stdout)
    assert (seeded["firstId"], seeded["lastId"]) == (1, 250)
    seeded = json.loads(staithe("seed", "north", "--contacts", "50", *data, "--json").stdout)
    assert (seeded["firstId"], seeded["lastId"]) == (251, 300)
    uri = api.define(statement="{{Contact.Field(C_EmailAddress)}}")
    api.upload(uri, [{"Id": f"contact-{n}@example.com"} for n in (1, 250, 251, 300, 301)])
    assert [r["recordIndex"] for r in api.rejects(api.sync(uri)["uri"])] == [5]
    status = json.loads(staithe("status", *data, "--json").stdout)
    assert status["serving"] is True
    (north,) = [c for c in status["companies"] if c["name"] == "north"]
    assert north == {
        "name": "north",
        "users": 1,
        "contacts": 300,
        "definitions": 1,
        "uploads": 0,
        "stagedKb": 0,
        "syncs": {"warning": 1},
    }


def test_clients_beside_a_running_server(server: RunningServer) -> None:
    data = where(server)
    server.new_company("harbour")
    uris = ["https://a.example/done", "com.example.app:/done"]
    prefix = "https://b.example/callback"
    options = [word for uri in uris for word in ("--redirect-uri", uri)] + ["--redirect-prefix", prefix]
    made = json.loads(staithe("client", "create", "Harbour", "Ferry", *options, *data, "--json").stdout)
    secret, identifier = made.pop("clientSecret"), made["clientId"]
    addresses = {"redirectUris": uris, "redirectPrefixes": [prefix]}
    assert made == {"company": "harbour", "name": "Ferry", "clientId": identifier, **addresses}
    program = Program(server.url, identifier, secret)
    access = program.log_in("harbour\\ann")["access_token"]
    listed = json.loads(staithe("client", "list", *data, "--json").stdout)
    assert [c for c in listed if c["company"] == "harbour"] == [made]
    again = staithe("client", "create", "harbour", "FERRY", *data)
    assert (again.returncode, again.stdout) == (1, "")
    assert "Company harbour has a client FERRY already." in again.stderr
    shown = staithe("client", "create", "harbour", "Barge", "--redirect-prefix", prefix, *data).stdout
    assert f"redirect URI and below       {prefix}\n" in shown
    identifier, secret = (re.search(rf"{word}\s+(\S+)\n", shown) for word in ("client id", "shown once"))
    assert identifier
    assert secret
    assert Program(server.url, identifier[1], secret[1]).log_in("harbour\\ann")["token_type"] == "bearer"
    assert "Barge" in staithe("client", "list", *data).stdout
    deleted = json.loads(staithe("client", "delete", "harbour", "ferry", *data, "--json").stdout)
    assert deleted == {"company": "harbour", "name": "Ferry", "clientId": program.identifier}
    assert is_over(server, lambda: program.bulk(access))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["company", "create", "acme"], "There is a company acme already."),
        (["company", "create", "a\\b"], "name: Must have 1 to 64 letters"),
        (["user", "create", "nowhere", "x", "--password-stdin"], "There is no company nowhere."),
        (["user", "create", "acme", "x", "--password-stdin"], "password: Must not be empty."),
        (["seed", "nowhere", "--contacts", "1"], "There is no company nowhere."),
        (["client", "create", "nowhere", "x"], "There is no company nowhere."),
        (["client", "create", "acme", " "], "name: Must have 1 to 100 printable characters."),
        (["client", "delete", "acme", "x"], "Company acme has no client x."),
        (["client", "create", "acme", "x", "--redirect-prefix", "https://a.b/"], "redirect-prefix: Must be an http"),
        *(
            (["client", "create", "acme", "x", "--redirect-uri", uri], "redirect-uri: Must be an absolute http")
            for uri in (
                "",
                "app.example.com/done",
                "//app.example.com/done",
                "https:///done",
                "https://app.example.com/done#x",
                "https://ann@app.example.com/done",
                "https://app.example.com/a b",
                "https://app.example.com;script-src:443/",
                "https://app.example.com:99999/",
                "javascript:alert(1)",
                "data:text/html,x",
                "com.example.app:",
                "https://app.example.com/" + "x" * 2000,
            )
        ),
    ],
)
def test_wrong_commands_say_so_in_a_line(server: RunningServer, words: list[str], said: str) -> None:
    failed = staithe(*words, *where(server))
    assert failed.returncode == 1
    assert said in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_fresh_store_without_bootstrap_prints_a_password_once(
    servers: StartServer, tmp_path: Path, database: str
) -> None:
    first = servers(environment={"STAITHE_BOOTSTRAP": ""})
    said = "".join(first.lines)
    password = re.search(r"Password, shown this once: (\S+)", said)
    assert password, said
    assert f"Login of the new {'database' if database else 'data directory'}: demo\\admin" in said
    assert first.api(f"demo\\admin:{password[1]}").bulk("GET", "/syncs").status_code == 200
    assert first.stop() == 0
    second = servers(environment={"STAITHE_BOOTSTRAP": ""})
    assert "Password" not in "".join(second.lines)
    assert second.api(f"demo\\admin:{password[1]}").bulk("GET", "/syncs").status_code == 200
    assert second.stop() == 0
    for file in (tmp_path / "data").rglob("*"):
        assert not file.is_file() or password[1].encode() not in file.read_bytes(), "passwords are hashed at rest"


def test_a_malformed_bootstrap_is_refused(tmp_path: Path) -> None:
    failed = staithe("serve", "--port", "0", "--data", str(tmp_path / "data"), STAITHE_BOOTSTRAP="acme:secret")
    assert failed.returncode == 1
    assert "STAITHE_BOOTSTRAP: Must have the form company\\user:password." in failed.stderr
    assert "secret" not in failed.stderr


def test_a_second_server_on_the_same_data_is_refused(deployment: Deployment) -> None:
    failed = staithe("serve", "--port", "0", "--data", str(deployment("sqlite").data))
    assert failed.returncode == 1
    assert "Another staithe serves the data directory" in failed.stderr


def test_a_port_in_use_is_named(server: RunningServer, tmp_path: Path) -> None:
    port = server.url.rpartition(":")[2]
    failed = staithe("serve", "--port", port, "--data", str(tmp_path / "data"))
    assert failed.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in failed.stderr


def test_health(server: RunningServer) -> None:
    api = server.api()
    assert api.call("GET", "/healthz").json() == {"status": "alive"}
    assert api.call("GET", "/readyz").json() == {"status": "ready"}


@pytest.mark.one_database("Processes start and end the same, whichever database they use.")
@pytest.mark.parametrize("forks", ["1", "0"], ids=["forked", "interpreters"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_every_process(servers: StartServer, number: signal.Signals, forks: str) -> None:
    server = servers("--workers", "2", is_real=True, environment={FORKS_VARIABLE: forks})
    children = [*server.children(HTTP), *server.children(WORKER)]
    assert len(children) == 3
    os.kill(server.process.pid, number)
    assert server.process.wait(LONGEST_SECONDS) == 0
    server.close()
    assert not any(child.is_running() for child in children)


@pytest.mark.parametrize(
    "url", ["bulk.example.com", "ftp://a.example", "https://a b", "https://a/?x=1", "https://[::1"]
)
def test_a_public_url_that_is_none_is_refused(tmp_path: Path, url: str) -> None:
    failed = staithe("serve", "--port", "0", "--data", str(tmp_path / "data"), "--public-url", url)
    assert failed.returncode == 1
    assert "--public-url: Must be the URL by which clients reach the server" in failed.stderr
    assert not (tmp_path / "data").exists()
