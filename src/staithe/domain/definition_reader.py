"""Reads the properties of a definition as clients send them, and gathers what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, TypeAlias, TypeGuard

import msgspec

from staithe.domain.catalogue import Catalogue
from staithe.domain.contact_parts import ContactPart, PartKind, resolve_contact_part
from staithe.domain.elements import Element
from staithe.domain.errors import Failure, ValidationFailed
from staithe.domain.field_statement import parse_field_statement
from staithe.domain.limits import FIELD_NAME_CHARACTERS, MOST_SYNC_ACTIONS
from staithe.domain.names import fold_name
from staithe.domain.sync_actions import (
    ASSET_DESTINATIONS,
    Destination,
    SyncAction,
    allowed_forms,
    find_rule,
    parse_destination,
)

AssetExists: TypeAlias = Callable[[str, int], bool]
"""(kind, id) -> whether the company has it; the kinds are those of `ASSET_NAMES`."""

ASSET_NAMES: Final[Mapping[str, str]] = {
    **ASSET_DESTINATIONS,
    "contactsegment": "contact segment",
    "contactfilter": "contact filter",
}
FIELD_NAME_RULE: Final = (
    f"1 to {FIELD_NAME_CHARACTERS} characters, none of them a quotation mark, a backslash or a control character"
)
UNUSABLE: Final = re.compile(r'["\\\x00-\x1f]')
"""What the JSON decoder and encoder do not take in names [ours]."""

MEMBERSHIP_ASSETS: Final = {PartKind.CONTACT_LIST: "contactlist", PartKind.EMAIL_GROUP: "emailgroup"}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a definition is checked against: whose records it is about, and what the company has."""

    element: Element
    catalogue: Catalogue
    exists: AssetExists


