"""The judge of concurrent histories: it takes those that can be, and rejects those that cannot."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.orders import CONFLICT, DONE, GONE, REFUSED, Operation, SyncEnd, begin, check_order

SIZES = {1: 10, 2: 3}
ONE, TWO, BOTH, NONE = frozenset({1}), frozenset({2}), frozenset({1, 2}), frozenset[int]()
FIRST = begin("A", ["A", "B"])
AFTER_BOTH = SyncEnd("success", 13, (("A", BOTH),))
AFTER_ONE = SyncEnd("success", 10, (("A", ONE),))
AFTER_TWO = SyncEnd("success", 3, (("A", TWO),))
NOTHING, DELETED = SyncEnd("warning", 0, ()), SyncEnd("error", 0, ())


def on_lists(a: frozenset[int], b: frozenset[int] = NONE) -> tuple[tuple[str, frozenset[int]], ...]:
    return ("A", a), ("B", b)


def history(*rows: tuple[str, Any, Any, float, float]) -> list[Operation]:
    return [Operation(*row) for row in rows]


UPLOADS = (("upload", 1, DONE, 0, 3), ("upload", 2, DONE, 1, 4))
POSSIBLE = {
    "one after the other": [
        *UPLOADS,
        ("start", None, "s", 5, 6),
        ("end", "s", AFTER_BOTH, 6, 9),
        ("look", None, on_lists(BOTH), 10, 11),
    ],
    "an upload at the time of a start may wait for the next sync": [
        ("upload", 1, DONE, 0, 1),
        ("upload", 2, DONE, 2, 5),
        ("start", None, "s", 2, 5),
        ("end", "s", AFTER_ONE, 5, 6),
        ("start", None, "t", 7, 8),
        ("end", "t", AFTER_TWO, 8, 9),
    ],
    "a replacement at the time of a start may come first": [
        ("upload", 1, DONE, 0, 1),
        ("replace", "B", DONE, 2, 5),
        ("start", None, "s", 2, 5),
        ("end", "s", SyncEnd("success", 10, (("B", ONE),)), 2, 7),
    ],
    "or behind its end": [
        ("upload", 1, DONE, 0, 1),
        ("replace", "B", DONE, 2, 8),
        ("start", None, "s", 2, 5),
        ("end", "s", AFTER_ONE, 5, 7),
        ("read", None, "B", 9, 10),
    ],
    "a sync whose definition is deleted ends in error": [
        ("upload", 1, DONE, 0, 1),
        ("start", None, "s", 2, 3),
        ("delete", None, DONE, 4, 5),
        ("end", "s", DELETED, 3, 9),
        ("upload", 2, GONE, 6, 7),
        ("start", None, REFUSED, 6, 7),
        ("look", None, on_lists(NONE), 10, 11),
    ],
    "or well, if it was quicker": [
        ("upload", 1, DONE, 0, 1),
        ("start", None, "s", 2, 3),
        ("delete", None, DONE, 4, 5),
        ("end", "s", AFTER_ONE, 3, 9),
    ],
    "what was cleared is gone": [
        *UPLOADS,
        ("clear", None, DONE, 2, 5),
        ("start", None, "s", 6, 7),
        ("end", "s", AFTER_TWO, 7, 8),
    ],
}
IMPOSSIBLE = {
    "a lost upload": [*UPLOADS, ("start", None, "s", 5, 6), ("end", "s", AFTER_ONE, 6, 9)],
    "a lost member": [
        *UPLOADS,
        ("start", None, "s", 5, 6),
        ("end", "s", AFTER_BOTH, 6, 9),
        ("look", None, on_lists(ONE), 10, 11),
    ],
    "an effect before the end": [
        *UPLOADS,
        ("start", None, "s", 5, 6),
        ("look", None, on_lists(BOTH), 6, 7),
        ("end", "s", AFTER_BOTH, 8, 9),
    ],
    "a change that is written twice": [
        ("upload", 1, DONE, 0, 1),
        ("start", None, "s", 5, 6),
        ("end", "s", SyncEnd("success", 10, (("A", ONE), ("A", ONE))), 6, 9),
    ],
    "an upload that two syncs take": [
        ("upload", 1, DONE, 0, 1),
        ("start", None, "s", 2, 5),
        ("start", None, "t", 2, 5),
        ("end", "s", AFTER_ONE, 5, 9),
        ("end", "t", AFTER_ONE, 5, 9),
    ],
    "records that are counted twice": [
        ("upload", 1, DONE, 0, 1),
        ("start", None, "s", 5, 6),
        ("end", "s", SyncEnd("success", 20, (("A", ONE),)), 6, 9),
    ],
    "an upload into the past": [
        ("upload", 1, DONE, 0, 1),
        ("start", None, "s", 2, 3),
        ("upload", 2, DONE, 4, 5),
        ("end", "s", AFTER_BOTH, 3, 9),
    ],
    "a replacement while a sync is unfinished": [
        ("upload", 1, DONE, 0, 1),
        ("start", None, "s", 2, 3),
        ("replace", "B", DONE, 4, 5),
        ("end", "s", AFTER_ONE, 6, 9),
    ],
    "a conflict without a sync": [("upload", 1, DONE, 0, 1), ("clear", None, CONFLICT, 2, 3)],
    "a sync that obeys a later replacement": [
        ("upload", 1, DONE, 0, 1),
        ("start", None, "s", 2, 3),
        ("end", "s", SyncEnd("success", 10, (("B", ONE),)), 4, 5),
        ("replace", "B", DONE, 6, 7),
    ],
    "a replacement that is forgotten": [("replace", "B", DONE, 0, 1), ("read", None, "A", 2, 3)],
    "an upload after a delete": [("delete", None, DONE, 0, 1), ("upload", 1, DONE, 2, 3)],
    "a sync after a delete": [("delete", None, DONE, 0, 1), ("start", None, "s", 2, 3), ("end", "s", NOTHING, 3, 4)],
    "two deletes": [("delete", None, DONE, 0, 5), ("delete", None, DONE, 0, 5)],
    "an effect after a delete": [
        ("upload", 1, DONE, 0, 1),
        ("start", None, "s", 2, 3),
        ("delete", None, DONE, 4, 5),
        ("end", "s", AFTER_ONE, 6, 9),
    ],
    "an error without a delete": [
        ("upload", 1, DONE, 0, 1),
        ("start", None, "s", 2, 3),
        ("end", "s", DELETED, 3, 9),
    ],
    "cleared data that comes back": [
        ("upload", 1, DONE, 0, 1),
        ("clear", None, DONE, 2, 3),
        ("start", None, "s", 4, 5),
        ("end", "s", AFTER_ONE, 5, 6),
    ],
    "a later sync that ends first": [
        ("upload", 1, DONE, 0, 1),
        ("start", None, "s", 2, 3),
        ("start", None, "t", 4, 5),
        ("end", "t", NOTHING, 5, 6),
        ("end", "s", AFTER_ONE, 7, 8),
    ],
}


@pytest.mark.parametrize("rows", POSSIBLE.values(), ids=POSSIBLE)
def test_takes(rows: list[tuple[str, Any, Any, float, float]]) -> None:
    operations = history(*rows)
    order = check_order(operations, FIRST, SIZES)
    assert sorted(map(id, order)) == sorted(map(id, operations))
    for place, operation in enumerate(order):
        assert all(later.ended >= operation.began for later in order[place:])


@pytest.mark.parametrize("rows", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_rejects(rows: list[tuple[str, Any, Any, float, float]]) -> None:
    with pytest.raises(AssertionError, match="no order explains these answers"):
        check_order(history(*rows), FIRST, SIZES)
