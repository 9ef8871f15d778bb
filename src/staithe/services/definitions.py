"""Definitions of sync actions, imports and exports: make, read, replace, delete."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from staithe.domain.definition_reader import Surroundings
from staithe.domain.definitions import EXPORTS, KIND_NAMES, DefinitionKey, StoredDefinition, read_definition
from staithe.domain.elements import Element
from staithe.domain.errors import Conflict, Gone, NotFound
from staithe.domain.list_query import ListQuery
from staithe.services.caller import Caller
from staithe.storage import assets, definitions, syncs, uploads
from staithe.storage.contact_fields import load_catalogue
from staithe.storage.database import Connection


def get_definition(
    connection: Connection, element: Element, key: DefinitionKey, *, hold: bool = False
) -> StoredDefinition:
    """One definition of an element; with `hold`, and in a write transaction, no sync of it ends until that does.

    Raises:
        NotFound: there never was one with this id.
        Gone: there was, and it was deleted or has expired.
    """
    found = definitions.find_definition(connection, key, hold=hold)
    if found is not None and found.element == element.name:
        return found
    what = f"{KIND_NAMES[key.kind]} definition {key.id} of {element.name}"
    if found is None and definitions.was_given(connection, key):
        raise Gone(f"The {what} was deleted or has expired.", "Create a new definition.")
    raise NotFound(f"There is no {what}.", f"GET /{element.name}/{key.kind} lists those that there are.")


def surroundings(connection: Connection, element: Element) -> Surroundings:
    """What a definition is checked against, as the company's store has it now."""
    return Surroundings(element, load_catalogue(connection), partial(assets.asset_exists, connection))


def create(caller: Caller, element: Element, kind: str, properties: Mapping[str, object]) -> StoredDefinition:
    """Check and store a definition.

    Raises:
        ValidationFailed: a property is wrong.
    """
    with caller.database.write() as connection:
        definition = read_definition(kind, properties, surroundings(connection, element))
        key = definitions.add_definition(connection, kind, element.name, definition, caller.now, caller.name)
        return get_definition(connection, element, key)


def read(caller: Caller, element: Element, key: DefinitionKey) -> tuple[StoredDefinition, int]:
    """One definition, and the bytes that are kept for it."""
    with caller.database.read() as connection:
        return get_definition(connection, element, key), used_bytes(connection, key)


def used_bytes(connection: Connection, key: DefinitionKey) -> int:
    """The bytes of what is staged for a definition, or of what its syncs have exported."""
    return syncs.data_bytes(connection, key) if key.kind == EXPORTS else uploads.staged_bytes(connection, key)


def replace(
    caller: Caller, element: Element, key: DefinitionKey, properties: Mapping[str, object]
) -> tuple[StoredDefinition, int]:
    """Replace a definition whole; its id and creation stay.

    Raises:
        ValidationFailed: a property is wrong.
        Conflict: a sync of it has not ended.
    """
    with caller.database.write() as connection:
        get_definition(connection, element, key)
        refuse_while_syncing(connection, key, "replaced")
        definition = read_definition(key.kind, properties, surroundings(connection, element))
        definitions.replace_definition(connection, key, definition, caller.now, caller.name)
        return get_definition(connection, element, key), used_bytes(connection, key)


def delete(caller: Caller, element: Element, key: DefinitionKey) -> None:
    """Delete a definition with its staged data. A sync of it that has not ended then ends in error (ELQ-00143)."""
    with caller.database.write() as connection:
        get_definition(connection, element, key, hold=True)
        files = uploads.remove_of_definition(connection, key)
        definitions.remove_definition(connection, key)
    caller.store.staging.delete(files)


def clear_staged_data(caller: Caller, element: Element, key: DefinitionKey) -> None:
    """Delete what was uploaded and not synced.

    Raises:
        Conflict: a sync of it has not ended.
    """
    with caller.database.write() as connection:
        get_definition(connection, element, key)
        refuse_while_syncing(connection, key, "emptied")
        files = uploads.remove_waiting(connection, key)
    caller.store.staging.delete(files)


def refuse_while_syncing(connection: Connection, key: DefinitionKey, what: str) -> None:
    if syncs.has_unfinished(connection, key):
        raise Conflict(
            f"Definition {key.id} cannot be {what} while a sync of it is pending or active.",
            "Wait until GET /syncs/{id} shows success, warning or error, then send the request again.",
        )


def read_page(
    caller: Caller, element: Element, kind: str, query: ListQuery
) -> tuple[list[StoredDefinition], int | None, bool]:
    """One page of the definitions of a kind: of an element, or of all if it is the nameless one."""
    with caller.database.read() as connection:
        return definitions.read_definitions(connection, kind, element.name or None, query)
