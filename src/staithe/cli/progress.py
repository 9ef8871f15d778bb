"""Signs of life during long work, on standard error."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from staithe.cli.console import ERRORS
from staithe.domain.backups import Step


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


class StepBars:
    """A bar for each step of a backup or a restore, with how many bytes it has come to."""

    def __init__(self) -> None:
        size = TextColumn("{task.fields[size]}", justify="right")
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), size, TimeElapsedColumn())
        self.progress = Progress(*columns, console=ERRORS)
        self.bars: dict[Step, TaskID] = {}

    def report(self, step: Step, done: int, total: int, done_bytes: int) -> None:
        """Show how far a step is."""
        if step not in self.bars:
            self.bars[step] = self.progress.add_task(step.value, total=total, size="")
        size = decimal(done_bytes) if done_bytes else ""
        self.progress.update(self.bars[step], completed=done, total=total, size=size)

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self.progress.stop()
