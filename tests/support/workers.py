"""Starts and ends `staithe worker`: workers alone, as on another machine."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import psutil

from tests.support import programs
from tests.support.server import PRIVATE_CALLBACKS
from tests.support.waiting import LONGEST_SECONDS


class RunningWorkers:
    """One `staithe worker`. Its output is kept in `lines`."""

    def __init__(self, data: Path, *options: str, database: str = "") -> None:
        self.lines: list[str] = []
        self.ready = threading.Event()
        self.process = programs.start(
            ["worker", "--data", str(data), PRIVATE_CALLBACKS, *options],
            {**os.environ, "COLUMNS": "500", "STAITHE_DATABASE": database},
        )
        self.reader = threading.Thread(target=self.read_output, daemon=True)
        self.reader.start()
        if not self.ready.wait(LONGEST_SECONDS):
            raise AssertionError("the workers did not start:\n" + "".join(self.lines))

    def read_output(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if "runs syncs" in line:
                self.ready.set()
        self.process.stdout.close()

    def stop(self) -> int:
        """End it as an operator would, and give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(LONGEST_SECONDS)
        self.reader.join(10)
        return code

    def kill(self) -> None:
        """End it as a power cut would, children too."""
        parent = psutil.Process(self.process.pid)
        for process in [*parent.children(recursive=True), parent]:
            process.kill()
        self.process.wait(LONGEST_SECONDS)
        self.reader.join(10)
