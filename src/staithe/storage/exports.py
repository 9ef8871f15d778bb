"""Reads contacts for an export, each as the JSON text of its record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection

from staithe.domain.catalogue import Catalogue
from staithe.domain.export_plan import ExportPlan
from staithe.domain.id_set import IdSet
from staithe.storage import dialect
from staithe.storage.contact_fields import contact_table


def read_records(
    connection: Connection, catalogue: Catalogue, plan: ExportPlan, ids: IdSet, sets: Mapping[str, IdSet], batch: int
) -> Iterator[bytes]:
    """The records of contacts by rising id, in batches of `batch` but for the last; a line feed follows each record.

    Args:
        connection: a read transaction, so that all is of one moment.
        catalogue: of the company.
        plan: which names and parts of contacts the records have.
        ids: of which contacts; all must exist.
        sets: those that the parts name.
        batch: how many contacts at once.

    Raises:
        LookupError: a contact is missing.
    """
    read = dialect.of(connection).record_reader(contact_table(catalogue), plan)
    for offset in range(0, len(ids), batch):
        wanted = ids.page(offset, batch)
        lines = read(connection, wanted, sets)
        if len(lines) != len(wanted):
            raise LookupError(f"{len(wanted) - len(lines)} contacts of the set have no row")
        yield b"\n".join(lines) + b"\n"
