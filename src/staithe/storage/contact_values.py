"""What a part of a contact is in the database: a column, or what its dialect works out from columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Table

from staithe.domain.contact_parts import ContactPart, PartKind
from staithe.domain.fields import DERIVATIONS

MILLISECOND: Final = 1000
SYSTEM_COLUMNS: Final[Mapping[PartKind, str]] = {
    PartKind.ID: "id",
    PartKind.CREATED_AT: "created_at",
    PartKind.UPDATED_AT: "updated_at",
}
DERIVED_TIMES: Final = ("created_at", "updated_at")


def value_of(
    part: ContactPart, table: Table, derived: Callable[[str, Table], ColumnElement[Any]]
) -> ColumnElement[Any]:
    """What a part of a contact is compared by; system times by whole milliseconds, as they are exported.

    Args:
        part: a field, the id, or a system time.
        table: of contacts.
        derived: makes the value of a derived field: `Dialect.derived`.
    """
    field = part.field
    if field is None:
        source = SYSTEM_COLUMNS[part.kind]
    elif field.is_derived:
        source = DERIVATIONS[field.internal_name].columns[0]
        if source not in DERIVED_TIMES:
            return derived(field.internal_name, table)
    else:
        source = field.column
    column = table.c[source]
    return column // MILLISECOND * MILLISECOND if source in DERIVED_TIMES else column
