"""The schema of a store: how it is made, brought up to date, and what is refused instead of being touched."""

from __future__ import annotations

from importlib import resources
from typing import Final

from sqlalchemy import Connection, select, text

from staithe.domain.errors import Conflict, StoreUnusable
from staithe.storage.database import Database
from staithe.storage.tables import COUNTER


def migrate(database: Database, migrations: str, *, makes: bool = False) -> None:
    """Run the migrations that a store has not had yet, in one transaction: it has all of them or none.

    Args:
        database: the store.
        migrations: whose they are: `company`, `control` or `hints`.
        makes: whether a store that is not there is made.

    Raises:
        StoreUnusable: there is none.
    """
    with database.read() as connection:
        scripts = migration_scripts(migrations, connection.dialect.name)
        version = schema_version(connection)
    if version == 0 and not makes:
        raise missing(database)
    if version >= len(scripts):
        return
    with database.write() as connection:
        database.prepare(connection, is_company=migrations == "company")
        connection.execute(text("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL PRIMARY KEY)"))
        # Another process may have been quicker.
        lacking = scripts[schema_version(connection) :]
        for statement in ";\n".join(lacking).split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
        if lacking:
            connection.execute(text("DELETE FROM schema_version"))
            connection.execute(text("INSERT INTO schema_version VALUES (:n)"), {"n": len(scripts)})


def missing(database: Database) -> StoreUnusable:
    """What is said of a company's store that is not there, or has nothing in it."""
    message = (
        "The company's store is missing. It is not made anew: bring it back, or restore the company from a backup."
    )
    return StoreUnusable(message, database.place)


SELECT_ANY: Final = select(COUNTER).limit(1)
"""Whatever is put into a store takes a number first."""


def make_store(database: Database) -> None:
    """Make the empty store of a new company.

    Raises:
        Conflict: there is one that was used.
    """
    with database.read() as connection:
        is_used = schema_version(connection) > 0 and connection.execute(SELECT_ANY).first() is not None
    if is_used:
        raise Conflict(
            f"There is a store of a company that the control store does not know: {database.place}.",
            "Move it away, or bring the control store back that knows it.",
        )
    migrate(database, "company", makes=True)


def migration_scripts(migrations: str, dialect: str) -> list[str]:
    """The scripts of one set, in order: `NNNN_what.<dialect>.sql`."""
    folder = resources.files("staithe.storage") / "migrations" / migrations
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(f".{dialect}.sql"))
    return [(folder / name).read_text("utf-8") for name in names]


def newest_schema(migrations: str) -> int:
    """How many migrations this version has: what `schema_version` gives of a store that was opened."""
    return len(migration_scripts(migrations, "sqlite"))


def schema_version(connection: Connection) -> int:
    """How many migrations the store has had."""
    if not connection.dialect.has_table(connection, "schema_version"):
        return 0
    return int(connection.execute(text("SELECT coalesce(max(version), 0) FROM schema_version")).scalar_one())
