"""Instances of app services: what an app tells of one, and which answers a decision has.

Source: Oracle's pages on the endpoints for app developers. What they do not name is kept as it was sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from staithe.domain.errors import Failure, ValidationFailed
from staithe.domain.field_statement import parse_field_statement
from staithe.domain.properties import BOOLEANS
from staithe.domain.sync_actions import INSTANCE_PATTERN, SyncAction

SERVICES: Final = ("actions", "contents", "decisions", "feeders")
"""The kinds of app services, as paths name them."""

RECORD_DEFINITION: Final = "recordDefinition"
REQUIRES_CONFIGURATION: Final = "requiresConfiguration"
CHECKED: Final = (RECORD_DEFINITION, REQUIRES_CONFIGURATION)
DECISIONS: Final = ("yes", "no", "errored")


def read_instance_id(text: str) -> str | None:
    """The id of an instance as 32 lower-case hex digits, from a GUID with dashes or without; None if it is none."""
    return text.replace("-", "").lower() if INSTANCE_PATTERN.fullmatch(text) else None


def read_configuration(sent: Mapping[str, object]) -> dict[str, object]:
    """What an app tells of an instance, checked; of what is checked, null counts as left out.

    Raises:
        ValidationFailed: the record definition is no object of field statements, or the flag is no boolean.
    """
    found = {name: value for name, value in sent.items() if value is not None or name not in CHECKED}
    failures = list(faults_of(found.get(RECORD_DEFINITION, {})))
    flag = found.get(REQUIRES_CONFIGURATION, True)
    # An app framework sends "true" and "false" as texts [observed].
    value = BOOLEANS.get(flag.lower()) if isinstance(flag, str) else flag
    if not isinstance(value, bool):
        failures.append(Failure(REQUIRES_CONFIGURATION, "Must be true or false.", flag))
    if failures:
        raise ValidationFailed(*failures)
    return found | ({REQUIRES_CONFIGURATION: value} if REQUIRES_CONFIGURATION in found else {})


def faults_of(fields: object) -> Iterator[Failure]:
    """What is wrong with a record definition. Whether there are such fields is not asked."""
    if not isinstance(fields, Mapping):
        yield Failure(RECORD_DEFINITION, "Must be an object of field names, each with a statement.", fields)
        return
    for name, statement in fields.items():
        if problem := problem_of(statement):
            yield Failure(RECORD_DEFINITION, f"M{problem[1:]}.", {name: statement})


def problem_of(statement: object) -> str:
    """Why a value is no field statement, as a sentence that starts with "must"; else empty."""
    if not isinstance(statement, str):
        return "must have a statement for each name, as a text"
    try:
        parse_field_statement(statement)
    except ValueError as error:
        return str(error)
    return ""


def read_decision(instance_id: str, decision: object) -> SyncAction:
    """The sync action that an app's answer for a contact is.

    Raises:
        ValidationFailed: a decision has no such answer.
    """
    status = decision.lower() if isinstance(decision, str) else ""
    if status not in DECISIONS:
        raise ValidationFailed(Failure("decision", f"Must be {' or '.join(DECISIONS)}.", decision))
    return SyncAction("setStatus", "{{DecisionInstance(%s)}}" % instance_id, status)
