"""The limits of companies: set by operators, obeyed by every process of every server within a second."""

from __future__ import annotations

import msgspec

from staithe.domain.companies import Company
from staithe.domain.company_limits import OwnLimits, check_own_limits
from staithe.services.stores import Stores
from staithe.storage import company_limits


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
