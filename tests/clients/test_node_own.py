"""Node.js without a client: what the how-to tells about its `https` and `fetch`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.installed import NODE, PROGRAMS, result_of
from tests.support.server import RunningServer

pytestmark = pytest.mark.one_database("The program sends and reads the same, whichever database answers it.")

WORDS = [NODE, "--no-warnings"]
PROGRAM = str(PROGRAMS / "node_own.js")
AS_OLDER = ["env", "-u", "NODE_USE_ENV_PROXY"]
"""Without the variable, which Node.js heeds from 22.21 on, ours heeds no proxy: it is as older ones are."""

WAYS = [("global-agent/bootstrap", "https"), (PROGRAMS / "undici_proxy.js", "fetch")]


@pytest.mark.parametrize(("preloaded", "way"), WAYS)
def test_a_preloaded_package_leads_an_older_one_to_the_proxy(
    server: RunningServer, tmp_path: Path, preloaded: str | Path, way: str
) -> None:
    words = [*AS_OLDER, *WORDS, "-r", str(preloaded), PROGRAM, way]
    assert result_of(server, tmp_path, words) == {"status": "alive"}


@pytest.mark.parametrize("way", ["https", "fetch"])
def test_a_newer_one_finds_the_proxy_by_itself(server: RunningServer, tmp_path: Path, way: str) -> None:
    assert result_of(server, tmp_path, [*WORDS, PROGRAM, way]) == {"status": "alive"}
