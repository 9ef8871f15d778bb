"""A server inside the process of the demo, and its end: nothing of it outlives the demo, however that ends."""

from __future__ import annotations

import signal
import socket
import tempfile
import threading
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from staithe.cli.progress import spinner
from staithe.cli.serve import take_port
from staithe.config import Settings
from staithe.domain.errors import Conflict, Failure, RequestError, ValidationFailed
from staithe.services import deployment
from staithe.services.stores import Stores
from staithe.supervisor import Supervisor

START_SECONDS: Final = 60.0
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop_on_signals() -> None:
    """Let the first signal raise KeyboardInterrupt, and no other one disturb what is done then."""

    def interrupt(*_: object) -> None:
        ignore_signals()
        raise KeyboardInterrupt

    for number in SIGNALS:
        signal.signal(number, interrupt)


def ignore_signals() -> None:
    """From here on the process ends by itself."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def data_directory(kept: Path | None) -> Generator[Path]:
    """The directory to use: one to keep, or a temporary one that is removed in the end.

    Raises:
        ValidationFailed: the one to keep cannot be used.
    """
    if kept is None:
        with tempfile.TemporaryDirectory(prefix="staithe-demo-") as folder:
            yield Path(folder)
        return
    try:
        kept.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValidationFailed(Failure(f"--data {kept}", f"Cannot be used: {error.strerror}.")) from error
    yield kept.absolute()


class RunningServer:
    """A server whose processes run already, and whose supervisor watches them from a thread."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.stores = supervisor.stores
        self.is_ready = False
        self.changed = threading.Event()
        self.ended = threading.Event()
        self.failure: Exception | None = None
        self.thread = threading.Thread(target=self.run, name="supervisor")

    def run(self) -> None:
        try:
            self.supervisor.run()
        except Exception as error:
            self.failure = error
        finally:
            self.ended.set()
            self.changed.set()

    def note_ready(self) -> None:
        self.is_ready = True
        self.changed.set()

    def start(self) -> None:
        """Watch it from now on, and wait until it answers.

        Raises:
            RequestError: it does not.
        """
        self.supervisor.on_ready = self.note_ready
        self.thread.start()
        with spinner("starting the server"):
            self.changed.wait(START_SECONDS)
        if not self.is_ready:
            raise RequestError(f"The server does not start: {self.failure or 'it does not answer'}.")

    def wait(self) -> None:
        """Wait as long as it runs, which a signal ends.

        Raises:
            RequestError: it has ended by itself.
        """
        self.ended.wait()
        raise RequestError(f"The server has ended: {self.failure}.")

    def stop(self) -> None:
        """Watch it no more: its processes may end."""
        self.supervisor.stopping.set()
        if self.thread.ident is not None:
            self.thread.join()


@contextmanager
def running_server(data: Path, port: int | None) -> Generator[RunningServer]:
    """A server that answers, stopped in the end; what ends it is the last signal that is heeded.

    Args:
        data: its data directory.
        port: its port; None for the usual one or, if that is taken, a free one.
    """
    listener = take_some_port(data, port)
    stores = Stores(data)
    deployment.claim_staging_area(stores)
    # Whoever starts it is its only user, and receives callbacks on this machine.
    supervisor = Supervisor(Settings(data=data, allow_private_callbacks=True), stores, listener)
    # Its processes are started before its thread: staithe.processes.may_fork.
    with closing(stores), supervisor.started():
        running = RunningServer(supervisor)
        try:
            running.start()
            yield running
        finally:
            ignore_signals()
            running.stop()


def take_some_port(data: Path, port: int | None) -> socket.socket:
    """The socket of a server: on the port that is wanted, or else on the usual one or a free one."""
    if port is not None:
        return take_port(Settings(data=data, port=port))
    try:
        return take_port(Settings(data=data))
    except Conflict:
        return take_port(Settings(data=data, port=0))
