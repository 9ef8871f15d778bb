"""Runs `staithe demo` as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from tests.support import programs
from tests.support.waiting import LONGEST_SECONDS

COMMAND = [sys.executable, "-m", "staithe", "demo"]


def environment() -> dict[str, str]:
    """Ours, as a newcomer's terminal is."""
    return {**os.environ, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8"}


def run_demo(*options: str) -> subprocess.CompletedProcess[str]:
    """A demo that ends by itself."""
    return programs.run(["demo", *options], environment())


def run_once(*options: str) -> dict[str, Any]:
    """The report of a demo with 200 contacts."""
    done = run_demo("--once", "--json", "--port", "0", "--contacts", "200", *options)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


class ServingDemo:
    """A demo that goes on, and the processes it has started so far."""

    def __init__(self, *options: str, until: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        self.lines: list[str] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if until in line:
                break
        self.children = psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal: (exit code, standard error)."""
        self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=LONGEST_SECONDS)
        self.lines += output.splitlines()
        return self.process.returncode, errors

    def temporary_directory(self) -> Path:
        """The data directory that its processes have open."""
        opened = (Path(file.path) for child in self.children for file in child.open_files())
        return next(path.parent for path in opened if path.name == "control.db")
