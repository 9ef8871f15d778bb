"""Decides whether there is an order of concurrent operations on one definition that explains all their answers.

An operation takes effect at some moment between its beginning and its end. So one that ended before another began
comes before it; of others any may be the first. The search tries them all, and each state once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

DONE, GONE, CONFLICT, REFUSED = "done", "gone", "conflict", "refused"
Labels = frozenset[int]
NONE: Labels = frozenset()


@dataclass(frozen=True, slots=True)
class Operation:
    """What was asked for, when (seconds, monotonic), and what came of it.

    | kind    | given          | answer                                                        |
    | ------- | -------------- | ------------------------------------------------------------- |
    | upload  | its label      | DONE, GONE                                                    |
    | replace | a list         | DONE, GONE, CONFLICT                                          |
    | clear   |                | DONE, GONE, CONFLICT: of the data that waits                  |
    | delete  |                | DONE, GONE                                                    |
    | read    |                | the list that the definition names, GONE                      |
    | start   |                | the sync, REFUSED                                             |
    | end     | a sync         | its `SyncEnd`                                                 |
    | look    |                | the labels on each list, as (list, labels)                    |
    """

    kind: str
    given: Any
    answer: Any
    began: float
    ended: float


class SyncEnd(NamedTuple):
    """How a sync ended: its status, the records its log counts, and what its changes added, as (list, labels)."""

    status: str
    records: int
    added: tuple[tuple[str, Labels], ...]


class State(NamedTuple):
    """A definition and the two lists that it may name. Syncs that have not ended are in the order of their creation."""

    exists: bool
    target: str
    waiting: Labels
    unfinished: tuple[tuple[str, Labels], ...]
    members: tuple[tuple[str, Labels], ...]


Sizes = Mapping[int, int]
Step = Callable[[State, Operation, Sizes], State | None]


def begin(target: str, lists: Sequence[str]) -> State:
    """A new definition that names one of some empty lists."""
    return State(True, target, NONE, (), tuple((name, NONE) for name in lists))


def upload(state: State, operation: Operation, _sizes: Sizes) -> State | None:
    if not state.exists:
        return answered(state, operation, GONE)
    after = state._replace(waiting=state.waiting | {operation.given})
    return answered(after, operation, DONE)


def replace(state: State, operation: Operation, _sizes: Sizes) -> State | None:
    if not state.exists:
        return answered(state, operation, GONE)
    if state.unfinished:
        return answered(state, operation, CONFLICT)
    return answered(state._replace(target=operation.given), operation, DONE)


def clear(state: State, operation: Operation, _sizes: Sizes) -> State | None:
    if not state.exists:
        return answered(state, operation, GONE)
    if state.unfinished:
        return answered(state, operation, CONFLICT)
    return answered(state._replace(waiting=NONE), operation, DONE)


def delete(state: State, operation: Operation, _sizes: Sizes) -> State | None:
    if not state.exists:
        return answered(state, operation, GONE)
    emptied = tuple((sync, NONE) for sync, _ in state.unfinished)
    return answered(state._replace(exists=False, waiting=NONE, unfinished=emptied), operation, DONE)


def read(state: State, operation: Operation, _sizes: Sizes) -> State | None:
    return answered(state, operation, state.target if state.exists else GONE)


def start(state: State, operation: Operation, _sizes: Sizes) -> State | None:
    if not state.exists:
        return answered(state, operation, REFUSED)
    if operation.answer == REFUSED:
        return None
    return state._replace(waiting=NONE, unfinished=(*state.unfinished, (operation.answer, state.waiting)))


def end(state: State, operation: Operation, sizes: Sizes) -> State | None:
    """The syncs of one definition end in the order of their creation."""
    if not state.unfinished or state.unfinished[0][0] != operation.given:
        return None
    labels = state.unfinished[0][1]
    after = state._replace(unfinished=state.unfinished[1:])
    if not state.exists:
        return answered(after, operation, SyncEnd("error", 0, ()))
    if not labels:
        return answered(after, operation, SyncEnd("warning", 0, ()))
    records = sum(sizes[label] for label in labels)
    members = tuple((name, had | labels if name == state.target else had) for name, had in state.members)
    return answered(after._replace(members=members), operation, SyncEnd("success", records, ((state.target, labels),)))


def look(state: State, operation: Operation, _sizes: Sizes) -> State | None:
    return answered(state, operation, state.members)


def answered(after: State, operation: Operation, expected: Any) -> State | None:
    return after if operation.answer == expected else None


STEPS: Mapping[str, Step] = {
    "upload": upload,
    "replace": replace,
    "clear": clear,
    "delete": delete,
    "read": read,
    "start": start,
    "end": end,
    "look": look,
}


class Search:
    """Looks for an order. `longest` is the longest beginning of one that it has found."""

    def __init__(self, operations: Sequence[Operation], sizes: Sizes) -> None:
        self.operations = sorted(operations, key=lambda operation: operation.began)
        self.sizes = sizes
        self.seen: set[tuple[int, State]] = set()
        self.longest: list[Operation] = []

    def find(self, first: State) -> list[Operation] | None:
        """An order that explains every answer, or None if there is none."""
        everything = (1 << len(self.operations)) - 1
        stack: list[tuple[int, State, list[Operation]]] = [(0, first, [])]
        while stack:
            done, state, order = stack.pop()
            if done == everything:
                return order
            if len(order) > len(self.longest):
                self.longest = order
            for number in self.candidates(done):
                operation = self.operations[number]
                after = STEPS[operation.kind](state, operation, self.sizes)
                reached = done | 1 << number
                if after is not None and (reached, after) not in self.seen:
                    self.seen.add((reached, after))
                    stack.append((reached, after, [*order, operation]))
        return None

    def candidates(self, done: int) -> list[int]:
        """Which operations may be next: those that no other one that is left has ended before."""
        left = [number for number in range(len(self.operations)) if not done >> number & 1]
        first_end = min(self.operations[number].ended for number in left)
        return [number for number in left if self.operations[number].began <= first_end]


def check_order(operations: Sequence[Operation], first: State, sizes: Sizes) -> list[Operation]:
    """An order of the operations that explains every answer.

    Raises:
        AssertionError: there is none; says how far the search came.
    """
    search = Search(operations, sizes)
    order = search.find(first)
    if order is None:
        explained = "\n".join(map(str, search.longest))
        left = "\n".join(str(o) for o in search.operations if o not in search.longest)
        raise AssertionError(f"no order explains these answers. As far as it goes:\n{explained}\nand then:\n{left}")
    return order
