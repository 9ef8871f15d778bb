"""Definitions of sync actions: make, read, replace, delete."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from staithe.domain.definitions import SYNC_ACTIONS, StoredDefinition, read_definition
from staithe.domain.elements import Element
from staithe.domain.errors import Conflict, Gone, NotFound
from staithe.domain.list_query import ListQuery
from staithe.services.caller import Caller
from staithe.storage import assets, definitions, syncs, uploads
from staithe.storage.database import Connection


def get_definition(connection: Connection, element: Element, definition_id: int) -> StoredDefinition:
    """One definition.

    Raises:
        NotFound: there never was one with this id.
        Gone: there was, and it was deleted or has expired.
    """
    found = definitions.find_definition(connection, element.name, definition_id)
    if found is not None:
        return found
    what = f"sync action definition {definition_id} of {element.name}"
    if definitions.was_given(connection, definition_id):
        raise Gone(f"The {what} was deleted or has expired.", "Create a new definition.")
    raise NotFound(f"There is no {what}.", f"GET /{element.name}/{SYNC_ACTIONS} lists those that there are.")


def create(caller: Caller, element: Element, properties: Mapping[str, object]) -> StoredDefinition:
    """Check and store a definition.

    Raises:
        ValidationFailed: a property is wrong.
    """
    with caller.database.write() as connection:
        definition = read_definition(properties, element, partial(assets.asset_exists, connection))
        new_id = definitions.add_definition(connection, element.name, definition, caller.now, caller.name)
        return get_definition(connection, element, new_id)


def read(caller: Caller, element: Element, definition_id: int) -> tuple[StoredDefinition, int]:
    """One definition, and the bytes staged for it."""
    with caller.database.read() as connection:
        found = get_definition(connection, element, definition_id)
        return found, uploads.staged_bytes(connection, definition_id)


def replace(
    caller: Caller, element: Element, definition_id: int, properties: Mapping[str, object]
) -> tuple[StoredDefinition, int]:
    """Replace a definition whole; its id and creation stay.

    Raises:
        ValidationFailed: a property is wrong.
        Conflict: a sync of it has not ended.
    """
    with caller.database.write() as connection:
        get_definition(connection, element, definition_id)
        refuse_while_syncing(connection, definition_id, "replaced")
        definition = read_definition(properties, element, partial(assets.asset_exists, connection))
        definitions.replace_definition(connection, definition_id, definition, caller.now, caller.name)
        return get_definition(connection, element, definition_id), uploads.staged_bytes(connection, definition_id)


def delete(caller: Caller, element: Element, definition_id: int) -> None:
    """Delete a definition with its staged data. A sync of it that has not ended then ends in error (ELQ-00143)."""
    with caller.database.write() as connection:
        get_definition(connection, element, definition_id)
        files = uploads.remove_of_definition(connection, definition_id)
        definitions.remove_definition(connection, definition_id)
    caller.store.staging.delete(files)


def clear_staged_data(caller: Caller, element: Element, definition_id: int) -> None:
    """Delete what was uploaded and not synced.

    Raises:
        Conflict: a sync of it has not ended.
    """
    with caller.database.write() as connection:
        get_definition(connection, element, definition_id)
        refuse_while_syncing(connection, definition_id, "emptied")
        files = uploads.remove_waiting(connection, definition_id)
    caller.store.staging.delete(files)


def refuse_while_syncing(connection: Connection, definition_id: int, what: str) -> None:
    if syncs.has_unfinished(connection, SYNC_ACTIONS, definition_id):
        raise Conflict(
            f"Definition {definition_id} cannot be {what} while a sync of it is pending or active.",
            "Wait until GET /syncs/{id} shows success, warning or error, then send the request again.",
        )


def read_page(
    caller: Caller, element: Element | None, query: ListQuery
) -> tuple[list[StoredDefinition], int | None, bool]:
    """One page of the definitions of an element, or of all."""
    with caller.database.read() as connection:
        return definitions.read_definitions(connection, element.name if element else None, query)
