"""Which companies need no look: nothing in them is unfinished, and nothing was written since that was seen.

A company with anything unfinished is looked into each time: a lease that ends changes no file. Nor is one passed over
whose store was written to within the last second, as the time of a file goes in steps.
"""

from __future__ import annotations

from staithe.domain.companies import Company
from staithe.services.stores import Stores
from staithe.storage.expiry import NEVER
from staithe.storage.quiet import FileState


class Unexpired:
    """When something expires next in the companies whose stores have not changed since that was seen."""

    def __init__(self, stores: Stores) -> None:
        self.databases = stores.databases
        self.known: dict[int, tuple[FileState, int]] = {}
        self.seen: set[int] = set()

    def state_of(self, company: Company) -> FileState | None:
        """The state of a company's store, to be asked for before that is read."""
        return self.databases.state_of(company.id)

    def was_seen(self, company: Company) -> bool:
        """Whether a company was looked into before, and where stores can tell that they have changed."""
        return company.id in self.seen or self.databases.is_shared

    def has_time(self, company: Company, now: int) -> bool:
        """Whether nothing in a company has expired, as far as a quick look tells, or what was seen before."""
        state = self.databases.state_of(company.id)
        if state is None:
            return False
        seen, next_at = self.known.get(company.id, (None, NEVER))
        if seen != state:
            first = self.databases.first_end(company.id)
            if first is None or now >= first:
                return False
            next_at = first
            self.note(company, state, next_at)
        return now < next_at

    def note(self, company: Company, state: FileState | None, next_at: int | None) -> None:
        """What was seen in a company, whose store was in a state before."""
        self.seen.add(company.id)
        if state is not None and state.is_settled:
            self.known[company.id] = state, NEVER if next_at is None else next_at


class QuietCompanies:
    """What one worker knows of its companies. With PostgreSQL nothing tells, and none is quiet."""

    def __init__(self, stores: Stores) -> None:
        self.databases = stores.databases
        self.states: dict[int, FileState] = {}

    def is_quiet(self, company: Company) -> bool:
        """Whether a company needs no look now."""
        state = self.databases.state_of(company.id)
        if state is not None and self.states.get(company.id) == state:
            return True
        self.states.pop(company.id, None)
        if state is None or not self.databases.is_at_rest(company.id):
            return False
        if state.is_settled:
            self.states[company.id] = state
        return True
