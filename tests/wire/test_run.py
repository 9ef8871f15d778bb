"""`staithe run` as a command: what its child gets, and what is left when it has ended."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import stat
import subprocess
import sys
import termios
import time
from pathlib import Path

import psutil
import pytest
import trustme

from tests.conftest import StartServer
from tests.support.api import Api
from tests.support.run import COMMAND, SECONDS, OpenRun, clean_environment, python, staithe_run
from tests.support.server import LOGIN, RunningServer

pytestmark = pytest.mark.one_database("`staithe run` speaks to a server, and to no database.")

EMPTY_PAGE = {"items": [], "totalResults": 0, "limit": 1000, "offset": 0, "count": 0, "hasMore": False}
LIST_SYNCS = """
import httpx, os, sys
answer = httpx.get("https://secure.p01.eloqua.com/api/bulk/2.0/syncs", auth=(sys.argv[1], sys.argv[2]), timeout=60)
print(answer.text, end="")
print(os.environ["STAITHE_DATA"], os.environ["STAITHE_URL"], file=sys.stderr)
sys.exit(answer.status_code - 200)
"""


def test_a_command_finds_eloqua_on_a_temporary_store(tmp_path: Path) -> None:
    done = staithe_run(*python(LIST_SYNCS), "demo\\admin", "demo", cwd=tmp_path)
    assert (done.returncode, json.loads(done.stdout)) == (0, EMPTY_PAGE)
    said, told = done.stderr.splitlines()
    data, url = told.split()
    assert said == f"staithe run: Eloqua is {url}, on a temporary store; its login is demo\\admin:demo"
    assert not Path(data).exists()
    assert not Path(data).parent.exists()
    assert list(tmp_path.iterdir()) == []


def test_the_login_of_a_temporary_store_can_be_chosen(tmp_path: Path) -> None:
    done = staithe_run("--login", "north\\bo:pw:2", *python(LIST_SYNCS), "north\\bo", "pw:2", cwd=tmp_path)
    assert (done.returncode, json.loads(done.stdout)) == (0, EMPTY_PAGE)


def test_a_store_can_be_filled_from_within(tmp_path: Path) -> None:
    program = f"{sys.executable} -m staithe seed demo --contacts 10 --json && {sys.executable} -m staithe status --json"
    done = staithe_run("--", "sh", "-c", program, cwd=tmp_path)
    assert done.returncode == 0
    assert '"contacts": 10,' in done.stdout
    assert '"serving": true' in done.stdout


def test_the_server_of_a_data_directory_is_used(server: RunningServer, tmp_path: Path) -> None:
    for option in (["--data", str(server.data)], ["--server", server.url + "/"]):
        done = staithe_run(
            *option, *python(LIST_SYNCS), *LOGIN.split(":"), cwd=tmp_path, environment={"STAITHE_DATA": ""}
        )
        assert json.loads(done.stdout)["limit"] == 1000, done.stderr


def test_the_authority_is_kept_in_the_data_directory(server: RunningServer, tmp_path: Path) -> None:
    show = python("import os; print(open(os.environ['SSL_CERT_FILE']).read(), end='')")
    first, second = (staithe_run("--data", str(server.data), *show, cwd=tmp_path) for _ in range(2))
    assert first.stdout.startswith("-----BEGIN CERTIFICATE-----")
    assert (first.stdout, first.stderr) == (second.stdout, "")
    key = server.data / "authority" / "key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert (server.data / "authority" / "certificate.pem").read_text() == first.stdout


def test_standard_input_and_output_are_the_commands_own(tmp_path: Path) -> None:
    program = "import sys; sys.stdout.write(sys.stdin.read().upper()); sys.exit(7)"
    done = staithe_run(*python(program), cwd=tmp_path, given="a\nb")
    assert (done.returncode, done.stdout) == (7, "A\nB")


def test_options_behind_the_command_are_the_commands(server: RunningServer, tmp_path: Path) -> None:
    show = "import sys; print(sys.argv[1:])"
    done = staithe_run("--server", server.url, sys.executable, "-c", show, "--data", "x", "--", "-h", cwd=tmp_path)
    assert done.stdout == "['--data', 'x', '--', '-h']\n"


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (python("import os; os.kill(os.getpid(), 9)"), 137, ""),
        (["--", "no-such-command"], 127, "staithe run: There is no command no-such-command.\n"),
        (["--", "/"], 126, "staithe run: / cannot be run: Permission denied.\n"),
    ],
)
def test_ends_as_a_shell_would_tell_them(
    server: RunningServer, tmp_path: Path, command: list[str], code: int, said: str
) -> None:
    done = staithe_run("--server", server.url, *command, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", said)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--login", "acme:secret"], "--login: Must have the form company\\user:password."),
        (["--login", ""], "--login: Must have the form company\\user:password."),
        (["--server", "127.0.0.1:8080"], "--server: Must be like http://127.0.0.1:8080, with no path."),
        (["--server", "http://127.0.0.1:8080/api"], "--server: Must be like http://127.0.0.1:8080, with no path."),
        (["--server", "http://127.0.0.1:1"], "No Staithe server answers at http://127.0.0.1:1"),
        (["--data", "nowhere"], "No server runs on the data directory nowhere."),
        (["--allow-host", "a b"], "--allow-host: Must be the name of a host, not 'a b'."),
        (["--allow-host", "Login.eloqua.com"], "--allow-host: Must not be one of Eloqua's"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(tmp_path: Path, options: list[str], said: str) -> None:
    failed = staithe_run(*options, *python("print('ran')"), cwd=tmp_path)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert said in failed.stderr
    assert "Traceback" not in failed.stderr
    assert list(tmp_path.iterdir()) == []


WAIT_FOR_SIGNALS = """
import os, signal, sys, time
def end(number, frame):
    print("got", number, flush=True)
    sys.exit(3)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(number, end)
