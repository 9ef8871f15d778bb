"""Values of headers that are made of several parts: lists, parameters, weights."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

QUOTED: Final = r'"(?:[^"\\]|\\.)*"?'
"""One that does not end goes on to the end: who looks for its end anew at each quote needs the square of the time."""

ITEM: Final = re.compile(rf'(?:{QUOTED}|[^,"])+')
PART: Final = re.compile(rf'(?:{QUOTED}|[^;"])+')
ESCAPED: Final = re.compile(r"\\(.)")
WEIGHT: Final = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
"""RFC 9110, section 12.4.2."""


def split_list(header: str) -> Iterator[str]:
    """The items of a comma-separated list."""
    return (item.strip() for item in ITEM.findall(header))


def read_parameters(item: str) -> tuple[str, Mapping[str, str]]:
    """What comes before the first semicolon, and the parameters behind it by lower-case name, without quotes."""
    parts = PART.findall(item)
    parameters: dict[str, str] = {}
    for part in parts[1:]:
        name, _, value = part.partition("=")
        parameters.setdefault(name.strip().lower(), unquote(value.strip()))
    return (parts[0].strip() if parts else ""), parameters


def unquote(value: str) -> str:
    is_quoted = len(value) > 1 and value.startswith('"') and value.endswith('"')
    return ESCAPED.sub(r"\1", value[1:-1]) if is_quoted else value


def read_weights(header: str) -> list[tuple[str, float]]:
    """What a client takes, in lower case, and how much it wants it: from 0, not at all, to 1, as without a weight.

    A weight that is none, such as `q=1e400`, counts as left out.
    """
    found: list[tuple[str, float]] = []
    for item in split_list(header):
        name, parameters = read_parameters(item)
        weight = parameters.get("q", "1")
        found.append((name.lower(), float(weight) if WEIGHT.fullmatch(weight) else 1.0))
    return found


def choose_media_type(accept: str, offered: Sequence[str]) -> str:
    """Which of the media types that there are an `Accept` header wants most; the first one if it wants none.

    For each the most exact range counts (RFC 9110, section 12.5.1). Where weights are equal, what is named more exactly
    comes first, then what stands first in the header, then the order of those offered.
    """
    ranges = read_weights(accept)

    def rank(media_type: str) -> tuple[float, int, int]:
        family = media_type.partition("/")[0] + "/*"
        for exactness, name in ((2, media_type), (1, family), (0, "*/*")):
            for place, (taken, weight) in enumerate(ranges):
                if taken == name:
                    return (weight, exactness, -place) if weight else (0.0, 0, 0)
        return 0.0, 0, 0

    return max(offered, key=rank)


def basic_text(header: str) -> str | None:
    """What HTTP Basic has in its base64, which old clients wrap in lines and leave without padding [observed].

    Returns:
        None if the header has another scheme.

    Raises:
        ValueError: it is no base64 of UTF-8.
    """
    scheme, _, encoded = header.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    compact = "".join(encoded.split())
    return base64.b64decode(compact + "=" * (-len(compact) % 4)).decode()
