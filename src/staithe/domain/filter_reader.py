"""Checks the filter of an export as a client sent it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import Final

from staithe.domain.definition_reader import ASSET_NAMES, DefinitionReader
from staithe.domain.filter_language import All, Comparison, Exists, Filter, Status, leaves_of, parse_filter
from staithe.domain.filter_plan import FilterContext, plan_filter, read_container
from staithe.domain.limits import FILTER_CHARACTERS, FILTER_EXISTS
from staithe.domain.values import EASTERN

SEGMENT_DATES: Final = (
    "{{contact.createdat}}",
    "{{contact.updatedat}}",
    "{{contact.field(c_datecreated)}}",
    "{{contact.field(c_datemodified)}}",
)
MOST_SEGMENT_DATES: Final = 2
"""What may stand beside a segment, and how often [19B notice]."""


def read_filter(reader: DefinitionReader, *, in_utc: bool) -> str | None:
    """The filter as it was sent; None if it is absent or blank.

    Args:
        reader: of the definition: what is wrong with the filter is remembered in it.
        in_utc: whether system times are compared in UTC.
    """
    value = reader.body.get("filter")
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str) or len(value) > FILTER_CHARACTERS:
        reader.refuse("filter", f"Must be a text of at most {FILTER_CHARACTERS} characters.")
        return None
    try:
        tree = parse_filter(value)
        plan_filter(tree, FilterContext(reader.around.catalogue, UTC if in_utc else EASTERN))
        check_limits(tree)
        if not reader.is_stored:
            check_segment(tree)
        for kind, number in containers_of(tree):
            if not reader.around.exists(kind, number):
                raise ValueError(f"must name what exists: there is no {ASSET_NAMES[kind]} {number}")
    except ValueError as error:
        reader.refuse("filter", f"M{str(error)[1:]}.")
        return None
    return value


def check_limits(tree: Filter) -> None:
    """Refuse what Eloqua refuses, so that no client learns it there.

    Raises:
        ValueError: more than one EXISTS, or more than one STATUS.
    """
    leaves = leaves_of(tree)
    for kind in (Exists, Status):
        if sum(isinstance(leaf, kind) for leaf in leaves) > FILTER_EXISTS:
            raise ValueError(f"must have at most one {kind.__name__.upper()}")


def check_segment(tree: Filter) -> None:
    """Refuse a segment beside anything but dates of creation and change, as Eloqua does since 19B.

    Raises:
        ValueError: a sentence that starts with "must".
    """
    if not any(kind == "contactsegment" for kind, _ in containers_of(tree)):
        return
    operands = tree.operands if isinstance(tree, All) else (tree,)
    dates = [o for o in operands if isinstance(o, Comparison) and o.statement.lower() in SEGMENT_DATES]
    segments = sum(isinstance(operand, Exists) for operand in operands)
    if segments + len(dates) != len(operands) or len(dates) > MOST_SEGMENT_DATES:
        raise ValueError(
            "must join EXISTS of a segment with nothing but AND and at most two dates: {{Contact.CreatedAt}}, "
            "{{Contact.UpdatedAt}}, {{Contact.Field(C_DateCreated)}} or {{Contact.Field(C_DateModified)}}"
        )


def containers_of(tree: Filter) -> Iterator[tuple[str, int]]:
    """The lists, segments and filters that a filter names in EXISTS, as (kind, id)."""
    for leaf in leaves_of(tree):
        if isinstance(leaf, Exists):
            yield read_container(leaf.container)
