"""Where the stores of a deployment are: SQLite files in the data directory, or schemas of a PostgreSQL database."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from staithe.storage import sqlite
from staithe.storage.database import Database, SqliteDatabase
from staithe.storage.expiry import first_end
from staithe.storage.open_files import CompanyFile, OpenFiles
from staithe.storage.queue import Queue, glance_at_queue
from staithe.storage.quiet import FileState, holds_nothing_unfinished, may_have_leases, state_of_file
from staithe.storage.schema import make_store, migrate, missing


class Watch(Protocol):
    """Tells cheaply whether there may be hints, or changes of the control store: each request may ask."""

    def version(self) -> int:
        """Another number when there may be."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class Databases(Protocol):
    """The stores of a deployment. The schema of each is brought up to date when it is opened."""

    control: Database
    hints: Database
    """Where hints are. One need not survive a crash, so its commits do not wait for the disk."""

    is_shared: bool
    """Whether servers and workers on other machines may use the same stores."""

    def open_company(self, company_id: int) -> Database:
        """The store of a company.

        Raises:
            StoreUnusable: it is missing.
        """
        ...

    def make_company(self, company_id: int) -> None:
        """Make the empty store of a new company, before its row in the control store is committed.

        One that is there and was never used is what an attempt has left that broke off before its commit: it is taken.

        Raises:
            Conflict: one is there that was used.
        """
        ...

    def state_of(self, company_id: int) -> FileState | None:
        """What changes with each commit to a company's store; None where nothing tells, or there is no store."""
        ...

    def is_at_rest(self, company_id: int) -> bool:
        """Whether nothing in a company's store is unfinished, as far as a quick look tells: no sync, no callback."""
        ...

    def may_have_leases(self, company_id: int) -> bool:
        """Whether a worker may have a sync of a company, as far as a quick look tells."""
        ...

    def first_end(self, company_id: int) -> int | None:
        """Before when nothing in a company's store expires, as far as a quick look tells; None if it tells nothing."""
        ...

    def glance_at_queue(self, company_id: int) -> Queue | None:
        """What waits in a company's store, by a quick look, which leaves nothing open; None if it tells nothing."""
        ...

    def erase_company(self, company_id: int) -> None:
        """Remove all rows of a company, whose store nobody has open."""
        ...

    def watch(self) -> Watch:
        """Begin to watch for hints."""
        ...

    def watch_control(self, seconds: float) -> Watch:
        """Begin to watch for changes of the control store; where they cannot be seen, they may come so often."""
        ...

    def close(self) -> None:
        """Close every connection."""
        ...


class SqliteFiles:
    """DATA/control.db, DATA/companies/ID/company.db, and DATA/hints.db.

    Hints have a file of their own: each sync leaves some, and would end what is known of the control store. It can be
    deleted while no server runs. The table for hints in control.db is that of older versions, and of PostgreSQL.
    """

    def __init__(self, data: Path) -> None:
        self.data = data
        self.is_shared = False
        self.control: Database = SqliteDatabase(data / "control.db", makes=True)
        migrate(self.control, "control", makes=True)
        self.hints: Database = SqliteDatabase(data / "hints.db", durable=False, makes=True)
        migrate(self.hints, "hints", makes=True)
        self.files = OpenFiles(open_company_file)

    def open_company(self, company_id: int) -> Database:
        """The store of a company."""
        database = CompanyFile(self.file_of(company_id), self.files)
        if not database.path.is_file():
            raise missing(database.place)
        with database.opened():
            return database

    def make_company(self, company_id: int) -> None:
        """Make the empty store of a new company."""
        database = SqliteDatabase(self.file_of(company_id), makes=True)
        try:
            make_store(database)
        finally:
            database.close()

    def state_of(self, company_id: int) -> FileState | None:
        """The times and sizes of a company's file and of its log."""
        return state_of_file(f"{self.data}/companies/{company_id}/company.db")

    def is_at_rest(self, company_id: int) -> bool:
        """Look into a file with a connection of its own, which takes a third of the time of opening the store."""
        return holds_nothing_unfinished(self.file_of(company_id))

    def may_have_leases(self, company_id: int) -> bool:
        """Look into a file with a connection of its own."""
        return may_have_leases(self.file_of(company_id))

    def first_end(self, company_id: int) -> int | None:
        """Look into a file with a connection of its own: retention itself takes thirty times as long."""
        return first_end(self.file_of(company_id))

    def glance_at_queue(self, company_id: int) -> Queue | None:
        """Look into a file with a connection of its own."""
        return glance_at_queue(self.file_of(company_id))

    def file_of(self, company_id: int) -> Path:
        """The file of a company's store."""
        return self.data / "companies" / str(company_id) / "company.db"

    def erase_company(self, company_id: int) -> None:
        """Remove a file, and what SQLite keeps beside it."""
        for ending in ("-wal", "-shm", ""):
            path = self.file_of(company_id)
            path.with_name(path.name + ending).unlink(missing_ok=True)

    def watch(self) -> sqlite.CommitWatch:
        """Watch for commits of other connections to the hints."""
        return sqlite.CommitWatch(self.data / "hints.db")

    def watch_control(self, seconds: float) -> sqlite.CommitWatch:
        """Watch for commits of other connections to the control store."""
        return sqlite.CommitWatch(self.data / "control.db")

    def close(self) -> None:
        """Close every connection."""
        self.files.close()
        self.control.close()
        self.hints.close()


def open_company_file(path: Path) -> SqliteDatabase:
    """Open the file of a company, and bring its schema up to date."""
    database = SqliteDatabase(path)
    try:
        migrate(database, "company")
    except BaseException:
        database.close()
        raise
    return database


def open_databases(data: Path, url: str) -> Databases:
    """The stores of a data directory, or, if there is a URL, those of a PostgreSQL database.

    Raises:
        ValidationFailed: it is no URL of a PostgreSQL database.
        Busy: the database cannot be reached.
    """
    if not url:
        return SqliteFiles(data)
    # Who has no PostgreSQL does not wait for its driver.
    from staithe.storage.postgres_database import PostgresSchemas

    return PostgresSchemas(url)


def without_secrets(url: str) -> str:
    """The URL of a database without passwords, as people may see it, and as it may be written down."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return ""
    secrets = [name for name in parsed.query if "password" in name]
    plain = URL.create(
        parsed.drivername, parsed.username, None, parsed.host, parsed.port, parsed.database, parsed.query
    )
    return plain.difference_update_query(secrets).render_as_string(hide_password=False)
