"""The limits that were set for single companies, in the control store."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection, Executable, bindparam, delete, select

from staithe.domain.company_limits import OwnLimits
from staithe.storage import dialect
from staithe.storage.tables import COMPANY_LIMITS

NO_LIMITS: Final = OwnLimits()
IS_OF_COMPANY: Final = COMPANY_LIMITS.c.company_id == bindparam("company")
SELECT_LIMITS: Final = select(COMPANY_LIMITS).where(IS_OF_COMPANY)
DELETE_LIMITS: Final = delete(COMPANY_LIMITS).where(IS_OF_COMPANY)


@dialect.built_once
def put_limits(connection: Connection) -> Executable:
    statement = dialect.insert(connection, COMPANY_LIMITS)
    limits = {name: statement.excluded[name] for name in OwnLimits.__struct_fields__}
    return statement.on_conflict_do_update(index_elements=[COMPANY_LIMITS.c.company_id], set_=limits)


def read_limits(connection: Connection, company_id: int) -> OwnLimits:
    """What was set for a company; nothing if there is no row."""
    row = connection.execute(SELECT_LIMITS, {"company": company_id}).one_or_none()
    if row is None:
        return NO_LIMITS
    return OwnLimits(
        staging_quota_kb=row.staging_quota_kb, uploads_at_once=row.uploads_at_once, syncs_per_hour=row.syncs_per_hour
    )


def write_limits(connection: Connection, company_id: int, limits: OwnLimits) -> None:
    """Set all limits of a company; those that are None are the server's default from now on."""
    if limits == NO_LIMITS:
        connection.execute(DELETE_LIMITS, {"company": company_id})
        return
    connection.execute(put_limits(connection), {"company_id": company_id, **msgspec.structs.asdict(limits)})