print(os.environ["STAITHE_DATA"], flush=True)
while True:
    time.sleep(0.05)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_signals_go_to_the_command(tmp_path: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [*COMMAND, *python(WAIT_FOR_SIGNALS)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(),
        cwd=tmp_path,
        start_new_session=True,
    )
    assert process.stdout is not None
    data = Path(process.stdout.readline().strip())
    assert (data / "control.db").exists()
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) == 3, "the command, the HTTP process and the worker"
    process.send_signal(number)
    output, errors = process.communicate(timeout=SECONDS)
    assert (process.returncode, output) == (3, f"got {number.value}\n"), errors
    assert "Traceback" not in errors
    assert not data.parent.exists()
    assert not any(child.is_running() for child in children)


COUNT_INTERRUPTS = """
import os, signal, sys, time
count = 0
def interrupt(number, frame):
    global count
    count += 1
    os.write(1, b"interrupted\\n")
def tell(number, frame):
    os.write(1, b"count %d\\n" % count)
    sys.exit(0)
signal.signal(signal.SIGINT, interrupt)
signal.signal(signal.SIGUSR1, tell)
os.write(1, b"ready\\n")  # print() refuses a signal's handler that prints amid it
while True:
    time.sleep(0.05)
"""
IN_A_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_ctrl_c_reaches_the_command_once(server: RunningServer, tmp_path: Path) -> None:
    """The terminal sends it to the command as well, and one that gets it twice often ends without cleaning up."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, b"\x18\x00\x50\x00\x00\x00\x00\x00")
    process = subprocess.Popen(
        [sys.executable, "-c", IN_A_TERMINAL, *COMMAND, "--server", server.url, *python(COUNT_INTERRUPTS)],
        stdin=slave,
        stdout=subprocess.PIPE,
        text=True,
        env=clean_environment(),
        cwd=tmp_path,
        start_new_session=True,
    )
    os.close(slave)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    os.write(master, b"\x03")
    assert process.stdout.readline() == "interrupted\n"
    process.send_signal(signal.SIGUSR1)
    assert process.stdout.read() == "count 1\n"
    assert process.wait(SECONDS) == 0
    process.stdout.close()
    os.close(master)


ECHO = """
import os, signal, time
for number in (signal.SIGUSR1, signal.SIGUSR2):
    signal.signal(number, lambda number, frame: os.write(1, b"%d\\n" % number))
