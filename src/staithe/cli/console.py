"""Where the commands print: results to standard output, what goes wrong to standard error."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from staithe.domain.errors import RequestError

OUTPUT = Console(highlight=False)
ERRORS = Console(stderr=True, highlight=False)

Data = Annotated[Path, typer.Option("--data", help="The data directory.", envvar="STAITHE_DATA", show_default=True)]
DatabaseUrl = Annotated[
    str,
    typer.Option(
        "--database",
        help="postgresql://user:password@host/name. Default: the last server's of the data directory, but for the "
        "password; without one, SQLite files in the directory.",
        envvar="STAITHE_DATABASE",
        show_default=False,
    ),
]
StagingAddress = Annotated[
    str,
    typer.Option(
        "--staging",
        help="Where staged files are kept: s3://BUCKET/PREFIX, or a directory. Default: where the servers had them; "
        "with the first one, in the data directory.",
        envvar="STAITHE_STAGING",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]

DEFAULT_DATA = Path("staithe-data")


def read_staging(address: str) -> str:
    """The address of a staging area for every process, wherever it is started: directories are absolute."""
    return address if "://" in address or not address else str(Path(address).absolute())


def print_json(value: Any) -> None:
    """One JSON document on standard output, unstyled."""
    typer.echo(msgspec.json.format(msgspec.json.encode(value)).decode())


def show_refusal(error: Exception) -> bool:
    """Print what a command was refused for, and what to do; False if the error is a mistake of our own."""
    if not isinstance(error, RequestError):
        return False
    # As a Text, because what users sent stands in it, which may have brackets in it.
    advice = f"\n{error.advice}" if error.advice else ""
    ERRORS.print(Text.assemble(("staithe: ", "red"), error.message, advice), soft_wrap=True)
    return True
