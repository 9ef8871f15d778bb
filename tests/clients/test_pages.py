"""The programs on the pages of the clients, run as a reader would run them: each prints what its page says."""

from __future__ import annotations

import os
import re
from pathlib import Path
from textwrap import dedent

from staithe.clock import system_clock
from staithe.domain.companies import Role
from staithe.services import accounts
from tests.clients.installed import CLIENTS, NODE, NODE_MODULES, ROOT
from tests.conftest import Deployment
from tests.support.run import staithe_run

PAGES = sorted((ROOT / "docs" / "howto" / "clients").glob("*.md"))
PROGRAM = re.compile(r"^    staithe run -- (\w+ - <<'END'\n.*?^    END)$\n\nprints\n\n((?:    [^\n]*\n)+)", re.S | re.M)
BETWEEN = "=====\n"


def programs() -> list[tuple[str, str]]:
    """(shell command, what it prints) of each page that has one."""
    found = [match for page in PAGES for match in PROGRAM.findall(page.read_text())]
    return [(dedent(f"    {command}"), dedent(printed)) for command, printed in found]


def test_each_page_prints_what_it_says(deployment: Deployment, tmp_path: Path) -> None:
    server = deployment("sqlite")
    company = accounts.create_company(server.stores, "demo", system_clock())
    accounts.set_user(server.stores, company, "admin", "demo", Role.ADMIN, system_clock())
    pages = programs()
    assert len(pages) == len(PAGES) - 1, "all but the tap's"
    script = f"\nprintf {BETWEEN!r}\n".join(command for command, _ in pages)
    path = f"{CLIENTS / 'python' / 'bin'}:{Path(NODE).parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "NODE_PATH": str(NODE_MODULES)}
    words = ["--data", str(server.data), "--", "sh", "-ec", script]
    done = staithe_run(*words, cwd=tmp_path, environment=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split(BETWEEN) == [printed for _, printed in pages]
