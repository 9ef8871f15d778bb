"""PostgreSQL: how a database is opened, what every transaction begins with, and how its errors are told apart."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, cast

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, make_url
from sqlalchemy.exc import ArgumentError

from staithe.domain.errors import Failure, ValidationFailed
from staithe.storage.dialect import SCHEMA as SCHEMA

LOGGER: Final = logging.getLogger(__name__)
LOCK_WAIT_MILLISECONDS: Final = 30_000
IDLE_MILLISECONDS: Final = 15_000
"""A writer that is idle so long loses its transaction: others wait for the locks of a process that was stopped."""

CONNECT_SECONDS: Final = 10
CANCEL_SECONDS: Final = 2.0
POOLED_CONNECTIONS: Final = 8
MORE_CONNECTIONS: Final = 56
"""Connections of one process beyond the pooled ones, while as many requests and syncs want one at once."""

WRITES: Final = "writes"
LOCKS: Final = "locks"
HASTY: Final = "hasty"
STATEMENT_MILLISECONDS: Final = "statement_milliseconds"
"""How long a statement may take: the server ends it also when this process is gone."""

LOCK_CLASS: Final = 1_397_577_065
"""Tells Staithe's advisory locks from those of others in the same database."""

HINT_CHANNEL: Final = "staithe_hints"
RECONNECT_SECONDS: Final = 1.0
CONNECT_ARGUMENTS: Final = {
    "connect_timeout": CONNECT_SECONDS,
    "application_name": "staithe",
    # A database that has gone without a word is noticed within a minute.
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 4,
}


def read_url(url: str) -> URL:
    """The URL of a PostgreSQL database, with our driver in it.

    Raises:
        ValidationFailed: it is none.
    """
    rule = "Must be a URL such as postgresql://user:password@host:5432/name."
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ValidationFailed(Failure("database", rule)) from None
    if parsed.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise ValidationFailed(Failure("database", rule, parsed.render_as_string(hide_password=True)))
    return parsed.set(drivername="postgresql+psycopg")


def open_engine(url: URL) -> Engine:
    """Open a database: one pool of connections for all its schemas."""
    engine = create_engine(
        url,
        connect_args=CONNECT_ARGUMENTS,
        pool_size=POOLED_CONNECTIONS,
        max_overflow=MORE_CONNECTIONS,
        # After a restart of the database the pooled connections are dead: they are replaced, not handed out.
        pool_pre_ping=True,
        pool_use_lifo=True,
    )
    event.listen(engine, "begin", begin)
    return engine


def begin(connection: Connection) -> None:
    """Begin a transaction in the schema that its options name, and take the schema's lock if they say so.

    The search path ends with the transaction: a pooled connection can never be in another company's schema.
    """
    options = connection.get_execution_options()
    parts = [
        "set_config('search_path', %(schema)s, true)",
        "set_config('lock_timeout', %(wait)s, true)",
    ]
    if options.get(WRITES, False):
        parts.append(f"set_config('idle_in_transaction_session_timeout', '{IDLE_MILLISECONDS}', true)")
    if options.get(STATEMENT_MILLISECONDS, 0):
        parts.append(f"set_config('statement_timeout', '{options[STATEMENT_MILLISECONDS]}', true)")
    if options.get(HASTY, False):
        parts.append("set_config('synchronous_commit', 'off', true)")
    if options.get(LOCKS, False):
        parts.append(f"pg_advisory_xact_lock({LOCK_CLASS}, hashtext(%(schema)s))")
    values = {"schema": options[SCHEMA], "wait": str(LOCK_WAIT_MILLISECONDS)}
    connection.exec_driver_sql("SELECT " + ", ".join(parts), values)


def make_schema(connection: Connection, schema: str, *, is_company: bool) -> None:
    """Make a schema, if it is not there. With Citus a company's is placed on a node, and the control store is not."""
    connection.exec_driver_sql(f"SET LOCAL citus.enable_schema_based_sharding TO {'on' if is_company else 'off'}")
    # IF NOT EXISTS would look into a cache that may not know yet what another process has just committed.
    query = "SELECT 1 FROM pg_namespace WHERE nspname = %(schema)s"
    found = connection.exec_driver_sql(query, {"schema": schema})
    if found.first() is None:
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")


