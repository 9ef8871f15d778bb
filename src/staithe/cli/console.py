"""Where the commands print: results to standard output, what goes wrong to standard error."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

OUTPUT = Console(highlight=False)
ERRORS = Console(stderr=True, highlight=False)

Data = Annotated[Path, typer.Option("--data", help="The data directory.", envvar="STAITHE_DATA", show_default=True)]
DatabaseUrl = Annotated[
    str,
    typer.Option(
        "--database",
        help="postgresql://user:password@host/name. Default: SQLite files in the data directory.",
        envvar="STAITHE_DATABASE",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]

DEFAULT_DATA = Path("staithe-data")


def print_json(value: Any) -> None:
    """One JSON document on standard output, unstyled."""
    typer.echo(msgspec.json.format(msgspec.json.encode(value)).decode())
