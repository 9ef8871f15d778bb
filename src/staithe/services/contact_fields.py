"""Contact fields: browse them, and make one, which is at once a column that everything can use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from staithe.domain.definitions import names_field
from staithe.domain.errors import Conflict, Gone, InUse, NotAllowed, NotFound
from staithe.domain.field_changes import change_field, make_field, read_field_changes
from staithe.domain.fields import Field
from staithe.domain.item_page import Getters, list_items, search_items
from staithe.domain.limits import CUSTOM_FIELDS, SECOND
from staithe.domain.list_query import ListQuery, PropertyType
from staithe.domain.search_query import SearchQuery
from staithe.domain.segments import CriteriaFilter, Segment
from staithe.services.caller import Caller
from staithe.storage import assets, contact_fields, definitions
from staithe.storage.database import Connection

SEARCHABLE: Final[Mapping[str, PropertyType]] = {
    "id": PropertyType.NUMBER,
    "name": PropertyType.TEXT,
    "internalName": PropertyType.TEXT,
    "dataType": PropertyType.TEXT,
    "createdAt": PropertyType.TIME,
    "createdBy": PropertyType.TEXT,
    "updatedAt": PropertyType.TIME,
    "updatedBy": PropertyType.TEXT,
}
GETTERS: Final[Getters[Field]] = {
    "id": lambda field: field.id,
    "name": lambda field: field.name,
    "internalName": lambda field: field.internal_name,
    "dataType": lambda field: field.data_type.value,
    "createdAt": lambda field: field.created_at,
    "createdBy": lambda field: field.created_by,
    "updatedAt": lambda field: field.updated_at,
    "updatedBy": lambda field: field.updated_by,
}
CONTENTS: Final[Mapping[str, tuple[type[Segment] | type[CriteriaFilter], str]]] = {
    "contactsegment": (Segment, "segments"),
    "contactfilter": (CriteriaFilter, "filters"),
}
"""Kind of assets whose filters name fields -> what they consist of, and their name in uris."""

USERS_NAMED: Final = 10
# The Application API compares times by whole seconds.
SEARCH_GETTERS: Final[Getters[Field]] = {
    **GETTERS,
    "createdAt": lambda field: field.created_at // SECOND,
    "updatedAt": lambda field: field.updated_at // SECOND,
}


def get_field(connection: Connection, field_id: int) -> Field:
    """One contact field.

    Raises:
        NotFound: there never was one with this id.
        Gone: there was, and it was deleted.
    """
    found = contact_fields.load_catalogue(connection).by_id.get(field_id)
    if found is None and contact_fields.was_given(connection, field_id):
        raise Gone(f"The contact field {field_id} was deleted.")
    if found is None:
        raise NotFound(f"There is no contact field {field_id}.", "GET /contacts/fields lists those that there are.")
    return found


def read(caller: Caller, field_id: int) -> Field:
    """One contact field."""
    with caller.database.read() as connection:
        return get_field(connection, field_id)


def read_page(caller: Caller, query: ListQuery) -> tuple[list[Field], int | None, bool]:
    """One page of contact fields, by id unless another order is asked for."""
    with caller.database.read() as connection:
        return list_items(contact_fields.load_catalogue(connection).fields, GETTERS, query)


def search(caller: Caller, query: SearchQuery) -> tuple[list[Field], int]:
    """One page of the contact fields that a search finds, and how many there are."""
    with caller.database.read() as connection:
        return search_items(contact_fields.load_catalogue(connection).fields, SEARCH_GETTERS, query)


def create(caller: Caller, properties: Mapping[str, object]) -> Field:
    """Make a contact field.

    Raises:
        ValidationFailed: a property is wrong.
        Conflict: the company has made as many as it may.
    """
    changes = read_field_changes(properties, None)
    with caller.database.write() as connection:
        catalogue = contact_fields.load_catalogue(connection)
        if sum(not field.is_standard for field in catalogue.fields) >= CUSTOM_FIELDS:
            raise Conflict(f"The company has made {CUSTOM_FIELDS:,} contact fields, which is the most there can be.")
        number = contact_fields.take_number(connection)
        field = make_field(changes, number, catalogue, caller.now, caller.name)
        contact_fields.add_field(connection, field)
        return field


def change(caller: Caller, field_id: int, properties: Mapping[str, object]) -> Field:
    """Change the name, description, display type or update rule of a field that the company made.

    Raises:
        ValidationFailed: a property is wrong, or cannot change.
        NotAllowed: it is a built-in field.
    """
    with caller.database.write() as connection:
        before = get_field(connection, field_id)
        changes = read_field_changes(properties, before)
        if before.is_standard:
            raise NotAllowed(f"The contact field {field_id} is built in.", "Only fields that you made can be changed.")
        field = change_field(before, changes, caller.now, caller.name)
        contact_fields.change_field(connection, field)
        return field


def delete(caller: Caller, field_id: int) -> None:
    """Delete a field that the company made, with what every contact has in it.

    Raises:
        NotAllowed: it is a built-in field.
        InUse: a definition, a segment or a filter names it.
    """
    with caller.database.write() as connection:
        field = get_field(connection, field_id)
        if field.is_standard:
            raise NotAllowed(f"The contact field {field_id} is built in.", "Only fields that you made can be deleted.")
        users = users_of(connection, field)
        if users:
            named = ", ".join(users[:USERS_NAMED]) + (", ..." if len(users) > USERS_NAMED else "")
            raise InUse(
                f"The contact field {field_id} cannot be deleted while these name it: {named}.",
                "Delete them first, or replace them.",
            )
        contact_fields.remove_field(connection, field)


def users_of(connection: Connection, field: Field) -> list[str]:
    """The uris of the definitions, segments and filters that name a field.

    A sync of a definition that is gone already writes no more of it: each step asks for its definition first.
    """
    found = definitions.definitions_with(connection, field.internal_name)
    uris = [stored.uri for stored in found if names_field(stored.definition, field)]
    for kind, (content_type, path) in CONTENTS.items():
        for asset in assets.all_assets(connection, kind):
            if field.id in msgspec.json.decode(asset.properties, type=content_type).fields():
                uris.append(f"/contacts/{path}/{asset.id}")
    return uris
