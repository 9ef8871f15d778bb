"""The plan of an import: how its records find their contacts, and what is written when, as frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Final

from msgspec import Struct

from staithe.domain.catalogue import Catalogue
from staithe.domain.contact_parts import ContactPart, PartKind, resolve_contact_part
from staithe.domain.definitions import ImportDefinition, ImportRule, UpdateRule
from staithe.domain.field_statement import parse_field_statement
from staithe.domain.fields import DataType, Field
from staithe.domain.plan import SetStep, plan_steps
from staithe.domain.sync_actions import BOUNCED_SET, GLOBAL_UNSUBSCRIBED_SET
from staithe.domain.values import EASTERN


class ImportColumn(Struct, frozen=True):
    """A field of the definition that writes a field of contacts, and when it does."""

    name: str
    field: Field
    rule: UpdateRule

    @property
    def zone(self) -> tzinfo:
        """What a date without a zone is in: Eloqua's Eastern time for system timestamps."""
        return EASTERN if ContactPart(PartKind.FIELD, self.field).is_system_time else UTC


class ImportState(Struct, frozen=True):
    """A field of the definition that sets a state of the contact's address.

    A value of `is_in` puts the contact into the set; the opposite takes it out if `takes_out`, and else is ignored.
    """

    name: str
    set_name: str
    is_in: bool
    takes_out: bool


STATES: Final[Mapping[PartKind, tuple[str, bool, bool]]] = {
    PartKind.IS_BOUNCED: (BOUNCED_SET, True, True),
    PartKind.IS_SUBSCRIBED: (GLOBAL_UNSUBSCRIBED_SET, False, False),
}
"""What an import can set beside fields [bounceback_status.htm]. It subscribes nobody: that may be an accident."""


class ImportPlan(Struct, frozen=True):
    """Match each record by what the field `identifier_name` holds, write the columns and states, then take the steps.

    `updates_all_matches` is false where only the oldest of several matching contacts is changed; with
    `empties_identifier` the contacts lose the value they were matched by when all records are done. `ignored` are the
    fields that nothing can write.
    """

    identifier_name: str
    identifier: ContactPart
    is_case_sensitive: bool
    columns: tuple[ImportColumn, ...]
    creates: bool
    updates: bool
    updates_all_matches: bool
    empties_identifier: bool
    steps: tuple[SetStep, ...]
    states: tuple[ImportState, ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def identifies_by_email(self) -> bool:
        """Whether contacts are found by their email address."""
        return self.identifier.field is not None and self.identifier.field.data_type is DataType.EMAIL_ADDRESS

    @property
    def identifies_by_id(self) -> bool:
        """Whether contacts are found by their id, plain or as `ContactIDExt`."""
        return self.identifier.kind is PartKind.ID or self.identifies_by_external_id

    @property
    def identifies_by_external_id(self) -> bool:
        """Whether contacts are found by `ContactIDExt`."""
        return self.identifier.field is not None and self.identifier.field.internal_name == "ContactIDExt"

    @property
    def email_position(self) -> int | None:
        """Which of the columns is the email address; None if none is."""
        emails = (i for i, c in enumerate(self.columns) if c.field.data_type is DataType.EMAIL_ADDRESS)
        return next(emails, None)


def plan_import(definition: ImportDefinition, catalogue: Catalogue) -> ImportPlan:
    """Make the plan of a valid import.

    Of several fields that write the same the identifier field does, or else the last one.
    """
    parts = {
        name: resolve_contact_part(parse_field_statement(text), catalogue) for name, text in definition.fields.items()
    }
    columns: dict[str, ImportColumn] = {}
    states: dict[PartKind, ImportState] = {}
    ignored: list[str] = []
    for name in sorted(parts, key=lambda name: name == definition.identifier_field_name):
        part = parts[name]
        if part.field is not None and part.can_be_imported:
            columns[part.field.internal_name] = ImportColumn(name, part.field, rule_of(definition, name, part.field))
        elif part.kind in STATES:
            states[part.kind] = ImportState(name, *STATES[part.kind])
        elif name != definition.identifier_field_name:
            ignored.append(name)
    identifier = parts[definition.identifier_field_name]
    rule = definition.import_rule or ImportRule.CREATE_AND_UPDATE
    return ImportPlan(
        identifier_name=definition.identifier_field_name,
        identifier=identifier,
        is_case_sensitive=bool(definition.is_identifier_field_case_sensitive),
        columns=tuple(columns.values()),
        creates=rule is not ImportRule.UPDATE_ONLY,
        updates=rule is not ImportRule.CREATE_ONLY,
        updates_all_matches=definition.is_updating_multiple_matched_records,
        empties_identifier=bool(definition.null_identifier_field_name) and can_be_emptied(identifier),
        steps=plan_steps(definition.sync_actions),
        states=tuple(states.values()),
        ignored=tuple(ignored),
    )


def can_be_emptied(identifier: ContactPart) -> bool:
    """Whether a contact can do without: not without its id or its email address."""
    return identifier.can_be_imported and identifier.data_type is not DataType.EMAIL_ADDRESS


def rule_of(definition: ImportDefinition, name: str, field: Field) -> UpdateRule:
    """The update rule of one field: its own, or the definition's; `useFieldRule` asks the contact field."""
    rule = (definition.update_rule_by_field or {}).get(name) or definition.update_rule or UpdateRule.ALWAYS
    return UpdateRule(field.update_rule) if rule is UpdateRule.USE_FIELD_RULE else rule
