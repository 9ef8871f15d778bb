"""Programs of Staithe as tests start them: forked from a template, or as an interpreter where the start matters."""

from __future__ import annotations

import atexit
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Protocol

from tests.support.waiting import LONGEST_SECONDS

REAL = [sys.executable, "-m", "staithe"]
NUMBER_BYTES = 32


class Program(Protocol):
    """What a test may ask of a program that it has started; `subprocess.Popen` can do it too."""

    pid: int
    stdout: IO[str] | None

    @property
    def returncode(self) -> int | None:
        """The exit code, as far as it is known."""
        ...

    def poll(self) -> int | None:
        """The exit code, if it has ended."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended."""
        ...

    def send_signal(self, sig: int) -> None:
        """Send a signal, unless it has ended."""
        ...

    def terminate(self) -> None:
        """Ask it to end."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...


class ForkedProgram:
    """A program that the template has forked: what it writes is in `stdout`, standard error too."""

    def __init__(self, told: socket.socket, stdout: IO[str] | None) -> None:
        self.told = told
        self.pid = int(told.recv(NUMBER_BYTES))
        self.stdout = stdout
        self.returncode: int | None = None
        # Not `select`, which knows the first 1,024 files alone: a test run has more open.
        self.ending = select.poll()
        self.ending.register(told, select.POLLIN)

    def poll(self) -> int | None:
        """The exit code, if it has ended."""
        return self.look(0.0)

    def look(self, seconds: float | None) -> int | None:
        """Wait a while for its end: the exit code, or None."""
        if self.returncode is None and self.ending.poll(None if seconds is None else seconds * 1000):
            # Nothing comes if the template itself is gone, which ends what it has started.
            self.returncode = int(self.told.recv(NUMBER_BYTES) or -signal.SIGKILL)
            self.told.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not, in so many seconds.
        """
        code = self.look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return code

    def send_signal(self, sig: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


@functools.cache
def template() -> socket.socket:
    """Where the template of this process of the test run takes requests; it is started when it is first needed."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with there:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.template", str(there.fileno())],
            pass_fds=[there.fileno()],
            stdin=subprocess.DEVNULL,
            # Ctrl-C is for the test run, which then closes its end.
            start_new_session=True,
            cwd=Path(__file__).parents[2],
        )

    def end() -> None:
        here.close()
        process.wait(60)

    atexit.register(end)
    return here


def can_fork() -> bool:
    """Whether this system lets the template do its work."""
    return sys.platform == "linux"


def start(words: Sequence[str], environment: Mapping[str, str], *, is_real: bool = False) -> Program:
    """Start `staithe` with some words; its output can be read from `stdout`, standard error with it.

    Args:
        words: of the command line, behind `staithe`.
        environment: all its variables.
        is_real: whether it starts with an interpreter, as an operator starts it.
    """
    if is_real or not can_fork():
        return subprocess.Popen(
            [*REAL, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
    reader, writer = os.pipe()
    program = fork(words, environment, (subprocess.DEVNULL, writer, writer), os.fdopen(reader))
    os.close(writer)
    return program


def fork(
    words: Sequence[str],
    environment: Mapping[str, str],
    streams: Sequence[int],
    stdout: IO[str] | None,
    folder: Path | None = None,
) -> ForkedProgram:
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    folder = folder or Path.cwd()
    request = json.dumps({"words": list(words), "environment": dict(environment), "folder": str(folder)})
    nothing = os.open(os.devnull, os.O_RDONLY)
    files = [there.fileno(), *(nothing if stream == subprocess.DEVNULL else stream for stream in streams)]
    with there:
        socket.send_fds(template(), [request.encode()], files)
    os.close(nothing)
    return ForkedProgram(here, stdout)


def run(
    words: Sequence[str],
    environment: Mapping[str, str],
    *,
    given: str = "",
    folder: Path | None = None,
    seconds: float = LONGEST_SECONDS,
) -> subprocess.CompletedProcess[str]:
    """Run `staithe` with some words to its end, in a folder if one is named."""
    if not can_fork():
        return subprocess.run(
            [*REAL, *words],
            input=given,
            capture_output=True,
            text=True,
            timeout=seconds,
            env=environment,
            cwd=folder,
            check=False,
        )
    with TemporaryFile("w+") as stdin, TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        stdin.write(given)
        stdin.seek(0)
        program = fork(words, environment, [stdin.fileno(), out.fileno(), err.fileno()], None, folder)
        try:
            code = program.wait(seconds)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait(seconds)
            raise
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(["staithe", *words], code, out.read(), err.read())
