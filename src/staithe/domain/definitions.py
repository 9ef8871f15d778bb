"""The sync action definition, and the checks it must pass.

Source: Eloqua's sync action tutorial and the Bulk API contract; the texts of the constraints are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from msgspec import Struct

from staithe.domain.elements import Element
from staithe.domain.errors import Failure, ValidationFailed
from staithe.domain.field_statement import parse_field_statement
from staithe.domain.identifiers import IdentifierKind
from staithe.domain.limits import FIELD_NAME_CHARACTERS, MOST_SYNC_ACTIONS, NAME_CHARACTERS, SYNC_ACTION_FIELDS
from staithe.domain.sync_actions import (
    ASSET_DESTINATIONS,
    Destination,
    SyncAction,
    allowed_forms,
    find_rule,
    parse_destination,
)

SYNC_ACTIONS: Final = "syncActions"
"""The kind of operation, as in paths."""

AssetExists: TypeAlias = Callable[[str, int], bool]
"""(destination kind, asset id) -> whether the company has it."""


class SyncActionDefinition(Struct, frozen=True, kw_only=True):
    """A valid definition, without what the store adds (id, who and when)."""

    name: str
    fields: Mapping[str, str]
    identifier_field_name: str
    sync_actions: tuple[SyncAction, ...]
    is_sync_triggered_on_import: bool = False

    @property
    def identifier(self) -> IdentifierKind:
        """By which contact field its records are matched."""
        return IdentifierKind(self.fields[self.identifier_field_name].lower())

    def assets(self) -> list[tuple[str, int]]:
        """The lists and email groups it names, as (destination kind, id)."""
        destinations = [parse_destination(a.destination) for a in self.sync_actions]
        return sorted({(d.kind, d.asset_id) for d in destinations if d.kind in ASSET_DESTINATIONS})


class StoredDefinition(Struct, frozen=True):
    """A definition with what the store adds to it."""

    id: int
    element: str
    definition: SyncActionDefinition
    created_at: int
    created_by: str
    updated_at: int
    updated_by: str

    @property
    def uri(self) -> str:
        """Its address below the Bulk API's root."""
        return f"/{self.element}/{SYNC_ACTIONS}/{self.id}"


def read_definition(body: Mapping[str, object], element: Element, asset_exists: AssetExists) -> SyncActionDefinition:
    """Check a definition as a client sent it.

    Args:
        body: its properties by canonical name; unknown ones are ignored.
        element: whose records it acts on.
        asset_exists: tells whether a list or an email group exists.

    Raises:
        ValidationFailed: with one failure for each wrong property.
    """
    failures: list[Failure] = []
    name = check_text(body, "name", NAME_CHARACTERS, failures)
    identifier = check_text(body, "identifierFieldName", FIELD_NAME_CHARACTERS, failures)
    fields = check_fields(body.get("fields"), element, failures)
    if fields and identifier and identifier not in fields:
        failures.append(
            Failure(
                "identifierFieldName", f"Must be the name of the field in fields: {next(iter(fields))}.", identifier
            )
        )
    actions = check_sync_actions(body.get("syncActions"), asset_exists, failures)
    triggered = check_boolean(body, "isSyncTriggeredOnImport", failures)
    if failures:
        raise ValidationFailed(*failures)
    return SyncActionDefinition(
        name=name,
        fields=fields,
        identifier_field_name=identifier,
        sync_actions=tuple(actions),
        is_sync_triggered_on_import=triggered,
    )


def recheck_assets(definition: SyncActionDefinition, asset_exists: AssetExists) -> None:
    """Check again, before a sync, that what a definition names is still there.

    Raises:
        ValidationFailed: a list or an email group is gone.
    """
    missing = [(kind, number) for kind, number in definition.assets() if not asset_exists(kind, number)]
    if missing:
        texts = [f"{ASSET_DESTINATIONS[kind]} {number}" for kind, number in missing]
        raise ValidationFailed(Failure("syncActions", f"Must name what exists: there is no {' and no '.join(texts)}."))


