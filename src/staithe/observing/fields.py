"""What every log line says of the request or sync that it belongs to.

One dictionary for each of them, found through a context variable. A thread that `anyio.to_thread` uses has a copy of
the context and so the same dictionary: what it adds is seen by the request's own task too.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

Field = str | int | float

CURRENT: Final[ContextVar[dict[str, Field] | None]] = ContextVar("log_fields", default=None)


@contextmanager
def log_fields(**fields: Field) -> Generator[None]:
    """Put fields on every log line that is written within the block, beside those that are there already."""
    token = CURRENT.set({**(CURRENT.get() or {}), **fields})
    try:
        yield
    finally:
        CURRENT.reset(token)


def add_log_fields(**fields: Field) -> None:
    """Put more fields on the lines of the block around; outside of any block nothing happens."""
    current = CURRENT.get()
    if current is not None:
        current.update(fields)


def current_fields() -> Mapping[str, Field]:
    """The fields of a line that is written now."""
    return CURRENT.get() or {}
