"""Runs the commands of `staithe` as an operator does."""

from __future__ import annotations

import os
import subprocess

from tests.support import programs
from tests.support.server import RunningServer


def staithe(*words: str, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return programs.run(words, {**os.environ, "COLUMNS": "200", **environment}, given=given)


def where(server: RunningServer) -> list[str]:
    """The options that lead a command to a server's stores."""
    return ["--data", str(server.data), *(["--database", server.database] if server.database else [])]
