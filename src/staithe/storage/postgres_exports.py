"""Reads contacts for an export from PostgreSQL: it gives the values, and Python makes the JSON text of each record.

`domain.values` writes them, column by column: PostgreSQL has no functions for numbers and dates that write the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any

import msgspec
from sqlalchemy import ARRAY, BigInteger, Connection, Table, any_, bindparam, select

from staithe.domain.contact_parts import CONSTANTS, ContactPart, PartKind
from staithe.domain.export_plan import ExportPlan
from staithe.domain.fields import DERIVATIONS, DataType, FieldValue
from staithe.domain.id_set import IdSet
from staithe.domain.values import format_value


def record_reader(
    table: Table, plan: ExportPlan
) -> Callable[[Connection, IdSet, Mapping[str, IdSet]], Sequence[bytes]]:
    """What reads the records of contacts by rising id."""
    names = [column.name for column in plan.columns]
    sources = {name: table.c[name] for column in plan.columns for name in sources_of(column.part)}
    statement = select(table.c.id, *sources.values()).order_by(table.c.id)
    by_range = statement.where(table.c.id.between(bindparam("first"), bindparam("last")))
    by_ids = statement.where(table.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger))))
    encode = msgspec.json.Encoder().encode

    def read(connection: Connection, wanted: IdSet, sets: Mapping[str, IdSet]) -> Sequence[bytes]:
        first, last = wanted.bounds()
        if last - first + 1 == len(wanted):
            rows = rows_of(connection, by_range, {"first": first, "last": last})
        else:
            rows = rows_of(connection, by_ids, {"ids": list(wanted)})
        columns = list(zip(*rows, strict=True))
        if not columns:
            return []
        by_name = dict(zip(sources, columns[1:], strict=True))
        texts = [texts_of(column.part, plan.system_zone, columns[0], by_name, sets) for column in plan.columns]
        return [encode(dict(zip(names, record, strict=True))) for record in zip(*texts, strict=True)]

    return read


def rows_of(connection: Connection, statement: Any, parameters: Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
    """Rows of the driver, not SQLAlchemy's."""
    result = connection.execute(statement, parameters)
    rows = result.cursor.fetchall() if result.cursor else []
    result.close()
    return rows


def sources_of(part: ContactPart) -> tuple[str, ...]:
    """The columns, besides the id, that a part comes from."""
    match part.kind:
        case PartKind.CREATED_AT:
            return ("created_at",)
        case PartKind.UPDATED_AT:
            return ("updated_at",)
        case PartKind.FIELD:
            assert part.field is not None
            derivation = DERIVATIONS.get(part.field.internal_name)
            if derivation is None:
                return (part.field.column,)
            return tuple(name for name in derivation.columns if name != "id")
        case _:
            return ()


def texts_of(
    part: ContactPart,
    system_zone: tzinfo,
    ids: Sequence[int],
    columns: Mapping[str, Sequence[FieldValue]],
    sets: Mapping[str, IdSet],
) -> Iterable[str]:
    """The texts of a part, one a contact; empty where it has no value."""
    members = [sets[name] for name in part.sets]
    match part.kind:
        case PartKind.EMAIL_FORMAT | PartKind.ACCOUNT:
            return [CONSTANTS[part.kind]] * len(ids)
        case PartKind.IS_SUBSCRIBED:
            return ["False" if contact_id in members[0] else "True" for contact_id in ids]
        case PartKind.IS_BOUNCED | PartKind.CONTACT_LIST:
            return ["True" if contact_id in members[0] else "False" for contact_id in ids]
        case PartKind.EMAIL_GROUP:
            subscribed, unsubscribed = members
            return [
                "subscribed" if contact_id in subscribed else "unsubscribed" if contact_id in unsubscribed else ""
                for contact_id in ids
            ]
        case PartKind.ID:
            return map(str, ids)
        case PartKind.FIELD | PartKind.CREATED_AT | PartKind.UPDATED_AT:
            values = values_of(part, ids, columns)
    if part.data_type in (DataType.STRING, DataType.EMAIL_ADDRESS):
        return [str(value or "") for value in values]
    is_system, data_type = part.is_system_time, part.data_type
    zone = system_zone if is_system else UTC
    return [format_value(value, data_type, zone, is_system_time=is_system) for value in values]


def values_of(
    part: ContactPart, ids: Sequence[int], columns: Mapping[str, Sequence[FieldValue]]
) -> Iterable[FieldValue]:
    names = sources_of(part)
    if part.field is None or not part.field.is_derived:
        return columns[names[0]]
    derivation = DERIVATIONS[part.field.internal_name]
    own: list[Sequence[FieldValue]] = [ids if name == "id" else columns[name] for name in derivation.columns]
    return (derivation.work_out(*("" if value is None else value for value in row)) for row in zip(*own, strict=True))
