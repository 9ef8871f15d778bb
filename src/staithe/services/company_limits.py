"""The limits of companies: set by operators, obeyed by every process of every server within a second."""

from __future__ import annotations

import threading
import time
from typing import Final

import msgspec

from staithe.domain.companies import Company
from staithe.domain.company_limits import CompanyLimits, OwnLimits, check_own_limits
from staithe.services.stores import Stores
from staithe.storage import company_limits

MOST_REMEMBERED: Final = 10_000


def read_own(stores: Stores, company: Company) -> OwnLimits:
    """What was set for a company."""
    with stores.control.read() as connection:
        return company_limits.read_limits(connection, company.id)


def change(stores: Stores, company: Company, wanted: OwnLimits, *, reset: bool) -> OwnLimits:
    """Set the limits that are wanted, and leave the others as they are; with `reset`, at the server's defaults.

    Raises:
        ValidationFailed: a number cannot be a limit; then nothing is changed.
    """
    check_own_limits(wanted)
    given = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not None}
    with stores.control.write() as connection:
        before = OwnLimits() if reset else company_limits.read_limits(connection, company.id)
        after = msgspec.structs.replace(before, **given)
        company_limits.write_limits(connection, company.id, after)
    return after


class KnownLimits:
    """What holds for each company, remembered for a second: every request asks.

    Args:
        stores: of the server.
        defaults: for companies that have no limits of their own.
        seconds: how long they are remembered.
    """

    def __init__(self, stores: Stores, defaults: CompanyLimits, seconds: float) -> None:
        self.stores = stores
        self.defaults = defaults
        self.seconds = seconds
        self.remembered: dict[int, tuple[CompanyLimits, float]] = {}
        self.lock = threading.Lock()

    def of(self, company: Company) -> CompanyLimits:
        """The limits of a company, as they are or were a second ago."""
        known = self.remembered.get(company.id)
        now = time.monotonic()
        if known is not None and known[1] > now:
            return known[0]
        limits = read_own(self.stores, company).over(self.defaults)
        with self.lock:
            if len(self.remembered) >= MOST_REMEMBERED:
                self.remembered.clear()
            self.remembered[company.id] = (limits, now + self.seconds)
        return limits
