"""A store: read and write transactions, and driver errors turned into our own, once."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Protocol

from sqlalchemy import Connection as Connection
from sqlalchemy import Engine, QueuePool

from staithe.domain.errors import Busy, Damaged, StorageFull
from staithe.storage import sqlite
from staithe.storage.deadlines import Limit, Limitable, NewLimit, watching

WRITE_WAIT_SECONDS = 30
AGAIN = "Send the request again."


class Database(Protocol):
    """One store: of a company, or the control store."""

    def limited(self, new_limit: NewLimit) -> Database:
        """The same store, whose transactions are ended when the limit is over that each begins with."""
        ...

    def read(self, *, maps: bool = False) -> AbstractContextManager[Connection]:
        """A read transaction: everything in it sees the same moment.

        Args:
            maps: whether all of a SQLite store is mapped into memory. Very many look-ups take two thirds of the time
                then.

        Raises:
            Busy: the store cannot be had.
            Damaged: what was read is not as it was written.
            Exception: the reason of a limit that is over.
        """
        ...

    def write(self, *, alone: bool = True, sorts: bool = False) -> AbstractContextManager[Connection]:
        """A write transaction: committed when the block ends, undone if it raises.

        Args:
            alone: whether no other that is alone is under way in this store, in whichever process. One that is not
                alone runs beside all others in PostgreSQL, so it holds what it reads and changes: `sets.hold`, and the
                rows that it updates. In SQLite every write is alone.
            sorts: whether it makes indexes of very many rows: SQLite then sorts them in files, not in memory.

        Raises:
            Busy: another writer held the store for too long, or it cannot be had.
            OutcomeUnknown: the store was lost while it committed.
            StorageFull: the disk is full.
            Exception: the reason of a limit that is over; nothing was stored.
        """
        ...

    def alone(self, purpose: str) -> AbstractContextManager[bool]:
        """Hold a lock of this store that ends with the process, if not before; gives whether it could be had.

        Args:
            purpose: what it is for; locks for different purposes do not meet.
        """
        ...

    @property
    def place(self) -> str:
        """Where it is, for operators."""
        ...

    def prepare(self, connection: Connection, *, is_company: bool) -> None:
        """Make what must be there before the first table.

        Args:
            connection: a write transaction.
            is_company: whether it is the store of a company.
        """
        ...

    def close(self) -> None:
        """Close what belongs to this store alone."""
        ...


class SqliteDatabase(Limitable):
    """A store that is a SQLite file.

    Args:
        path: the file.
        durable: whether a commit waits for the disk.
        makes: whether a file that is not there is made.
    """

    def __init__(self, path: Path, *, durable: bool = True, makes: bool = False) -> None:
        super().__init__()
        if makes:
            path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.engine = sqlite.open_engine(path, durable=durable, makes=makes)
        self.writers = self.engine.execution_options(writes=True)
        self.sorters = self.writers.execution_options(**{sqlite.SORTS: True})
        self.mappers = self.engine.execution_options(**{sqlite.MAPS: True})
        # SQLite's own wait is a poll, in no order. Threads of one process queue here instead.
        self.write_lock = threading.Lock()

    @contextmanager
    def read(self, *, maps: bool = False) -> Generator[Connection]:
        """A read transaction."""
        with self.begun(self.mappers if maps else self.engine) as connection:
            yield connection

    @contextmanager
    def write(self, *, alone: bool = True, sorts: bool = False) -> Generator[Connection]:
        """A write transaction; durable when its block is left."""
        if not self.write_lock.acquire(timeout=WRITE_WAIT_SECONDS):
            raise Busy("The company's store is busy.", AGAIN)
        try:
            with self.begun(self.sorters if sorts else self.writers) as connection:
                yield connection
        finally:
            self.write_lock.release()

    @contextmanager
    def begun(self, engine: Engine) -> Generator[Connection]:
        """A transaction, which its limit may end before its commit begins."""
        limit = self.new_limit()
        with (
            wrap_errors(sqlite, limit),
            engine.connect() as connection,
            connection.begin(),
            watching(limit, sqlite.interrupter(connection)),
        ):
            yield connection

    @contextmanager
    def alone(self, purpose: str) -> Generator[bool]:
        """Hold a lock that ends with the process: that of a file."""
        with sqlite.file_lock(self.engine, purpose) as is_held:
            yield is_held

    @property
    def connections(self) -> int:
        """How many connections there are, with those that nobody uses."""
        pool = self.engine.pool
        assert isinstance(pool, QueuePool)
        return pool.checkedin() + pool.checkedout()

    @property
    def place(self) -> str:
        """The path of the file."""
        return str(self.path)

    def prepare(self, connection: Connection, *, is_company: bool) -> None:
        """Nothing: the file is there."""

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


@contextmanager
def wrap_errors(driver: ModuleType, limit: Limit | None = None) -> Generator[None]:
    """Turn the errors of a dialect's driver into our own."""
    try:
        yield
    except driver.ERRORS as error:
        reason = limit.reason() if limit is not None and driver.is_interrupted(error) else None
        if reason is not None:
            raise reason from error
        if driver.is_busy(error):
            raise Busy("The company's store is busy.", AGAIN) from error
        if driver.is_full(error):
            raise StorageFull("The server's disk is full.", "Tell the operator; nothing was stored.") from error
        if driver.is_damaged(error):
            raise Damaged(f"The store is damaged: {getattr(error, 'orig', error)}.") from error
        if driver.is_lost(error):
            raise Busy("The database cannot be reached.", AGAIN) from error
        raise
