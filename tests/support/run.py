"""Runs `staithe run` as a process, and holds its proxy open for tests that talk to it themselves."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import psutil

from staithe.proxy.environment import BUNDLE_VARIABLES
from tests.support import programs
from tests.support.waiting import LONGEST_SECONDS

COMMAND = [sys.executable, "-m", "staithe", "run"]
HOLD = "import json, os, sys; print(json.dumps(dict(os.environ)), flush=True); sys.stdin.read()"
SECONDS = LONGEST_SECONDS


def clean_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours without what would send a client elsewhere, or have it trust more."""
    kept = {k: v for k, v in os.environ.items() if "PROXY" not in k.upper() and not k.startswith("STAITHE")}
    kept = {k: v for k, v in kept.items() if k not in BUNDLE_VARIABLES}
    return {**kept, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8", **(more or {})}


def staithe_run(
    *words: str, cwd: Path, given: str = "", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end. In a folder of its own, as a server might run on the data directory of this one."""
    return programs.run(["run", *words], clean_environment(environment), given=given, folder=cwd)


def python(program: str) -> list[str]:
    """The words that run a Python program."""
    return ["--", sys.executable, "-c", program]


class OpenRun:
    """A `staithe run` whose command does nothing until it is told to end. What it says is kept in `lines`."""

    def __init__(self, *options: str, cwd: Path, environment: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *options, *python(HOLD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment(environment),
            cwd=cwd,
        )
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        assert first, self.process.communicate(timeout=SECONDS)
        self.environment: dict[str, str] = json.loads(first)
        self.proxy = self.environment["HTTPS_PROXY"]
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self.read_errors, daemon=True)
        self.reader.start()

    def read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def __enter__(self) -> OpenRun:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self.end()

    def trust(self) -> ssl.SSLContext:
        """What a client that heeds SSL_CERT_FILE trusts."""
        return ssl.create_default_context(cafile=self.environment["SSL_CERT_FILE"])

    def connect(self) -> socket.socket:
        """A plain connection to the proxy."""
        host, _, port = self.proxy.removeprefix("http://").partition(":")
        return socket.create_connection((host, int(port)), timeout=60)

    def memory_bytes(self) -> int:
        """What the proxy's process holds."""
        return psutil.Process(self.process.pid).memory_info().rss

    def end(self) -> int:
        """Let the command end: the exit code."""
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()
        code = self.process.wait(SECONDS)
        self.reader.join(10)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
