"""Starts the processes of a server, in one of two ways.

On Linux the supervisor forks: it has imported everything, so a child begins within milliseconds and shares its memory.
A fork copies the thread that forks and no other, with whatever locks the others hold. So a supervisor that has threads,
as that of `staithe run` has, starts interpreters instead. So does one on macOS, whose system libraries start threads.
`may_fork` chooses.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Generator, Mapping, Sequence
from importlib import import_module
from typing import Final, NamedTuple, NoReturn, Protocol

from setproctitle import setproctitle

from staithe.config import Settings
from staithe.observing.folder import FOLDER_VARIABLE, reserve_files
from staithe.private_descriptors import close_private

FORKS_VARIABLE: Final = "STAITHE_FORK"
"""The environment variable that keeps a supervisor from forking if it is 0: the tests' way to try the other one."""

WAIT_POLL_SECONDS: Final = 0.005
STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Process(Protocol):
    """A child process; `subprocess.Popen` is one too."""

    pid: int

    @property
    def returncode(self) -> int | None:
        """The exit code, or minus the signal that ended it; None as long as nobody has seen it end."""
        ...

    def poll(self) -> int | None:
        """The exit code, if it has ended."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not, in so many seconds.
        """
        ...

    def send_signal(self, sig: int) -> None:
        """Send a signal, unless it has ended."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...


class Program(NamedTuple):
    """What a process is to do: `run` of a module, with one argument, and with some open files of the supervisor."""

    module: str
    argument: str
    files: tuple[int, ...] = ()


def may_fork() -> bool:
    """Whether this process can fork safely."""
    return sys.platform == "linux" and threading.active_count() == 1 and os.environ.get(FORKS_VARIABLE) != "0"


def preload(module: str, metrics: Mapping[str, str]) -> None:
    """Import what a forked process will do, once for all that do it; `metrics` are the variables of the metrics folder.

    The metrics learn from the environment, as they are imported, that they belong to one of several processes. The
    variable must not stay there: what `staithe run` runs inherits it, and may count metrics of its own.
    """
    before = os.environ.get(FOLDER_VARIABLE)
    os.environ.update(metrics)
    try:
        import_module(module)
    finally:
        os.environ.pop(FOLDER_VARIABLE, None)
        if before is not None:
            os.environ[FOLDER_VARIABLE] = before


def start(program: Program, settings: Settings, metrics: Mapping[str, str]) -> Process:
    """Start a process. A supervisor that forks must not have a connection to a database open.

    Args:
        program: what it does.
        settings: of the server.
        metrics: the variables of the metrics folder.
    """
    if may_fork():
        preload(program.module, metrics)
        return fork(program, settings, metrics)
    return subprocess.Popen(
        interpreter_words(program, os.getpid()),
        env=environment_of(settings, metrics),
        pass_fds=program.files,
        stdin=subprocess.DEVNULL,
        # A terminal's Ctrl-C is for the supervisor, which then stops the children in order.
        start_new_session=True,
    )


def interpreter_words(program: Program, supervisor: int) -> list[str]:
    """The command line of a process that is started as an interpreter."""
    return [sys.executable, "-m", program.module, program.argument, str(supervisor)]


def environment_of(settings: Settings, metrics: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that is started as an interpreter."""
    return {**os.environ, **settings.to_environment(), **metrics}


def fork(program: Program, settings: Settings, metrics: Mapping[str, str]) -> ForkedProcess:
    """Start a process as a copy of this one."""
    supervisor = os.getpid()
    # What waits to be written would be written by both.
    flush()
    # What the copy never touches stays shared: without this the garbage collector would write into all of it.
    gc.freeze()
    # A signal that came before the child has its own handlers would be taken for the supervisor's.
    with blocked(STOP_SIGNALS):
        pid = os.fork()
        if pid == 0:
            become_child(program, supervisor, settings, metrics)
    gc.unfreeze()
    return ForkedProcess(pid)


@contextlib.contextmanager
def blocked(numbers: Sequence[signal.Signals]) -> Generator[None]:
    """Keep signals waiting within the block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def become_child(program: Program, supervisor: int, settings: Settings, metrics: Mapping[str, str]) -> NoReturn:
    """Be a process of its own from the fork on, and end as an interpreter ends."""
    code = 1
    try:
        detach(program.files)
        os.environ.update(metrics)
        try:
            reserve_files()
        except OSError:
            # Metrics that are imported cannot do without their files any more. An interpreter decides anew.
            for file in program.files:
                os.set_inheritable(file, True)
            words = interpreter_words(program, supervisor)
            os.execve(sys.executable, words, environment_of(settings, metrics))  # noqa: S606 (no shell is wanted)
        import_module(program.module).run(settings, program.argument, supervisor)
        code = 0
    except SystemExit as error:
        code = exit_code(error)
    except BaseException:
        traceback.print_exc()
    finally:
        logging.shutdown()
        flush()
        # Not the interpreter's own end: that would run what the supervisor has registered for its end.
        os._exit(code)


def exit_code(error: SystemExit) -> int:
    """The exit code of an interpreter that ends so."""
    return error.code if isinstance(error.code, int) else int(error.code is not None)


def flush() -> None:
    """Write what the standard streams have kept."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


def detach(files: Sequence[int]) -> None:
    """Keep nothing of the supervisor but some open files: not its terminal, locks, socket, or ways to take signals."""
    os.setsid()
    close_private(but=files)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


class ForkedProcess:
    """A child that was forked."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, if it has ended."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not, in so many seconds.
        """
        limit = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if limit is not None and time.monotonic() >= limit:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            time.sleep(WAIT_POLL_SECONDS)
        return code

    def send_signal(self, sig: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def name_process(name: str) -> None:
    """Show a name in the list of processes: `http`, or that of a worker."""
    setproctitle(f"staithe {name}")
