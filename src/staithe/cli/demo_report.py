"""What a demo found out, and how it is shown: a line a step, a table, and calls to try."""

from __future__ import annotations

import shlex
import time
from typing import Final

import msgspec
from msgspec import Struct
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from staithe.cli.demo_client import BULK
from staithe.cli.demo_records import Records, sample_value

TEXT_WIDTH: Final = 45
TRY_NOW: Final = "Try it, in another terminal:"
TRY_LATER: Final = "Without --once the server would run on, for calls like these:"
CURL_IDS: Final = (1, 3)
CURL_CAPTIONS: Final = (
    "Upload two identifiers. The answer 204 says that they are safe on disk.",
    "Sync them.",
    "See the contact list: its count has grown by those that were not on it.",
)


class Step(Struct, frozen=True, kw_only=True, rename="camel"):
    """One step of the demo, and how many records it went through if it is about records."""

    name: str
    seconds: float
    records: int = 0
    records_per_second: int = 0


class Applied(Struct, frozen=True):
    """To how many contacts a sync action was applied."""

    action: str
    count: int


class Rejected(Struct, frozen=True, rename="camel"):
    """How many records were rejected for one reason, and the numbers of the first of them."""

    code: str
    reason: str
    count: int
    first_records: tuple[int, ...]


class Server(Struct, frozen=True, rename="camel"):
    """Where the demo's server is, and who may log in."""

    url: str
    login: str
    password: str
    data: str
    is_data_kept: bool


class Outcome(Struct, frozen=True, kw_only=True, rename="camel"):
    """What the demo made, and what became of its records."""

    contacts: int
    statement: str
    contact_list: int
    email_group: int
    definition: str
    sync: str
    status: str
    requests: int
    uploaded: int
    records: int
    applied: tuple[Applied, ...]
    repeated: int
    rejected: tuple[Rejected, ...]
    on_list: int
    exported: int
    updated: int

    @property
    def adds_up(self) -> bool:
        """Whether every record was either applied, a repetition or rejected, and the list has who was put on it.

        Everyone on the list was exported, and updated by the import.
        """
        rejected = sum(reason.count for reason in self.rejected)
        known = {self.records - self.repeated - rejected}
        applied = {action.count for action in self.applied}
        return self.uploaded == self.records and applied == known == {self.on_list, self.exported, self.updated}


class Report(Struct, frozen=True, rename="camel"):
    """Everything the demo has to say: what `--json` prints."""

    server: Server
    outcome: Outcome
    records_per_second: int
    steps: tuple[Step, ...]
    curl: tuple[str, ...]


class Steps:
    """Times the steps, one after another, and prints a line for each."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.taken: list[Step] = []
        self.began = time.perf_counter()

    def done(self, name: str, text: str, records: int = 0) -> None:
        """A step is done: the time since the last one is its own."""
        now = time.perf_counter()
        seconds, self.began = now - self.began, now
        rate = round(records / seconds)
        self.taken.append(Step(name=name, seconds=seconds, records=records, records_per_second=rate))
        speed = f"{rate:>12,} a second" if records else ""
        self.console.print(Text.assemble((f"{seconds:>6.1f} s  ", "cyan"), f"{text:<{TEXT_WIDTH}}", (speed, "dim")))


def make_report(server: Server, records: Records, outcome: Outcome, steps: Steps) -> Report:
    """Put everything together."""
    seconds = sum(step.seconds for step in steps.taken if step.name in ("upload", "sync"))
    rate = round(outcome.records / seconds)
    return Report(server, outcome, rate, tuple(steps.taken), curl_lines(server, records, outcome))


def curl_lines(server: Server, records: Records, outcome: Outcome) -> tuple[str, ...]:
    """Commands for a shell, one for each of `CURL_CAPTIONS`."""
    rows = [{records.field: sample_value(records.statement, contact_id)} for contact_id in CURL_IDS]
    calls = (
        (f"{outcome.definition}/data", rows),
        ("/syncs", {"syncedInstanceUri": outcome.definition}),
        (f"/contacts/lists/{outcome.contact_list}", None),
    )
    return tuple(curl_line(server, path, body) for path, body in calls)


def curl_line(server: Server, path: str, body: object) -> str:
    """A GET, or a POST if there is a body."""
    # An upload is answered without a body, so its status line is all there is to see.
    showing = ["-i"] if path.endswith("/data") else ["-w", r"\n"]
    sending = ["-H", "Content-Type: application/json", "-d", msgspec.json.encode(body).decode()] if body else []
    login = ["-u", f"{server.login}:{server.password}"]
    return shlex.join(["curl", *showing, *login, *sending, server.url + BULK + path])


def print_report(console: Console, report: Report, *, serves_on: bool) -> None:
    """What became of the records, whether that adds up, and what to try next."""
    outcome = report.outcome
    first, last = (sample_value(outcome.statement, contact_id) for contact_id in (1, outcome.contacts))
    console.print(Text(f"\nMatched by {outcome.statement}; contacts {first} to {last} are known."))
    console.print(outcome_table(outcome))
    console.print(
        f"The contact list has {outcome.on_list:,} contacts now, as many as were added."
        if outcome.adds_up
        else f"[red]This does not add up:[/red] the contact list has {outcome.on_list:,} contacts."
    )
    console.print(f"Upload and sync together took {report.records_per_second:,} records a second.")
    console.print(server_table(report.server))
    console.print(TRY_NOW if serves_on else TRY_LATER)
    for caption, call in zip(CURL_CAPTIONS, report.curl, strict=True):
        console.print(Text(f"\n# {caption}", style="dim"))
        console.print(Text(call), soft_wrap=True)
    if serves_on:
        console.print("\nServing until Ctrl-C.")


def server_table(server: Server) -> Table:
    """Where to go on, and as whom."""
    table = Table.grid(padding=(0, 2))
    table.add_row("\nServer", Text(f"\n{server.url}", style="bold"))
    table.add_row("Login", Text(server.login, style="bold"))
    table.add_row("Password", Text(server.password, style="bold"))
    fate = "kept" if server.is_data_kept else "temporary: removed at the end"
    table.add_row("Data", Text(f"{server.data} ({fate})\n", overflow="fold"))
    return table


def outcome_table(outcome: Outcome) -> Table:
    """Records read, applied a sync action, repeated, and rejected a reason."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Records")
    table.add_column("", justify="right", style="bold")
    table.add_column("First record numbers", style="dim")
    table.add_row("read", f"{outcome.records:,}")
    for action in outcome.applied:
        table.add_row(action.action, f"{action.count:,}")
    table.add_row("exported from the contact list", f"{outcome.exported:,}")
    table.add_row("given a name and a place by an import", f"{outcome.updated:,}")
    table.add_row("repeated, applied once", f"{outcome.repeated:,}")
    for reason in outcome.rejected:
        table.add_row(f"rejected: {reason.reason}", f"{reason.count:,}", first_numbers(reason))
    return table


def first_numbers(reason: Rejected) -> str:
    shown = [f"{number:,}" for number in reason.first_records]
    return "  ".join([*shown, "..."] if len(shown) < reason.count else shown)
