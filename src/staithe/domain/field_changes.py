"""What a request of the Application API makes of a contact field.

Source: Oracle's page "Create a contact field" and the models of public clients; docs/compatibility.md has what is ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import count
from typing import Final

import msgspec
from msgspec import Struct

from staithe.domain.catalogue import Catalogue
from staithe.domain.definition_reader import find_choice
from staithe.domain.fields import DataType, Field
from staithe.domain.limits import ASSET_NAME_CHARACTERS, FIRST_CUSTOM_FIELD_ID
from staithe.domain.properties import PropertyReader, Requirement

DATA_TYPES: Final[Mapping[str, DataType]] = {
    "text": DataType.STRING,
    "largeText": DataType.STRING,
    "numeric": DataType.NUMBER,
    "date": DataType.DATE,
}
"""The Application API's names of the types that a new field can have."""

DISPLAY_TYPES: Final = ("text", "textArea", "singleSelect", "multiSelect", "checkbox", "hidden")
UPDATE_TYPES: Final[Mapping[str, str]] = {
    "always": "always",
    "newNotBlank": "ifNewIsNotNull",
    "existingBlank": "ifExistingIsNull",
}
"""The Application API's names of update rules: what `useFieldRule` of an import then means for the field."""

INTERNAL_NAME_CHARACTERS: Final = 44
"""Of an internal name, before its number."""

OTHER_CHARACTERS: Final = re.compile(r"[^A-Za-z0-9]")


class FieldChanges(Struct, frozen=True):
    """What a request names of a field; None leaves as it is. `data_type` is the Application API's name."""

    name: str | None
    data_type: str | None
    display_type: str | None
    update_rule: str | None
    description: str | None


def read_field_changes(properties: Mapping[str, object], before: Field | None) -> FieldChanges:
    """Read a field as a request has it, properties in canonical spelling; unknown ones are ignored.

    Args:
        properties: of the request.
        before: the field that is changed, or None for a new one.

    Raises:
        ValidationFailed: a property is wrong, or the type or internal name of a field is to change.
    """
    reader = PropertyReader(properties)
    update_type = read_choice(reader, "updateType", tuple(UPDATE_TYPES))
    changes = FieldChanges(
        name=reader.name("name", is_required=before is None, most_characters=ASSET_NAME_CHARACTERS),
        data_type=read_choice(reader, "dataType", tuple(DATA_TYPES)),
        display_type=read_choice(reader, "displayType", DISPLAY_TYPES),
        update_rule=UPDATE_TYPES[update_type] if update_type else None,
        description=reader.text("description"),
    )
    if before is not None:
        if changes.data_type not in (None, rest_data_type(before)):
            reader.refuse("dataType", "Must stay as it is.", changes.data_type, Requirement.IMMUTABILITY)
        internal_name = reader.text("internalName")
        if internal_name and internal_name.lower() != before.internal_name.lower():
            reader.refuse("internalName", "Must stay as it is.", internal_name, Requirement.IMMUTABILITY)
    reader.finish()
    return changes


def read_choice(reader: PropertyReader, name: str, choices: tuple[str, ...]) -> str | None:
    text = reader.text(name)
    if not text:
        return None
    found = find_choice(text, choices)
    if found is None:
        reader.refuse(name, f"Must be one of {', '.join(choices)}.", text, Requirement.ENUM)
    return found


def rest_data_type(field: Field) -> str:
    """The Application API's name of a field's type."""
    if field.data_type is DataType.STRING and field.is_large:
        return "largeText"
    return next((name for name, data_type in DATA_TYPES.items() if data_type is field.data_type), "text")


def make_field(changes: FieldChanges, number: int, catalogue: Catalogue, at: int, by: str) -> Field:
    """A new field.

    Args:
        changes: its properties, with a name.
        number: how many fields the company has made with it.
        catalogue: the fields that there are: the internal name is to be new among them.
        at: when, in microseconds.
        by: who makes it.
    """
    name = changes.name or ""
    return Field(
        FIRST_CUSTOM_FIELD_ID + number - 1,
        make_internal_name(name, catalogue),
        name,
        DATA_TYPES[changes.data_type or "text"],
        update_rule=changes.update_rule or "always",
        is_large=changes.data_type == "largeText",
        display_type=changes.display_type or "text",
        description=changes.description or "",
        created_at=at,
        created_by=by,
        updated_at=at,
        updated_by=by,
    )


def make_internal_name(name: str, catalogue: Catalogue) -> str:
    """`C_`, the name with `_` for every other character, and the first free number [observed].

    It is cut so that a column and an index can be named after it: PostgreSQL's names have 63 characters.
    """
    stem = f"C_{OTHER_CHARACTERS.sub('_', name)}"[:INTERNAL_NAME_CHARACTERS]
    return next(f"{stem}{number}" for number in count(1) if catalogue.find(f"{stem}{number}") is None)


def change_field(field: Field, changes: FieldChanges, at: int, by: str) -> Field:
    """The field after a change."""
    named = ("name", "display_type", "update_rule", "description")
    news = {name: getattr(changes, name) for name in named if getattr(changes, name) is not None}
    return msgspec.structs.replace(field, **news, updated_at=at, updated_by=by)
