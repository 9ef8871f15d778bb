"""Whether every page of a store can be read and is sound, as its database tells."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, exc, text

MOST_FAULTS: Final = 20
SQLITE_PART: Final = "pages"


def page_faults(connection: Connection, *, is_quick: bool = False) -> list[str]:
    """What SQLite finds wrong with the pages of a store; nothing where all is well, and nothing of PostgreSQL.

    Args:
        connection: a read transaction.
        is_quick: leave out whether indexes agree with their tables, which takes most of the time.
    """
    if connection.dialect.name != "sqlite":
        return []
    pragma = "quick_check" if is_quick else "integrity_check"
    try:
        told = connection.exec_driver_sql(f"PRAGMA {pragma}({MOST_FAULTS})").scalars().all()
    except exc.DatabaseError as error:
        return [str(error.orig)]
    return [" ".join(str(line).split()) for line in told if line != "ok"]


SCHEMA_TABLES: Final = text(
    "SELECT c.oid::regclass::text FROM pg_catalog.pg_class c "
    "WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' ORDER BY c.relname"
)
AMCHECK: Final = text(
    "SELECT n.nspname FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace "
    "WHERE e.extname = 'amcheck' AND current_setting('server_version_num')::int >= 140000"
)
MAY_CHECK: Final = text(
    "SELECT bool_and(has_function_privilege(p.oid, 'EXECUTE')) FROM pg_catalog.pg_proc p "
    "JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace "
    "WHERE n.nspname = :schema AND p.proname IN ('verify_heapam', 'bt_index_check')"
)
INDEXES: Final = (
    "SELECT {amcheck}.bt_index_check(index => i.indexrelid::regclass, heapallindexed => true) "
    "FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid "
    "JOIN pg_catalog.pg_am a ON a.oid = c.relam "
    "WHERE i.indrelid = '{table}'::regclass AND a.amname = 'btree' AND i.indisvalid"
)


def parts_of(connection: Connection) -> list[str]:
    """What `part_faults` looks at one by one, each in a transaction of its own: damage may end it."""
    if connection.dialect.name == "sqlite":
        return [SQLITE_PART]
    return list(connection.execute(SCHEMA_TABLES).scalars())


def part_faults(connection: Connection, part: str) -> list[str]:
    """What is wrong with a part of a store: all pages of SQLite, or a table of PostgreSQL.

    PostgreSQL's `amcheck` is asked if it is installed and may be used. Every value is read in any case, which fails at
    pages whose own checksum is wrong.

    Raises:
        DBAPIError: what was read is damaged.
    """
    if connection.dialect.name == "sqlite":
        return page_faults(connection)
    faults: list[str] = []
    amcheck = connection.execute(AMCHECK).scalar()
    if amcheck is not None and connection.execute(MAY_CHECK, {"schema": amcheck}).scalar():
        found = connection.exec_driver_sql(
            f"SELECT blkno, msg FROM {amcheck}.verify_heapam('{part}'::regclass) LIMIT {MOST_FAULTS}"  # noqa: S608
        )
        faults = [f"{part}, block {block}: {message}" for block, message in found]
        connection.exec_driver_sql(INDEXES.format(amcheck=amcheck, table=part))
    connection.exec_driver_sql(f"SELECT count(length(t::text)) FROM {part} AS t")  # noqa: S608
    return faults
