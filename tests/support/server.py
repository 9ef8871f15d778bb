"""Starts and ends real servers: `staithe serve` as a process, on loopback, on a free port."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import threading
from pathlib import Path

import psutil

from staithe.clock import system_clock
from staithe.config import pauses_of_environment
from staithe.domain.companies import Role
from staithe.services import accounts
from staithe.services.stores import CompanyStore, Stores
from tests.support import programs
from tests.support.api import Api
from tests.support.waiting import LONGEST_SECONDS

LOGIN = "acme\\ann:secret"
HTTP, WORKER = "http", "worker"
PRIVATE_CALLBACKS = "--allow-private-callbacks"
"""Tests receive callbacks on this machine."""
MODULES = {HTTP: "staithe.http.process", WORKER: "staithe.worker"}
"""Role of a process of a server -> the module that it runs."""


class RunningServer:
    """One `staithe serve` on a data directory and, if there is a URL, a PostgreSQL database; `lines` has its output.

    Args:
        data: the data directory.
        options: of the command.
        database: the URL of a PostgreSQL database; empty for SQLite.
        environment: variables beside our own.
        port: the port; 0 takes a free one.
        is_real: whether it starts with an interpreter, for tests of how processes start and end.
    """

    def __init__(
        self,
        data: Path,
        *options: str,
        database: str = "",
        environment: dict[str, str] | None = None,
        port: int = 0,
        is_real: bool = False,
    ) -> None:
        self.data = data
        self.database = database
        self.lines: list[str] = []
        self.process = programs.start(
            ["serve", "--port", str(port), "--data", str(data), PRIVATE_CALLBACKS, *options],
            {
                **os.environ,
                "COLUMNS": "500",
                "STAITHE_BOOTSTRAP": LOGIN,
                "STAITHE_DATABASE": database,
                **(environment or {}),
            },
            is_real=is_real,
        )
        urls: queue.Queue[str | None] = queue.Queue()
        self.reader = threading.Thread(target=self.read_output, args=(urls,), daemon=True)
        self.reader.start()
        url = urls.get(timeout=LONGEST_SECONDS)
        if url is None:
            raise AssertionError("the server did not start:\n" + "".join(self.lines))
        self.url = url
        self.stores = Stores(data, database, option(options, "--staging"), pauses_of_environment())
        self.clients: list[Api] = []

    def read_output(self, urls: queue.Queue[str | None]) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if found := re.search(r"ready at (\S+)", line):
                urls.put(found[1])
        urls.put(None)
        self.process.stdout.close()

    def children(self, role: str) -> list[psutil.Process]:
        """The child processes of a role, `HTTP` or `WORKER`, without those that are dead and not buried."""
        found: list[psutil.Process] = []
        for process in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if has_role(process, role):
                    found.append(process)
        return found

    def api(self, login: str = LOGIN) -> Api:
        """A client with a login `company\\user:password`."""
        self.clients.append(Api(self.url, login))
        return self.clients[-1]

    def new_company(self, name: str, contacts: int = 0) -> tuple[Api, CompanyStore]:
        """A company of its own, with a user `ann`, and a client logged in as her."""
        company = accounts.create_company(self.stores, name, system_clock())
        accounts.set_user(self.stores, company, "ann", "secret", Role.ADMIN, system_clock())
        store = self.stores.open(company)
        if contacts:
            from staithe.services.seeding import seed

            seed(store, contacts, system_clock(), lambda _: None)
        return self.api(f"{name}\\ann:secret"), store

    def stop(self) -> int:
        """End it as an operator would, and give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(LONGEST_SECONDS)
        self.close()
        return code

    def kill(self) -> None:
        """End it as a power cut would, children too."""
        parent = psutil.Process(self.process.pid)
        for process in [*parent.children(recursive=True), parent]:
            process.kill()
        self.process.wait(LONGEST_SECONDS)
        self.close()

    def close(self) -> None:
        self.reader.join(LONGEST_SECONDS)
        self.stores.close()
        for api in self.clients:
            api.client.close()


def has_role(process: psutil.Process, role: str) -> bool:
    """Whether a process has a role, by what it calls itself, or was called as it was started as an interpreter."""
    words = " ".join(process.cmdline())
    return words.startswith(f"staithe {role}") or MODULES[role] in words.split()


def option(options: tuple[str, ...], name: str) -> str:
    """What an option says; empty if it is not given."""
    return options[options.index(name) + 1] if name in options else ""
