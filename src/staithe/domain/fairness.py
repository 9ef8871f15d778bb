"""Whose turn it is: how one worker shares its room among companies, so that none waits for all work of another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


class Turns:
    """Who has how many of a worker's places, and since when each has waited for its next. Not for several threads.

    A company with much to do never has all places: some are left for whoever comes next, who then starts at once.

    Args:
        places: how many syncs, or callbacks, run side by side.
        most_of_one: how many of them one company may have.
    """

    def __init__(self, places: int, most_of_one: int) -> None:
        self.places = places
        self.most_of_one = most_of_one
        self.taken: Counter[int] = Counter()
        self.last_turns: dict[int, int] = {}
        self.turns = 0

    def in_order(self, companies: Iterable[int]) -> list[int]:
        """Companies by who comes first: with the fewest places, then the longest without a turn, then by id."""
        return sorted(companies, key=lambda company: (self.taken[company], self.last_turns.get(company, 0), company))

    def take(self, company: int) -> bool:
        """Give a company a place. False, and nothing is changed, if none is left, or none for this company."""
        if self.taken.total() >= self.places or self.taken[company] >= self.most_of_one:
            return False
        self.turns += 1
        self.taken[company] += 1
        self.last_turns[company] = self.turns
        return True

    def leave(self, company: int) -> None:
        """A company no longer needs one of its places."""
        self.taken[company] -= 1
        if not self.taken[company]:
            del self.taken[company]
