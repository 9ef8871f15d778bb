"""Parser of field statements: `{{Contact.Field(C_EmailAddress)}}`, `{{ContactList[12]}}` and their like.

Source: Eloqua markup language v3; the grammar stands in docs/glossary.md under "field statement".
"""

from __future__ import annotations

import re

from msgspec import Struct

PART = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9]*)(?:\[(?P<number>[0-9]{1,18})\]|\((?P<key>[A-Za-z0-9_-]+)\))?")


class Part(Struct, frozen=True):
    """One dotted part: a name with at most one of `[number]` and `(key)`."""

    name: str
    number: int | None = None
    key: str | None = None


class FieldStatement(Struct, frozen=True):
    """A parsed statement. `text` is as it was sent; parts keep their spelling, compare with `canonical`."""

    text: str
    parts: tuple[Part, ...]

    @property
    def canonical(self) -> str:
        """The statement in lower case: names are compared case-insensitively, and echoed as sent."""
        return self.text.lower()


def parse_field_statement(text: str) -> FieldStatement:
    """Parse one statement.

    Raises:
        ValueError: with a sentence that says what was expected, and where.
    """
    if not (text.startswith("{{") and text.endswith("}}")):
        raise ValueError("must be a statement in double braces such as {{Contact.Field(C_EmailAddress)}}")
    inner = text[2:-2]
    parts: list[Part] = []
    position = 0
    while True:
        match = PART.match(inner, position)
        if match is None:
            raise ValueError(f"must have a name at character {position + 3} of {text}")
        number = match["number"]
        parts.append(Part(match["name"], int(number) if number else None, match["key"]))
        position = match.end()
        if position == len(inner):
            return FieldStatement(text, tuple(parts))
        if inner[position] != ".":
            raise ValueError(f"must have a dot or the closing braces at character {position + 3} of {text}")
        position += 1
