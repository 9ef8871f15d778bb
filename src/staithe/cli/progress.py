"""Signs of life during long work, on standard error."""

from __future__ import annotations

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from staithe.cli.console import ERRORS


def progress_bar(*, transient: bool = False) -> Progress:
    """A bar for each task that is added; a transient one leaves no trace."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    hidden = transient and not ERRORS.is_terminal
    return Progress(*columns, console=ERRORS, transient=transient, disable=hidden)


def spinner(text: str) -> Progress:
    """For work whose length is not known; it leaves no trace."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    progress = Progress(*columns, console=ERRORS, transient=True, disable=not ERRORS.is_terminal)
    progress.add_task(text, total=None)
    return progress
