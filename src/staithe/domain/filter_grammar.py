"""How a filter is written, as a grammar; `filter_language` has the trees that are made of it.

A module of its own, as Lark and its tables take a while that only those wait for who use a filter.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, cast

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken, v_args

from staithe.domain.filter_language import (
    Comparison,
    Exists,
    Filter,
    Membership,
    Status,
    all_of,
    any_of,
    negate,
)

GRAMMAR: Final = r"""
?any: all ("OR"i all)*
?all: one ("AND"i one)*
?one: "NOT"i one -> negation
    | "(" any ")" -> bracket
    | QUOTED (OPERATOR | EQUALS) QUOTED -> comparison
    | QUOTED "IN"i "(" QUOTED ("," QUOTED)* ")" -> membership
    | "EXISTS"i "(" QUOTED ")" -> exists
    | "STATUS"i "(" QUOTED ")" EQUALS QUOTED -> status
EQUALS: "="
OPERATOR: "!=" | "<=" | ">=" | "<" | ">" | "~"
QUOTED: /'(?:[^']|'')*'/
%ignore /\s+/
"""


@v_args(inline=True)
class TreeMaker(Transformer[Token, Filter]):
    """Makes the tree while the text is parsed, so that nesting takes no stack."""

    def any(self, *operands: Filter) -> Filter:
        return any_of(operands)

    def all(self, *operands: Filter) -> Filter:
        return all_of(operands)

    def negation(self, operand: Filter) -> Filter:
        return negate(operand)

    def bracket(self, inner: Filter) -> Filter:
        return inner

    def comparison(self, statement: str, operator: Token, value: str) -> Filter:
        return Comparison(statement, str(operator), value)

    def membership(self, statement: str, *values: str) -> Filter:
        return Membership(statement, values)

    def exists(self, container: str) -> Filter:
        return Exists(container)

    def status(self, service: str, _equals: Token, value: str) -> Filter:
        return Status(service, value)

    def QUOTED(self, token: Token) -> str:  # noqa: N802 (terminals have capital letters)
        return token[1:-1].replace("''", "'")


PARSER: Final = Lark(GRAMMAR, start="any", parser="lalr", transformer=TreeMaker(visit_tokens=True))
WORDS: Final = {
    "QUOTED": "a text in single quotes",
    "OPERATOR": "!=, <, <=, >, >=, ~",
    "EQUALS": "=",
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": "a comma",
    "$END": "the end",
}
SHOWN_CHARACTERS: Final = 20


def parse(text: str) -> Filter:
    """Parse a filter.

    Raises:
        ValueError: as `parse_filter` of `filter_language` does.
    """
    try:
        # Lark's types know of trees alone; the transformer makes ours.
        return cast("Filter", PARSER.parse(text))
    except UnexpectedInput as error:
        raise ValueError(describe(error, text)) from None


def describe(error: UnexpectedInput, text: str) -> str:
    """What is wrong with a text that is no filter, and where."""
    at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    position = len(text) if at_end or error.pos_in_stream is None else error.pos_in_stream
    found = text[position : position + SHOWN_CHARACTERS]
    if found.startswith("'") and isinstance(error, UnexpectedCharacters):
        return f"must close the single quote of character {position + 1}; one within a text is doubled"
    expected: Iterable[str] = set()
    if isinstance(error, UnexpectedCharacters):
        expected = error.allowed or set()
    elif isinstance(error, UnexpectedToken):
        expected = error.accepts or error.expected
    names = sorted(WORDS.get(name, name) for name in expected)
    wanted = " or ".join(filter(None, (", ".join(names[:-1]), names[-1] if names else "")))
    where = f"at character {position + 1}, where {found!r} stands" if found else "at its end"
    return f"must have {wanted or 'something else'} {where}"
