"""SQLite: how a store is opened, what makes a commit durable, and the statements that only it has."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, Connection, Engine, Table, create_engine, event, exc, func

from staithe.domain.fields import DERIVATIONS
from staithe.domain.folding import fold
from staithe.domain.times import EPOCH
from staithe.domain.values import EASTERN, format_number

BUSY_TIMEOUT_SECONDS: Final = 20
CACHE_KIB: Final = 16 * 1024
LOG_BYTES: Final = 64 * 1024**2
MAPPED_BYTES: Final = 64 * 1024**2
"""How much of a file is mapped into memory, where all that was read counts as this process's."""

MOST_MAPPED_BYTES: Final = 16 * 1024**3
MAPS: Final = "maps"
SORTS: Final = "sorts"
"""Whether what is sorted goes to temporary files: to index millions of rows takes a fifth of time and memory then."""


def open_engine(path: Path, *, durable: bool = True, makes: bool = False) -> Engine:
    """Open a SQLite file in WAL mode. With `durable` a commit returns once it is on disk (`synchronous=FULL`).

    A file that is not there is made only with `makes`: SQLite would put an empty store in place of a lost one.
    """
    address = f"{path.absolute().as_uri()}?mode={'rwc' if makes else 'rw'}"
    engine = create_engine(
        f"sqlite:///{path}",
        creator=lambda: sqlite3.connect(address, BUSY_TIMEOUT_SECONDS, check_same_thread=False, uri=True),
        pool_size=4,
        max_overflow=64,
        # The connection used last has the file's pages mapped and cached already.
        pool_use_lifo=True,
    )

    event.listen(engine, "connect", partial(set_pragmas, durable=durable))
    event.listen(engine, "begin", begin)
    return engine


def set_pragmas(connection: sqlite3.Connection, _record: object, *, durable: bool) -> None:
    """Set up a new connection."""
    # The driver's own transaction handling would begin too late and as a reader: `begin` does it.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        f"synchronous={'FULL' if durable else 'NORMAL'}",
        f"cache_size=-{CACHE_KIB}",
        f"mmap_size={MAPPED_BYTES}",
        # A large transaction, such as seeding, makes the log as large: it is cut back afterwards.
        f"journal_size_limit={LOG_BYTES}",
        "temp_store=MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}")
    for name, derivation in DERIVATIONS.items():
        arguments = len(derivation.columns)
        connection.create_function(derived_name(name), arguments, derivation.work_out, deterministic=True)
    connection.create_function("fold", 1, fold_optional, deterministic=True)
    connection.create_function("eastern_offset", 1, eastern_offset, deterministic=True)
    connection.create_function("format_number", 1, format_optional_number, deterministic=True)


@lru_cache(2**16)
def eastern_offset(hour: int | None) -> int | None:
    """Seconds from UTC to Eastern time in an hour, counted from 1970; None for none. No hour ever had two offsets.

    It is asked at its end: the beginning of the first one that has a date in Eastern time is before the year 1 there.
    """
    if hour is None:
        return None
    offset = (EPOCH + timedelta(hours=hour, minutes=59)).astimezone(EASTERN).utcoffset()
    assert offset is not None
    return round(offset.total_seconds())


def fold_optional(text: str | None) -> str | None:
    """A text without differences of case, None for none."""
    return None if text is None else fold(text)


def format_optional_number(value: float | None) -> str | None:
    """A number as exports write it, None for none."""
    return None if value is None else format_number(float(value))


def derived_name(internal_name: str) -> str:
    """The name of the SQL function that works out a derived field."""
    return f"derive_{internal_name.lower()}"


def derived(internal_name: str, table: Table) -> ColumnElement[Any]:
    """A derived field, worked out by Python in the database: from texts that are empty where there is no value."""
    sources = [func.coalesce(table.c[name], "") for name in DERIVATIONS[internal_name].columns]
    return getattr(func, derived_name(internal_name))(*sources)


def begin(connection: Connection) -> None:
    """Begin a transaction. A writer says so at once: one that begins as a reader can fail half-way, being busy."""
    options = connection.get_execution_options()
    maps = options.get(MAPS, False)
    if maps != connection.info.get(MAPS, False):
        connection.exec_driver_sql(f"PRAGMA mmap_size={MOST_MAPPED_BYTES if maps else MAPPED_BYTES}")
        connection.info[MAPS] = maps
    sorts = options.get(SORTS, False)
    if sorts != connection.info.get(SORTS, False):
        connection.exec_driver_sql(f"PRAGMA temp_store={'FILE' if sorts else 'MEMORY'}")
        connection.info[SORTS] = sorts
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes", False) else "BEGIN")


ERRORS: Final = (exc.DatabaseError, sqlite3.DatabaseError)
"""What a statement raises: SQLAlchemy's own, or the driver's if the rows went straight to it."""


def code_of(error: BaseException) -> int:
    """SQLite's primary result code behind one of `ERRORS`; 0 if there is none."""
    cause = error.orig if isinstance(error, exc.DatabaseError) else error
    # Of errors that the driver itself finds there is none.
    return getattr(cause, "sqlite_errorcode", 0) & 0xFF


def is_interrupted(error: BaseException) -> bool:
    """Whether a statement was ended by what `interrupter` makes."""
    return code_of(error) == sqlite3.SQLITE_INTERRUPT


def interrupter(connection: Connection) -> Callable[[], None]:
    """What ends the statement of a connection, from another thread."""
    driver = cast(sqlite3.Connection, connection.connection.driver_connection)
    return driver.interrupt


def is_busy(error: BaseException) -> bool:
    """Whether another writer held the file for too long."""
    return code_of(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_full(error: BaseException) -> bool:
    """Whether the disk is full."""
    return code_of(error) == sqlite3.SQLITE_FULL


def is_damaged(error: BaseException) -> bool:
    """Whether the file is not as SQLite has written it."""
    return code_of(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_lost(_error: BaseException) -> bool:
    """Whether the store cannot be reached: a file always can."""
    return False


@contextmanager
def file_lock(engine: Engine, purpose: str) -> Generator[bool]:
    """Lock a file beside the store's, if nobody else has; gives whether it was locked."""
    with Path(f"{engine.url.database}.{purpose}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


class CommitWatch:
    """Tells cheaply whether anyone has committed to a store: it may be asked 200 times a second."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)

    def version(self) -> int:
        """A number that changes with every commit of another connection."""
        return int(self.connection.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()
