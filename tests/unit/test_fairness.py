"""Whose turn it is: the rule by which a worker shares its room among companies."""

from __future__ import annotations

import random
from collections import Counter

from staithe.domain.fairness import Turns

A, B, C = 1, 2, 3


def test_one_company_never_has_every_place() -> None:
    turns = Turns(4, 3)
    assert [turns.take(A) for _ in range(5)] == [True, True, True, False, False]
    assert turns.take(B)
    assert not turns.take(C), "there are four places"
    turns.leave(A)
    assert turns.take(C)


def test_a_worker_with_one_place_gives_it_to_anyone() -> None:
    turns = Turns(1, 1)
    assert turns.take(A)
    assert not turns.take(B)
    turns.leave(A)
    assert turns.take(B)


def test_who_has_the_fewest_places_comes_first_then_who_has_waited_longest() -> None:
    turns = Turns(4, 3)
    assert turns.in_order([C, A, B]) == [A, B, C]
    turns.take(A)
    turns.take(A)
    turns.take(B)
    assert turns.in_order([A, B, C]) == [C, B, A]
    turns.leave(A)
    assert turns.in_order([A, B]) == [A, B], "both have one; the last turn of A was before that of B"
    turns.leave(A)
    turns.leave(B)
    turns.take(A)
    turns.leave(A)
    assert turns.in_order([A, B]) == [B, A]


def test_nobody_has_two_turns_while_another_that_has_no_place_waits() -> None:
    """Companies that always have something to run, syncs that end in any order."""
    chance = random.Random(7)
    turns = Turns(4, 3)
    running: list[int] = []
    companies = range(1, 8)
    since_none_running: dict[int, Counter[int]] = {company: Counter() for company in companies}
    served: Counter[int] = Counter()
    for _ in range(2000):
        for company in turns.in_order(companies):
            if turns.take(company):
                running.append(company)
                served[company] += 1
                since_none_running.pop(company, None)
                for others in since_none_running.values():
                    others[company] += 1
        assert max(count for others in since_none_running.values() for count in others.values()) <= 1
        ended = running.pop(chance.randrange(len(running)))
        turns.leave(ended)
        if ended not in running:
            since_none_running[ended] = Counter()
    assert min(served.values()) > 200
