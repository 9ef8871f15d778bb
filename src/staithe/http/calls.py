"""What a handler gets and gives: a request without its HTTP, and an answer before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import msgspec

from staithe.app import App
from staithe.domain.errors import MalformedId
from staithe.domain.identifiers import NUL
from staithe.services.caller import Caller
from staithe.wire.bulk import refuse_nul

ID_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Pieces:
    """A body that is sent as it is made."""

    pieces: Iterator[bytes]
    media_type: str


@dataclass(frozen=True, slots=True)
class Page:
    """A body of HTML."""

    html: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body: JSON, a `Page`, or `Pieces` of anything; no body is none, not null."""

    status: int
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """The body as compact JSON."""
        return b"" if self.body is None else msgspec.json.encode(self.body)


@dataclass(frozen=True, slots=True)
class Call:
    """A request of a verified caller: parameters by lower-case name, `id` 0 if the path has none.

    `path` has what stands in the path where the route has a name.
    """

    app: App
    caller: Caller
    id: int
    parameters: Mapping[str, str]
    body: bytes
    path: Mapping[str, str] = field(default_factory=dict)


def read_id(path_parameters: Mapping[str, object], name: str = "id") -> int:
    """The id in a path; 0 if it has none.

    Raises:
        MalformedId: it is no number that could be an id.
    """
    text = str(path_parameters.get(name, "0"))
    if not (text.isascii() and text.isdigit() and len(text) <= ID_DIGITS):
        raise MalformedId(name, text)
    return int(text)


def read_parameters(query: bytes) -> dict[str, str]:
    """Query parameters by lower-case name, raw quotes and all; of repeated ones the last.

    Raises:
        ValidationFailed: one contains the character NUL.
    """
    pairs = parse_qsl(query.decode("utf-8", "replace"), keep_blank_values=True, errors="replace")
    for name, value in pairs:
        refuse_nul(name.replace(NUL, ""), value)
    return {name.lower(): value for name, value in pairs}
