"""Open files that a process must not hand to the ones it forks: a lock, say, would be held on by every child."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Final

PRIVATE: Final[set[int]] = set()


def keep_private(descriptor: int) -> None:
    """Let forked processes close a file. Who closes it here says so with `forget`."""
    PRIVATE.add(descriptor)


def forget(descriptor: int) -> None:
    """A file is closed here: its number may soon be that of another."""
    PRIVATE.discard(descriptor)


def close_private(but: Collection[int]) -> None:
    """Close what is not for this process, which was just forked; `but` some files that it was given."""
    for descriptor in PRIVATE.difference(but):
        os.close(descriptor)
    PRIVATE.clear()
