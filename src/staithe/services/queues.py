"""What waits in all companies together: the numbers by which an operator sees whether the workers keep up."""

from __future__ import annotations

import logging
from typing import Final

from msgspec import Struct

from staithe.domain.errors import StoreUnusable
from staithe.domain.limits import SECOND
from staithe.services.stores import Stores
from staithe.storage import control, queue

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


def read_figures(stores: Stores, now: int) -> QueueFigures:
    """Read every company's store; one that cannot be read is logged, and counted as such."""
    with stores.control.read() as connection:
        companies = control.all_companies(connection)
    found: list[queue.Queue] = []
    for company in companies:
        try:
            with stores.open(company).database.read() as connection:
                found.append(queue.read_queue(connection))
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
