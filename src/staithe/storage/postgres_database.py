"""Stores that are schemas of a PostgreSQL database. Imported when one is asked for: its driver takes a while."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from staithe.domain.errors import OutcomeUnknown
from staithe.storage import postgres
from staithe.storage.database import Database, wrap_errors
from staithe.storage.deadlines import Limit, Limitable, milliseconds_left, watching
from staithe.storage.quiet import FileState
from staithe.storage.schema import make_store, migrate


class PostgresDatabase(Limitable):
    """A store that is a schema of a PostgreSQL database, whose connections all stores share."""

    def __init__(self, engine: Engine, schema: str, *, durable: bool = True) -> None:
        super().__init__()
        self.engine = engine.execution_options(**{postgres.SCHEMA: schema})
        self.schema = schema
        self.readers = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self.writers = self.engine.execution_options(**{postgres.WRITES: True, postgres.HASTY: not durable})
        self.lone_writers = self.writers.execution_options(**{postgres.LOCKS: True})

    @contextmanager
    def read(self, *, maps: bool = False) -> Generator[Connection]:
        """A read transaction; `maps` is for SQLite."""
        limit = self.new_limit()
        with (
            wrap_errors(postgres, limit),
            connect(self.readers, limit) as connection,
            connection.begin(),
            watching(limit, postgres.interrupter(connection)),
        ):
            yield connection

    @contextmanager
    def write(self, *, alone: bool = True, sorts: bool = False) -> Generator[Connection]:
        """A write transaction; `sorts` is for SQLite."""
        engine, limit = self.lone_writers if alone else self.writers, self.new_limit()
        with wrap_errors(postgres, limit), connect(engine, limit) as connection, connection.begin() as transaction:
            with watching(limit, postgres.interrupter(connection)):
                yield connection
            try:
                transaction.commit()
            except postgres.ERRORS as error:
                if postgres.is_lost(error):
                    message = "The database was lost while it stored this: it may be stored, or not."
                    advice = "See whether it was done, before you send it again."
                    raise OutcomeUnknown(message, advice) from error
                raise

    @contextmanager
    def alone(self, purpose: str) -> Generator[bool]:
        """Hold a lock that ends with the process: that of a session."""
        with wrap_errors(postgres), postgres.session_lock(self.engine, f"{self.schema} {purpose}") as is_held:
            yield is_held

    @property
    def place(self) -> str:
        """The database, without the password, and the schema."""
        address = self.engine.url.set(drivername="postgresql").render_as_string(hide_password=True)
        return f"{address}, schema {self.schema}"

    def prepare(self, connection: Connection, *, is_company: bool) -> None:
        """Make the schema, in which the tables will be."""
        postgres.make_schema(connection, self.schema, is_company=is_company)

    def close(self) -> None:
        """Nothing: the connections belong to all stores of the database."""


def connect(engine: Engine, limit: Limit | None) -> Connection:
    """A connection whose statements have the time that the limit leaves them."""
    milliseconds, connection = milliseconds_left(limit), engine.connect()
    if milliseconds:
        connection.execution_options(**{postgres.STATEMENT_MILLISECONDS: milliseconds})
    return connection


class Spans:
    """Says every so many seconds that there may be changes."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def version(self) -> int:
        """The number of the span."""
        return int(time.monotonic() / self.seconds)

    def close(self) -> None:
        """Nothing."""


class PostgresSchemas:
    """The schemas `control` and `company_ID` of a PostgreSQL database."""

    def __init__(self, url: str) -> None:
        self.engine = postgres.open_engine(postgres.read_url(url))
        self.is_shared = True
        self.control: Database = PostgresDatabase(self.engine, "control")
        migrate(self.control, "control", makes=True)
        self.hints: Database = PostgresDatabase(self.engine, "control", durable=False)

    def open_company(self, company_id: int) -> Database:
        """The store of a company."""
        database = PostgresDatabase(self.engine, f"company_{company_id}")
        migrate(database, "company")
        return database

    def make_company(self, company_id: int) -> None:
        """Make the empty store of a new company."""
        make_store(PostgresDatabase(self.engine, f"company_{company_id}"))

    def state_of(self, company_id: int) -> FileState | None:
        """Nothing tells."""
        return None

    def is_at_rest(self, company_id: int) -> bool:
        """Not known before its schema is asked."""
        return False

    def may_have_leases(self, company_id: int) -> bool:
        """Not known before its schema is asked."""
        return True

    def first_end(self, company_id: int) -> None:
        """Not known before its schema is asked."""

    def glance_at_queue(self, company_id: int) -> None:
        """Not known before its schema is asked."""

    def erase_company(self, company_id: int) -> None:
        """Drop a schema."""
        schema = f"company_{company_id}"
        with PostgresDatabase(self.engine, schema).write() as connection:
            postgres.drop_schema(connection, schema)

    def watch(self) -> postgres.HintWatch:
        """Listen for hints."""
        return postgres.HintWatch(self.engine)

    def watch_control(self, seconds: float) -> Spans:
        """Count spans of time: what is known of the control store is good for one."""
        return Spans(seconds)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()
