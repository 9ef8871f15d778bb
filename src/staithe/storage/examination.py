"""What `staithe doctor` asks a store. It opens stores as they are: nothing is made, migrated or written."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, and_, exc, func, or_, select

from staithe.domain.deployment import QueueFacts, SchemaFacts, SqliteFacts
from staithe.domain.errors import RequestError
from staithe.domain.limits import SECOND
from staithe.domain.syncs import SyncStatus
from staithe.storage import sqlite
from staithe.storage.database import Database, migration_scripts, schema_version
from staithe.storage.tables import SYNC, UPLOAD

SYNCHRONOUS: Final = ("off", "normal", "full", "extra")
"""What the numbers of `PRAGMA synchronous` mean [SQLite's documentation of pragmas]."""


class Unreadable(Exception):
    """A store cannot be read; the message says why."""


@contextmanager
def read_as_it_is(path: Path) -> Generator[Connection]:
    """A read transaction in a SQLite store whose schema may be older or newer than ours.

    Raises:
        Unreadable: the store is not there, or the block cannot be done.
    """
    if not path.is_file():
        raise Unreadable(f"{path} does not exist.")
    database = Database(sqlite.open_engine(path))
    try:
        with database.read() as connection:
            yield connection
    except (exc.DBAPIError, sqlite3.DatabaseError) as error:
        cause = error.orig if isinstance(error, exc.DBAPIError) else error
        raise Unreadable(f"{path}: {cause}.") from error
    except RequestError as error:
        raise Unreadable(f"{path}: {error.message}") from error
    finally:
        database.close()


def schema_facts(connection: Connection, store: str, migrations: str) -> SchemaFacts:
    """How far a store's schema is, and how far it could be."""
    newest = len(migration_scripts(migrations, connection.dialect.name))
    return SchemaFacts(store, schema_version(connection), newest)


def sqlite_facts(connection: Connection) -> SqliteFacts:
    """SQLite as a new connection of the server gets it."""
    version = connection.exec_driver_sql("SELECT sqlite_version()").scalar_one()
    synchronous = int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())
    journal_mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())
    return SqliteFacts(tuple(map(int, version.split("."))), journal_mode, SYNCHRONOUS[synchronous])


def queue_facts(connection: Connection, company: str, now: int) -> QueueFacts:
    """The pending and active syncs of a company, and how far its newest row lies in the future."""
    is_pending = SYNC.c.status == SyncStatus.PENDING.value
    is_active = SYNC.c.status == SyncStatus.ACTIVE.value
    is_lapsed = and_(is_active, or_(SYNC.c.lease_until < now, SYNC.c.lease_until.is_(None)))
    counted = connection.execute(
        select(
            func.count().filter(is_pending).label("pending"),
            func.count().filter(is_active).label("active"),
            func.count().filter(is_lapsed).label("lapsed"),
            func.min(SYNC.c.created_at).filter(is_pending).label("oldest"),
        ).where(or_(is_pending, is_active))
    ).one()
    newest = max(
        connection.execute(select(func.coalesce(func.max(table.c.created_at), 0))).scalar_one()
        for table in (SYNC, UPLOAD)
    )
    return QueueFacts(
        company=company,
        pending=counted.pending,
        active=counted.active,
        lapsed=counted.lapsed,
        oldest_pending_seconds=0.0 if counted.oldest is None else max(0, now - counted.oldest) / SECOND,
        future_seconds=max(0, newest - now) / SECOND,
    )
