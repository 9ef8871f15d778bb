"""The clock: microseconds since 1970 in UTC. Tests move it by writing seconds into a file that all processes read."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from staithe.domain.errors import Failure, ValidationFailed
from staithe.domain.limits import SECOND

Clock = Callable[[], int]


def system_clock() -> int:
    """The machine's time."""
    return time.time_ns() // 1000


def make_clock(offset_file: Path | None) -> Clock:
    """The machine's time, moved by the seconds in a file (a missing or empty file moves nothing)."""
    if offset_file is None:
        return system_clock

    def moved() -> int:
        try:
            text = offset_file.read_text().strip()
        except FileNotFoundError:
            text = ""
        return system_clock() + int(float(text or 0) * SECOND)

    return moved


def check_clock_file(path: Path | None) -> None:
    """Whether a file can move the clock.

    Raises:
        ValidationFailed: something else than seconds is in it, or it is no file.
    """
    try:
        make_clock(path)()
    except (OSError, ValueError, OverflowError) as error:
        rule = f"Must be a file with a number of seconds in it, or one that is not there yet: {path}: {error}."
        raise ValidationFailed(Failure("--clock-file", rule)) from None
