"""How names of columns, keys and fields are compared: one rule for definitions, headers and JSON."""

from __future__ import annotations

from typing import Final

MARK: Final = "\ufeff"
"""The byte order mark, which is invisible and no part of any name or value."""


def fold_name(name: str) -> str:
    """What a name is compared by: without marks, blanks around it, and differences of case."""
    return name.replace(MARK, "").strip().casefold()
