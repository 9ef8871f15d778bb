"""Starts programs of Staithe by forking a process that has imported it: `python -m tests.support.template FILE`.

To start interpreters, each of which imports everything, was half of the processor time of all tests. The template has
one thread and no connection, so a fork is as good as a fresh start: it gets its own words, variables, folder and
standard streams. What reads those when it is imported, `staithe.cli`, is imported after the fork.
Tests of how processes start and die begin with an interpreter: `is_real` of `tests.support.programs`.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import selectors
import signal
import socket
import sys
import tempfile
import threading
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from argon2 import PasswordHasher
from setproctitle import getproctitle, setproctitle

from staithe.native_threads import keep_native_threads_few
from staithe.processes import exit_code, flush

PRELOADED = (
    "rich.progress",
    "rich.table",
    "staithe.http.process",
    "staithe.proxy.server",
    "staithe.services.backups",
    "staithe.services.doctor",
    "staithe.services.restores",
    "staithe.services.seeding",
    "staithe.storage.postgres_database",
    "staithe.storage.postgres_statements",
    "staithe.supervisor",
    "staithe.worker",
    "structlog",
    "typer.rich_utils",
)
MESSAGE_BYTES = 1 << 20
STREAMS = (0, 1, 2)
QUICK_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Hashing is slow on purpose, and would be a third of the time of many tests; a hash tells who verifies it how it was
made."""


class Template:
    """Forks a program for each request that comes over a socket, and tells its exit code over a socket of its own.

    A request is one message: JSON with `words`, `environment` and `folder`, and four open files: the socket for what
    becomes of the program, and its standard streams.
    """

    def __init__(self, requests: socket.socket) -> None:
        self.requests = requests
        self.selector = selectors.DefaultSelector()
        self.selector.register(requests, selectors.EVENT_READ)
        self.running: dict[int, tuple[int, socket.socket]] = {}
        """Descriptor of a process -> its id, and where to tell of its end."""

    def run(self) -> None:
        """Go on until the test run closes its end, then end what still runs."""
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is not self.requests:
                    self.tell_end(key.fd)
                elif not self.take_request():
                    for pid, _ in self.running.values():
                        os.kill(pid, signal.SIGKILL)
                    return

    def take_request(self) -> bool:
        """Start a program; False if there will be no more."""
        message, files, _, _ = socket.recv_fds(self.requests, MESSAGE_BYTES, 4)
        if not message:
            return False
        pid = os.fork()
        if pid == 0:
            self.become_program(json.loads(message), files)
        told = socket.socket(fileno=files[0])
        for file in files[1:]:
            os.close(file)
        ended = os.pidfd_open(pid)
        self.running[ended] = pid, told
        self.selector.register(ended, selectors.EVENT_READ)
        told.send(str(pid).encode())
        return True

    def tell_end(self, ended: int) -> None:
        """Say how a program has ended."""
        pid, told = self.running.pop(ended)
        self.selector.unregister(ended)
        os.close(ended)
        _, status = os.waitpid(pid, 0)
        with told, suppress(OSError):
            told.send(str(os.waitstatus_to_exitcode(status)).encode())

    def become_program(self, request: dict[str, Any], files: list[int]) -> NoReturn:
        """Be the program from the fork on, and end as an interpreter ends."""
        code = 1
        try:
            self.selector.close()
            self.requests.close()
            for ended, (_, told) in self.running.items():
                os.close(ended)
                told.close()
            os.close(files[0])
            for stream, file in zip(STREAMS, files[1:], strict=True):
                os.dup2(file, stream)
                os.close(file)
            begin(request)
            main = import_module("staithe.cli.main").main
            main()
            code = 0
        except SystemExit as error:
            code = exit_code(error)
        except BaseException:
            traceback.print_exc()
        finally:
            # As an interpreter ends: threads first, then what was registered, then the streams.
            threading._shutdown()  # type: ignore[attr-defined]
            atexit._run_exitfuncs()
            flush()
            os._exit(code)


def begin(request: dict[str, Any]) -> None:
    """Take on what a program has of its own."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    tempfile.tempdir = None
    sys.argv = ["staithe", *request["words"]]
    setproctitle(" ".join([sys.executable, "-m", "staithe", *request["words"]]))
    encoding = os.environ.get("PYTHONIOENCODING", "utf-8")
    is_unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    sys.stdin = open(0, encoding=encoding, closefd=False)  # noqa: SIM115 (it is the program's for all its life)
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = open(number, "w", encoding=encoding, closefd=False)  # noqa: SIM115 (as above)
        stream.reconfigure(
            write_through=is_unbuffered,
            line_buffering=number == 2 or os.isatty(number),
            errors="backslashreplace" if number == 2 else "strict",
        )
        setattr(sys, name, stream)
    logging.getLogger().handlers.clear()


def main() -> None:
    """Import what programs need, and serve until the test run is over."""
    keep_native_threads_few()
    # It looks for its place in memory now: once the variables have changed, it would not find it.
    getproctitle()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with tempfile.TemporaryDirectory(prefix="staithe-template-") as folder:
        # The metrics are told as they are imported that they belong to one of several processes; what is forked
        # counts in the folder of its own server.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(Path(folder))
        for module in PRELOADED:
            import_module(module)
        accounts = import_module("staithe.services.accounts")
        accounts.HASHER = QUICK_HASHER
        assert threading.active_count() == 1
        Template(socket.socket(fileno=int(sys.argv[1]))).run()


if __name__ == "__main__":
    main()
