"""What waits in all companies together: the numbers by which an operator sees whether the workers keep up."""

from __future__ import annotations

import logging
from typing import Final

from msgspec import Struct

from staithe.domain.companies import Company
from staithe.domain.errors import StoreUnusable
from staithe.domain.limits import SECOND
from staithe.services.stores import Stores
from staithe.storage import control, queue
from staithe.storage.quiet import FileState

LOGGER: Final = logging.getLogger(__name__)


class QueueFigures(Struct, frozen=True):
    """Sums over all companies; the age is in seconds, and 0 if no sync is pending."""

    companies: int = 0
    unreadable_companies: int = 0
    pending_syncs: int = 0
    active_syncs: int = 0
    oldest_pending_age_seconds: float = 0.0
    staged_uploads: int = 0
    staged_bytes: int = 0


Kept = dict[int, tuple[FileState, queue.Queue]]
"""What was read of each company, and the state that its store was in before."""


def read_queue(stores: Stores, company: Company, kept: Kept) -> queue.Queue:
    """The queue of a company: as it was read last, if its store has not changed since."""
    state = stores.databases.state_of(company.id)
    known = kept.get(company.id)
    if state is not None and known is not None and known[0] == state:
        return known[1]
    read = stores.databases.glance_at_queue(company.id)
    if read is None:
        with stores.open(company).database.read() as connection:
            read = queue.read_queue(connection)
    if state is not None and state.is_settled:
        kept[company.id] = state, read
    return read


def read_figures(stores: Stores, now: int, kept: Kept) -> QueueFigures:
    """Read the store of every company that has changed; one that cannot be read is logged, and counted as such."""
    with stores.control.read() as connection:
        companies = control.all_companies(connection)
    found: list[queue.Queue] = []
    for company in companies:
        try:
            found.append(read_queue(stores, company, kept))
        except StoreUnusable:
            # The log says it already.
            continue
        except Exception:
            LOGGER.exception("the queue of company %s cannot be read", company.name)
    oldest = min((q.oldest_pending_at for q in found if q.oldest_pending_at is not None), default=now)
    return QueueFigures(
        companies=len(companies),
        unreadable_companies=len(companies) - len(found),
        pending_syncs=sum(q.pending_syncs for q in found),
        active_syncs=sum(q.active_syncs for q in found),
        oldest_pending_age_seconds=max(now - oldest, 0) / SECOND,
        staged_uploads=sum(q.staged_uploads for q in found),
        staged_bytes=sum(q.staged_bytes for q in found),
    )
