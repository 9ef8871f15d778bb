"""Numbers that only grow: ids, and versions of what must not change unseen."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, Executable, bindparam, select

from staithe.storage.dialect import built_once, insert
from staithe.storage.tables import COUNTER

CONTACTS: Final = "contact"
CONTACTS_VERSION: Final = "contactsVersion"


@built_once
def add_to_counter(connection: Connection) -> Executable:
    statement = insert(connection, COUNTER)
    added = statement.on_conflict_do_update(
        index_elements=[COUNTER.c.name], set_={"value": COUNTER.c.value + statement.excluded.value}
    )
    return added.returning(COUNTER.c.value)


def take_ids(connection: Connection, name: str, count: int = 1) -> int:
    """Take `count` numbers, and give the last of them."""
    return int(connection.execute(add_to_counter(connection), {"name": name, "value": count}).scalar_one())


SELECT_COUNTER: Final = select(COUNTER.c.value).where(COUNTER.c.name == bindparam("counter"))


def last_id(connection: Connection, name: str) -> int:
    """The number that was taken last; 0 if none was."""
    return connection.execute(SELECT_COUNTER, {"counter": name}).scalar() or 0
