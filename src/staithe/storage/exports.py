"""Reads contacts for an export: the columns that are asked for, of the contacts in a set, by rising id."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Text, func, select

from staithe.domain.catalogue import Catalogue
from staithe.domain.id_set import IdSet
from staithe.storage.contact_fields import contact_table

DENSE: Final = 4
"""Where at least one id in so many is wanted, reading the whole range is faster than naming the ids."""


def read_columns(
    connection: Connection, catalogue: Catalogue, names: Sequence[str], ids: IdSet, batch: int
) -> Iterator[list[Sequence[Any]]]:
    """The values of contacts, column by column, in batches of `batch` contacts but for the last; texts are never None.

    Args:
        connection: a read transaction, so that all is of one moment.
        catalogue: of the company.
        names: columns; the first one must be `id`.
        ids: of which contacts; all must exist.
        batch: how many contacts at once.

    Raises:
        LookupError: a contact is missing.
    """
    table = contact_table(catalogue)
    columns = [text_or_value(table.c[name]) for name in names]
    for offset in range(0, len(ids), batch):
        wanted = ids.page(offset, batch)
        first, last = wanted.bounds()
        span = last - first + 1
        where = table.c.id.between(first, last) if span <= DENSE * len(wanted) else table.c.id.in_(list(wanted))
        result = connection.execute(select(*columns).where(where).order_by(table.c.id))
        rows: Sequence[Any] = result.cursor.fetchall() if result.cursor else []
        if len(rows) != len(wanted):
            rows = [row for row in rows if row[0] in wanted]
        if len(rows) != len(wanted):
            raise LookupError(f"{len(wanted) - len(rows)} contacts of the set have no row")
        yield list(zip(*rows, strict=True))


def text_or_value(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A text column never gives NULL: most values are wanted as texts, and this is the fastest place to do it."""
    return func.coalesce(column, "") if isinstance(column.type, Text) else column
