"""Reading the properties of an Application API object, which clients send as texts, numbers or booleans alike.

`null` is as if the property were not there: some clients send every property they know, empty ones as `null`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from staithe.domain.errors import Failure, ValidationFailed
from staithe.domain.identifiers import WHITE_SPACE

MOST_ID_DIGITS: Final = 18
BOOLEANS: Final[Mapping[str, bool]] = {"true": True, "false": False}


class Requirement(StrEnum):
    """The Application API's names of the rules that a value can break.

    Source: Oracle's page "Validation errors"; the text length rule as public clients have recorded it.
    """

    NOT_NULL = "NotNullRequirement"
    TEXT_LENGTH = "TextLengthRequirement"
    EMAIL_ADDRESS = "EmailAddressRequirement"
    UNIQUENESS = "UniquenessRequirement"
    BOOLEAN = "BooleanRequirement"
    INTEGER = "IntegerRequirement"
    DATE = "DateRequirement"
    ID = "IdRequirement"
    ENUM = "EnumRequirement"
    IMMUTABILITY = "ImmutabilityRequirement"
    RELATIONSHIP = "RelationshipRequirement"
    SYNTAX = "SyntaxRequirement"


class PropertyReader:
    """Reads properties in canonical spelling, and gathers what is wrong with them until `finish`."""

    def __init__(self, properties: Mapping[str, object]) -> None:
        self.properties = properties
        self.failures: list[Failure] = []

    def refuse(self, name: str, constraint: str, value: object, requirement: Requirement) -> None:
        """Remember that a property is wrong."""
        self.failures.append(Failure(name, constraint, value, requirement))

    def finish(self) -> None:
        """All is read.

        Raises:
            ValidationFailed: something was wrong.
        """
        if self.failures:
            raise ValidationFailed(*self.failures)

    def text(self, name: str) -> str | None:
        """A text, or a number or boolean as one; None if it is not there."""
        value = self.properties.get(name)
        text = to_text(value)
        if text is None and value is not None:
            self.refuse(name, "Must be a text.", None, Requirement.SYNTAX)
        return text

    def name(self, name: str, *, is_required: bool, most_characters: int) -> str | None:
        """A text that has to have characters, but not too many; None if it is not there."""
        text = self.text(name)
        trimmed = None if text is None else text.strip(WHITE_SPACE)
        if trimmed == "" or (trimmed is None and is_required and self.properties.get(name) is None):
            self.refuse(name, "Must not be empty.", "", Requirement.NOT_NULL)
        elif trimmed is not None and len(trimmed) > most_characters:
            self.refuse(name, f"Must have 1 to {most_characters} characters.", text, Requirement.TEXT_LENGTH)
        return trimmed

    def boolean(self, name: str) -> bool | None:
        """A boolean, or "true" or "false" in any case; None if it is not there or empty."""
        text = self.text(name)
        if not text:
            return None
        if text.lower() not in BOOLEANS:
            self.refuse(name, "Must be true or false.", text, Requirement.BOOLEAN)
        return BOOLEANS.get(text.lower())

    def ids(self, name: str) -> list[int]:
        """An array of ids, each a text or a number; empty if it is not there."""
        value = self.properties.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self.refuse(name, "Must be an array of ids.", None, Requirement.SYNTAX)
            return []
        found: list[int] = []
        for item in value:
            number = to_id(item)
            if number is None:
                self.refuse(name, "Must be whole numbers from 1 up.", to_text(item), Requirement.ID)
                return []
            found.append(number)
        return found


def to_text(value: object) -> str | None:
    """A scalar as a text, `1.0` as `1`; None if it is none."""
    match value:
        case bool():
            return str(value).lower()
        case float() if value.is_integer():
            return str(int(value))
        case str() | int() | float():
            return str(value)
        case _:
            return None


def to_id(value: object) -> int | None:
    """An id from a text or a number; None if it cannot be one."""
    text = "" if isinstance(value, bool) else to_text(value) or ""
    is_id = text.isascii() and text.isdigit() and len(text) <= MOST_ID_DIGITS and int(text) > 0
    return int(text) if is_id else None
