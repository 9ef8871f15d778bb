"""Watching, stopping and killing the processes of a running server."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from staithe.services.stores import CompanyStore
from tests.support.server import RunningServer

HTTP, WORKER = "staithe.http.process", "staithe.worker"
POLL_SECONDS = 0.005
Process = psutil.Process


def until(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Wait until a condition holds."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, f"not within {seconds} s: {what}"
        time.sleep(POLL_SECONDS)


def running(server: RunningServer, module: str) -> list[Process]:
    """The children that run a module, without those that are dead and not buried."""
    found: list[Process] = []
    for process in Process(server.process.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if module in process.cmdline():
                found.append(process)
    return found


def child(server: RunningServer, module: str) -> Process:
    """The one child that runs a module, as soon as there is one."""
    found: list[Process] = []

    def is_there() -> bool:
        found[:] = running(server, module)
        return len(found) == 1

    until(is_there, f"one process of {module}")
    return found[0]


def all_processes(server: RunningServer) -> list[Process]:
    """The supervisor and its children."""
    with contextlib.suppress(psutil.NoSuchProcess):
        supervisor = Process(server.process.pid)
        return [supervisor, *supervisor.children(recursive=True)]
    return []


def kill_supervisor(server: RunningServer) -> None:
    """Kill the supervisor alone, and wait until its children have ended by themselves."""
    _, *children = all_processes(server)
    server.process.kill()
    server.process.wait(10)
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive, f"children outlived their supervisor: {alive}"
    server.close()


def kill_everything(server: RunningServer) -> None:
    """Kill all processes of a server, as a power cut would: none of them sees another die."""
    with contextlib.suppress(psutil.NoSuchProcess):
        Process(server.process.pid).suspend()
    for process in reversed(all_processes(server)):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    server.process.wait(10)
    server.close()


@contextlib.contextmanager
def paused(server: RunningServer, store: CompanyStore, process: Process) -> Iterator[None]:
    """Within the block a process is stopped, at a moment when it holds no lock that others would wait for."""
    while True:
        process.send_signal(signal.SIGSTOP)
        until(lambda: process.status() == psutil.STATUS_STOPPED, "stopped")
        if not is_locked(store) and not is_locked_file(server.data / "control.db"):
            break
        process.send_signal(signal.SIGCONT)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def database_file(store: CompanyStore) -> Path:
    """The file of a company's store."""
    return Path(str(store.database.engine.url.database))


def is_locked(store: CompanyStore) -> bool:
    """Whether someone is writing to a company's store right now."""
    return is_locked_file(database_file(store))


def is_locked_file(path: Path) -> bool:
    try:
        with write_lock(path, timeout=0):
            return False
    except sqlite3.OperationalError:
        return True


@contextlib.contextmanager
def write_lock(path: Path, timeout: float = 10) -> Iterator[sqlite3.Connection]:
    """Hold the write lock of a SQLite file; nothing is written."""
    with contextlib.closing(sqlite3.connect(path, timeout=timeout, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        finally:
            connection.execute("ROLLBACK")
