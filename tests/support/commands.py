"""Runs the commands of `staithe` as an operator does."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.support.server import RunningServer
from tests.support.waiting import LONGEST_SECONDS


def staithe(*words: str, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "staithe", *words],
        input=given,
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        env={**os.environ, "COLUMNS": "200", **environment},
        check=False,
    )


def where(server: RunningServer) -> list[str]:
    """The options that lead a command to a server's stores."""
    return ["--data", str(server.data), *(["--database", server.database] if server.database else [])]