def check_text(body: Mapping[str, object], name: str, limit: int, failures: list[Failure]) -> str:
    value = body.get(name)
    if isinstance(value, str) and len(value.strip()) > 0 and len(value) <= limit:
        return value
    failures.append(Failure(name, f"Must be a text of 1 to {limit} characters.", value))
    return ""


def check_boolean(body: Mapping[str, object], name: str, failures: list[Failure]) -> bool:
    """Absent and null are false; clients also send "true" and "false" as texts (seen in Oracle's own example)."""
    value = body.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    failures.append(Failure(name, "Must be true or false.", value))
    return False


def check_fields(value: object, element: Element, failures: list[Failure]) -> dict[str, str]:
    allowed = " or ".join(element.identifiers)
    if not isinstance(value, Mapping) or len(value) != SYNC_ACTION_FIELDS:
        failures.append(Failure("fields", f"Must be an object of exactly one field, its statement {allowed}.", value))
        return {}
    name, statement = next(iter(value.items()))
    if not isinstance(name, str) or not 0 < len(name) <= FIELD_NAME_CHARACTERS:
        failures.append(Failure("fields", f"Must have a name of 1 to {FIELD_NAME_CHARACTERS} characters.", value))
        return {}
    problem = problem_of_identifier(statement, element)
    if problem or not isinstance(statement, str):
        failures.append(Failure("fields", f"Must be {allowed}{problem}.", value))
        return {}
    return {name: statement}


def problem_of_identifier(statement: object, element: Element) -> str:
    """Why a statement cannot identify a record of the element: words to follow the allowed ones, or nothing."""
    if not isinstance(statement, str):
        return ", as a text"
    try:
        canonical = parse_field_statement(statement).canonical
    except ValueError as error:
        return f" and {error}"
    return "" if canonical in {s.lower() for s in element.identifiers} else " in a definition of sync actions"


def check_sync_actions(value: object, asset_exists: AssetExists, failures: list[Failure]) -> list[SyncAction]:
    entries: Sequence[object] = value if isinstance(value, list) else [value] if isinstance(value, Mapping) else []
    if not 0 < len(entries) <= MOST_SYNC_ACTIONS:
        failures.append(Failure("syncActions", f"Must be a list of 1 to {MOST_SYNC_ACTIONS} sync actions.", value))
        return []
    actions: list[SyncAction] = []
    for entry in entries:
        try:
            actions.append(read_sync_action(entry, asset_exists))
        except ValueError as error:
            failures.append(Failure("syncActions", f"{str(error)[0].upper()}{str(error)[1:]}.", entry))
    return actions


def read_sync_action(entry: object, asset_exists: AssetExists) -> SyncAction:
    """Check one sync action; an omitted `action` is `add`, the default of the contract."""
    if not isinstance(entry, Mapping):
        raise ValueError("must be an object with action and destination")
    action, destination_text = entry.get("action") or "add", entry.get("destination")
    status, update_all = entry.get("status"), entry.get("updateAll")
    if not isinstance(action, str) or action.lower() not in ("add", "remove", "setstatus"):
        raise ValueError("must have an action of add, remove or setStatus")
    if not isinstance(destination_text, str):
        raise ValueError("must have a destination, a text")
    if status is not None and not isinstance(status, str):
        raise ValueError("must have a status that is a text")
    destination = parse_destination(destination_text)
    sent = SyncAction(
        action,
        destination_text,
        status if action.lower() == "setstatus" else None,
        None if update_all is None else read_update_all(update_all),
    )
    if find_rule(sent, destination) is None:
        raise ValueError(f"must have, for this destination, the action {allowed_forms(destination)}")
    check_asset(destination, asset_exists)
    return sent


def read_update_all(value: object) -> bool:
    failures: list[Failure] = []
    read = check_boolean({"updateAll": value}, "updateAll", failures)
    if failures:
        raise ValueError("must have an updateAll that is true or false")
    return read


def check_asset(destination: Destination, asset_exists: AssetExists) -> None:
    kind = ASSET_DESTINATIONS.get(destination.kind)
    if kind and not asset_exists(destination.kind, destination.asset_id):
        raise ValueError(f"must name what exists: there is no {kind} {destination.asset_id}")