print("ready", flush=True)
while True:
    time.sleep(0.001)
"""
PAIRS = 500


def test_every_signal_reaches_the_command_whenever_it_comes(server: RunningServer, tmp_path: Path) -> None:
    """Also one that comes just as another has been passed on."""
    chance = random.Random(1)
    process = subprocess.Popen(
        [*COMMAND, "--server", server.url, *python(ECHO)],
        stdout=subprocess.PIPE,
        text=True,
        env=clean_environment(),
        cwd=tmp_path,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    for _ in range(PAIRS):
        process.send_signal(signal.SIGUSR1)
        time.sleep(chance.uniform(0, 0.0003))
        process.send_signal(signal.SIGUSR2)
        assert {int(process.stdout.readline()) for _ in range(2)} == {signal.SIGUSR1, signal.SIGUSR2}
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 128 + signal.SIGTERM
    process.stdout.close()


def test_a_server_that_serves_a_data_directory_can_be_found(servers: StartServer, tmp_path: Path) -> None:
    own = servers()
    assert (tmp_path / "data" / "serve.url").read_text() == own.url
    assert own.stop() == 0
    assert not (tmp_path / "data" / "serve.url").exists()


def test_base_urls_lead_back_to_the_proxy(api: Api, server: RunningServer, tmp_path: Path) -> None:
    """Whatever the client sends itself."""
    program = """
import httpx, os, sys
for host in ("login.eloqua.com", "secure.p03.eloqua.com"):
    told = {"X-Forwarded-Host": "example.com", "X-Forwarded-Port": "1", "Forwarded": "host=example.com"}
    answer = httpx.get(f"https://{host}/id", auth=(sys.argv[1], "secret"), headers=told, timeout=60)
    print(answer.json()["urls"]["base"], answer.json()["urls"]["apis"]["rest"]["bulk"])
print(httpx.get("https://login.eloqua.com/id", timeout=60).text)
"""
    login = str(api.call("GET", "/id").json()["site"]["name"]) + "\\ann"
    done = staithe_run("--server", server.url, *python(program), login, cwd=tmp_path)
    assert done.stdout.splitlines() == [
        "https://secure.p01.eloqua.com https://secure.p01.eloqua.com/API/Bulk/{version}/",
        "https://secure.p03.eloqua.com https://secure.p03.eloqua.com/API/Bulk/{version}/",
        '"Not authenticated."',
    ]


def test_a_server_that_speaks_tls_is_used(servers: StartServer, tmp_path: Path) -> None:
    """Found by its data directory it need not be trusted; by a URL it must be."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(str(tmp_path / "key"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca"))
    files = ("--tls-cert", str(tmp_path / "cert"), "--tls-key", str(tmp_path / "key"))
    own = servers(*files)
    login = LOGIN.split(":")
    found = staithe_run("--data", str(own.data), *python(LIST_SYNCS), *login, cwd=tmp_path)
    assert (found.returncode, json.loads(found.stdout)) == (0, EMPTY_PAGE)
    url = own.url.replace("127.0.0.1", "localhost")
    trusting = {"SSL_CERT_FILE": str(tmp_path / "ca")}
    program = LIST_SYNCS.replace("STAITHE_DATA", "STAITHE_URL")
    named = staithe_run("--server", url, *python(program), *login, cwd=tmp_path, environment=trusting)
    assert (named.returncode, json.loads(named.stdout)) == (0, EMPTY_PAGE), named.stderr
    refused = staithe_run("--server", url, *python(LIST_SYNCS), *login, cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "CERTIFICATE_VERIFY_FAILED" in refused.stderr
    assert own.stop() == 0


def test_two_runs_at_once_have_one_authority(server: RunningServer, tmp_path: Path) -> None:
    with (
        OpenRun("--data", str(server.data), cwd=tmp_path) as one,
        OpenRun("--data", str(server.data), cwd=tmp_path) as two,
    ):
        files = [run.environment["SSL_CERT_FILE"] for run in (one, two)]
        assert Path(files[0]).read_bytes() == Path(files[1]).read_bytes()
        assert files[0] != files[1]
    assert not Path(files[0]).exists()
