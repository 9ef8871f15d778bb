"""`staithe demo`: the main job on real HTTP, on a server of its own."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from staithe.cli.console import OUTPUT, Json, print_json
from staithe.cli.demo_client import DemoClient
from staithe.cli.demo_file import read_records
from staithe.cli.demo_job import run_job
from staithe.cli.demo_records import Records, make_records
from staithe.cli.demo_report import Report, Server, Steps, make_report, print_report
from staithe.cli.demo_server import RunningServer, data_directory, running_server, stop_on_signals
from staithe.cli.seed import seed_with_progress
from staithe.clock import system_clock
from staithe.data_lock import hold_data
from staithe.domain.companies import Company, Role
from staithe.domain.errors import Conflict, Failure, ValidationFailed
from staithe.services import accounts
from staithe.services.stores import Stores

CONTACTS: Final = 1_000_000
LEAST_CONTACTS: Final = 100
COMPANY_NAME: Final = "demo"
USER_NAME: Final = "admin"
PASSWORD_BYTES: Final = 9
INTERRUPTED: Final = 130
"""The exit code of a program that Ctrl-C ended before it was done."""


def demo(
    contacts: Annotated[
        int,
        typer.Option(
            min=LEAST_CONTACTS,
            help="Contacts to seed. A quarter as many identifiers are uploaded: at least 100, at most 250,000.",
        ),
    ] = CONTACTS,
    file: Annotated[
        Path | None, typer.Option(help="Upload the identifiers of this .csv or .json file (an array of flat objects).")
    ] = None,
    column: Annotated[
        str, typer.Option(help="Their column or key. Default: the first that is named like an id or email address.")
    ] = "",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The port. Default: 8080, or a free one if that is taken.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Keep the data here. Default: a temporary directory, removed at the end.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="End when the job is done.")] = False,
    json: Json = False,
) -> None:
    """See the main job on real data, then go on from there.

    Starts a server, seeds contacts, makes a contact list, an email group and
    a definition with three sync actions; uploads identifiers (some unknown,
    malformed, empty or repeated), syncs, and shows what became of each.
    It exports who is on the list, and imports a name and a place for each.
    Then it serves on, with calls for you to try, until Ctrl-C.
    """
    screen = Console(quiet=True) if json else OUTPUT
    report: Report | None = None
    stop_on_signals()
    try:
        records = choose_records(contacts, file, column)
        steps = Steps(screen)
        with data_directory(data) as folder, hold_data(folder), running_server(folder, port) as running:
            report = perform(running, contacts, records, steps, keeps_data=data is not None)
            print_json(report) if json else print_report(screen, report, serves_on=not once)
            if not once:
                running.wait()
    except KeyboardInterrupt:
        if once and report is None:
            raise typer.Exit(INTERRUPTED) from None
    where = f"kept: staithe serve --data {data} goes on with it" if data else "removed"
    screen.print(Text(f"\nThe server is stopped, its data {where}."), soft_wrap=True)
    if report is not None and not report.outcome.adds_up:
        raise typer.Exit(1)


def choose_records(contacts: int, file: Path | None, column: str) -> Records:
    """The records of the file, or made up for so many contacts."""
    if file is not None:
        return read_records(file, column)
    if column:
        raise ValidationFailed(Failure("--column", "Must come with --file."))
    return make_records(contacts)


def perform(running: RunningServer, contacts: int, records: Records, steps: Steps, *, keeps_data: bool) -> Report:
    """Everything that the demo shows, on a company of its own."""
    supervisor = running.supervisor
    steps.done("start", f"server started: {supervisor.url}")
    company = new_company(running.stores)
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    accounts.set_user(running.stores, company, USER_NAME, password, Role.ADMIN, system_clock())
    login = f"{company.name}\\{USER_NAME}"
    server = Server(supervisor.url, login, password, str(supervisor.settings.data), keeps_data)
    first, last = seed_with_progress(running.stores.open(company), contacts, transient=True)
    steps.done("seed", f"contacts {first:,} to {last:,} seeded", contacts)
    with DemoClient(server.url, server.login, server.password) as client:
        outcome = run_job(client, contacts, records, steps)
    return make_report(server, records, outcome, steps)


def new_company(stores: Stores) -> Company:
    """A company that no earlier demo has filled: demo, demo-2, demo-3 and so on."""
    number = 1
    while True:
        try:
            name = COMPANY_NAME if number == 1 else f"{COMPANY_NAME}-{number}"
            return accounts.create_company(stores, name, system_clock())
        except Conflict:
            number += 1
