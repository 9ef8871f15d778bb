"""Reads contacts for an export from SQLite: the database makes the JSON text of each record.

So no value becomes an object of Python's, which takes as long as reading the bare values does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Final

import msgspec
from sqlalchemy import ColumnElement, Connection, LargeBinary, Table, bindparam, cast, func, literal, select

from staithe.domain.export_plan import ExportPlan
from staithe.domain.id_set import IdSet
from staithe.storage.export_texts import is_among, text_of

FIELDS_AT_ONCE: Final = 60
"""SQLite's functions take 127 arguments."""


def record_reader(
    table: Table, plan: ExportPlan
) -> Callable[[Connection, IdSet, Mapping[str, IdSet]], Sequence[bytes]]:
    """What reads the records of contacts by rising id: a range where there are no gaps, else by each id."""
    texts = [(column.name, text_of(column.part, table, plan.system_zone)) for column in plan.columns]
    record = select(cast(to_object(texts), LargeBinary)).order_by(table.c.id)
    by_range = record.where(table.c.id.between(bindparam("first"), bindparam("last")))
    by_ids = record.where(is_among(table.c.id, "wanted"))

    def read(connection: Connection, wanted: IdSet, sets: Mapping[str, IdSet]) -> Sequence[bytes]:
        parameters = {name: to_json(wanted & members) for name, members in sets.items()}
        first, last = wanted.bounds()
        if last - first + 1 == len(wanted):
            result = connection.execute(by_range, {**parameters, "first": first, "last": last})
        else:
            result = connection.execute(by_ids, {**parameters, "wanted": to_json(wanted)})
        # Rows of the driver, not SQLAlchemy's.
        rows: Sequence[tuple[bytes]] = result.cursor.fetchall() if result.cursor else []
        result.close()
        return [line for (line,) in rows]

    return read


def to_json(ids: IdSet) -> str:
    return msgspec.json.encode(list(ids)).decode()


def to_object(texts: Sequence[tuple[str, ColumnElement[str]]]) -> ColumnElement[str]:
    """A JSON object of texts by name, in their order."""
    objects = [
        func.json_object(*chain.from_iterable(texts[start : start + FIELDS_AT_ONCE]))
        for start in range(0, len(texts), FIELDS_AT_ONCE)
    ]
    joined: ColumnElement[str] = objects[0]
    for further in objects[1:]:
        # Behind the last text, which ends with a quote, stands one brace: the trim takes no other.
        joined = func.rtrim(joined, "}") + literal(",") + func.substr(further, 2)
    return joined
