"""`staithe doctor`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from staithe.cli.console import DEFAULT_DATA, OUTPUT, Data, DatabaseUrl, Json, StagingAddress, print_json, read_staging
from staithe.cli.places import find_database
from staithe.cli.progress import spinner
from staithe.clock import check_clock_file, make_clock
from staithe.config import Settings
from staithe.domain.doctor import evaluate, worst
from staithe.domain.doctor_facts import Finding, Limits, Outcome
from staithe.services.doctor import Target, examine, staging_as_noted
from staithe.supervisor import URL_FILE

DEFAULTS: Final = Settings()
STYLES: Final = {Outcome.OK: "green", Outcome.WARNING: "yellow", Outcome.FAILURE: "red"}
MINUTE_SECONDS: Final = 60.0


def doctor(
    data: Data = DEFAULT_DATA,
    database: DatabaseUrl = "",
    staging: StagingAddress = "",
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every page, row, set and file, too, which takes as long as a backup.")
    ] = False,
    server: Annotated[
        list[str] | None,
        typer.Option(help="The URL of a server that should run, beside the one of --data. Repeatable."),
    ] = None,
    stuck_minutes: Annotated[
        float, typer.Option(min=0, help="A sync that has been pending for longer is stuck.")
    ] = 10.0,
    lease_seconds: Annotated[
        float, typer.Option(min=0.5, help="What the servers are given; clocks may differ by half of it.")
    ] = DEFAULTS.lease_seconds,
    processes: Annotated[
        int,
        typer.Option(min=1, help="HTTP and worker processes on all machines: PostgreSQL needs room for each."),
    ] = 2,
    clock_file: Annotated[
        Path | None, typer.Option(envvar="STAITHE_CLOCK_FILE", help="Seconds in this file move the clock: for tests.")
    ] = None,
    json: Json = False,
) -> None:
    """Examine a deployment, and say what to change. Works beside running servers, and changes nothing.

    Checks versions, schemas, clocks, durability, connections, Citus nodes, space,
    access, staging (one file is written, read and deleted), servers, stuck syncs
    and forgotten files. With --deep every page of the stores is read, every file is
    compared with its checksum, every set with the contacts, and every row with
    what it names. Exit code 1 if a check fails, 0 if all is well or there are only
    warnings.
    """
    check_clock_file(clock_file)
    database = find_database(data, database)
    target = Target(
        data=data.absolute(),
        database=database,
        staging=read_staging(staging) or staging_as_noted(data.absolute(), database),
        urls=(*noted_url(data), *(server or [])),
        clock=make_clock(clock_file),
        limits=Limits(lease_seconds, stuck_minutes * MINUTE_SECONDS, processes),
        is_deep=deep,
    )
    with (progress := spinner("examining")):

        def report(what: str, done: int, total: int) -> None:
            progress.update(progress.task_ids[0], description=f"{what}, {done:,} of {total:,}")

        findings = evaluate(examine(target, report))
    if json:
        print_json(to_json(findings))
    else:
        show(findings)
    raise typer.Exit(1 if worst(findings) is Outcome.FAILURE else 0)


def noted_url(data: Path) -> list[str]:
    """Where the server of a data directory says that it is; nothing if none was started, or it was stopped."""
    try:
        return [(data / URL_FILE).read_text()]
    except OSError:
        return []


def to_json(findings: list[Finding]) -> dict[str, Any]:
    """The findings for programs."""
    return {"outcome": worst(findings), "findings": findings}


def show(findings: Iterable[Finding]) -> None:
    """The findings for people: a row each, the advice below what was found."""
    table = Table("check", "", "found, and what to do")
    for finding in findings:
        advice = f"\n{finding.advice}" if finding.advice else ""
        text = Text.assemble(finding.found, (advice, "bold"))
        table.add_row(finding.check, Text(finding.outcome.value, STYLES[finding.outcome]), text)
    OUTPUT.print(table)
