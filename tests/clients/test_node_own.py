"""Node.js without a client: what the how-to tells about its `https` and `fetch`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.installed import PROGRAMS, result_of
from tests.support.server import RunningServer

WAYS = [("global-agent/bootstrap", "https"), (PROGRAMS / "undici_proxy.js", "fetch")]


@pytest.mark.parametrize(("preloaded", "way"), WAYS)
def test_a_preloaded_package_leads_to_the_proxy(
    server: RunningServer, tmp_path: Path, preloaded: str | Path, way: str
) -> None:
    words = ["node", "--no-warnings", "-r", str(preloaded), str(PROGRAMS / "node_own.js"), way]
    assert result_of(server, tmp_path, words) == {"status": "alive"}
