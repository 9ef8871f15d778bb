"""Patterns of the operator `~`: `%` is any text, `_` any character, `[a-f]` one of a set, `[^a-f]` one of no set.

A wildcard alone in brackets stands for itself, as in `[%]`; so does a bracket that is never closed.
Source: SQL Server's LIKE, which Eloqua's filtering page names.

No pattern becomes a regular expression of Python: for a text of a hundred characters and a pattern with seven times `%`
those can take years, and meanwhile nothing else runs in the process.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from msgspec import Struct


class CharacterSet(Struct, frozen=True):
    """One character that is, or with `is_negated` is not, in one of the ranges; both of their ends belong to them."""

    is_negated: bool
    ranges: tuple[tuple[str, str], ...]


ANY_TEXT: Final = "%"
ANY_CHARACTER: Final = "_"
PIECE: Final = re.compile(r"(?P<any>[%_])|\[(?P<negation>\^(?=[^\]]))?(?P<set>[^\]]+)\]|(?P<literal>.)", re.DOTALL)
MEMBER: Final = re.compile(r"(.)-(.)|(.)", re.DOTALL)


class Literal(Struct, frozen=True):
    """A character that stands for itself."""

    character: str


Piece: TypeAlias = str | CharacterSet | Literal
"""`ANY_TEXT`, `ANY_CHARACTER`, or what matches one character."""


def split_pattern(pattern: str) -> Iterator[Piece]:
    """The pieces of a pattern, in order."""
    for match in PIECE.finditer(pattern):
        if match["any"]:
            yield match["any"]
        elif match["literal"]:
            yield Literal(match["literal"])
        else:
            members = ((m[1] or m[3], m[2] or m[3]) for m in MEMBER.finditer(match["set"]))
            yield CharacterSet(match["negation"] is not None, tuple(members))


def matches(pieces: Sequence[Piece], text: str) -> bool:
    """Whether a pattern matches all of a text, in at most the product of their lengths in steps.

    Only the last `%` that was met ever takes more of the text: what an earlier one could, it can as well.
    """
    place, position, mark = 0, 0, -1
    behind = 0
    while position < len(text):
        if place < len(pieces) and pieces[place] == ANY_TEXT:
            place, mark = place + 1, position
            behind = place
        elif place < len(pieces) and takes(pieces[place], text[position]):
            place, position = place + 1, position + 1
        elif mark >= 0:
            mark += 1
            place, position = behind, mark
        else:
            return False
    return all(piece == ANY_TEXT for piece in pieces[place:])


def takes(piece: Piece, character: str) -> bool:
    match piece:
        case Literal(wanted):
            return character == wanted
        case CharacterSet(is_negated, ranges):
            return any(low <= character <= high for low, high in ranges) != is_negated
        case _:
            return piece == ANY_CHARACTER
