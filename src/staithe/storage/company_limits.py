"""The limits that were set for single companies, in the control store."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, delete, select

from staithe.domain.company_limits import OwnLimits
from staithe.storage import dialect
from staithe.storage.tables import COMPANY_LIMITS


def read_limits(connection: Connection, company_id: int) -> OwnLimits:
    """What was set for a company; nothing if there is no row."""
    row = connection.execute(select(COMPANY_LIMITS).where(COMPANY_LIMITS.c.company_id == company_id)).one_or_none()
    if row is None:
        return OwnLimits()
    return OwnLimits(
        staging_quota_kb=row.staging_quota_kb, uploads_at_once=row.uploads_at_once, syncs_per_hour=row.syncs_per_hour
    )


def write_limits(connection: Connection, company_id: int, limits: OwnLimits) -> None:
    """Set all limits of a company; those that are None are the server's default from now on."""
    values = msgspec.structs.asdict(limits)
    if limits == OwnLimits():
        connection.execute(delete(COMPANY_LIMITS).where(COMPANY_LIMITS.c.company_id == company_id))
        return
    statement = dialect.insert(connection, COMPANY_LIMITS).values(company_id=company_id, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=[COMPANY_LIMITS.c.company_id], set_=values))
