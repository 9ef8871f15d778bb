"""Numbers that only grow: ids, and versions of what must not change unseen."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, select

from staithe.storage.dialect import insert
from staithe.storage.tables import COUNTER

CONTACTS: Final = "contact"
CONTACTS_VERSION: Final = "contactsVersion"


def take_ids(connection: Connection, name: str, count: int = 1) -> int:
    """Take `count` numbers, and give the last of them."""
    statement = insert(connection, COUNTER).values(name=name, value=count)
    statement = statement.on_conflict_do_update(
        index_elements=[COUNTER.c.name], set_={"value": COUNTER.c.value + statement.excluded.value}
    )
    return int(connection.execute(statement.returning(COUNTER.c.value)).scalar_one())


def last_id(connection: Connection, name: str) -> int:
    """The number that was taken last; 0 if none was."""
    return connection.execute(select(COUNTER.c.value).where(COUNTER.c.name == name)).scalar() or 0
