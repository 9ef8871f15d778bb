"""The query parameters of an Application API search: `count`, `page`, `depth`, `orderBy` and `search`.

Source: Oracle's pages "URL parameters", "Request depth" and "Using the search URL parameter"; docs/compatibility.md has
what is inferred.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, Self

from msgspec import Struct

from staithe.domain.errors import Failure, ValidationFailed
from staithe.domain.limits import PAGE_ITEMS, SEARCH_BYTES, SEARCH_TERMS
from staithe.domain.list_query import Condition, PropertyType, find_property, read_number, read_order
from staithe.domain.properties import Requirement
from staithe.domain.times import parse_unix_seconds
from staithe.domain.values import parse_number

OPERATOR: Final = r"<=|>=|!=|=|<|>"
UNKNOWN_TERM: Final = re.compile(rf"\s*[A-Za-z_]\w*\s*(?:{OPERATOR})")
QUOTE: Final = re.compile(r"(?P<quote>['\"])\s*")
NUMBER: Final = re.compile(r"-?[0-9]{1,18}")
WORD_PROPERTY: Final = "name"
"""What a search without property and operator is compared with."""

USER_PROPERTIES: Final = ("createdBy", "updatedBy")
"""What names a user: by the name in rows and in the Bulk API, by the id in the Application API [recorded]."""


class Depth(StrEnum):
    """How much of an object a reply shows."""

    MINIMAL = "minimal"
    PARTIAL = "partial"
    COMPLETE = "complete"


class SearchQuery(Struct, frozen=True):
    """Which page of which objects to give, and how much of each.

    One of `alternatives` must hold (if there are any), and all of `restrictions`. Times in them are Unix seconds.
    """

    page: int = 1
    count: int = PAGE_ITEMS
    depth: Depth = Depth.PARTIAL
    order_by: str = ""
    descending: bool = False
    alternatives: tuple[Condition, ...] = ()
    restrictions: tuple[Condition, ...] = ()

    @property
    def offset(self) -> int:
        """How many objects stand before the page."""
        return (self.page - 1) * self.count

    @property
    def has_conditions(self) -> bool:
        """Whether anything is left out."""
        return bool(self.alternatives or self.restrictions)


def read_search_query(parameters: Mapping[str, str], properties: Mapping[str, PropertyType]) -> SearchQuery:
    """Read the parameters of a search, names in lower case. Unknown parameters are ignored.

    Args:
        parameters: query parameters by lower-case name.
        properties: what can be searched and ordered by, with its type.

    Raises:
        ValidationFailed: a value cannot be used.
    """
    order_by, descending = read_order(parameters.get("orderby", ""), properties)
    alternatives, restrictions = read_search(parameters.get("search", ""), properties)
    return SearchQuery(
        page=min(max(read_number(parameters, "page", 1), 1), 2**31),
        count=min(max(read_number(parameters, "count", PAGE_ITEMS), 1), PAGE_ITEMS),
        depth=read_depth(parameters, Depth.PARTIAL),
        order_by=order_by,
        descending=descending,
        alternatives=alternatives,
        restrictions=restrictions,
    )


def read_open_query(parameters: Mapping[str, str]) -> SearchQuery:
    """Read the parameters of a search among objects whose properties nobody knows: it may name any.

    Args:
        parameters: query parameters by lower-case name.

    Raises:
        ValidationFailed: a value cannot be used.
    """
    check_size(parameters.get("search", ""))
    order = parameters.get("orderby", "").strip().strip('"').split()
    return read_search_query({**parameters, "search": ""}, dict.fromkeys(order[:1], PropertyType.TEXT))


def read_depth(parameters: Mapping[str, str], default: Depth) -> Depth:
    """The parameter `depth`.

    Raises:
        ValidationFailed: it is none of the three.
    """
    text = parameters.get("depth", "").strip()
    try:
        return Depth(text.lower()) if text else default
    except ValueError:
        rule = f"Must be one of {', '.join(Depth)}."
        raise ValidationFailed(Failure("depth", rule, text, Requirement.ENUM)) from None


def read_search(
    text: str, properties: Mapping[str, PropertyType]
) -> tuple[tuple[Condition, ...], tuple[Condition, ...]]:
    """(alternatives, restrictions) of `search`.

    Terms stand one behind the other, as in `emailAddress='a@b.c'emailAddress='d@e.f'`: those with `=` are alternatives,
    those with another operator must hold besides. A text without property and operator is compared with the name.

    Raises:
        ValidationFailed: an unknown property, or a value that is not of its type.
    """
    stripped = text.strip()
    if not stripped:
        return (), ()
    check_size(stripped)
    terms = split_terms(stripped, properties)
    if terms is None:
        if UNKNOWN_TERM.match(stripped):
            rule = f"Must compare one of {', '.join(properties)}, such as name='My list'."
            raise ValidationFailed(Failure("search", rule, text, Requirement.ENUM))
        terms = [Condition(WORD_PROPERTY, "=", strip_quotes(stripped))]
    if len(terms) > SEARCH_TERMS:
        raise ValidationFailed(
            Failure("search", f"Must have at most {SEARCH_TERMS} terms.", text[:100], Requirement.TEXT_LENGTH)
        )
    alternatives = tuple(term for term in terms if term.operator == "=")
    if any(matches_all(term) for term in alternatives):
        alternatives = ()
    return alternatives, tuple(term for term in terms if term.operator != "=")


def check_size(text: str) -> None:
    if len(text.strip().encode()) > SEARCH_BYTES:
        rule = f"Must have at most {SEARCH_BYTES} bytes in UTF-8."
        raise ValidationFailed(Failure("search", rule, text[:100], Requirement.TEXT_LENGTH))


def matches_all(term: Condition) -> bool:
    return isinstance(term.value, str) and term.value != "" and set(term.value) == {"*"}


def split_terms(text: str, properties: Mapping[str, PropertyType]) -> list[Condition] | None:
    """The terms of a search; None if it does not start with a known property and an operator.

    A value ends at its closing quote or, without quotes, where the next known property with an operator begins.
    """
    names = "|".join(map(re.escape, properties))
    begin = re.compile(rf"(?P<name>{names})\s*(?P<operator>{OPERATOR})\s*", re.IGNORECASE)
    places = Places.of(text, begin.pattern)
    terms: list[Condition] = []
    position = 0
    while position < len(text) and len(terms) <= SEARCH_TERMS:
        match = begin.match(text, position)
        if match is None:
            return None
        name = find_property(match["name"], properties) or ""
        value, position = places.split_value(match.end())
        terms.append(Condition(name, match["operator"], read_value(value, properties[name], text)))
    return terms


class Places(Struct, frozen=True):
    """Where the terms of a search may begin, and where quotes stand that may close a value; both rising.

    They are looked for once: to look anew from each blank and each quote takes the cube of the time.
    """

    text: str
    begins: Sequence[int]
    closes: Mapping[str, Sequence[int]]

    @classmethod
    def of(cls, text: str, begin: str) -> Self:
        """Find them; `begin` is the expression for a name with an operator."""
        # A look ahead, as one name can end in another.
        begins = [found.start() for found in re.finditer(f"(?={begin})", text, re.IGNORECASE)]
        ends = {*begins, len(text)}
        closes: dict[str, list[int]] = {"'": [], '"': []}
        for found in QUOTE.finditer(text):
            if found.end() in ends:
                closes[found["quote"]].append(found.start())
        return cls(text, begins, closes)

    def split_value(self, position: int) -> tuple[str, int]:
        """(the value that begins at a position, where the next term begins)."""
        closes = self.closes.get(self.text[position : position + 1], ())
        close = first_from(closes, position + 1)
        if close is not None:
            begin = first_from(self.begins, close)
            return self.text[position + 1 : close], len(self.text) if begin is None else begin
        begin = first_from(self.begins, position)
        following = len(self.text) if begin is None else begin
        return self.text[position:following].rstrip(), following


def first_from(places: Sequence[int], position: int) -> int | None:
    index = bisect_left(places, position)
    return places[index] if index < len(places) else None


def read_value(value: str, property_type: PropertyType, text: str) -> str | float:
    match property_type:
        case PropertyType.TEXT:
            return value
        case PropertyType.NUMBER:
            if NUMBER.fullmatch(value):
                return int(value)
            try:
                return parse_number(value)
            except ValueError:
                rule = "Must compare with a number."
                raise ValidationFailed(Failure("search", rule, text, Requirement.INTEGER)) from None
        case PropertyType.TIME:
            seconds = parse_unix_seconds(value)
            if seconds is None:
                rule = "Must compare with a time in Unix seconds, or such as 2026-01-31T09:00:00Z."
                raise ValidationFailed(Failure("search", rule, text, Requirement.DATE))
            return seconds


def strip_quotes(text: str) -> str:
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"" else text
