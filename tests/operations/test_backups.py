"""Backups of a company on a running server: what is restored is what there was, in whichever database."""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from staithe.services import accounts
from staithe.services.stores import CompanyStore
from staithe.storage import dialect
from tests.operations.conftest import Deployment
from tests.support.api import Api
from tests.support.audit import Replay, check_changes_of_syncs, check_files
from tests.support.server import RunningServer
from tests.support.whole_company import everything, files_of, fill, rows_of
from tests.wire.test_commands import staithe

KINDS = ("sqlite", "postgresql")
NUMBERS = itertools.count(1)


def where(server: RunningServer) -> list[str]:
    return ["--data", str(server.data), *(["--database", server.database] if server.database else [])]


def back_up(server: RunningServer, company: str, file: Path, *options: str) -> dict[str, Any]:
    """Call `staithe backup`, and give what it tells."""
    done = staithe("backup", company, str(file), *where(server), "--json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def try_restore(server: RunningServer, file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return staithe("restore", str(file), *where(server), *options)


def restore(server: RunningServer, file: Path, name: str) -> tuple[Api, CompanyStore]:
    """Call `staithe restore`, and give a client of the company and its store."""
    done = try_restore(server, file, "--company", name)
    assert done.returncode == 0, done.stderr
    store = server.stores.open(accounts.find_company(server.stores, name))
    return server.api(f"{name}\\ann:secret"), store


def new_name() -> str:
    return f"harbour{next(NUMBERS)}"


def audit(store: CompanyStore) -> None:
    """What must be true of any company at any moment."""
    check_files(store)
    with store.database.read() as connection:
        Replay().follow(connection)
        check_changes_of_syncs(connection)


@pytest.mark.parametrize(("source", "target"), list(itertools.product(KINDS, KINDS)))
def test_a_restored_company_is_the_one_that_was_backed_up(
    deployment: Deployment, tmp_path: Path, source: str, target: str
) -> None:
    api, store = deployment(source).new_company(new_name())
    waiting = fill(api)
    before, rows, files = everything(api), rows_of(store), files_of(store)
    figures = back_up(deployment(source), store.company.name, tmp_path / "backup.zip")
    name = new_name()
    copy, copied = restore(deployment(target), tmp_path / "backup.zip", name)
    assert everything(copy) == before
    assert rows_of(copied) == rows
    assert files_of(copied) == files
    assert (figures["contacts"], figures["syncs"], figures["files"]) == (299, len(rows["sync"]), len(files))
    with copied.database.read() as connection:
        assert dialect.of(connection).match_index_columns(connection) == ["c_own_text1"]
    audit(copied)
    for uri in (waiting.sync_actions, waiting.imports):
        assert go_on(copy, copied, uri) == go_on(api, store, uri)
    audit(copied)


def go_on(api: Api, store: CompanyStore, uri: str) -> tuple[Any, ...]:
    """Sync what waits, and give what becomes of it, but for the times."""
    sync = api.sync(uri)
    rows = rows_of(store)
    return (
        (sync["uri"], sync["status"]),
        [without_times(line) for line in api.log(sync["uri"])],
        api.rejects(sync["uri"]),
        [without_times(contact) for contact in rows["contact"]],
        [rows[name] for name in ("id_set", "id_set_chunk", "set_change", "counter", "import_chunk", "upload")],
    )


def without_times(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("created_at", "updated_at", "createdAt")}
