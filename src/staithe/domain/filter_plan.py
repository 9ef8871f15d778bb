"""The plan of a filter: what it asks of the columns of contacts and of the sets, as frozen data.

Comparisons with columns become SQL, in `staithe.storage.filtering`. Everything that is kept as a set (states,
memberships, EXISTS, STATUS) is set algebra. A part without a value holds an empty text: `= ''` finds it, and so does
`!=` with any other value; `<`, `<=`, `>`, `>=` and `~` never find it. Texts compare without regard to case.
Source: Eloqua's filtering page; what is inferred stands in docs/compatibility.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Final, TypeAlias

from msgspec import Struct

from staithe.domain.catalogue import Catalogue
from staithe.domain.contact_parts import CONSTANTS, TRUTHS, ContactPart, PartKind, resolve_contact_part
from staithe.domain.definition_reader import find_choice
from staithe.domain.field_statement import Part, parse_field_statement
from staithe.domain.fields import DataType, FieldValue
from staithe.domain.filter_language import All, Any, Comparison, Exists, Filter, Membership, Negation, Status
from staithe.domain.folding import fold
from staithe.domain.list_query import ORDERS
from staithe.domain.sync_actions import (
    BOUNCED_SET,
    CLOUD_CONNECTOR,
    GLOBAL_UNSUBSCRIBED_SET,
    SERVICE_STATUSES,
    SERVICES,
    contact_list_set,
    email_group_set,
    parse_destination,
)
from staithe.domain.values import parse_value
from staithe.domain.wildcards import matches, split_pattern


class ColumnTest(Struct, frozen=True):
    """A comparison with columns; values as they are stored, an empty text for none. `IN` has any number of values."""

    part: ContactPart
    operator: str
    values: tuple[FieldValue, ...]


class InSets(Struct, frozen=True):
    """The contacts that are in one of the sets: none if there are no names."""

    names: tuple[str, ...]


class InContainer(Struct, frozen=True):
    """The contacts of a segment (`contactsegment`) or a filter (`contactfilter`), as they are at that time."""

    kind: str
    id: int


class Both(Struct, frozen=True):
    """The contacts that all operands have."""

    operands: tuple[FilterPlan, ...]


class Either(Struct, frozen=True):
    """The contacts that at least one operand has."""

    operands: tuple[FilterPlan, ...]


class Others(Struct, frozen=True):
    """The contacts that the operand does not have."""

    operand: FilterPlan


FilterPlan: TypeAlias = ColumnTest | InSets | InContainer | Both | Either | Others

NOBODY: Final = InSets(())
CONTAINERS: Final = ("contactlist", "contactsegment", "contactfilter")


@dataclass(frozen=True, slots=True)
class FilterContext:
    """What a filter is resolved against: the contact fields, and the zone that system times are written in."""

    catalogue: Catalogue
    system_zone: tzinfo


def plan_filter(tree: Filter, context: FilterContext) -> FilterPlan:
    """Make the plan of a filter. Lists, segments, filters and groups are not looked up: `containers_of` names them.

    Raises:
        ValueError: a sentence that starts with "must": a statement, an operator or a value cannot stand there.
    """
    match tree:
        case All(operands):
            return Both(tuple(plan_filter(o, context) for o in operands))
        case Any(operands):
            return Either(tuple(plan_filter(o, context) for o in operands))
        case Negation(operand):
            return Others(plan_filter(operand, context))
        case Comparison(statement, operator, value):
            return plan_test(statement, operator, (value,), context)
        case Membership(statement, values):
            return plan_test(statement, "IN", values, context)
        case Exists(container):
            return plan_exists(container)
        case Status(service, value):
            return plan_status(service, value)


def plan_test(statement: str, operator: str, values: tuple[str, ...], context: FilterContext) -> FilterPlan:
    part = resolve_contact_part(parse_field_statement(statement), context.catalogue)
    choices = dict(choices_of(part))
    if choices:
        if "True" in choices and operator in ("=", "!=", "IN"):
            values = tuple(read_truth(statement, value) for value in values)
        return Either(tuple(plan for text, plan in choices.items() if holds(text, operator, values)))
    if operator == "~" and not part.is_text:
        raise ValueError(f"must compare {statement} with another operator than ~, as it is no text")
    zone = context.system_zone if part.is_system_time else UTC
    return ColumnTest(part, operator, tuple(read_value(statement, value, part.data_type, zone) for value in values))


def read_value(statement: str, value: str, data_type: DataType, zone: tzinfo) -> FieldValue:
    try:
        return parse_value(value, data_type, zone) if value else ""
    except ValueError as error:
        raise ValueError(f"must compare {statement} with a value of its type: '{value}' {error}") from None


def choices_of(part: ContactPart) -> Iterator[tuple[str, FilterPlan]]:
    """(text, the contacts that have it) of each text that a part can have; nothing if it is no state or membership."""
    match part.kind:
        case PartKind.IS_SUBSCRIBED:
            yield from truth(Others(InSets((GLOBAL_UNSUBSCRIBED_SET,))))
        case PartKind.IS_BOUNCED:
            yield from truth(InSets((BOUNCED_SET,)))
        case PartKind.CONTACT_LIST:
            yield from truth(InSets((contact_list_set(part.asset_id),)))
        case PartKind.EMAIL_GROUP:
            names = {status: email_group_set(part.asset_id, status) for status in ("subscribed", "unsubscribed")}
            for status, name in names.items():
                yield status, InSets((name,))
            yield "", Others(InSets(tuple(names.values())))
        case PartKind.EMAIL_FORMAT | PartKind.ACCOUNT:
            yield CONSTANTS[part.kind], Others(NOBODY)
        case _:
            return


def read_truth(statement: str, value: str) -> str:
    """`True` or `False`, however it is written.

    Raises:
        ValueError: it is neither: a sentence that starts with "must".
    """
    found = TRUTHS.get(fold(value.strip()))
    if found is None:
        raise ValueError(f"must compare {statement} with True or False: '{value}' is neither")
    return str(found)


def truth(plan: FilterPlan) -> Iterator[tuple[str, FilterPlan]]:
    yield "True", plan
    yield "False", plan.operand if isinstance(plan, Others) else Others(plan)


def holds(text: str, operator: str, values: tuple[str, ...]) -> bool:
    """Whether a comparison holds for a text."""
    text, values = fold(text), tuple(map(fold, values))
    if operator in ("=", "IN"):
        return text in values
    if operator == "!=":
        return text not in values
    if not text:
        return False
    if operator == "~":
        return matches(list(split_pattern(values[0])), text)
    return bool(ORDERS[operator](text, values[0]))


def plan_exists(container: str) -> FilterPlan:
    kind, number = read_container(container)
    return InSets((contact_list_set(number),)) if kind == "contactlist" else InContainer(kind, number)


def read_container(container: str) -> tuple[str, int]:
    """(kind, id) of what an EXISTS names.

    Raises:
        ValueError: a sentence that starts with "must": it is no list, segment or filter.
    """
    match parse_field_statement(container).parts:
        case [Part(name, int(number), None)] if name.lower() in CONTAINERS:
            return name.lower(), number
        case _:
            names = "{{ContactList[id]}}, {{ContactSegment[id]}} or {{ContactFilter[id]}}"
            raise ValueError(f"must name {names} in EXISTS: {container} is none")


def plan_status(service: str, value: str) -> FilterPlan:
    # A cloud connector stands there without braces [eloqua-expression-language.htm].
    is_bare = service.lower().startswith(f"{CLOUD_CONNECTOR}(")
    destination = parse_destination(f"{{{{{service}}}}}" if is_bare else service)
    if destination.kind not in SERVICES:
        raise ValueError(
            f"must name an app service in STATUS, such as {{{{ActionInstance(id).Execution[n]}}}}: {service}"
        )
    status = find_choice(value, SERVICE_STATUSES)
    if status is None:
        raise ValueError(
            f"must compare STATUS('{service}') with {', '.join(SERVICE_STATUSES)}: '{value}' is none of them"
        )
    return InSets((f"{destination.kind}/{destination.target}/{destination.execution}/{status}",))


def is_relational(plan: FilterPlan) -> bool:
    """Whether all of it is comparisons with columns, so that one statement of SQL finds its contacts."""
    match plan:
        case ColumnTest():
            return True
        case Both(operands) | Either(operands):
            return bool(operands) and all(map(is_relational, operands))
        case Others(operand):
            return is_relational(operand)
        case _:
            return False
