"""What a server costs that has very many companies, which nobody uses: `python -m bench.many_companies 1000`.

It says what each process has used until the server answers, in the spans after that, and for the first `/metrics`.
"""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import httpx
import psutil
import typer
from tests.fault.processes import child
from tests.support.server import HTTP, WORKER, RunningServer

from bench.report import say
from staithe.clock import system_clock
from staithe.services import accounts
from staithe.services.stores import Stores
from staithe.storage import control
from staithe.storage.quiet import SETTLED_NANOSECONDS

DESCRIPTORS: Final = 1024


def make_companies(data: Path, count: int) -> None:
    """Make a store with so many companies: the files of all but one are copies."""
    stores = Stores(data)
    first = accounts.create_company(stores, "company1", system_clock())
    accounts.set_user(stores, first, "ann", "secret", accounts.Role.ADMIN, system_clock())
    stores.close()
    folder = data / "companies"
    with stores.control.write() as connection:
        for number in range(2, count + 1):
            company = control.add_company(connection, f"company{number}", system_clock())
            assert company is not None
            (folder / str(company.id)).mkdir(mode=0o700)
            shutil.copy(folder / str(first.id) / "company.db", folder / str(company.id) / "company.db")
    stores.close()
    time.sleep(2 * SETTLED_NANOSECONDS / 1e9)


def measure(server: RunningServer, what: str, wait: Callable[[], object]) -> None:
    """Say what each process uses until `wait` returns."""
    processes = processes_of(server)
    before, began = seconds_of(processes), time.monotonic()
    wait()
    seconds = time.monotonic() - began
    used = {role: cpu - before[role] for role, cpu in seconds_of(processes).items()}
    shares = ", ".join(f"{role} {cpu:.2f} s ({cpu / seconds:.1%})" for role, cpu in used.items())
    files = ", ".join(f"{role} {process.num_fds()}" for role, process in processes.items())
    say(f"{what}, {seconds:.1f} s: processor {shares}; descriptors {files}")


def processes_of(server: RunningServer) -> dict[str, psutil.Process]:
    return {
        "supervisor": psutil.Process(server.process.pid),
        HTTP: child(server, HTTP),
        WORKER: child(server, WORKER),
    }


def seconds_of(processes: dict[str, psutil.Process]) -> dict[str, float]:
    times = {role: process.cpu_times() for role, process in processes.items()}
    return {role: time.user + time.system for role, time in times.items()}


def main(
    companies: Annotated[int, typer.Argument(min=1, help="How many.")],
    spans: Annotated[str, typer.Option(help="The seconds of each span that is looked at.")] = "15,45,60,60",
) -> None:
    """Start a server on so many companies, with at most 1,024 descriptors a process, and say what it uses."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    with TemporaryDirectory(prefix="staithe-bench-") as name:
        data = Path(name) / "data"
        make_companies(data, companies)
        began = time.monotonic()
        server = RunningServer(data, environment={"STAITHE_BOOTSTRAP": ""}, is_real=True)
        used = ", ".join(f"{role} {cpu:.2f} s" for role, cpu in seconds_of(processes_of(server)).items())
        say(f"{companies} companies; ready after {time.monotonic() - began:.1f} s: processor {used}")
        try:
            for span in map(float, spans.split(",")):
                measure(server, "nobody asks", lambda seconds=span: time.sleep(seconds))
            with httpx.Client(base_url=server.url) as client:
                measure(server, "/metrics", lambda: await_figures(client, companies))
                measure(server, "/metrics again", lambda: await_figures(client, companies))
        finally:
            server.stop()


def await_figures(client: httpx.Client, companies: int) -> None:
    """Ask until all stores were read."""
    while f"staithe_companies {float(companies)}" not in client.get("/metrics").text:
        time.sleep(1)


if __name__ == "__main__":
    typer.run(main)
