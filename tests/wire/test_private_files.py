"""Whatever the umask: what a server makes is for its user alone, and what `staithe run` runs has its own umask."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import StartServer
from tests.support.api import add_to_list
from tests.support.imports import run_import
from tests.support.programs import REAL
from tests.support.waiting import LONGEST_SECONDS


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Within the block, what this process starts has another umask."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    """The permissions of a folder and of all that is in it."""
    return {str(path): stat.S_IMODE(path.lstat().st_mode) for path in (folder, *folder.rglob("*"))}


def test_all_that_a_server_makes_is_private(
    servers: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    with umask(0):
        server = servers(data=tmp_path / "folder" / "data", is_real=True)
    api = server.api()
    run_import(api, [{"emailAddress": "none", "firstName": "A"}, {"emailAddress": "a@x.yz", "firstName": "A"}])
    uri = api.bulk("POST", "/contacts/exports", json={"name": "all", "fields": {"Id": "{{Contact.Id}}"}}).json()["uri"]
    api.sync(uri)
    api.upload(api.define(add_to_list(api.new_list())), [{"Id": 1}])
    made = {**modes(server.data), **modes(temporary)}
    made.pop(str(temporary))
    names = " ".join(made)
    assert all(part in names for part in ("/staging/", "/rejects/", "/exports/", "serve.url", "staithe-metrics-"))
    assert server.database or "company.db-wal" in names
    assert {path: oct(mode) for path, mode in made.items() if mode & 0o077} == {}
    assert server.stop() == 0


def test_a_command_that_is_run_has_the_umask_it_would_have_had() -> None:
    with umask(0o027):
        words = [*REAL, "run", "--", "sh", "-c", "umask"]
        ran = subprocess.run(words, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=True)
    assert ran.stdout.strip() == "0027"
