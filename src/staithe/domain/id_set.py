"""`IdSet`: an immutable set of contact ids, stored as Roaring chunks of 65,536 ids.

A list, the subscribers of an email group, the globally unsubscribed and the existing contacts are each one
IdSet; a sync action is algebra on them. docs/decisions/0002-sets-of-ids.md has the measurements.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import Self

from pyroaring import BitMap

from staithe.domain.limits import CHUNK_IDS, CONTACT_ID


class IdSet:
    """An immutable set of ids from 1 to 2**32 - 1."""

    __slots__ = ("bitmap",)

    def __init__(self, bitmap: BitMap | None = None) -> None:
        self.bitmap = BitMap() if bitmap is None else bitmap

    @classmethod
    def of(cls, ids: Iterable[int]) -> Self:
        """From any ids, in any order, repeated or not.

        Raises:
            OverflowError: an id is negative or over 2**32 - 1.
        """
        return cls(BitMap(array("I", ids)))

    @classmethod
    def of_bytes(cls, native_uint32: bytes) -> Self:
        """From ids as native 32-bit integers. Sorted input is ten times as fast as unsorted."""
        return cls(BitMap(array("I", native_uint32)))

    @classmethod
    def span(cls, first: int, last: int) -> Self:
        """The ids from `first` to `last`, both included."""
        return cls(BitMap(range(first, last + 1)))

    @classmethod
    def union(cls, sets: Iterable[IdSet]) -> Self:
        """All ids of all sets."""
        bitmaps = [s.bitmap for s in sets]
        return cls(BitMap.union(*bitmaps) if bitmaps else None)

    @classmethod
    def from_chunks(cls, chunks: Iterable[bytes]) -> Self:
        """Put together what `to_chunks` gave, or some of it."""
        bitmaps = [BitMap.deserialize(bits) for bits in chunks]
        return cls(BitMap.union(*bitmaps) if bitmaps else None)

    def to_chunks(self) -> Iterator[tuple[int, IdSet]]:
        """(chunk number, its ids) for each chunk that has ids, in rising order."""
        for chunk in self.chunk_numbers():
            first = chunk * CHUNK_IDS
            yield chunk, IdSet(self.bitmap & BitMap(range(first, first + CHUNK_IDS)))

    def to_bytes(self) -> bytes:
        """Portable Roaring serialisation; `from_chunks` reads it."""
        compact = self.bitmap.copy()
        compact.run_optimize()
        return compact.serialize()

    def chunk_numbers(self) -> list[int]:
        """The numbers of the chunks that have ids, in rising order."""
        found: list[int] = []
        remaining, position = self.bitmap, 0
        while position < len(remaining):
            chunk = remaining[position] // CHUNK_IDS
            found.append(chunk)
            position = remaining.rank(min((chunk + 1) * CHUNK_IDS - 1, CONTACT_ID))
        return found

    def bounds(self) -> tuple[int, int]:
        """The lowest and the highest id.

        Raises:
            ValueError: it is empty.
        """
        return self.bitmap.min(), self.bitmap.max()

    def page(self, offset: int, count: int) -> IdSet:
        """The ids at `count` positions after `offset`, in rising order."""
        return IdSet(self.bitmap[offset : offset + count])

    def isdisjoint(self, other: IdSet) -> bool:
        """Whether no id is in both."""
        return not self.bitmap.intersect(other.bitmap)

    def __and__(self, other: IdSet) -> IdSet:
        return IdSet(self.bitmap & other.bitmap)

    def __or__(self, other: IdSet) -> IdSet:
        return IdSet(self.bitmap | other.bitmap)

    def __sub__(self, other: IdSet) -> IdSet:
        return IdSet(self.bitmap - other.bitmap)

    def __xor__(self, other: IdSet) -> IdSet:
        return IdSet(self.bitmap ^ other.bitmap)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdSet) and self.bitmap == other.bitmap

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def __len__(self) -> int:
        return len(self.bitmap)

    def __contains__(self, contact_id: int) -> bool:
        return 0 <= contact_id <= CONTACT_ID and contact_id in self.bitmap

    def __iter__(self) -> Iterator[int]:
        return iter(self.bitmap)

    def __repr__(self) -> str:
        return f"IdSet({len(self)} ids)"


class SetChange:
    """What one change did to one set: the ids it added and the ids it removed."""

    __slots__ = ("added", "removed")

    def __init__(self, added: IdSet, removed: IdSet) -> None:
        self.added = added
        self.removed = removed

    def __bool__(self) -> bool:
        return bool(self.added) or bool(self.removed)

    def then(self, later: SetChange) -> SetChange:
        """This change followed by `later`, as one: ids that went in and out again are in neither."""
        added = (self.added - later.removed) | (later.added - self.removed)
        removed = (self.removed - later.added) | (later.removed - self.added)
        return SetChange(added, removed)


def merge_changes(changes: Iterable[tuple[str, SetChange]]) -> Mapping[str, SetChange]:
    """The net change of each set, from changes in the order they were made."""
    merged: dict[str, SetChange] = {}
    for name, change in changes:
        merged[name] = merged[name].then(change) if name in merged else change
    return {name: change for name, change in merged.items() if change}
