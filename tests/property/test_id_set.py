"""`IdSet` and `SetChange` against Python's own sets."""

from __future__ import annotations

import itertools
import random
from array import array

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from staithe.domain.id_set import IdSet, SetChange, merge_changes
from staithe.domain.limits import CHUNK_IDS, CONTACT_ID
from tests.property.effort import examples

BORDERS = [0, 1, CHUNK_IDS - 1, CHUNK_IDS, CHUNK_IDS + 1, 2 * CHUNK_IDS, CONTACT_ID - CHUNK_IDS, CONTACT_ID]
BORDER_IDS = st.builds(
    lambda border, step: min(max(border + step, 0), CONTACT_ID), st.sampled_from(BORDERS), st.integers(-3, 3)
)
ID = st.one_of(BORDER_IDS, st.integers(0, CONTACT_ID), st.integers(0, 40))
RUNS = st.builds(
    lambda first, length: set(range(first, min(first + length, CONTACT_ID + 1))), ID, st.integers(0, CHUNK_IDS // 8)
)
EVERY_OTHER = st.builds(
    lambda first, length: set(range(first, min(first + length, CONTACT_ID + 1), 2)), ID, st.integers(0, CHUNK_IDS // 4)
)
PARTS = st.lists(st.one_of(st.sets(ID, max_size=20), RUNS, EVERY_OTHER), max_size=3)
IDS = st.one_of(PARTS.map(lambda parts: set().union(*parts)), st.sets(BORDER_IDS, max_size=3))
FEW_IDS = st.sets(st.one_of(BORDER_IDS, st.integers(0, 12)), max_size=12)


@examples(150)
@given(IDS, IDS)
def test_algebra_is_that_of_sets(left: set[int], right: set[int]) -> None:
    a, b = IdSet.of(left), IdSet.of(right)
    assert set(a & b) == left & right
    assert set(a | b) == left | right
    assert set(a - b) == left - right
    assert set(a ^ b) == left ^ right
    assert set(IdSet.union([a, b])) == left | right
    assert (a == b) is (left == right)
    assert len(a) == len(left)
    assert list(a) == sorted(left)
    assert bool(a) is bool(left)
    assert (set(a), set(b)) == (left, right), "the operands of an operation were changed"


@examples(150)
@given(IDS)
@example({0, CHUNK_IDS})
@example({CONTACT_ID - CHUNK_IDS, CONTACT_ID})
def test_chunks_cover_the_set_and_read_back(ids: set[int]) -> None:
    whole = IdSet.of(ids)
    chunks = list(whole.to_chunks())
    numbers = [number for number, _ in chunks]
    assert numbers == whole.chunk_numbers() == sorted({i // CHUNK_IDS for i in ids})
    for number, part in chunks:
        assert set(part) == {i for i in ids if i // CHUNK_IDS == number}
        assert len(part.to_bytes()) < 8 * 1024 + 64, "a chunk is one Roaring container"
    assert IdSet.from_chunks(part.to_bytes() for _, part in chunks) == whole
    assert IdSet.from_chunks([whole.to_bytes()]) == whole
    assert IdSet.from_chunks(part.to_bytes() for number, part in chunks if number != 1) == IdSet.of(
        i for i in ids if i // CHUNK_IDS != 1
    )


@examples(100)
@given(IDS, st.integers(0, 2**32).map(random.Random))
def test_made_of_ids_in_any_order_and_number(ids: set[int], chance: random.Random) -> None:
    shuffled = [*ids, *chance.sample(sorted(ids), len(ids) // 2)]
    chance.shuffle(shuffled)
    assert IdSet.of(shuffled) == IdSet.of(ids) == IdSet.of_bytes(array("I", shuffled).tobytes())
    assert hash(IdSet.of(shuffled)) == hash(IdSet.of(sorted(ids)))


@examples(100)
@given(IDS, ID)
def test_contains(ids: set[int], one: int) -> None:
    whole = IdSet.of(ids)
    assert (one in whole) is (one in ids)
    for one in (-1, CONTACT_ID + 1, 2**64 + 1, *list(ids)[:5]):
        assert (one in whole) is (one in ids)


@examples(50)
@given(ID, st.integers(0, 200_000))
def test_span(first: int, length: int) -> None:
    last = min(first + length, CONTACT_ID)
    span = IdSet.span(first, last)
    assert (len(span), next(iter(span)), first in span, last in span) == (last - first + 1, first, True, True)
    assert (first - 1 in span, last + 1 in span) == (False, False)


@pytest.mark.parametrize("wrong", [-1, CONTACT_ID + 1, 2**64])
def test_refuses_what_is_no_id(wrong: int) -> None:
    with pytest.raises(OverflowError):
        IdSet.of([1, wrong])


def test_the_highest_id_has_a_chunk() -> None:
    assert IdSet.of([CONTACT_ID]).chunk_numbers() == [CONTACT_ID // CHUNK_IDS]


def change_from(before: set[int], after: set[int]) -> SetChange:
    return SetChange(IdSet.of(after - before), IdSet.of(before - after))


@examples(200)
@given(st.lists(FEW_IDS, min_size=2, max_size=6))
def test_changes_in_a_row_come_to_the_difference_of_the_ends(states: list[set[int]]) -> None:
    steps = [change_from(before, after) for before, after in itertools.pairwise(states)]
    net = steps[0]
    for step in steps[1:]:
        net = net.then(step)
    assert set(net.added) == states[-1] - states[0]
    assert set(net.removed) == states[0] - states[-1]
    assert bool(net) is (states[0] != states[-1])


@examples(200)
@given(
    st.dictionaries(st.sampled_from("abc"), FEW_IDS, min_size=3),
    st.lists(st.tuples(st.sampled_from("abc"), FEW_IDS), max_size=12),
)
def test_merged_changes_lead_from_the_first_state_to_the_last(
    first: dict[str, set[int]], moves: list[tuple[str, set[int]]]
) -> None:
    state = dict(first)
    changes: list[tuple[str, SetChange]] = []
    for name, after in moves:
        changes.append((name, change_from(state[name], after)))
        state[name] = after
    merged = merge_changes(changes)
    assert set(merged) == {name for name in state if state[name] != first[name]}
    for name, change in merged.items():
        assert (set(change.added), set(change.removed)) == (state[name] - first[name], first[name] - state[name])
