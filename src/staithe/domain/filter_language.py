"""The filter language: text to tree and back. What a tree means of contacts is `filter_plan`'s business.

    filter      = any ; any = all { "OR" all } ; all = one { "AND" one } ; one = [ "NOT" ] primary ;
    primary     = "(" any ")" | comparison | membership | exists | status ;
    comparison  = quoted ( "=" | "!=" | "<" | "<=" | ">" | ">=" | "~" ) quoted ;
    membership  = quoted "IN" "(" quoted { "," quoted } ")" ;
    exists      = "EXISTS" "(" quoted ")" ;  status = "STATUS" "(" quoted ")" "=" quoted ;
    quoted      = "'" { any character but ' , or '' } "'" ;

NOT binds closer than AND, and AND closer than OR; keywords may have any case, and blanks may stand anywhere between.
Source: Eloqua's pages on filtering and on its expression language; IN, doubled quotes and precedence are inferred.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from msgspec import Struct


class Comparison(Struct, frozen=True):
    """`'statement' operator 'value'`."""

    statement: str
    operator: str
    value: str


class Membership(Struct, frozen=True):
    """`'statement' IN ('value', ...)`."""

    statement: str
    values: tuple[str, ...]


class Exists(Struct, frozen=True):
    """`EXISTS('container')`: who is in a list, a segment or a filter."""

    container: str


class Status(Struct, frozen=True):
    """`STATUS('service') = 'value'`: who has a status in an execution of an app service."""

    service: str
    value: str


class All(Struct, frozen=True):
    """All of two or more, none of which is an `All`."""

    operands: tuple[Filter, ...]


class Any(Struct, frozen=True):
    """Any of two or more, none of which is an `Any`."""

    operands: tuple[Filter, ...]


class Negation(Struct, frozen=True):
    """What is not a `Negation` itself, negated."""

    operand: Filter


Filter: TypeAlias = Comparison | Membership | Exists | Status | All | Any | Negation


def all_of(operands: Iterable[Filter]) -> Filter:
    """The operands joined by AND; one alone is itself."""
    return join(All, operands)


def any_of(operands: Iterable[Filter]) -> Filter:
    """The operands joined by OR; one alone is itself."""
    return join(Any, operands)


def join(kind: type[All] | type[Any], operands: Iterable[Filter]) -> Filter:
    flat: list[Filter] = []
    for operand in operands:
        flat += operand.operands if isinstance(operand, All | Any) and type(operand) is kind else (operand,)
    return flat[0] if len(flat) == 1 else kind(tuple(flat))


def negate(operand: Filter) -> Filter:
    """The opposite."""
    return operand.operand if isinstance(operand, Negation) else Negation(operand)


def parse_filter(text: str) -> Filter:
    """Parse a filter.

    Raises:
        ValueError: a sentence that starts with "must", and says where (the first character is 1) and what was expected.
    """
    # Only who uses a filter waits for the parser, which is built when it is imported.
    from staithe.domain.filter_grammar import parse

    return parse(text)


def print_filter(tree: Filter) -> str:
    """The text that `parse_filter` makes the tree from, with as few brackets as can be."""
    match tree:
        case Comparison(statement, operator, value):
            return f"{quote(statement)} {operator} {quote(value)}"
        case Membership(statement, values):
            return f"{quote(statement)} IN ({', '.join(map(quote, values))})"
        case Exists(container):
            return f"EXISTS({quote(container)})"
        case Status(service, value):
            return f"STATUS({quote(service)}) = {quote(value)}"
        case All(operands):
            return " AND ".join(bracketed(o, isinstance(o, Any)) for o in operands)
        case Any(operands):
            return " OR ".join(map(print_filter, operands))
        case Negation(operand):
            return f"NOT {bracketed(operand, isinstance(operand, All | Any))}"


def bracketed(tree: Filter, needed: bool) -> str:
    return f"({print_filter(tree)})" if needed else print_filter(tree)


def quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def leaves_of(tree: Filter) -> Sequence[Comparison | Membership | Exists | Status]:
    """Every comparison, membership, EXISTS and STATUS of a tree, from left to right."""
    match tree:
        case All(operands) | Any(operands):
            return [leaf for operand in operands for leaf in leaves_of(operand)]
        case Negation(operand):
            return leaves_of(operand)
        case _:
            return [tree]
