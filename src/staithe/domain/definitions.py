"""The definitions: sync actions, imports and exports, and the checks they must pass.

Source: Eloqua's pages on import, export and sync action definitions, and the Bulk API contract; the texts of the
constraints are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final, TypeAlias

from msgspec import Struct

from staithe.domain.contact_parts import MEMBERSHIPS, ContactPart, PartKind
from staithe.domain.definition_reader import (
    ASSET_NAMES,
    FIELD_NAME_RULE,
    DefinitionReader,
    Surroundings,
    find_choice,
    is_field_name,
    parse_duration,
)
from staithe.domain.errors import Failure, ValidationFailed
from staithe.domain.field_statement import parse_field_statement
from staithe.domain.fields import DataType, Field
from staithe.domain.filter_language import Comparison, Membership, leaves_of, parse_filter
from staithe.domain.filter_reader import containers_of, read_filter
from staithe.domain.identifiers import IdentifierKind
from staithe.domain.import_priorities import PRIORITIES_BY_ID
from staithe.domain.limits import (
    EXPORT_FIELDS,
    FIELD_NAME_CHARACTERS,
    IMPORT_FIELDS,
    LEAST_DATA_LIFE,
    MOST_DATA_LIFE,
    NAME_CHARACTERS,
    SYNC_ACTION_FIELDS,
)
from staithe.domain.sync_actions import ASSET_DESTINATIONS, SyncAction, parse_destination

SYNC_ACTIONS: Final = "syncActions"
IMPORTS: Final = "imports"
EXPORTS: Final = "exports"
"""The kinds of definitions, as in paths."""

KIND_NAMES: Final[Mapping[str, str]] = {SYNC_ACTIONS: "sync action", IMPORTS: "import", EXPORTS: "export"}
LEAST_LIFE: Final = timedelta(microseconds=LEAST_DATA_LIFE)
MOST_LIFE: Final = timedelta(microseconds=MOST_DATA_LIFE)


class UpdateRule(StrEnum):
    """When the value of an import replaces the stored one [update-rule-types.htm]."""

    ALWAYS = "always"
    IF_NEW_IS_NOT_NULL = "ifNewIsNotNull"
    IF_EXISTING_IS_NULL = "ifExistingIsNull"
    USE_FIELD_RULE = "useFieldRule"


class ImportRule(StrEnum):
    """What an import does with records that match and with those that do not [Bulk API contract of 2026]."""

    CREATE_AND_UPDATE = "createAndUpdate"
    UPDATE_ONLY = "updateOnly"
    CREATE_ONLY = "createOnly"


IMPORT_RULE_SYNONYMS: Final = {"create": "createOnly", "update": "updateOnly", "both": "createAndUpdate"}


class SyncActionDefinition(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A valid definition of sync actions, without what the store adds (id, who and when).

    None stands for what was not sent, so that it is not echoed.
    """

    name: str | None = None
    fields: Mapping[str, str]
    identifier_field_name: str
    sync_actions: tuple[SyncAction, ...]
    is_sync_triggered_on_import: bool = False
    auto_delete_duration: str | None = None

    @property
    def identifier(self) -> IdentifierKind:
        """By which contact field its records are matched."""
        return IdentifierKind(self.fields[self.identifier_field_name].lower())


