"""What `staithe doctor` asks a store of either kind. Stores are opened as they are: nothing is made or migrated."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import Connection, and_, bindparam, exc, func, or_, select

from staithe.domain.companies import Company
from staithe.domain.doctor_facts import QueueFacts, SchemaFacts, SqliteFacts
from staithe.domain.errors import RequestError
from staithe.domain.limits import SECOND
from staithe.domain.syncs import SyncStatus
from staithe.storage import postgres
from staithe.storage.database import Database, SqliteDatabase
from staithe.storage.postgres_database import PostgresDatabase
from staithe.storage.schema import migration_scripts, read_past, schema_version
from staithe.storage.tables import COMPANY, SYNC, UPLOAD

SYNCHRONOUS: Final = ("off", "normal", "full", "extra")
"""What the numbers of `PRAGMA synchronous` mean [SQLite's documentation of pragmas]."""


class Unreadable(Exception):
    """A store cannot be read; the message says why."""


class StoresAsTheyAre(Protocol):
    """The stores of a deployment, whose schemas may be older or newer than ours."""

    kind: str

    def server(self) -> AbstractContextManager[Connection]:
        """A read transaction that looks at the database's own settings alone; there need be no tables.

        Raises:
            Unreadable: the database cannot be had.
        """
        ...

    def control(self) -> AbstractContextManager[Connection]:
        """A read transaction in the control store.

        Raises:
            Unreadable: the store is not there, or the block cannot be done.
        """
        ...

    def hints(self) -> AbstractContextManager[Connection] | None:
        """A read transaction in the store of hints; None if there is none of its own.

        Raises:
            Unreadable: the store is not there, or the block cannot be done.
        """
        ...

    def company(self, company_id: int) -> AbstractContextManager[Connection]:
        """A read transaction in a company's store.

        Raises:
            Unreadable: the store is not there, or the block cannot be done.
        """
        ...

    def close(self) -> None:
        """Close every connection."""
        ...


class SqliteFilesAsTheyAre:
    """SQLite files in a data directory."""

    kind = "SQLite"

    def __init__(self, data: Path) -> None:
        self.data = data

    def server(self) -> AbstractContextManager[Connection]:
        """A read transaction in the control store."""
        return self.control()

    def control(self) -> AbstractContextManager[Connection]:
        """A read transaction in the control store."""
        return self.read(self.data / "control.db")

    def hints(self) -> AbstractContextManager[Connection] | None:
        """A read transaction in the store of hints, if there is one: a server makes it."""
        path = self.data / "hints.db"
        return self.read(path) if path.is_file() else None

    def company(self, company_id: int) -> AbstractContextManager[Connection]:
        """A read transaction in a company's store."""
        return self.read(self.data / "companies" / str(company_id) / "company.db")

    @contextmanager
    def read(self, path: Path) -> Generator[Connection]:
        """A read transaction in a file."""
        if not path.is_file():
            raise Unreadable(f"{path} does not exist.")
        database = SqliteDatabase(path)
        try:
            with read_only(database, str(path)) as connection:
                check_tables(connection, str(path))
                yield connection
        finally:
            database.close()

    def close(self) -> None:
        """Nothing: each file is closed at once."""


class PostgresSchemasAsTheyAre:
    """Schemas of a PostgreSQL database."""

    kind = "PostgreSQL"

    def __init__(self, url: str) -> None:
        parsed = postgres.read_url(url)
        self.place = parsed.set(drivername="postgresql").render_as_string(hide_password=True)
        self.engine = postgres.open_engine(parsed)

    @contextmanager
    def server(self) -> Generator[Connection]:
        """A read transaction that needs no tables."""
        with read_only(PostgresDatabase(self.engine, "control"), self.place) as connection:
            yield connection

    def control(self) -> AbstractContextManager[Connection]:
        """A read transaction in the control store."""
        return self.read("control")

    def hints(self) -> None:
        """None: they are in the control store."""

    def company(self, company_id: int) -> AbstractContextManager[Connection]:
        """A read transaction in a company's store."""
        return self.read(f"company_{company_id}")

    @contextmanager
    def read(self, schema: str) -> Generator[Connection]:
        """A read transaction in a schema."""
        place = f"{self.place}, schema {schema}"
        with read_only(PostgresDatabase(self.engine, schema), place) as connection:
            check_tables(connection, place)
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def open_as_they_are(data: Path, url: str) -> StoresAsTheyAre:
    """The stores of a data directory, or, if there is a URL, those of a PostgreSQL database.

    Raises:
        ValidationFailed: it is no URL of a PostgreSQL database.
    """
    return PostgresSchemasAsTheyAre(url) if url else SqliteFilesAsTheyAre(data)


@contextmanager
def read_only(database: Database, place: str) -> Generator[Connection]:
    """A read transaction.

    Raises:
        Unreadable: the store cannot be had, or the block cannot be done.
    """
    try:
        with database.read() as connection:
            yield connection
    except RequestError as error:
        raise Unreadable(f"{place}: {reason_of(error.__cause__ or error)}") from error
    except (exc.DBAPIError, sqlite3.DatabaseError) as error:
        raise Unreadable(f"{place}: {reason_of(error)}") from error


def check_tables(connection: Connection, place: str) -> None:
    """Make sure that there is a store.

    Raises:
        Unreadable: there is none.
    """
    if schema_version(connection) == 0:
        raise Unreadable(f"{place} has no tables of Staithe.")


def reason_of(error: BaseException) -> str:
    """What the driver said, in one line."""
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    return " ".join(str(cause).split())


def schema_facts(connection: Connection, store: str, migrations: str) -> SchemaFacts:
    """How far a store's schema is, and how far it could be."""
    scripts = migration_scripts(migrations, connection.dialect.name)
    past = read_past(connection)
    schema = connection.get_execution_options().get(postgres.SCHEMA, "")
    return SchemaFacts(store, past.version, len(scripts), schema, past.fault(scripts))


SELECT_COMPANIES: Final = select(COMPANY.c.id, COMPANY.c.name).order_by(COMPANY.c.id)


def companies_as_they_are(connection: Connection) -> list[Company]:
    """Every company, by id, from the columns that the first schema had: an older one lacks those that came later."""
    rows = connection.execute(SELECT_COMPANIES)
    return [Company(row.id, row.name) for row in rows]


def sqlite_facts(connection: Connection) -> SqliteFacts:
    """SQLite as a new connection of the server gets it."""
    version = connection.exec_driver_sql("SELECT sqlite_version()").scalar_one()
    synchronous = int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())
    journal_mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())
    return SqliteFacts(tuple(map(int, version.split("."))), journal_mode, SYNCHRONOUS[synchronous])


