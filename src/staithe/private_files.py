"""Whatever Staithe makes is for its own user: directories 0700, files 0600, whatever the umask it was started with.

A umask of our own covers what libraries make, too: SQLite's files, the metrics, temporary files. A command that
`staithe run` runs gets the umask back that it would have had.
"""

from __future__ import annotations

import os
from typing import Final

OTHERS: Final = 0o077
GIVEN: Final[list[int]] = []


def make_files_private() -> None:
    """Let nobody else into what this process, and those that it starts, make from now on."""
    GIVEN.append(os.umask(OTHERS))


def given_umask() -> int:
    """The umask that this process was started with; -1, which changes none, if it has no other now."""
    return GIVEN[0] if GIVEN else -1
