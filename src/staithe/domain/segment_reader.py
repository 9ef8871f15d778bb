"""Reads segments and contact filters as requests of the Application API have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from typing import Any, Final

from msgspec import Struct

from staithe.domain.catalogue import Catalogue
from staithe.domain.definition_reader import ASSET_NAMES, AssetExists, find_choice
from staithe.domain.filter_language import Comparison, leaves_of
from staithe.domain.filter_plan import FilterContext, plan_filter
from staithe.domain.limits import (
    ASSET_NAME_CHARACTERS,
    FILTER_CHARACTERS,
    FILTER_CRITERIA,
    SEGMENT_ELEMENTS,
    STATEMENT_CHARACTERS,
)
from staithe.domain.properties import PropertyReader, Requirement, to_id, to_text
from staithe.domain.segments import (
    OPERATORS,
    Condition,
    CriteriaFilter,
    Criterion,
    Segment,
    SegmentElement,
    filter_tree,
)

CRITERION: Final = "ContactFieldCriterion"
LIST_ELEMENT: Final = "ContactListSegmentElement"
FILTER_ELEMENT: Final = "ContactFilterSegmentElement"


class NamedChanges(Struct, frozen=True):
    """What a request names of a segment or a filter; None leaves as it is. `content` is what finds its contacts."""

    name: str | None
    description: str | None
    content: Segment | CriteriaFilter | None

    def columns(self) -> dict[str, object]:
        """The changed columns but for the content."""
        columns: dict[str, object] = {} if self.name is None else {"name": self.name}
        return columns if self.description is None else columns | {"description": self.description or None}


ReadContent = Callable[[Mapping[str, Any], Catalogue], Segment | CriteriaFilter | None]


def read_segment_changes(
    properties: Mapping[str, object], catalogue: Catalogue, exists: AssetExists, *, is_new: bool
) -> NamedChanges:
    """Read a segment.

    Args:
        properties: of the request, in canonical spelling.
        catalogue: the company's contact fields.
        exists: tells which lists and filters there are.
        is_new: whether it must have a name.

    Raises:
        ValidationFailed: a property is wrong.
    """
    changes = read_changes(properties, "elements", read_segment, catalogue, is_new=is_new)
    content = changes.content
    if isinstance(content, Segment):
        reader = PropertyReader(properties)
        for kind, number in content.assets():
            if not exists(kind, number):
                rule = f"Must name what exists: there is no {ASSET_NAMES[kind]} {number}."
                reader.refuse("elements", rule, str(number), Requirement.RELATIONSHIP)
        reader.finish()
    return changes


def read_filter_changes(properties: Mapping[str, object], catalogue: Catalogue, *, is_new: bool) -> NamedChanges:
    """Read a contact filter; arguments and errors as of `read_segment_changes`."""
    return read_changes(properties, "criteria", read_criteria, catalogue, is_new=is_new)


def read_changes(
    properties: Mapping[str, object], content_name: str, read: ReadContent, catalogue: Catalogue, *, is_new: bool
) -> NamedChanges:
    reader = PropertyReader(properties)
    name = reader.name("name", is_required=is_new, most_characters=ASSET_NAME_CHARACTERS)
    description = reader.text("description")
    content: Segment | CriteriaFilter | None = None
    if is_new or properties.get(content_name) is not None:
        try:
            content = read(properties, catalogue)
        except ValueError as error:
            reader.refuse(content_name, f"M{str(error)[1:]}.", None, Requirement.SYNTAX)
    reader.finish()
    return NamedChanges(name, description, content)


def read_segment(properties: Mapping[str, Any], catalogue: Catalogue) -> Segment:
    """The elements of a segment.

    Raises:
        ValueError: a sentence that starts with "must".
    """
    elements = read_objects(properties.get("elements"), "elements", SEGMENT_ELEMENTS)
    return Segment(tuple(read_element(element, catalogue) for element in elements))


def read_element(element: Mapping[str, Any], catalogue: Catalogue) -> SegmentElement:
    is_included = (to_text(element.get("isIncluded")) or "true").lower() != "false"
    kind = str(element.get("type")).lower()
    if kind == LIST_ELEMENT.lower():
        return SegmentElement(is_included, list_id=read_named(element.get("list"), "list"))
    if kind != FILTER_ELEMENT.lower():
        raise ValueError(f"must be elements with the type {LIST_ELEMENT} or {FILTER_ELEMENT}")
    sent = element.get("filter")
    if isinstance(sent, dict) and sent.get("criteria") is not None:
        return SegmentElement(is_included, filter=read_criteria(sent, catalogue))
    return SegmentElement(is_included, filter_id=read_named(sent, "filter"))


def read_named(value: object, name: str) -> int:
    number = to_id(value.get("id")) if isinstance(value, dict) else None
    if number is None:
        raise ValueError(f"must have, in an element, a {name} with its id" + " or criteria" * (name == "filter"))
    return number


def read_criteria(properties: Mapping[str, Any], catalogue: Catalogue) -> CriteriaFilter:
    """Criteria and the statement that joins them: by AND, if there is none.

    Raises:
        ValueError: a sentence that starts with "must".
    """
    criteria = read_objects(properties.get("criteria"), "criteria", FILTER_CRITERIA)
    read = tuple(read_criterion(criterion, position) for position, criterion in enumerate(criteria, start=1))
    if not read:
        raise ValueError("must have at least one criterion")
    if len({criterion.id for criterion in read}) < len(read):
        raise ValueError("must be criteria that have ids of their own")
    statement = to_text(properties.get("statement")) or " AND ".join(criterion.id for criterion in read)
    if len(statement) > STATEMENT_CHARACTERS:
        raise ValueError(f"must have a statement of at most {STATEMENT_CHARACTERS} characters")
    found = CriteriaFilter(read, statement, to_text(properties.get("name")) or "")
    tree = filter_tree(found, catalogue)
    plan_filter(tree, FilterContext(catalogue, UTC))
    patterns = (leaf.value for leaf in leaves_of(tree) if isinstance(leaf, Comparison) and leaf.operator == "~")
    if any(len(pattern) > FILTER_CHARACTERS for pattern in patterns):
        raise ValueError(f"must look for texts of at most {FILTER_CHARACTERS} characters, each wildcard being three")
    return found


def read_criterion(criterion: Mapping[str, Any], position: int) -> Criterion:
    field_id, condition = to_id(criterion.get("fieldId")), criterion.get("condition")
    if str(criterion.get("type")).lower() != CRITERION.lower() or field_id is None or not isinstance(condition, dict):
        raise ValueError(f"must be criteria with the type {CRITERION}, a fieldId and a condition")
    kind = find_key(OPERATORS, condition.get("type"), "criteria that have conditions of the type")
    operator = find_key(OPERATORS[kind], condition.get("operator"), f"a {kind} with the operator")
    sent = condition.get("quickListString", condition.get("value"))
    return Criterion(
        to_text(criterion.get("id")) or str(position), field_id, Condition(kind, operator, to_text(sent) or "")
    )


def find_key(table: Mapping[str, object], sent: object, what: str) -> str:
    found = find_choice(sent, table)
    if found is None:
        raise ValueError(f"must be {what} {' or '.join(table)}")
    return found


def read_objects(value: object, name: str, most: int) -> Sequence[Mapping[str, Any]]:
    items: Any = [] if value is None else value
    if not isinstance(items, list) or len(items) > most or not all(isinstance(item, dict) for item in items):
        raise ValueError(f"must be an array of at most {most} {name}")
    return items
