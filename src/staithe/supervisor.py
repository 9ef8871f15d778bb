"""`staithe serve`: one HTTP process and the sync workers, started together, watched, and stopped together."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from staithe.config import Settings
from staithe.domain.errors import Conflict
from staithe.services.stores import Stores
from staithe.storage import control, syncs

LOGGER: Final = logging.getLogger(__name__)
URL_FILE: Final = "serve.url"
"""In the data directory while a server runs on it: where it can be reached."""
BACKLOG: Final = 1024
WATCH_SECONDS: Final = 0.05
STOP_SECONDS: Final = 30.0
QUICK_DEATH_SECONDS: Final = 2.0
MOST_QUICK_DEATHS: Final = 5


@dataclass(slots=True)
class Child:
    """A process to keep alive: its name, how to start it, and how it has fared."""

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    on_death: Callable[[], None]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    quick_deaths: int = 0

    def run(self) -> None:
        """Start it."""
        self.process = self.start()
        self.started_at = time.monotonic()

    def revive(self) -> None:
        """Start it anew if it has died.

        Raises:
            RuntimeError: it dies again and again as soon as it is started.
        """
        if self.process is None or self.process.poll() is None:
            return
        lived = time.monotonic() - self.started_at
        self.quick_deaths = self.quick_deaths + 1 if lived < QUICK_DEATH_SECONDS else 0
        if self.quick_deaths >= MOST_QUICK_DEATHS:
            raise RuntimeError(f"the {self.name} process does not stay alive (exit code {self.process.returncode})")
        LOGGER.warning("the %s process died (exit code %s): starting it anew", self.name, self.process.returncode)
        self.on_death()
        self.run()


class Supervisor:
    """One running server."""

    def __init__(self, settings: Settings, stores: Stores) -> None:
        self.stores = stores
        self.listener = listen(settings)
        port: int = self.listener.getsockname()[1]
        self.settings = msgspec.structs.replace(settings, port=port)
        self.stopping = threading.Event()
        workers = [self.worker_child(number) for number in range(1, settings.workers + 1)]
        self.children = [self.http_child(), *workers]

    @property
    def url(self) -> str:
        """The server's base URL."""
        host = self.settings.host
        scheme = "http" if self.settings.tls_certificate is None else "https"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.settings.port}"

    def run(self) -> None:
        """Serve until `stopping` is set, then stop every process: HTTP first, so that nothing new comes in."""
        self.release_leases()
        try:
            for child in self.children:
                child.run()
            self.note_url()
            while not self.stopping.wait(WATCH_SECONDS):
                for child in self.children:
                    child.revive()
        finally:
            self.forget_url()
            for child in self.children:
                stop(child)
            self.listener.close()

    def note_url(self) -> None:
        """Write down where the server is, for others on this machine; a full disk is no reason not to serve."""
        try:
            (self.settings.data / URL_FILE).write_text(self.url)
        except OSError as error:
            LOGGER.warning("%s cannot be written: staithe run will not find this server: %s", URL_FILE, error)

    def forget_url(self) -> None:
        with suppress(OSError):
            (self.settings.data / URL_FILE).unlink(missing_ok=True)

    def http_child(self) -> Child:
        return Child("http", lambda: self.spawn("staithe.http.process", str(self.listener.fileno())), lambda: None)

    def worker_child(self, number: int) -> Child:
        owner = f"worker-{number}-{uuid.uuid4().hex[:8]}"
        return Child("worker", lambda: self.spawn("staithe.worker", owner), lambda: self.release_leases(owner))

    def spawn(self, module: str, argument: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", module, argument, str(os.getpid())],
            env={**os.environ, **self.settings.to_environment()},
            pass_fds=[self.listener.fileno()],
            stdin=subprocess.DEVNULL,
            # A terminal's Ctrl-C is for the supervisor, which then stops the children in order.
            start_new_session=True,
        )

    def release_leases(self, owner: str | None = None) -> None:
        """A worker that is known to be dead holds nothing: what it had begun can be taken up at once."""
        with self.stores.control.read() as connection:
            companies = control.all_companies(connection)
        for company in companies:
            with self.stores.open(company).database.write(alone=False) as connection:
                released = syncs.release_leases(connection, owner)
            if released:
                LOGGER.warning("%d syncs of company %s are taken up again", released, company.name)
                self.stores.hint_pending(company)


def listen(settings: Settings) -> socket.socket:
    """Open the server's socket; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((settings.host, settings.port))
    listener.listen(BACKLOG)
    return listener


def stop(child: Child) -> None:
    """End a process: politely, then not."""
    if child.process is None:
        return
    child.process.send_signal(signal.SIGTERM)
    try:
        child.process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        LOGGER.warning("the %s process did not stop in time: killing it", child.name)
        child.process.kill()
        child.process.wait()


@contextmanager
def only_server_of(data: Path) -> Generator[None]:
    """Hold the data directory: two servers on one would take each other's workers for dead.

    Raises:
        Conflict: another server runs on it.
    """
    data.mkdir(parents=True, exist_ok=True)
    with (data / "serve.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"Another staithe serves the data directory {data}."
            raise Conflict(message, "Stop it, or give this one another directory with --data.") from None
        yield
