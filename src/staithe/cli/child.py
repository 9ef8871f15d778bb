"""A command as a child process: signals go to it, and its end is ours."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import FrameType
from typing import Final

import typer
from rich.text import Text

from staithe.cli.console import ERRORS
from staithe.private_files import given_umask

PASSED_ON: Final = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
FROM_THE_TERMINAL: Final = (signal.SIGINT, signal.SIGQUIT)
"""What Ctrl-C and Ctrl-\\ send: to every process of the terminal's foreground group, so to the child as well."""
NO_SUCH_COMMAND: Final = 127
NO_PROGRAM: Final = 126
SIGNALLED: Final = 128
"""Exit codes as shells give them; to the last one the signal's number is added."""
LONGEST_WAIT_SECONDS: Final = 0.2


class Child:
    """A command that gets the signals which this process gets.

    Take them (`take_signals`) before anything is started that must be ended: what comes before the command runs ends it
    as soon as it does.
    """

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.waiting: list[int] = []

    def take_signals(self) -> None:
        for number in PASSED_ON:
            signal.signal(number, self.pass_on)

    def pass_on(self, number: int, _frame: FrameType | None) -> None:
        if number in FROM_THE_TERMINAL and is_in_foreground() and self.process is not None:
            return
        if self.process is None:
            self.waiting.append(number)
        else:
            self.process.send_signal(number)

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Run a command to its end, and give the exit code that a shell would.

        Raises:
            typer.Exit: it cannot be started, or a signal came before it was.
        """
        if self.waiting:
            raise typer.Exit(SIGNALLED + self.waiting[0])
        try:
            self.process = subprocess.Popen(command, env=environment, umask=given_umask())
        except FileNotFoundError as error:
            raise give_up(f"There is no command {command[0]}.", NO_SUCH_COMMAND) from error
        except OSError as error:
            raise give_up(f"{command[0]} cannot be run: {error.strerror}.", NO_PROGRAM) from error
        for number in self.waiting:
            self.process.send_signal(number)
        code = wait(self.process)
        return SIGNALLED - code if code < 0 else code


def wait(process: subprocess.Popen[bytes]) -> int:
    """A command's exit code.

    A signal that comes just before a wait does not end it, and Python passes it on only when something does.
    """
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(LONGEST_WAIT_SECONDS)


def give_up(text: str, code: int) -> typer.Exit:
    """Say why there is no child; what is to be raised."""
    say(text)
    return typer.Exit(code)


def say(text: str) -> None:
    """One line beside what the command prints, which has standard output for itself."""
    ERRORS.print(Text(f"staithe run: {text}"), soft_wrap=True)


def is_in_foreground() -> bool:
    """Whether this process is one of those that the terminal sends signals to."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)
