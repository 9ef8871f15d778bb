"""`staithe`: the commands."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.text import Text

from staithe import __version__
from staithe.cli import accounts, backups, clients, demo, doctor, limits, run, seed, serve, status, worker
from staithe.cli.console import ERRORS
from staithe.domain.errors import RequestError

app = typer.Typer(
    help="A self-hosted server for bulk marketing-contact data that speaks the Oracle Eloqua Bulk API 2.0.",
    epilog="Start with [bold]staithe demo[/bold]: it shows the main job on real data, and what to call next.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"staithe {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """A self-hosted server for bulk marketing-contact data that speaks the Oracle Eloqua Bulk API 2.0."""


app.command("serve")(serve.serve)
app.command("worker")(worker.worker)
app.command("demo")(demo.demo)
app.command("run", context_settings={"allow_interspersed_args": False}, epilog=run.EXAMPLES)(run.run)
app.command("seed")(seed.seed)
app.command("status")(status.status)
app.command("doctor")(doctor.doctor)
app.command("backup")(backups.backup)
app.command("restore")(backups.restore)
company_app = typer.Typer(help="Companies: each has its own store, contacts and users.", no_args_is_help=True)
company_app.command("create")(accounts.create_company)
company_app.command("limits")(limits.set_limits)
app.add_typer(company_app, name="company")
user_app = typer.Typer(help="Users: who may log in, and what for.", no_args_is_help=True)
user_app.command("create")(accounts.create_user)
app.add_typer(user_app, name="user")
client_app = typer.Typer(help="Clients: programs that log in with OAuth and act for users.", no_args_is_help=True)
client_app.command("create")(clients.create_client)
client_app.command("list")(clients.list_clients)
client_app.command("delete")(clients.delete_client)
app.add_typer(client_app, name="client")


def main() -> None:
    """Run the command line; a refused request becomes one clear line and exit code 1."""
    try:
        app()
    except RequestError as error:
        # As a Text, because what users sent stands in it, which may have brackets in it.
        advice = f"\n{error.advice}" if error.advice else ""
        ERRORS.print(Text.assemble(("staithe: ", "red"), error.message, advice), soft_wrap=True)
        sys.exit(1)
