"""The Application API's searches for what no company can have yet: clients make them before anything else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from staithe.domain.search_query import read_open_query
from staithe.http.calls import Answer, Call
from staithe.http.rest_operation import RestOperation
from staithe.wire import rest as wire

EMPTY_SEARCHES: Final = (
    ("Campaign", "/assets/campaigns"),
    ("CustomObject", "/assets/customObjects"),
    ("Email", "/assets/emails"),
    ("ExternalAsset", "/assets/externals"),
    ("Form", "/assets/forms"),
    ("LandingPage", "/assets/landingPages"),
    ("Account", "/data/accounts"),
    ("Visitor", "/data/visitors"),
)
"""(what it finds, path below a version's root)."""


def search_nothing(call: Call) -> Answer:
    return Answer(200, wire.page_body([], read_open_query(call.parameters), 0))


def empty_operations(root: str) -> Iterator[RestOperation]:
    """The searches that find nothing."""
    for object_type, path in EMPTY_SEARCHES:
        yield RestOperation("GET", root + path, search_nothing, object_type, gives="EmptySearch")