class ImportDefinition(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A valid import; None stands for what was not sent, so that it is not echoed."""

    name: str | None = None
    fields: Mapping[str, str]
    identifier_field_name: str
    is_sync_triggered_on_import: bool = False
    update_rule: UpdateRule | None = None
    update_rule_by_field: Mapping[str, UpdateRule] | None = None
    import_rule: ImportRule | None = None
    data_retention_duration: str = "P7D"
    auto_delete_duration: str | None = None
    is_updating_multiple_matched_records: bool = False
    is_identifier_field_case_sensitive: bool | None = None
    null_identifier_field_name: bool | None = None
    import_priority_uri: str | None = None
    sync_actions: tuple[SyncAction, ...] = ()


class ExportDefinition(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A valid export; None stands for what was not sent, so that it is not echoed."""

    name: str | None = None
    fields: Mapping[str, str]
    filter: str | None = None
    are_system_timestamps_in_utc: bool | None = None
    data_retention_duration: str = "PT12H"
    auto_delete_duration: str | None = None
    max_records: int | None = None
    sync_actions: tuple[SyncAction, ...] = ()


Definition: TypeAlias = SyncActionDefinition | ImportDefinition | ExportDefinition


class DefinitionKey(Struct, frozen=True):
    """What identifies a definition in a company: each kind counts its own ids."""

    kind: str
    id: int


class StoredDefinition(Struct, frozen=True):
    """A definition with what the store adds to it."""

    key: DefinitionKey
    element: str
    definition: Definition
    created_at: int
    created_by: str
    updated_at: int
    updated_by: str

    @property
    def uri(self) -> str:
        """Its address below the Bulk API's root."""
        return f"/{self.element}/{self.key.kind}/{self.key.id}"

    @property
    def life(self) -> timedelta | None:
        """How long after its last change the definition deletes itself; None for never."""
        duration = self.definition.auto_delete_duration
        return None if duration is None else parse_duration(duration)


def assets_of(definition: Definition) -> list[tuple[str, int]]:
    """What its sync actions, its fields and its filter name of the company, as (kind, id), each once."""
    statements = map(parse_field_statement, definition.fields.values())
    parts = (s.parts[0] for s in statements if s.parts[0].name.lower() in MEMBERSHIPS)
    named = {*destinations_of(definition), *((p.name.lower(), p.number or 0) for p in parts)}
    if isinstance(definition, ExportDefinition) and definition.filter is not None:
        named |= set(containers_of(parse_filter(definition.filter)))
    return sorted(named)


def names_field(definition: Definition, field: Field) -> bool:
    """Whether its fields or its filter name a contact field."""
    statements = list(definition.fields.values())
    if isinstance(definition, ExportDefinition) and definition.filter is not None:
        leaves = leaves_of(parse_filter(definition.filter))
        statements += [leaf.statement for leaf in leaves if isinstance(leaf, Comparison | Membership)]
    named = parse_field_statement(field.statement).canonical
    return any(parse_field_statement(statement).canonical == named for statement in statements)


def destinations_of(definition: Definition) -> list[tuple[str, int]]:
    """The lists and email groups that its sync actions name, as (destination kind, id)."""
    destinations = [parse_destination(a.destination) for a in definition.sync_actions]
    return sorted({(d.kind, d.asset_id) for d in destinations if d.kind in ASSET_DESTINATIONS})


def read_definition(
    kind: str, body: Mapping[str, object], around: Surroundings, *, is_stored: bool = False
) -> Definition:
    """Check a definition as a client sent it.

    Args:
        kind: `syncActions`, `imports` or `exports`.
        body: its properties by canonical name; unknown ones are ignored.
        around: what it is checked against.
        is_stored: whether it is one that was taken before.

    Raises:
        ValidationFailed: with one failure for each wrong property.
    """
    return READERS[kind](DefinitionReader(body, around, is_stored))


def recheck_definition(stored: StoredDefinition, properties: Mapping[str, object], around: Surroundings) -> None:
    """Check again, before a sync, that what a definition names is still there [product notice 20D].

    Args:
        stored: the definition.
        properties: its own, as `read_definition` takes them.
        around: what the company has now.

    Raises:
        ValidationFailed: a field, a list or an email group is gone.
    """
    missing = [(name, number) for name, number in destinations_of(stored.definition) if not around.exists(name, number)]
    if missing:
        texts = [f"{ASSET_NAMES[name]} {number}" for name, number in missing]
        raise ValidationFailed(Failure("syncActions", f"Must name what exists: there is no {' and no '.join(texts)}."))
    read_definition(stored.key.kind, properties, around, is_stored=True)


def read_sync_action_definition(reader: DefinitionReader) -> SyncActionDefinition:
    name = reader.optional_text("name", NAME_CHARACTERS)
    identifier = reader.spelled(reader.text("identifierFieldName", FIELD_NAME_CHARACTERS))
    fields = read_sync_action_field(reader)
    if fields and identifier and identifier not in fields:
        rule = f"Must be the name of the field in fields: {next(iter(fields))}."
        reader.refuse("identifierFieldName", rule)
    actions = reader.sync_actions(required=True)
    triggered = reader.boolean("isSyncTriggeredOnImport")
    auto_delete_duration = reader.duration("autoDeleteDuration", LEAST_LIFE)
    reader.finish()
    return SyncActionDefinition(
        name=name,
        fields=fields,
        identifier_field_name=identifier,
        sync_actions=actions,
        is_sync_triggered_on_import=bool(triggered),
        auto_delete_duration=auto_delete_duration,
    )


def read_sync_action_field(reader: DefinitionReader) -> dict[str, str]:
    value = reader.body.get("fields")
    identifiers = reader.around.element.identifiers
    allowed = " or ".join(identifiers)
    if not isinstance(value, Mapping) or len(value) != SYNC_ACTION_FIELDS:
        reader.refuse("fields", f"Must be an object of exactly one field, its statement {allowed}.")
        return {}
    name, statement = next(iter(value.items()))
    if not is_field_name(name):
        reader.refuse("fields", f"Must have a name of {FIELD_NAME_RULE}.")
        return {}
    problem = problem_of_identifier(statement, identifiers)
    if problem or not isinstance(statement, str):
        reader.refuse("fields", f"Must be {allowed}{problem}.")
        return {}
    return {name: statement}


def problem_of_identifier(statement: object, identifiers: tuple[str, ...]) -> str:
    """Why a statement cannot identify a record in sync actions: words to follow the allowed ones, or nothing."""
    if not isinstance(statement, str):
        return ", as a text"
    try:
        canonical = parse_field_statement(statement).canonical
    except ValueError as error:
        return f" and {error}"
    return "" if canonical in {s.lower() for s in identifiers} else " in a definition of sync actions"


def read_import(reader: DefinitionReader) -> ImportDefinition:
    name = reader.optional_text("name", NAME_CHARACTERS)
    identifier = reader.spelled(reader.text("identifierFieldName", FIELD_NAME_CHARACTERS))

    def refuse_part(field_name: str, part: ContactPart) -> str:
        if field_name == identifier:
            return "" if can_identify(part) else "must be identified by a text, number, email address or id field"
        return "" if part.can_be_sent else f"must name what an import can write: {field_name} is a membership"

    fields = reader.fields(IMPORT_FIELDS, refuse_part)
    if fields and identifier and identifier not in fields:
        reader.refuse("identifierFieldName", "Must be the name of one of the fields (ELQ-00112).")
    updates_all = bool(reader.boolean("isUpdatingMultipleMatchedRecords"))
    emails = [n for n, statement in fields.items() if statement.lower() == IdentifierKind.EMAIL_ADDRESS]
    if updates_all and any(n != identifier for n in emails):
        rule = "Must be false when the import changes email addresses: each belongs to one contact."
        reader.refuse("isUpdatingMultipleMatchedRecords", rule)
    definition = ImportDefinition(
        name=name,
        fields=fields,
        identifier_field_name=identifier,
        is_sync_triggered_on_import=bool(reader.boolean("isSyncTriggeredOnImport")),
        update_rule=read_choice(reader, "updateRule", UpdateRule),
        update_rule_by_field=read_update_rules(reader, fields),
        import_rule=read_import_rule(reader),
        data_retention_duration=reader.duration("dataRetentionDuration", LEAST_LIFE, MOST_LIFE) or "P7D",
        auto_delete_duration=reader.duration("autoDeleteDuration", LEAST_LIFE),
        is_updating_multiple_matched_records=updates_all,
        is_identifier_field_case_sensitive=reader.boolean("isIdentifierFieldCaseSensitive"),
        null_identifier_field_name=reader.boolean("nullIdentifierFieldName"),
        import_priority_uri=read_priority(reader),
        sync_actions=reader.sync_actions(required=False),
    )
    reader.finish()
    return definition


def can_identify(part: ContactPart) -> bool:
    """Whether records can be matched by it: ids, and fields of text, numbers and addresses [Bulk API contract]."""
    if part.kind is PartKind.ID:
        return True
    if part.field is None or part.field.data_type is DataType.DATE:
        return False
    return part.field.internal_name == "ContactIDExt" or not part.field.is_read_only


def read_choice(reader: DefinitionReader, name: str, rules: type[UpdateRule]) -> UpdateRule | None:
    found = reader.choice(name, [rule.value for rule in rules])
    return None if found is None else rules(found)


def read_import_rule(reader: DefinitionReader) -> ImportRule | None:
    value = reader.body.get("importRule")
    if isinstance(value, str) and value.lower() in IMPORT_RULE_SYNONYMS:
        return ImportRule(IMPORT_RULE_SYNONYMS[value.lower()])
    found = reader.choice("importRule", [rule.value for rule in ImportRule])
    return None if found is None else ImportRule(found)


def read_update_rules(reader: DefinitionReader, fields: Mapping[str, str]) -> dict[str, UpdateRule] | None:
    value = reader.body.get("updateRuleByField")
    if value is None:
        return None
    if not isinstance(value, Mapping):
        reader.refuse("updateRuleByField", "Must be an object of names in fields, each with an update rule.")
        return None
    rules: dict[str, UpdateRule] = {}
    for sent_name, rule in value.items():
        name = reader.spelled(str(sent_name))
        found = find_choice(rule, [r.value for r in UpdateRule])
        if name not in fields:
            reader.refuse("updateRuleByField", "Must be about names in fields.", {name: rule})
        elif found is None:
            reader.refuse("updateRuleByField", f"Must be {' or '.join(UpdateRule)}.", {name: rule})
        else:
            rules[name] = UpdateRule(found)
    return rules


def read_priority(reader: DefinitionReader) -> str | None:
    value = reader.body.get("importPriorityUri")
    if value is None or value == "":
        return None
    number = str(value).strip().rstrip("/").lower().removeprefix("/imports/priorities/")
    is_id = number.isascii() and number.isdigit() and len(number) <= 18
    if isinstance(value, str) and is_id and int(number) in PRIORITIES_BY_ID:
        return value
    reader.refuse("importPriorityUri", "Must be the uri of an import priority: GET /imports/priorities lists them.")
    return None


def read_export(reader: DefinitionReader) -> ExportDefinition:
    in_utc = reader.boolean("areSystemTimestampsInUTC")
    definition = ExportDefinition(
        name=reader.optional_text("name", NAME_CHARACTERS),
        fields=reader.fields(EXPORT_FIELDS, lambda _name, _part: ""),
        filter=read_filter(reader, in_utc=bool(in_utc)),
        are_system_timestamps_in_utc=in_utc,
        data_retention_duration=reader.duration("dataRetentionDuration", LEAST_LIFE, MOST_LIFE) or "PT12H",
        auto_delete_duration=reader.duration("autoDeleteDuration", LEAST_LIFE),
        max_records=reader.number("maxRecords", 1),
        sync_actions=reader.sync_actions(required=False),
    )
    reader.finish()
    return definition


READERS: Final[Mapping[str, Callable[[DefinitionReader], Definition]]] = {
    SYNC_ACTIONS: read_sync_action_definition,
    IMPORTS: read_import,
    EXPORTS: read_export,
}
TYPES: Final[Mapping[str, type[Definition]]] = {
    SYNC_ACTIONS: SyncActionDefinition,
    IMPORTS: ImportDefinition,
    EXPORTS: ExportDefinition,
}
"""What a stored definition of each kind is decoded to."""
