"""A store: read and write transactions, and driver errors turned into our own, once."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from sqlalchemy import Connection as Connection
from sqlalchemy import Engine, text

from staithe.domain.errors import Busy, StorageFull
from staithe.storage import sqlite

WRITE_WAIT_SECONDS = 30


class Database:
    """One store. A read sees one moment; a write is alone, and durable when its block is left."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.writers = engine.execution_options(writes=True)
        self.mappers = engine.execution_options(**{sqlite.MAPS: True})
        # SQLite's own wait is a poll, in no order. Threads of one process queue here instead.
        self.write_lock = threading.Lock()

    @contextmanager
    def read(self, *, maps: bool = False) -> Generator[Connection]:
        """A read transaction: everything in it sees the same moment.

        Args:
            maps: whether all of the store is mapped into memory. Very many look-ups take two thirds of the time then.
        """
        with wrap_errors(), (self.mappers if maps else self.engine).connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Generator[Connection]:
        """A write transaction: committed when the block ends, undone if it raises.

        Raises:
            Busy: another writer held the store for too long.
            StorageFull: the disk is full.
        """
        if not self.write_lock.acquire(timeout=WRITE_WAIT_SECONDS):
            raise Busy("The company's store is busy.", "Send the request again.")
        try:
            with wrap_errors(), self.writers.connect() as connection, connection.begin():
                yield connection
        finally:
            self.write_lock.release()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


@contextmanager
def wrap_errors() -> Generator[None]:
    try:
        yield
    except sqlite.ERRORS as error:
        cause = sqlite.driver_error(error)
        if sqlite.is_busy(cause):
            raise Busy("The company's store is busy.", "Send the request again.") from error
        if sqlite.is_full(cause):
            raise StorageFull("The server's disk is full.", "Tell the operator; nothing was stored.") from error
        raise


def open_database(path: Path, migrations: str, *, durable: bool = True) -> Database:
    """Open a SQLite store, making it or bringing its schema up to date if it must be.

    Args:
        path: the file; its folder is made.
        migrations: which set, `company` or `control`.
        durable: whether a commit waits for the disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    database = Database(sqlite.open_engine(path, durable=durable))
    migrate(database, migrations)
    return database


def migrate(database: Database, migrations: str) -> None:
    """Run the migrations that the store has not had yet, all in one transaction each."""
    scripts = migration_scripts(migrations, database.engine.dialect.name)
    with database.read() as connection:
        if schema_version(connection) >= len(scripts):
            return
    for number, script in enumerate(scripts, start=1):
        with database.write() as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)"))
            if schema_version(connection) >= number:
                continue
            for statement in script.split(";\n"):
                if statement.strip():
                    connection.exec_driver_sql(statement)
            connection.execute(text("DELETE FROM schema_version"))
            connection.execute(text("INSERT INTO schema_version VALUES (:n)"), {"n": number})


def migration_scripts(migrations: str, dialect: str) -> list[str]:
    """The scripts of one set, in order: `NNNN_what.<dialect>.sql`."""
    folder = resources.files("staithe.storage") / "migrations" / migrations
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(f".{dialect}.sql"))
    return [(folder / name).read_text("utf-8") for name in names]


def schema_version(connection: Connection) -> int:
    """How many migrations the store has had."""
    if not connection.dialect.has_table(connection, "schema_version"):
        return 0
    return int(connection.execute(text("SELECT coalesce(max(version), 0) FROM schema_version")).scalar_one())