def drop_schema(connection: Connection, schema: str) -> None:
    """Drop a schema with all that is in it, if it is there."""
    connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


@contextmanager
def session_lock(engine: Engine, name: str) -> Generator[bool]:
    """Take a lock for a session of its own, if nobody else has it; gives whether it was had."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # Not to be pooled: the end of the session is the end of the lock.
        connection.detach()
        values = {"name": name}
        query = f"SELECT pg_try_advisory_lock({LOCK_CLASS}, hashtext(%(name)s))"
        yield bool(connection.exec_driver_sql(query, values).scalar_one())


ERRORS: Final = (exc.DBAPIError, exc.TimeoutError, psycopg.Error)
"""What a statement raises: SQLAlchemy's own, or the driver's if the rows went straight to it."""

CANCELLED_STATE: Final = "57014"
BUSY_STATES: Final = ("40001", "40P01", "55P03", CANCELLED_STATE, "53000", "53200", "53300", "53400", "42703")
"""Serialization, deadlock, lock time-out, cancelled, too little of what the server has, and a column that is not there:
that of a contact field which another transaction has just deleted, as one knows the fields that were when it began."""
FULL_STATES: Final = ("53100",)
DAMAGED_STATES: Final = ("XX001", "XX002")
LOST_STATES: Final = ("57P01", "57P02", "57P03", "57P05", "25006")
"""Shut down, crashed, starting up; and read-only, as a standby is that was the primary."""


def state_of(error: BaseException) -> str | None:
    """The SQLSTATE behind one of `ERRORS`; None if the server did not say one, as when the connection is lost."""
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    return cause.sqlstate if isinstance(cause, psycopg.Error) else None


def is_interrupted(error: BaseException) -> bool:
    """Whether a statement was ended: by what `interrupter` makes, by its time, or by somebody else."""
    return state_of(error) == CANCELLED_STATE


def interrupter(connection: Connection) -> Callable[[], None]:
    """What ends the statement of a connection, from another thread."""
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    return partial(driver.cancel_safe, timeout=CANCEL_SECONDS)


def is_busy(error: BaseException) -> bool:
    """Whether the same may go well a little later."""
    return isinstance(error, exc.TimeoutError) or state_of(error) in BUSY_STATES


def is_full(error: BaseException) -> bool:
    """Whether the database's disk is full."""
    return state_of(error) in FULL_STATES


def is_damaged(error: BaseException) -> bool:
    """Whether the database finds its own pages damaged."""
    return state_of(error) in DAMAGED_STATES


def is_lost(error: BaseException) -> bool:
    """Whether the connection to the database is lost, or cannot be had."""
    state = state_of(error)
    if state is not None:
        return state in LOST_STATES or state.startswith("08")
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    return isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError)


class HintWatch:
    """Listens for hints: `version` changes when one has come, or may have been missed while nobody listened."""

    def __init__(self, engine: Engine) -> None:
        _, arguments = engine.dialect.create_connect_args(engine.url)
        self.arguments: dict[str, Any] = {**arguments, **CONNECT_ARGUMENTS}
        self.count = 0
        self.stopping = threading.Event()
        self.connection: psycopg.Connection[Any] | None = None
        self.thread = threading.Thread(target=self.listen, name="hints", daemon=True)
        self.thread.start()

    def version(self) -> int:
        """A number that changes with every hint."""
        return self.count

    def listen(self) -> None:
        while not self.stopping.is_set():
            try:
                with psycopg.connect(**self.arguments, autocommit=True) as self.connection:
                    if self.stopping.is_set():
                        # `close` has not seen this connection: nothing else would end it.
                        return
                    self.connection.execute(f"LISTEN {HINT_CHANNEL}")
                    self.count += 1
                    for _ in self.connection.notifies():
                        self.count += 1
            except psycopg.Error as error:
                if not self.stopping.is_set():
                    LOGGER.warning("hints cannot be heard, to be tried again: %s", error)
            self.stopping.wait(RECONNECT_SECONDS)

    def close(self) -> None:
        """Stop listening."""
        self.stopping.set()
        if self.connection is not None:
            self.connection.close()
        self.thread.join(RECONNECT_SECONDS)
