"""Backing up and restoring as an operator does: by the commands, beside a running server."""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path
from typing import Any

from staithe.services import accounts
from staithe.services.stores import CompanyStore
from tests.support.api import Api
from tests.support.audit import Replay, check_changes_of_syncs, check_files
from tests.support.commands import staithe, where
from tests.support.server import RunningServer

NUMBERS = itertools.count(1)


def new_name() -> str:
    """A name that no company has yet."""
    return f"harbour{next(NUMBERS)}"


def back_up(server: RunningServer, company: str, file: Path, *options: str) -> dict[str, Any]:
    """Call `staithe backup`, and give what it tells."""
    done = staithe("backup", company, str(file), *where(server), "--json", *options)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def try_restore(server: RunningServer, file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Call `staithe restore`."""
    return staithe("restore", str(file), *where(server), *options)


def restore(server: RunningServer, file: Path, name: str) -> tuple[Api, CompanyStore]:
    """Call `staithe restore`, and give a client of the company and its store."""
    done = try_restore(server, file, "--company", name)
    assert done.returncode == 0, done.stderr
    store = server.stores.open(accounts.find_company(server.stores, name))
    return server.api(f"{name}\\ann:secret"), store


def audit(store: CompanyStore) -> None:
    """What must be true of any company at any moment."""
    check_files(store)
    with store.database.read() as connection:
        Replay().follow(connection)
        check_changes_of_syncs(connection)
