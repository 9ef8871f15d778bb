"""Whether every page of a store can be read, as its database tells."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

MOST_FAULTS: Final = 20


def page_faults(connection: Connection, *, is_quick: bool = False) -> list[str]:
    """What SQLite finds wrong with the pages of a store; nothing where all is well.

    PostgreSQL has no such check of a schema: there `table_faults` of `storage.damage` reads the tables.

    Args:
        connection: a read transaction.
        is_quick: leave out whether indexes agree with their tables, which takes most of the time.
    """
    if connection.dialect.name != "sqlite":
        return []
    pragma = "quick_check" if is_quick else "integrity_check"
    told = connection.exec_driver_sql(f"PRAGMA {pragma}({MOST_FAULTS})").scalars().all()
    return [" ".join(str(line).split()) for line in told if line != "ok"]
