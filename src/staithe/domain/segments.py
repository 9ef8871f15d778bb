"""Segments and contact filters: lists, and criteria about contact fields joined by a statement.

Source: Oracle's pages on contact segments, and segments that public programs send; names of operators that no source
shows stand in docs/compatibility.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from staithe.domain.catalogue import Catalogue
from staithe.domain.fields import DataType
from staithe.domain.filter_language import Comparison, Filter, Membership, negate, parse_filter, print_filter
from staithe.domain.limits import CRITERIA_CHARACTERS
from staithe.domain.times import parse_unix_seconds
from staithe.domain.values import format_date

SECOND: Final = 1_000_000


class Condition(Struct, frozen=True):
    """How the value of a field is compared: a row of `OPERATORS`."""

    type: str
    operator: str
    value: str = ""


class Criterion(Struct, frozen=True):
    """A contact field and the condition that it must meet; `id` is its name in the statement."""

    id: str
    field_id: int
    condition: Condition


class CriteriaFilter(Struct, frozen=True):
    """Criteria, joined by a statement such as `1 AND (2 OR NOT 3)`."""

    criteria: tuple[Criterion, ...]
    statement: str
    name: str = ""

    def fields(self) -> set[int]:
        """The ids of the contact fields that it compares."""
        return {criterion.field_id for criterion in self.criteria}


class SegmentElement(Struct, frozen=True, omit_defaults=True):
    """A contact list, a shared filter, or a filter of the segment's own; `is_included` false takes its contacts out."""

    is_included: bool = True
    list_id: int = 0
    filter_id: int = 0
    filter: CriteriaFilter | None = None


class Segment(Struct, frozen=True):
    """The elements of a segment."""

    elements: tuple[SegmentElement, ...] = ()

    def assets(self) -> list[tuple[str, int]]:
        """The lists and shared filters that it names, as (kind, id), each once."""
        lists = {("contactlist", e.list_id) for e in self.elements if e.list_id}
        return sorted(lists | {("contactfilter", e.filter_id) for e in self.elements if e.filter_id})

    def fields(self) -> set[int]:
        """The ids of the contact fields that its own filters compare."""
        return {field_id for e in self.elements if e.filter is not None for field_id in e.filter.fields()}


ToFilter = Callable[[str, str], Filter]
"""(statement, value) -> the comparison that an operator stands for."""


def compare(operator: str) -> ToFilter:
    return lambda statement, value: Comparison(statement, operator, value)


def match(before: str, after: str, *, is_negated: bool = False) -> ToFilter:
    def to_filter(statement: str, value: str) -> Filter:
        found = Comparison(statement, "~", before + escape(value) + after)
        return negate(found) if is_negated else found

    return to_filter


def escape(text: str) -> str:
    """A text as the pattern that matches just it."""
    return "".join(f"[{c}]" if c in "%_[" else c for c in text)


def one_of(statement: str, value: str) -> Filter:
    return Membership(statement, tuple(part.strip() for part in value.split(",")))


EQUALITY: Final[Mapping[str, ToFilter]] = {"equal": compare("="), "notEqual": compare("!=")}
BLANK: Final[Mapping[str, ToFilter]] = {
    "isBlank": lambda statement, _value: Comparison(statement, "=", ""),
    "isNotBlank": lambda statement, _value: Comparison(statement, "!=", ""),
}
ORDER: Final[Mapping[str, ToFilter]] = {
    "less": compare("<"),
    "notGreater": compare("<="),
    "greater": compare(">"),
    "notLess": compare(">="),
}
OPERATORS: Final[Mapping[str, Mapping[str, ToFilter]]] = {
    "TextValueCondition": {
        **EQUALITY,
        "contains": match("%", "%"),
        "notContains": match("%", "%", is_negated=True),
        "startsWith": match("", "%"),
        "endsWith": match("%", ""),
        **BLANK,
    },
    "TextSetCondition": {"in": one_of, "notIn": lambda statement, value: negate(one_of(statement, value))},
    "NumericValueCondition": {**EQUALITY, **ORDER, **BLANK},
    "DateValueCondition": {**EQUALITY, **ORDER, **BLANK},
}
"""Type of condition -> operator -> what it stands for in the filter language."""


STATEMENT: Final = re.compile(r"(?:[\s()0-9]|-(?=[0-9])|AND|OR|NOT)+", re.IGNORECASE)
"""Digit by digit: an expression that repeats what repeats takes forever where it does not match."""

CRITERION_ID: Final = re.compile("-?[0-9]+")


def filter_tree(criteria: CriteriaFilter, catalogue: Catalogue) -> Filter:
    """The criteria as a tree of the filter language, times in UTC.

    Raises:
        ValueError: a sentence that starts with "must": the statement is none, or names no criterion, or a field is
            none.
    """
    texts = {c.id: f"({print_filter(to_leaf(c, catalogue))})" for c in criteria.criteria}
    if not STATEMENT.fullmatch(criteria.statement):
        raise ValueError("must join ids of criteria by AND and OR, as in 1 AND (2 OR 3)")
    unknown = [number for number in CRITERION_ID.findall(criteria.statement) if number not in texts]
    if unknown:
        raise ValueError(f"must join criteria by their ids: there is no {unknown[0]}")
    if sum(len(texts[number]) for number in CRITERION_ID.findall(criteria.statement)) > CRITERIA_CHARACTERS:
        raise ValueError(
            f"must have at most {CRITERIA_CHARACTERS:,} characters of criteria, each as often as it is joined"
        )
    try:
        return parse_filter(CRITERION_ID.sub(lambda found: texts[found[0]], criteria.statement))
    except ValueError:
        raise ValueError("must join ids of criteria by AND and OR, as in 1 AND (2 OR 3)") from None


def to_leaf(criterion: Criterion, catalogue: Catalogue) -> Filter:
    field = catalogue.by_id.get(criterion.field_id)
    if field is None:
        raise ValueError(f"must name contact fields by their ids: there is no {criterion.field_id}")
    condition = criterion.condition
    value = condition.value
    if field.data_type is DataType.DATE:
        # The Application API writes dates in Unix seconds.
        seconds = parse_unix_seconds(value.strip())
        value = value if seconds is None else format_date(seconds * SECOND)
    return OPERATORS[condition.type][condition.operator](field.statement, value)
