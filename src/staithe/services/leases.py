"""The leases of one worker: taken with a sync, renewed while it runs, left when it has ended."""

from __future__ import annotations

import itertools
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from msgspec import Struct

from staithe.clock import Clock
from staithe.domain.limits import SECOND
from staithe.domain.syncs import Sync
from staithe.services.stores import CompanyStore
from staithe.storage import syncs

LOGGER: Final = logging.getLogger(__name__)
RENEWALS: Final = 4
"""In the life of a lease, so that one that comes late does not lose it."""


class Claim(Struct, frozen=True):
    """A sync that was claimed, and who holds its lease: this claim and no other."""

    store: CompanyStore
    sync: Sync
    owner: str


class Leases:
    """What a worker holds.

    Args:
        worker: its name, which no other has.
        seconds: how long a lease is good for.
        clock: tells the time.
        stores_at_once: how many companies' leases are renewed side by side.
    """

    def __init__(self, worker: str, seconds: float, clock: Clock, stores_at_once: int) -> None:
        self.worker = worker
        self.seconds = seconds
        self.clock = clock
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()
        self.held: dict[str, CompanyStore] = {}
        self.lost: set[str] = set()
        self.renewing: set[int] = set()
        self.renewers = ThreadPoolExecutor(stores_at_once, "renew")

    def claim(self, store: CompanyStore) -> Claim | None:
        """Take a company's next sync, if it has one that may run."""
        owner = syncs.owner_of(self.worker, next(self.numbers))
        with store.database.write(alone=False) as connection:
            now = self.clock()
            sync = syncs.claim(connection, owner, now, self.end_of_lease(now))
        if sync is None:
            return None
        with self.lock:
            self.held[owner] = store
        return Claim(store, sync, owner)

    def leave(self, claim: Claim) -> None:
        """Renew this lease no more."""
        with self.lock:
            del self.held[claim.owner]
            self.lost.discard(claim.owner)

    def is_lost(self, claim: Claim) -> bool:
        """Whether the sync is known to be another's, or gone: so nothing that is done for this claim can be stored."""
        return claim.owner in self.lost

    def end_of_lease(self, now: int) -> int:
        return now + int(self.seconds * SECOND)

    def keep(self, ended: threading.Event) -> None:
        """Renew what is held, several times in the life of a lease, until `ended` is set.

        Each company's by a thread of its own: one whose store is busy must not cost the others theirs.
        """
        while not ended.wait(self.seconds / RENEWALS):
            with self.lock:
                due = {store.company.id: store for store in self.held.values()}
                due = {number: store for number, store in due.items() if number not in self.renewing}
                self.renewing.update(due)
            for store in due.values():
                self.renewers.submit(self.renew, store)
        self.renewers.shutdown(wait=True)

    def renew(self, store: CompanyStore) -> None:
        """Renew what is held of one company."""
        try:
            with store.database.write(alone=False) as connection:
                with self.lock:
                    owners = [owner for owner, holder in self.held.items() if holder is store]
                lost = syncs.renew_leases(connection, owners, self.end_of_lease(self.clock()))
            with self.lock:
                self.lost.update(owner for owner in lost if owner in self.held)
        except Exception:
            LOGGER.exception("leases of company %s cannot be renewed", store.company.name)
        finally:
            with self.lock:
                self.renewing.discard(store.company.id)
