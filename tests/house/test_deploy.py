"""What stands in `deploy`: read by linters, and compared with the command line and a server that runs."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from staithe.cli.commands import COMMANDS
from staithe.cli.serve import BOOTSTRAP
from staithe.supervisor import STOP_SECONDS
from tests.support.server import RunningServer
from tests.support.waiting import LONGEST_SECONDS

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
TOOLS = Path(sys.executable).parent
DOCKERFILE = DEPLOY / "Dockerfile"
COMPOSE = DEPLOY / "compose.yaml"
UNITS = sorted(DEPLOY.glob("*.service"))
WRONG_FINDINGS = ("Security.Delegate", "Security.UMaskOW")
"""systemdlint 1.4 asks every service for `Delegate=`, which is for those that manage cgroups of their own, and takes
the umask 0077 for world-writable, which is the contrary of what it does."""
SYSTEMD = "2.52"
"""The systemd for which units are read, Debian 12's. Not told, systemdlint asks for the machine's with binutils."""


def tool(name: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a linter to its end."""
    return subprocess.run([TOOLS / name, *words], capture_output=True, text=True, timeout=120, check=False)


def unit_findings(unit: Path) -> list[str]:
    """What systemdlint has to say about a unit."""
    lines = tool("systemdlint", "--norootfs", "--sversion", SYSTEMD, unit).stderr.splitlines()
    return [line for line in lines if not any(f"[{wrong}]" in line for wrong in WRONG_FINDINGS)]


def test_hadolint_accepts_the_dockerfile(tmp_path: Path) -> None:
    checked = tool("hadolint", "--no-color", DOCKERFILE)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    (tmp_path / "Dockerfile").write_text("FROM python\nRUN cd /tmp && sudo pip install staithe\n")
    assert "DL3006" in tool("hadolint", "--no-color", tmp_path / "Dockerfile").stdout, "the linter lints"


def test_the_compose_file_has_the_form_of_the_specification(tmp_path: Path) -> None:
    checked = tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE)
    assert checked.returncode == 0, checked.stdout
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(COMPOSE.read_text().replace("depends_on:", "depend_on:"))
    assert tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", wrong).returncode == 1


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemdlint_accepts_the_units(unit: Path, tmp_path: Path) -> None:
    assert unit_findings(unit) == []
    wrong = tmp_path / unit.name
    wrong.write_text(unit.read_text().replace("ProtectHome=", "ProtectHouse=").replace("KillMode=mixed", "KillMode=x"))
    assert [re.findall(r"\[(\w+)\]", line) for line in sorted(unit_findings(wrong))] == [
        ["InvalidValue"],
        ["InvalidSetting"],
    ]


def option_names(command: Any) -> set[str]:
    """The options of one command, as Typer has built it."""
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}


def check_words(words: list[str]) -> None:
    """Whether a command line names a command and options that exist."""
    rows = [row for row in COMMANDS if words[: len(row.name.split())] == row.name.split()]
    assert len(rows) == 1, f"no such command: {words}"
    named = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert named <= option_names(rows[0].load()) | {"--help"}, rows[0].name


def dockerfile_command() -> list[str]:
    found = re.search(r"^CMD (\[.*\])$", DOCKERFILE.read_text(), re.M)
    assert found
    return json.loads(found[1])


def named_commands() -> list[list[str]]:
    """Every command line of Staithe in the files, without the name `staithe`."""
    lines = re.findall(r"^    command: ((?:serve|worker) .*)$", COMPOSE.read_text(), re.M)
    for unit in UNITS:
        lines += re.findall(r"^ExecStart=/opt/staithe/bin/staithe (.*)$", unit.read_text(), re.M)
    for document in (DEPLOY / "README.md", ROOT / "docs/howto/scale-out.md", ROOT / "docs/howto/postgresql.md"):
        lines += re.findall(r"`staithe ([a-z][^`]*)`", document.read_text())
        lines += re.findall(r"^    (?:\S+ )*staithe ([a-z][^#\n\\]*)", document.read_text(), re.M)
    return [dockerfile_command(), *(shlex.split(line) for line in lines)]


def test_every_command_and_option_exists() -> None:
    commands = named_commands()
    assert {words[0] for words in commands} >= {"serve", "worker", "doctor"}
    for words in commands:
        check_words(words)


def environment_names() -> set[str]:
    """Every variable that an option of any command can be set by."""
    found = [p.envvar for row in COMMANDS for p in row.load().params if p.envvar]
    return {name for names in found for name in ([names] if isinstance(names, str) else names)}


def test_every_variable_is_read_by_something() -> None:
    text = "".join(path.read_text() for path in (DEPLOY / "staithe.env.example", DOCKERFILE, *UNITS))
    named = set(re.findall(r"\b(STAITHE_\w+)=", text))
    assert named >= {"STAITHE_DATA", "STAITHE_DATABASE", "STAITHE_STAGING", BOOTSTRAP}
    assert named <= environment_names() | {BOOTSTRAP}


def test_secrets_stand_in_the_environment_file_alone() -> None:
    example = (DEPLOY / "staithe.env.example").read_text()
    secrets = set(re.findall(r"change-me-\d", example))
    assert len(secrets) == 3
    for path in (DOCKERFILE, COMPOSE, *UNITS):
        assert "change-me" not in path.read_text()
        assert not re.search(r"(?i)(password|secret|token)\w*[:=] *\w", path.read_text()), path
    assert "/deploy/staithe.env\n" in (ROOT / ".gitignore").read_text()


def test_the_image_is_made_from_the_lock_file_of_the_project() -> None:
    text = DOCKERFILE.read_text()
    assert "COPY requirements.lock" in text
    assert "--require-hashes" in text
    kept = re.findall(r"^!(\S+)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.M)
    copied = re.findall(r"^COPY (?!--)(\S+)", text, re.M)
    assert sorted(kept) == sorted(copied)
    for name in kept:
        assert (ROOT / name).exists(), name


def test_no_registry_is_named() -> None:
    """Which registry an image comes from is the installer's business."""
    images = re.findall(r"^FROM (\S+)", DOCKERFILE.read_text(), re.M)
    images += re.findall(r"^\s+image: (\S+)", COMPOSE.read_text(), re.M)
    assert len(images) >= 5
    for image in images:
        assert "." not in image.partition(":")[0], image
        assert image == "staithe" or ":" in image, f"{image} names no version"


def test_a_stop_has_time_to_end_well() -> None:
    seconds = [re.search(r"^TimeoutStopSec=(\d+)$", unit.read_text(), re.M) for unit in UNITS]
    seconds.append(re.search(r"^  stop_grace_period: (\d+)s$", COMPOSE.read_text(), re.M))
    assert len(seconds) == 3
    for found in seconds:
        assert found
        assert int(found[1]) > 2 * STOP_SECONDS, "HTTP processes first, then workers"


def test_what_the_image_asks_tells_a_healthy_server_from_none(server: RunningServer) -> None:
    found = re.search(r"^ +CMD \[\"python\", \"-c\", (\".*\")\]$", DOCKERFILE.read_text(), re.M)
    assert found
    program: str = json.loads(found[1])

    def asked(address: str) -> int:
        words = [sys.executable, "-c", program.replace("http://127.0.0.1:8080", address)]
        return subprocess.run(words, capture_output=True, timeout=LONGEST_SECONDS, check=False).returncode

    assert "http://127.0.0.1:8080/readyz" in program
    assert asked(server.url) == 0
    assert asked(server.url + "/no-such-path") == 1
    assert asked("http://127.0.0.1:9") == 1
