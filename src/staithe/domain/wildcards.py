"""Patterns of the operator `~`: `%` is any text, `_` any character, `[a-f]` one of a set, `[^a-f]` one of no set.

A wildcard alone in brackets stands for itself, as in `[%]`; so does a bracket that is never closed.
Source: SQL Server's LIKE, which Eloqua's filtering page names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
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


def expression_of(pattern: str) -> re.Pattern[str]:
    """The regular expression that matches what a pattern matches."""
    return re.compile("".join(map(to_expression, split_pattern(pattern))), re.DOTALL)


def to_expression(piece: Piece) -> str:
    match piece:
        case Literal(character):
            return re.escape(character)
        case CharacterSet(is_negated, ranges):
            rising = [f"{re.escape(low)}-{re.escape(high)}" for low, high in ranges if low <= high]
            if not rising:
                return "." if is_negated else "(?!)"
            return f"[{'^' if is_negated else ''}{''.join(rising)}]"
        case _:
            return ".*" if piece == ANY_TEXT else "."
