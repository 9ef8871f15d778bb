"""Watching, stopping and killing the processes of a running server."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
from sqlalchemy import text

from staithe.services.stores import CompanyStore
from staithe.storage import sets
from staithe.storage.database import Database, SqliteDatabase
from staithe.storage.open_files import CompanyFile
from staithe.storage.postgres_database import PostgresDatabase
from tests.support.server import WORKER, RunningServer
from tests.support.waiting import LONGEST_SECONDS, until

MOST_TRIES = 20
Process = psutil.Process


class TooQuick(Exception):
    """What a test was to interrupt had ended when it came to it."""


def until_caught(play: Callable[[int], None]) -> None:
    """Play, with the numbers from 1, until what is to be interrupted is: who is first is up to the machine."""
    for number in range(1, MOST_TRIES + 1):
        with contextlib.suppress(TooQuick):
            play(number)
            return
    raise AssertionError(f"it was too quick {MOST_TRIES} times: give it more")


def worker_named(server: RunningServer, name: str) -> Process:
    """The worker that has a name."""
    return next(process for process in server.children(WORKER) if name in " ".join(process.cmdline()))


def child(server: RunningServer, role: str) -> Process:
    """The one child of a role, as soon as there is one."""
    found: list[Process] = []

    def is_there() -> bool:
        found[:] = server.children(role)
        return len(found) == 1

    until(is_there, f"one {role} process")
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
    server.process.wait(LONGEST_SECONDS)
    _, alive = psutil.wait_procs(children, timeout=LONGEST_SECONDS)
    assert not alive, f"children outlived their supervisor: {alive}"
    server.close()


def kill_everything(server: RunningServer) -> None:
    """Kill all processes of a server, as a power cut would: none of them sees another die."""
    with contextlib.suppress(psutil.NoSuchProcess):
        Process(server.process.pid).suspend()
    for process in reversed(all_processes(server)):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    server.process.wait(LONGEST_SECONDS)
    server.close()


def is_pending(process: Process, number: signal.Signals) -> bool:
    """Whether a process that is stopped has been sent a signal, which it gets when it goes on."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    sent = next(line for line in lines if line.startswith("ShdPnd:"))
    return bool(int(sent.split()[1], 16) >> (number - 1) & 1)


@contextlib.contextmanager
def paused(server: RunningServer, store: CompanyStore, process: Process) -> Iterator[None]:
    """Within the block a process is stopped, at a moment when it holds no lock that others would wait for."""
    while True:
        process.send_signal(signal.SIGSTOP)
        until(lambda: process.status() == psutil.STATUS_STOPPED, "stopped")
        if not is_locked(store.database) and not is_locked(server.stores.control):
            break
        process.send_signal(signal.SIGCONT)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def is_locked(database: Database) -> bool:
    """Whether someone is writing to a store right now."""
    if isinstance(database, PostgresDatabase):
        with database.read() as connection:
            return bool(connection.execute(OTHER_WRITERS).scalar_one())
    assert isinstance(database, SqliteDatabase | CompanyFile)
    with contextlib.closing(sqlite3.connect(str(database.path), timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return True
    return False


# Who only reads, as an export does from its beginning to its end, keeps nobody waiting: it has no transaction id.
OTHER_WRITERS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND backend_xid IS NOT NULL"
)


@contextlib.contextmanager
def write_lock(store: CompanyStore) -> Iterator[None]:
    """Hold the contacts of a company, so that no sync can be committed; nothing is written."""
    with store.database.write() as connection:
        sets.hold(connection, contacts_change=True)
        yield
