"""`staithe`: the commands."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from typer.core import TyperGroup

from staithe import __version__
from staithe.cli.commands import MARKUP, add_commands
from staithe.native_threads import keep_native_threads_few
from staithe.private_files import make_files_private

app = typer.Typer(
    epilog="Start with [bold]staithe demo[/bold]: it shows the main job on real data, and what to call next.",
    no_args_is_help=True,
    rich_markup_mode=MARKUP,
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


def program() -> TyperGroup:
    """The command line with all commands."""
    made = typer.main.get_command(app)
    assert isinstance(made, TyperGroup)
    add_commands(made)
    return made


def main() -> None:
    """Run the command line; a refused request becomes one clear line and exit code 1."""
    keep_native_threads_few()
    make_files_private()
    try:
        program()()
    except Exception as error:
        # Imported here, as `staithe --help` does not need it.
        from staithe.cli.console import show_refusal

        if not show_refusal(error):
            raise
        sys.exit(1)
