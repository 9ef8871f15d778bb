"""What a span is, whether it is recorded or not."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Protocol

Headers = Iterable[tuple[bytes, bytes]]


class Span:
    """What is done within one block of the program. This one is not recorded."""

    @property
    def trace_id(self) -> str:
        """32 hex digits; empty if the span is not recorded."""
        return ""

    def name(self, name: str) -> None:
        """Call it otherwise."""

    def note(self, **attributes: str | float) -> None:
        """Note attributes; of their names each `__` stands for a dot."""

    def fail(self, what: str) -> None:
        """Note that it has failed."""


class Tracing(Protocol):
    """Records spans."""

    def span(self, name: str, role: str, headers: Headers) -> AbstractContextManager[Span]:
        """A span that lasts as long as its block."""
        ...

    def stop(self) -> None:
        """Send what has not been sent."""
        ...
