"""What apps have told of the instances of their services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Executable, bindparam, select

from staithe.storage.dialect import built_once, insert
from staithe.storage.tables import SERVICE_INSTANCE

SELECT: Final = select(SERVICE_INSTANCE.c.configuration).where(
    SERVICE_INSTANCE.c.service == bindparam("service"), SERVICE_INSTANCE.c.id == bindparam("instance")
)
HOLD: Final = SELECT.with_for_update()


def find_configuration(
    connection: Connection, service: str, instance_id: str, *, hold: bool = False
) -> dict[str, Any] | None:
    """What an app has told of an instance, None if nothing; with `hold` nobody else changes that meanwhile."""
    found = connection.execute(HOLD if hold else SELECT, {"service": service, "instance": instance_id}).scalar()
    return None if found is None else msgspec.json.decode(found, type=dict[str, Any])


@built_once
def put_instance(connection: Connection) -> Executable:
    statement = insert(connection, SERVICE_INSTANCE)
    changed = ("configuration", "updated_at", "updated_by")
    return statement.on_conflict_do_update(
        index_elements=[SERVICE_INSTANCE.c.service, SERVICE_INSTANCE.c.id],
        set_={name: statement.excluded[name] for name in changed},
    )


def save_configuration(
    connection: Connection, service: str, instance_id: str, configuration: Mapping[str, object], at: int, by: str
) -> None:
    """Keep what an app tells of an instance, in place of what it has told before."""
    audit = {"created_at": at, "created_by": by, "updated_at": at, "updated_by": by}
    text = msgspec.json.encode(configuration).decode()
    values = {"service": service, "id": instance_id, "configuration": text, **audit}
    connection.execute(put_instance(connection), values)
