"""The query parameters of a list: `limit`, `offset`, `orderBy`, `totalResults` and the search term `q`.

Source: the Bulk API contract and the page on API call format; see docs/compatibility.md for what is inferred.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from staithe.domain.errors import Failure, ValidationFailed
from staithe.domain.limits import PAGE_ITEMS, SEARCH_BYTES
from staithe.domain.properties import Requirement
from staithe.domain.times import parse_time

TERM: Final = re.compile(r"\s*(?P<name>[A-Za-z]+)\s*(?P<operator><=|>=|!=|=|<|>)\s*(?P<value>.*)", re.DOTALL)


ORDERS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
"""The operators that ask for an order: of values, and of columns too."""


class PropertyType(StrEnum):
    """How the values of a property compare."""

    TEXT = "text"
    NUMBER = "number"
    TIME = "time"


class Condition(Struct, frozen=True):
    """`name operator value`; the value has its property's type: a text, a number, or microseconds in UTC."""

    name: str
    operator: str
    value: str | float


class ListQuery(Struct, frozen=True):
    """Which items of a list to give, and in which order; by rising id if nothing is said."""

    limit: int = PAGE_ITEMS
    offset: int = 0
    order_by: str = ""
    descending: bool = False
    condition: Condition | None = None
    with_total: bool = True


def read_list_query(
    parameters: Mapping[str, str], properties: Mapping[str, PropertyType], most: int = PAGE_ITEMS
) -> ListQuery:
    """Read the parameters of a list, names in lower case. Unknown parameters are ignored.

    Args:
        parameters: query parameters by lower-case name.
        properties: what can be searched and ordered by, with its type.
        most: items on a page; a higher limit is taken for this one.

    Raises:
        ValidationFailed: a value cannot be used.
    """
    order_by, descending = take_order(parameters.get("orderby", ""), properties)
    return ListQuery(
        limit=min(max(read_number(parameters, "limit", PAGE_ITEMS), 1), most),
        offset=max(read_number(parameters, "offset", 0), 0),
        order_by=order_by,
        descending=descending,
        condition=read_term(parameters.get("q", ""), properties),
        with_total=parameters.get("totalresults", "true").strip().lower() != "false",
    )


def read_number(parameters: Mapping[str, str], name: str, default: int) -> int:
    """A whole number; out of range ones are clamped by the caller, as clients ask for 50,000 everywhere."""
    text = parameters.get(name, "").strip()
    if not text:
        return default
    try:
        return min(max(int(text), -(2**62)), 2**62)
    except ValueError:
        raise ValidationFailed(Failure(name, "Must be a whole number.", text, Requirement.INTEGER)) from None


def read_order(text: str, properties: Mapping[str, PropertyType]) -> tuple[str, bool]:
    words = text.strip().strip('"').split()
    if not words:
        return "", False
    name = find_property(words[0], properties)
    direction = " ".join(words[1:]).upper()
    if name is None or direction not in ("", "ASC", "DESC"):
        allowed = f"be one of {', '.join(properties)}, then ASC or DESC if wanted" if properties else "be left out here"
        raise ValidationFailed(Failure("orderBy", f"Must {allowed}.", text, Requirement.ENUM))
    return name, direction == "DESC"


def take_order(text: str, properties: Mapping[str, PropertyType]) -> tuple[str, bool]:
    """As `read_order`, but an order that is not known is none: it changes nothing about what is found [ours]."""
    try:
        return read_order(text, properties)
    except ValidationFailed:
        return "", False


def find_property(name: str, properties: Mapping[str, PropertyType]) -> str | None:
    return next((known for known in properties if known.lower() == name.lower()), None)


def read_term(text: str, properties: Mapping[str, PropertyType]) -> Condition | None:
    """One comparison, such as `"name=*Test*"` or `createdAt<2025-07-01`; quotes around it or its value are optional."""
    stripped = strip_quotes(strip_quotes(text.strip(), '"'), "'")
    if not stripped:
        return None
    if len(stripped.encode()) > SEARCH_BYTES:
        raise ValidationFailed(Failure("q", f"Must have at most {SEARCH_BYTES} bytes in UTF-8.", text[:100]))
    match = TERM.fullmatch(stripped)
    name = find_property(match["name"], properties) if match else None
    if match is None or name is None:
        allowed = (
            f"be one comparison of {', '.join(properties)}, such as name=*Test*" if properties else "be left out here"
        )
        raise ValidationFailed(Failure("q", f"Must {allowed}.", text))
    value = strip_quotes(strip_quotes(match["value"].strip(), "'"), '"')
    return Condition(name, match["operator"], read_value(value, properties[name], text))


def strip_quotes(text: str, quote: str) -> str:
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] == quote else text


def read_value(value: str, property_type: PropertyType, text: str) -> str | int:
    match property_type:
        case PropertyType.TEXT:
            return value
        case PropertyType.NUMBER:
            if re.fullmatch(r"-?[0-9]{1,18}", value):
                return int(value)
            raise ValidationFailed(Failure("q", "Must compare with a whole number.", text))
        case PropertyType.TIME:
            moment = parse_time(value)
            if moment is None:
                raise ValidationFailed(
                    Failure("q", "Must compare with a time such as 2026-01-31 or 2026-01-31T09:00:00Z.", text)
                )
            return moment
