"""One page of items that are in memory, by the same parameters, and with the same meaning, as of those in a table."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from staithe.domain.folding import fold
from staithe.domain.list_query import ORDERS, Condition, ListQuery
from staithe.domain.search_query import SearchQuery
from staithe.domain.wildcards import ANY_TEXT, Literal, matches

Item = TypeVar("Item")
Getters = Mapping[str, Callable[[Item], str | int]]
"""Property -> how an item's value of it is read."""

OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {"=": operator.eq, "!=": operator.ne, **ORDERS}


def list_items(items: Sequence[Item], getters: Getters[Item], query: ListQuery) -> tuple[list[Item], int | None, bool]:
    """A page of the Bulk API: (items, how many there are in all or None if that was not asked, whether more follow)."""
    found = [i for i in items if query.condition is None or holds(query.condition, i, getters)]
    ordered = in_order(found, getters, query)
    page = ordered[query.offset : query.offset + query.limit]
    return page, len(found) if query.with_total else None, query.offset + len(page) < len(found)


def search_items(items: Sequence[Item], getters: Getters[Item], query: SearchQuery) -> tuple[list[Item], int]:
    """A page of the Application API: (items, how many there are in all)."""
    found = [
        item
        for item in items
        if all(holds(term, item, getters) for term in query.restrictions)
        and (not query.alternatives or any(holds(term, item, getters) for term in query.alternatives))
    ]
    return in_order(found, getters, query)[query.offset : query.offset + query.count], len(found)


def in_order(items: Iterable[Item], getters: Getters[Item], query: ListQuery | SearchQuery) -> list[Item]:
    """Items as they come, or in the order that is asked for."""
    if not query.order_by:
        return list(items)
    return sorted(items, key=getters[query.order_by], reverse=query.descending)


def holds(condition: Condition, item: Item, getters: Getters[Item]) -> bool:
    """Whether a condition holds: texts compare without regard to case, and `*` stands for anything after = and !=."""
    value, wanted = getters[condition.name](item), condition.value
    if isinstance(value, str):
        value, wanted = fold(value), fold(str(wanted))
        if condition.operator in ("=", "!="):
            pattern = [ANY_TEXT if character == "*" else Literal(character) for character in wanted]
            return matches(pattern, value) == (condition.operator == "=")
    return OPERATORS[condition.operator](value, wanted)
