"""The processes of `staithe serve` and `staithe worker`: started together, watched, and stopped in order.

HTTP processes share one listening socket, which the supervisor keeps: while one is started anew the others serve on.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import msgspec

from staithe.app import TRY_AGAIN
from staithe.beats import Beat, Silence
from staithe.config import Settings
from staithe.domain.companies import Company
from staithe.domain.errors import Busy, StoreUnusable
from staithe.observing.folder import MetricsFolder
from staithe.private_descriptors import forget, keep_private
from staithe.processes import Process, Program, start
from staithe.services.stores import Stores
from staithe.stop_latch import StopLatch
from staithe.storage import control, syncs

LOGGER: Final = logging.getLogger(__name__)
URL_FILE: Final = "serve.url"
"""In the data directory while a server runs on it: where it can be reached."""
BACKLOG: Final = 1024
HTTP: Final = "staithe.http.process"
WORKER: Final = "staithe.worker"
WATCH_SECONDS: Final = 0.05
LOOK_SECONDS: Final = 0.05
"""How long the supervisor looks into companies before it looks after its processes again."""

STOP_SECONDS: Final = 30.0
PAUSE_SECONDS: Final = 2.0
"""Between two starts of a process that cannot begin yet."""

QUICK_DEATH_SECONDS: Final = 2.0
MOST_QUICK_DEATHS: Final = 5


@dataclass(slots=True)
class Child:
    """A process to keep alive: its name, how to start it, and how it has fared."""

    name: str
    start: Callable[[], Process]
    on_death: Callable[[], None]
    beat: Beat
    hung_seconds: float
    silence: Silence = field(default_factory=Silence)
    process: Process | None = None
    started_at: float = 0.0
    quick_deaths: int = 0

    def run(self) -> None:
        """Start it."""
        self.beat.begin()
        self.process = self.start()
        self.started_at = time.monotonic()

    def is_hung(self, process: Process) -> bool:
        """Whether it lives and does nothing; then it is ended here."""
        if self.silence.look(self.beat.last()) < self.hung_seconds:
            return False
        LOGGER.error("the %s process lives, but has done nothing for %.0f s: ending it", self.name, self.hung_seconds)
        process.kill()
        process.wait()
        return True

    def revive(self) -> None:
        """Start it anew if it has died, or hangs.

        Raises:
            RuntimeError: it dies again and again as soon as it is started.
        """
        if self.process is None or (self.process.poll() is None and not self.is_hung(self.process)):
            return
        if self.process.returncode == TRY_AGAIN:
            if time.monotonic() - self.started_at > PAUSE_SECONDS:
                self.run()
            return
        lived = time.monotonic() - self.started_at
        self.quick_deaths = self.quick_deaths + 1 if lived < QUICK_DEATH_SECONDS else 0
        if self.quick_deaths >= MOST_QUICK_DEATHS:
            raise RuntimeError(f"the {self.name} process does not stay alive (exit code {self.process.returncode})")
        LOGGER.warning("the %s process died (exit code %s): starting it anew", self.name, self.process.returncode)
        try:
            self.on_death()
        except Busy as error:
            # What it held is free when its leases are over.
            LOGGER.warning("nothing can be done for it: %s", error.message)
        self.run()


class Supervisor:
    """One running server; without HTTP processes, so with nothing to listen on, it is workers alone.

    Args:
        settings: of the server; port 0 takes a free one.
        stores: of the server. They are closed whenever a process is started, and opened anew when they are needed.
        listener: of `listen`; None for workers alone.
        on_ready: called once, when an HTTP process answers.
    """

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        listener: socket.socket | None = None,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        self.stores = stores
        self.on_ready = on_ready
        self.listener = listener
        port: int = self.listener.getsockname()[1] if self.listener else settings.port
        self.settings = msgspec.structs.replace(settings, port=port)
        self.stopping = StopLatch()
        self.metrics = MetricsFolder()
        self.unlooked: list[Company] = []
        """Companies in which an earlier server may have left leases."""
        self.ready_pipe = os.pipe()
        for descriptor in (*self.ready_pipe, *([self.listener.fileno()] if self.listener else [])):
            keep_private(descriptor)
        # No two workers that share a database may have one name, wherever they are.
        self.names = [f"worker-{number}-{uuid.uuid4().hex}" for number in range(1, settings.workers + 1)]
        self.workers = [self.worker_child(name) for name in self.names]
        self.http = [self.http_child() for _ in range(settings.http_workers)]

    @property
    def url(self) -> str:
        """The server's base URL."""
        host = self.settings.host
        scheme = "http" if self.settings.tls_certificate is None else "https"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.settings.port}"

    @property
    def children(self) -> list[Child]:
        """Every process that is to be kept alive."""
        return [*self.http, *self.workers]

    @contextmanager
    def started(self) -> Generator[None]:
        """Run every process within the block, which is for `run`; then stop them: HTTP first, so nothing new comes in.

        Better from a process that has no threads yet: `staithe.processes.may_fork`.
        """
        try:
            # HTTP first: it answers while companies are looked into, and what workers do is imported.
            for child in self.http:
                child.run()
            if self.settings.has_store_of_its_own:
                self.unlooked = self.companies()
                self.look_for_leases()
            for child in self.workers:
                child.run()
            self.note_url()
            yield
        finally:
            self.end()

    def run(self) -> None:
        """Keep the processes alive until `stopping` is set."""
        self.await_ready()
        while not self.stopping.wait(WATCH_SECONDS):
            self.revive()
            self.look_for_leases()

    def await_ready(self) -> None:
        """Watch until an HTTP process answers, and say so."""
        # Not `select`, which knows the first 1,024 files alone.
        ready = select.poll()
        ready.register(self.ready_pipe[0], select.POLLIN)
        while self.http and not self.stopping.is_set():
            if ready.poll(WATCH_SECONDS * 1000):
                self.on_ready()
                return
            self.revive()

    def revive(self) -> None:
        """Start anew what has died."""
        for child in self.children:
            child.revive()

    def end(self) -> None:
        """Stop every process, and forget the server."""
        self.forget_url()
        # Once the HTTP processes have closed it too, whoever comes is refused instead of waiting for nobody.
        if self.listener is not None:
            forget(self.listener.fileno())
            self.listener.close()
        stop(self.http)
        stop(self.workers)
        for descriptor in (*self.ready_pipe, *(child.beat.descriptor for child in self.children)):
            forget(descriptor)
            os.close(descriptor)
        self.metrics.remove()
        self.stopping.close()

    def note_url(self) -> None:
        """Write down where the server is, for others on this machine; a full disk is no reason not to serve."""
        if self.listener is None:
            return
        try:
            (self.settings.data / URL_FILE).write_text(self.url)
        except OSError as error:
            LOGGER.warning("%s cannot be written: staithe run will not find this server: %s", URL_FILE, error)

    def forget_url(self) -> None:
        """Take the note back, unless another server of the directory has written its own."""
        note = self.settings.data / URL_FILE
        with suppress(OSError):
            if note.read_text() == self.url:
                note.unlink()

    def http_child(self) -> Child:
        assert self.listener is not None
        beat = self.new_beat()
        workers = [child.beat.descriptor for child in self.workers]
        files = (self.listener.fileno(), self.ready_pipe[1], beat.descriptor, *workers)
        program = Program(HTTP, ",".join(str(file) for file in files), files)
        return Child("http", lambda: self.spawn(program), lambda: None, beat, self.settings.pauses.hung_seconds)

    def worker_child(self, name: str) -> Child:
        # No other open file: with the socket, a worker would hold the port after the server's end.
        beat = self.new_beat()
        program = Program(WORKER, f"{name},{beat.descriptor}", (beat.descriptor,))
        hung_seconds = self.settings.pauses.hung_seconds
        return Child("worker", lambda: self.spawn(program), lambda: self.release_leases(name), beat, hung_seconds)

    def new_beat(self) -> Beat:
        beat = Beat()
        keep_private(beat.descriptor)
        return beat

    def spawn(self, program: Program) -> Process:
        """Start a process, which gets no connection to a store: two processes must not share one."""
        self.stores.close()
        return start(program, self.settings, self.metrics.environment())

    def companies(self) -> list[Company]:
        """Every company."""
        with self.stores.control.read() as connection:
            return control.all_companies(connection)

    def look_for_leases(self) -> None:
        """For a moment look into companies that an earlier server on this data directory may have left leases in.

        The others come with the next moments: however many companies there are, they keep no process waiting.
        """
        ends_at = time.monotonic() + LOOK_SECONDS
        while self.unlooked and time.monotonic() < ends_at:
            try:
                self.release_leases_of(self.unlooked.pop())
            except Busy as error:
                # What is held there is free when its leases are over.
                LOGGER.warning("nothing can be done for a company: %s", error.message)

    def release_leases(self, worker: str) -> None:
        """A worker that is known to be dead holds nothing: what it had begun can be taken up at once."""
        for company in self.companies():
            self.release_leases_of(company, worker)

    def release_leases_of(self, company: Company, worker: str | None = None) -> None:
        """End the leases of a worker in a company; without one those of all workers but this server's.

        Raises:
            Busy: the store cannot be had.
        """
        if not self.stores.may_have_leases(company):
            return
        try:
            with self.stores.open(company).database.write(alone=False) as connection:
                released = syncs.release_leases(connection, worker, () if worker else self.names)
        except StoreUnusable:
            return
        except Busy:
            raise
        except Exception:
            # One company's store that cannot be used must not keep the others waiting.
            LOGGER.exception("company %s cannot be looked into", company.name)
            return
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


def stop(children: Sequence[Child]) -> None:
    """End processes side by side: politely, then not."""
    running = [(child, child.process) for child in children if child.process is not None]
    for _, process in running:
        process.send_signal(signal.SIGTERM)
    limit = time.monotonic() + STOP_SECONDS
    for child, process in running:
        try:
            process.wait(max(limit - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            LOGGER.warning("the %s process did not stop in time: killing it", child.name)
            process.kill()
            process.wait()
