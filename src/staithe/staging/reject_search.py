"""Searches and orders the rejects of a sync, batch by batch: memory holds a batch and a page, however many there are.

The file is read once to count what meets the condition, and once more, up to the last reject of the page, to take it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from staithe.domain.codes import REJECT_REASONS
from staithe.domain.item_page import OPERATORS, holds
from staithe.domain.list_query import Condition, ListQuery, PropertyType
from staithe.domain.syncs import Reject, RejectFile
from staithe.staging.arrow_folder import ArrowFolder
from staithe.staging.rejects import read_rejects, to_rejects

Batch = Any
SEARCHABLE: Final[Mapping[str, PropertyType]] = {
    "recordIndex": PropertyType.NUMBER,
    "statusCode": PropertyType.TEXT,
    "message": PropertyType.TEXT,
    "invalidFields": PropertyType.TEXT,
}
"""By which properties rejects are searched and ordered; by the first of several invalid fields."""

OF_REASONS: Final[Mapping[str, Callable[[str], str]]] = {
    "statusCode": lambda reason: REJECT_REASONS[reason].code,
    "message": lambda reason: REJECT_REASONS[reason].text_of_reject,
}


def find_rejects(folder: ArrowFolder, file: RejectFile, query: ListQuery) -> tuple[list[Reject], int]:
    """One page of the rejects in a file: (rejects, how many there are in all).

    Those that are alike in the wanted order, and all if there is none, come by record number.

    Raises:
        FileNotFoundError: the file is gone.
        Damaged: it is not as it was written.
        StagingUnavailable: the object store fails.
    """
    if query.condition is None and not query.order_by:
        return read_rejects(folder, file, query.limit, query.offset), file.count
    counts: Counter[str] = Counter()
    for _, keys in matching(folder, file, query):
        counts.update(dict(zip(*map(np.ndarray.tolist, np.unique(keys, return_counts=True)), strict=True)))
    by_number = query.order_by == "recordIndex" and query.descending
    start, stop = query.offset, query.offset + query.limit
    if by_number:
        start, stop = max(counts.total() - stop, 0), max(counts.total() - start, 0)
    page = take_page(folder, file, query, wanted_ranges(counts, start, stop, descending=query.descending))
    return page[::-1] if by_number else page, counts.total()


def wanted_ranges(counts: Mapping[str, int], start: int, stop: int, *, descending: bool) -> dict[str, range]:
    """Which rejects of each key are on the page from `start` to `stop`, by their place among those of the key."""
    wanted: dict[str, range] = {}
    position = 0
    for key in sorted(counts, reverse=descending):
        first, last = max(start - position, 0), min(stop - position, counts[key])
        if first < last:
            wanted[key] = range(first, last)
        position += counts[key]
    return wanted


def take_page(folder: ArrowFolder, file: RejectFile, query: ListQuery, wanted: Mapping[str, range]) -> list[Reject]:
    """The rejects of some ranges, one range behind the other."""
    seen: Counter[str] = Counter()
    found: dict[str, list[Reject]] = {key: [] for key in wanted}
    for batch, keys in matching(folder, file, query):
        for key, places in wanted.items():
            positions = np.flatnonzero(keys == key)
            first, last = places.start - seen[key], places.stop - seen[key]
            seen[key] += len(positions)
            picked = positions[max(first, 0) : max(last, 0)]
            if len(picked):
                found[key] += to_rejects(batch.take(pa.array(picked)).to_pylist())
        if all(seen[key] >= places.stop for key, places in wanted.items()):
            break
    return [reject for rejects in found.values() for reject in rejects]


def matching(folder: ArrowFolder, file: RejectFile, query: ListQuery) -> Iterator[tuple[Batch, NDArray[Any]]]:
    """The rejects that meet the condition, in batches, each with the keys that they are ordered by first."""
    for whole in folder.read(file.name, file.checksums):
        batch = whole if query.condition is None else whole.filter(pa.array(meets(query.condition, whole)))
        yield batch, keys_of(query.order_by, batch)


def meets(condition: Condition, batch: Batch) -> NDArray[np.bool_]:
    """Which rejects of a batch meet a condition; that on invalid fields is met by any of them, `!=` by all."""
    if condition.name == "recordIndex":
        return np.asarray(OPERATORS[condition.operator](batch.column("record_index").to_numpy(), condition.value))
    if condition.name == "invalidFields":
        return meets_fields(condition, batch)
    getter = OF_REASONS[condition.name]
    return choose(batch.column("code"), lambda reason: test(condition, getter(reason)))


def meets_fields(condition: Condition, batch: Batch) -> NDArray[np.bool_]:
    lists = batch.column("invalid_fields")
    is_met = choose(lists.flatten(), lambda name: test(condition, name))
    owners = np.repeat(np.arange(len(lists)), lists.value_lengths().to_numpy())
    if condition.operator == "!=":
        fails = np.zeros(len(lists), bool)
        fails[owners[~is_met]] = True
        return ~fails
    found = np.zeros(len(lists), bool)
    found[owners[is_met]] = True
    return found


def test(condition: Condition, text: str) -> bool:
    return holds(condition, text, {condition.name: lambda value: value})


def choose(column: Any, wants: Callable[[str], bool]) -> NDArray[np.bool_]:
    """Ask of each of the few texts in a column whether it is wanted: true in all rows that have it."""
    coded = column.dictionary_encode()
    wanted = np.array([wants(text) for text in coded.dictionary.to_pylist()], bool)
    return wanted[coded.indices.to_numpy()]


def keys_of(order_by: str, batch: Batch) -> NDArray[Any]:
    """What each reject of a batch is ordered by before its number."""
    if order_by in OF_REASONS:
        return translate(batch.column("code"), OF_REASONS[order_by])
    if order_by == "invalidFields":
        lists = batch.column("invalid_fields")
        names: Sequence[list[str]] = lists.to_pylist()
        return np.array([fields[0] if fields else "" for fields in names], object)
    return np.full(batch.num_rows, "", object)


def translate(column: Any, to_text: Callable[[str], str]) -> NDArray[Any]:
    coded = column.dictionary_encode()
    texts = np.array([to_text(text) for text in coded.dictionary.to_pylist()], object)
    return texts[coded.indices.to_numpy()]