@dataclass(slots=True)
class DefinitionReader:
    """Reads properties in canonical spelling. What is wrong is remembered until `finish`."""

    body: Mapping[str, object]
    around: Surroundings
    is_stored: bool = False
    """Whether it was taken before, perhaps by a version that knew less rules; a sync that breaks one ends in error."""

    failures: list[Failure] = field(default_factory=list)

    def refuse(self, name: str, constraint: str, value: object = None) -> None:
        """Remember that a property is wrong."""
        self.failures.append(Failure(name, constraint, self.body.get(name) if value is None else value))

    def finish(self) -> None:
        """All is read.

        Raises:
            ValidationFailed: with one failure for each wrong property.
        """
        if self.failures:
            raise ValidationFailed(*self.failures)

    def text(self, name: str, limit: int) -> str:
        """A text that must be there; empty if it is wrong."""
        value = self.body.get(name)
        if isinstance(value, str) and len(value.strip()) > 0 and len(value) <= limit:
            return value
        self.refuse(name, f"Must be a string value, at least 1 character and at most {limit} characters long.")
        return ""

    def optional_text(self, name: str, limit: int) -> str | None:
        """A text that may be left out; None then, and if it is wrong."""
        return None if self.body.get(name) is None else self.text(name, limit) or None

    def boolean(self, name: str) -> bool | None:
        """None if it is absent. Clients also send "true" and "false" (in Oracle's own example), and perhaps 1 and 0."""
        value = self.body.get(name)
        if value is None:
            return None
        if isinstance(value, bool | int | str) and (text := str(value).lower()) in ("true", "false", "1", "0"):
            return text in ("true", "1")
        self.refuse(name, "Must be true or false.")
        return None

    def choice(self, name: str, choices: Collection[str]) -> str | None:
        """One of some words, in any case, in canonical spelling; None if it is absent."""
        value = self.body.get(name)
        if value is None:
            return None
        found = find_choice(value, choices)
        if found is None:
            self.refuse(name, f"Must be {' or '.join(choices)}.")
        return found

    def number(self, name: str, least: int) -> int | None:
        """A whole number, also as a text; None if it is absent."""
        value = self.body.get(name)
        if value is None:
            return None
        text = value.strip() if isinstance(value, str) else str(value)
        if not isinstance(value, bool) and text.isascii() and text.isdigit() and least <= int(text) < 2**63:
            return int(text)
        self.refuse(name, f"Must be a whole number of at least {least}.")
        return None

    def duration(self, name: str, least: timedelta, most: timedelta | None = None) -> str | None:
        """An ISO 8601 duration, as it was sent; None if it is absent."""
        value = self.body.get(name)
        if value is None:
            return None
        try:
            length = parse_duration(value) if isinstance(value, str) else None
        except ValueError:
            length = None
        if isinstance(value, str) and length is not None and least <= length and (most is None or length <= most):
            return value
        limits = f"of at least {show_duration(least)}" + (f" and at most {show_duration(most)}" if most else "")
        self.refuse(name, f"Must be an ISO 8601 duration such as P7D or PT12H, {limits}.")
        return None

    def fields(self, most: int, refuse_part: Callable[[str, ContactPart], str]) -> dict[str, str]:
        """The object of field names and statements; empty if it is wrong.

        Args:
            most: how many there may be.
            refuse_part: (field name, what it names) -> why that cannot stand here: a sentence starting with "must",
                or nothing.
        """
        value = self.body.get("fields")
        if not isinstance(value, Mapping) or not 0 < len(value) <= most:
            self.refuse("fields", f"Must be an object of 1 to {most} fields: their names, each with a statement.")
            return {}
        before = len(self.failures)
        fields: dict[str, str] = {}
        known: dict[str, str] = {}
        for name, statement in value.items():
            other = known.setdefault(fold_name(str(name)), str(name))
            if other != name:
                self.refuse("fields", f"Must have names that differ by more than case and blanks: {other!r}.", name)
            problem = self.problem_of_field(name, statement, refuse_part)
            if problem:
                self.refuse("fields", f"M{problem[1:]}.", {name: statement})
            fields[str(name)] = str(statement)
        return fields if len(self.failures) == before else {}

    def spelled(self, name: str) -> str:
        """The name of a field as it stands in `fields`, or as it is if there is none like it."""
        value = self.body.get("fields")
        known = {fold_name(str(field)): str(field) for field in value} if isinstance(value, Mapping) else {}
        return known.get(fold_name(name), name)

    def problem_of_field(self, name: object, statement: object, refuse_part: Callable[[str, ContactPart], str]) -> str:
        if not is_field_name(name):
            return f"must have names of {FIELD_NAME_RULE}"
        if not isinstance(statement, str):
            return "must have a statement for each name, as a text"
        try:
            part = resolve_contact_part(parse_field_statement(statement), self.around.catalogue)
        except ValueError as error:
            return str(error)
        kind = MEMBERSHIP_ASSETS.get(part.kind)
        if kind and not self.around.exists(kind, part.asset_id):
            return f"must name what exists: there is no {ASSET_NAMES[kind]} {part.asset_id}"
        return refuse_part(name, part)

    def sync_actions(self, *, required: bool) -> tuple[SyncAction, ...]:
        """The sync actions; some clients send one alone, without a list around it."""
        value = self.body.get("syncActions")
        if not required and (value is None or value == []):
            return ()
        entries: Sequence[object] = value if isinstance(value, list) else [value] if isinstance(value, Mapping) else []
        if not 0 < len(entries) <= MOST_SYNC_ACTIONS:
            self.refuse("syncActions", f"Must be a list of 1 to {MOST_SYNC_ACTIONS} sync actions.")
            return ()
        actions: list[SyncAction] = []
        for entry in entries:
            try:
                actions.append(read_sync_action(entry, self.around.exists))
            except ValueError as error:
                self.refuse("syncActions", f"{str(error)[0].upper()}{str(error)[1:]}.", entry)
        return tuple(actions)


def is_field_name(name: object) -> TypeGuard[str]:
    """Whether records can have a value under this name."""
    return isinstance(name, str) and 0 < len(name) <= FIELD_NAME_CHARACTERS and not UNUSABLE.search(name)


def find_choice(value: object, choices: Collection[str]) -> str | None:
    """The choice that a value means, in any case."""
    return next((c for c in choices if isinstance(value, str) and value.lower() == c.lower()), None)


def parse_duration(text: str) -> timedelta:
    """The length of an ISO 8601 duration of weeks, days, hours, minutes and seconds.

    Raises:
        ValueError: it is none, or has years or months, whose length is not fixed.
    """
    try:
        return msgspec.convert(text.strip().upper(), timedelta)
    except (msgspec.ValidationError, OverflowError) as error:
        raise ValueError(str(error)) from None


def show_duration(length: timedelta) -> str:
    """As ISO 8601 writes it."""
    return f"P{length.days}D" if length.days else f"PT{length.seconds // 3600}H"


def read_sync_action(entry: object, asset_exists: AssetExists) -> SyncAction:
    """Check one sync action; an omitted `action` is `add`, the default of the contract.

    Raises:
        ValueError: a sentence that starts with "must".
    """
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
    choice = find_choice(str(value), ("true", "false")) if isinstance(value, (bool, str)) else None
    if choice is None:
        raise ValueError("must have an updateAll that is true or false")
    return choice == "true"


def check_asset(destination: Destination, asset_exists: AssetExists) -> None:
    kind = ASSET_DESTINATIONS.get(destination.kind)
    if kind and not asset_exists(destination.kind, destination.asset_id):
        raise ValueError(f"must name what exists: there is no {kind} {destination.asset_id}")
