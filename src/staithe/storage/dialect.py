"""What a database says in its own way: each dialect's module has these functions, and whoever needs one asks `of`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, Table
from sqlalchemy.dialects import sqlite as sqlite_dialect

from staithe.domain.definitions import UpdateRule
from staithe.domain.export_plan import ExportPlan
from staithe.domain.fields import FieldValue
from staithe.domain.id_set import IdSet
from staithe.storage import sqlite_statements

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql as postgresql_dialect

T = TypeVar("T")
SCHEMA: Final = "schema"
"""The option of a connection that says in which schema of PostgreSQL it is."""


class Dialect(Protocol):
    """The statements that SQLite and PostgreSQL do not share."""

    HAS_ROW_LOCKS: bool
    """Whether writes run beside each other, and so have to hold rows."""

    WORKS_APART: bool
    """Whether statements run in another process, so that this one can do something else meanwhile."""

    def match_emails(self, connection: Connection, emails: list[str]) -> list[int]:
        """Position x 2**32 + contact id, for each normal email address that a contact has."""
        ...

    def match_states(self, connection: Connection, emails: list[str]) -> list[int]:
        """Position x 2**32 + set id, for each state that is kept of a normal email address without a contact."""
        ...

    def make_match_index(self, connection: Connection, column: str, *, is_text: bool) -> None:
        """Index a column of contacts by its values, texts without differences of case."""
        ...

    def match_index_columns(self, connection: Connection) -> list[str]:
        """The columns of contacts that have an index of `make_match_index`."""
        ...

    def match_values(
        self, connection: Connection, column: str, keys: Mapping[int, str | float], *, is_text: bool, exact: bool
    ) -> list[int]:
        """Position x 2**32 + contact id, for each contact whose column has the value of a position."""
        ...

    def matches(self, column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
        """Whether a text matches a pattern of `~`."""
        ...

    def derived(self, internal_name: str, table: Table) -> ColumnElement[Any]:
        """A derived field, worked out by the database; empty or NULL where there is no value."""
        ...

    def read_ids(self, connection: Connection, query: Select[tuple[int]], batch: int) -> Iterator[Iterable[int]]:
        """The ids that a query gives, at most `batch` in memory at once."""
        ...

    def seed_contacts(self, connection: Connection, first: int, last: int, at: int, by: str) -> None:
        """Insert contacts `contact-{id}@example.com`."""
        ...

    def insert_contacts(
        self,
        connection: Connection,
        table: Table,
        values: Mapping[str, Sequence[FieldValue]],
        audit: Mapping[str, FieldValue],
    ) -> None:
        """Insert rows: `values` by column, `audit` the same for all. None and an empty text are no value."""
        ...

    def update_contacts(
        self,
        connection: Connection,
        table: Table,
        rules: Mapping[str, UpdateRule],
        values: Mapping[str, Sequence[FieldValue]],
        audit: Mapping[str, FieldValue],
    ) -> None:
        """Update rows by `id` as the rule of each column says. None was not sent; an empty text is an empty value."""
        ...

    def insert_rows(self, connection: Connection, table: Table, values: Mapping[str, Sequence[Any]]) -> None:
        """Insert rows as they are: the values of each column. Columns that are not named are NULL.

        Raises:
            ValidationFailed: a text is none that this database can hold.
        """
        ...

    def wake(self, connection: Connection) -> None:
        """Tell whoever watches the control store that it has a hint, once this transaction is committed."""
        ...

    def record_reader(
        self, table: Table, plan: ExportPlan
    ) -> Callable[[Connection, IdSet, Mapping[str, IdSet]], Sequence[bytes]]:
        """What reads the JSON objects of contacts by rising id, given the sets that parts of the plan name."""
        ...


def of(connection: Connection) -> Dialect:
    """The dialect that a connection speaks."""
    if connection.dialect.name != "postgresql":
        return sqlite_statements
    # Who has no PostgreSQL does not wait for its driver.
    from staithe.storage import postgres_statements

    return postgres_statements


def insert(connection: Connection, table: Table) -> sqlite_dialect.Insert | postgresql_dialect.Insert:
    """An INSERT that knows `on_conflict_do_update`; both dialects spell it the same, each has a class of its own."""
    if connection.dialect.name != "postgresql":
        return sqlite_dialect.insert(table)
    from sqlalchemy.dialects import postgresql as postgresql_dialect

    return postgresql_dialect.insert(table)


def built_once(build: Callable[[Connection], T]) -> Callable[[Connection], T]:
    """What makes a statement of `insert` for a connection: it is made once for each dialect."""
    made: dict[str, T] = {}

    @wraps(build)
    def find(connection: Connection) -> T:
        name = connection.dialect.name
        if name not in made:
            made[name] = build(connection)
        return made[name]

    return find
