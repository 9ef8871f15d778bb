"""Moves the clock of a running server."""

from __future__ import annotations

from pathlib import Path

DAY_SECONDS = 86_400


class Clock:
    """The file that `--clock-file` names."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.days = 0.0
        self.forward(0)

    def forward(self, days: float = 0, *, seconds: float = 0) -> None:
        """Go on so many days and seconds."""
        self.days += days + seconds / DAY_SECONDS
        aside = self.file.with_suffix(".new")
        aside.write_text(str(self.days * DAY_SECONDS))
        aside.rename(self.file)