IS_PENDING: Final = SYNC.c.status == SyncStatus.PENDING.value
IS_ACTIVE: Final = SYNC.c.status == SyncStatus.ACTIVE.value
IS_LAPSED: Final = and_(IS_ACTIVE, or_(SYNC.c.lease_until < bindparam("now"), SYNC.c.lease_until.is_(None)))
COUNT_SYNCS: Final = select(
    func.count().filter(IS_PENDING).label("pending"),
    func.count().filter(IS_ACTIVE).label("active"),
    func.count().filter(IS_LAPSED).label("lapsed"),
    func.min(SYNC.c.created_at).filter(IS_PENDING).label("oldest"),
).where(or_(IS_PENDING, IS_ACTIVE))
SELECT_NEWEST: Final = [select(func.coalesce(func.max(table.c.created_at), 0)) for table in (SYNC, UPLOAD)]


def queue_facts(connection: Connection, company: str, now: int) -> QueueFacts:
    """The pending and active syncs of a company, and how far its newest row lies in the future."""
    counted = connection.execute(COUNT_SYNCS, {"now": now}).one()
    newest = max(connection.execute(query).scalar_one() for query in SELECT_NEWEST)
    return QueueFacts(
        company=company,
        pending=counted.pending,
        active=counted.active,
        lapsed=counted.lapsed,
        oldest_pending_seconds=0.0 if counted.oldest is None else max(0, now - counted.oldest) / SECOND,
        future_seconds=max(0, newest - now) / SECOND,
    )
