"""The contact fields of one company: the standard ones, and those it made itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from staithe.domain.fields import CONTACT_FIELDS, Field


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Contact fields by id, ascending; names are found in any case. It equals itself alone."""

    fields: tuple[Field, ...]

    @cached_property
    def stored(self) -> tuple[Field, ...]:
        """The fields that have a column; the others are derived."""
        return tuple(field for field in self.fields if not field.is_derived)

    @cached_property
    def without_property(self) -> tuple[Field, ...]:
        """The fields that have no property of their own in the Application API, so stand in `fieldValues`."""
        return tuple(field for field in self.fields if not field.rest_name)

    @cached_property
    def by_id(self) -> Mapping[int, Field]:
        """Every field by its id."""
        return {field.id: field for field in self.fields}

    @cached_property
    def by_name(self) -> Mapping[str, Field]:
        """Every field by its internal name in lower case."""
        return {field.internal_name.lower(): field for field in self.fields}

    def find(self, internal_name: str) -> Field | None:
        """The field with an internal name, in any case; None if there is none."""
        return self.by_name.get(internal_name.lower())


STANDARD: Final = Catalogue(CONTACT_FIELDS)
"""The catalogue of a company that has made no field."""
