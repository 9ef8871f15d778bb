"""Where the quotes of CSV open and close, worked out for thousands of lines at once.

The rules (RFC 4180, and what spreadsheets write beside it):

- A quote opens a value if it is the value's first character. Any other quote outside of quoted values is a character.
- Inside a quoted value two quotes are one character, and a single one closes it.
- Commas and line ends inside a quoted value are characters.
- What follows the closing quote must be a comma, a line end, or the end of the file. If not, the record is broken.

In most files every quote opens, closes, or is one of two inside, so they do it by turns: a piece of which that can be
proven is looked at in that way. In any other piece a run of adjacent quotes is looked at as a whole. An even run
changes nothing, whatever it stands in. An odd one behind a comma or a line end leads inside if it is outside, and
outside if it is inside; an odd one behind anything else leads outside, from wherever. So what a place is in follows
from the number of changes since the last run that leads outside.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Bytes: TypeAlias = NDArray[np.uint8]
Places: TypeAlias = NDArray[np.intp]
Flags: TypeAlias = NDArray[np.bool_]

QUOTE: Final = ord('"')
COMMA: Final = ord(",")
LINE_FEED: Final = ord("\n")
CARRIAGE_RETURN: Final = ord("\r")

ENDS_VALUE: Final = np.zeros(256, np.bool_)
ENDS_VALUE[[COMMA, LINE_FEED, CARRIAGE_RETURN]] = True
BESIDE_VALUE: Final = ENDS_VALUE.copy()
BESIDE_VALUE[QUOTE] = True
NONE: Final = np.zeros(0, np.intp)


class Quotes(Struct, frozen=True):
    """The quotes of a piece of CSV.

    `starts` are the places where something may open or close; `insides[i]` tells whether what stands before the i-th of
    them is inside a quoted value, and its last item whether the end of the piece is. `broken` are those that close a
    value which does not end there.
    """

    starts: Places
    insides: Flags
    broken: Places

    @property
    def ends_inside(self) -> bool:
        """Whether a quoted value is open at the end of the piece."""
        return bool(self.insides[-1])

    def is_outside(self, place: int) -> bool:
        """Whether a place is outside of quoted values."""
        return not self.insides[np.searchsorted(self.starts, place)]

    def outside(self, places: Places) -> Places:
        """Those of some places, in order, that are outside of quoted values."""
        return places[~self.insides.take(np.searchsorted(self.starts, places))]


class QuoteScanner:
    """Looks at a file piece by piece, each once.

    Args:
        piece_bytes: how much to look at at once.
    """

    def __init__(self, piece_bytes: int) -> None:
        self.piece_bytes = max(piece_bytes, 4)
        self.place = 0
        """How far the file was looked at."""
        self.is_inside = False
        """Whether a quoted value is open there."""
        self.previous = LINE_FEED
        """The byte before it; if it is in a run of quotes, the one before the run."""

    def pieces(self, text: bytes | bytearray, *, is_all: bool) -> Iterator[tuple[int, bytes, Quotes]]:
        """(start, piece, its quotes) of what was not looked at yet.

        Args:
            text: the file so far. What was looked at may be taken off its front in between, and off `place`.
            is_all: whether it ends here. If not, a rest stays that is less than a piece.
        """
        while len(text) - self.place >= (1 if is_all else self.piece_bytes):
            piece = bytes(text[self.place : self.place + self.piece_bytes])
            if not is_all or self.place + len(piece) < len(text):
                rest, piece = piece, piece.rstrip(b'"')
                if not piece:
                    # Of a long run of quotes no more counts than whether it is even. Two stay, or three.
                    self.place += (len(rest) - 2) & ~1
                    continue
            start = self.place
            quotes = find_quotes(piece, is_inside=self.is_inside, previous=self.previous)
            self.place += len(piece)
            self.is_inside, self.previous = quotes.ends_inside, piece[-1]
            yield start, piece, quotes


def find_quotes(piece: bytes, *, is_inside: bool, previous: int) -> Quotes:
    """The quotes of a piece.

    Args:
        piece: not empty. Its end counts as the end of a value, so it ends with a quote only if the file does.
        is_inside: whether a quoted value is open where it begins.
        previous: the byte before it; a line feed at the start of a file.
    """
    if QUOTE not in piece:
        return Quotes(NONE, np.array([is_inside]), NONE)
    data = np.frombuffer(piece, np.uint8)
    # Before the first byte stands `previous`, behind the last one a line feed.
    around = np.empty(len(data) + 2, np.uint8)
    around[0], around[1:-1], around[-1] = previous, data, LINE_FEED
    is_quote = around == QUOTE
    quotes = np.flatnonzero(is_quote)
    opening, closing = quotes[int(is_inside) :: 2], quotes[int(not is_inside) :: 2]
    if BESIDE_VALUE.take(around.take(opening - 1)).all() and BESIDE_VALUE.take(around.take(closing + 1)).all():
        turns = np.zeros(len(quotes) + 1, np.bool_)
        turns[int(not is_inside) :: 2] = True
        return Quotes(quotes - 1, turns, NONE)

    edges = np.flatnonzero(is_quote[1:] != is_quote[:-1])
    starts, stops = edges[0::2], edges[1::2]
    is_odd = ((stops - starts) & 1).astype(np.bool_)
    begins_value, ends_value = ENDS_VALUE.take(around.take(starts)), ENDS_VALUE.take(around.take(stops + 1))
    changes = np.cumsum(is_odd & begins_value) + is_inside
    since = np.maximum.accumulate(np.where(is_odd & ~begins_value, changes, 0))
    insides = np.concatenate(([is_inside], ((changes - since) & 1).astype(np.bool_)))
    closes = np.where(insides[:-1], is_odd, begins_value & ~is_odd)
    return Quotes(starts, insides, starts[closes & ~ends_value])


def line_ends(data: Bytes) -> Places:
    """The places of line feeds and carriage returns, which each end a line; lines without a byte are none."""
    return np.flatnonzero((data == LINE_FEED) | (data == CARRIAGE_RETURN))


def last_line_end(piece: bytes, quotes: Quotes) -> int:
    """The place of the last line end outside of quoted values; -1 if there is none."""
    last = max(piece.rfind(b"\n"), piece.rfind(b"\r"))
    if last < 0 or quotes.is_outside(last):
        return last
    found = quotes.outside(line_ends(np.frombuffer(piece, np.uint8)))
    return int(found[-1]) if len(found) else -1
