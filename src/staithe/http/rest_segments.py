"""The Application API's operations on segments and contact filters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import msgspec
from msgspec import Struct

from staithe.domain.assets import Asset
from staithe.domain.search_query import Depth, SearchQuery, read_depth
from staithe.http.calls import Answer, Call
from staithe.http.rest_operation import RestOperation, read_query
from staithe.services import assets, segments
from staithe.storage.assets import SEARCHABLE
from staithe.wire import rest as wire
from staithe.wire import rest_segments as bodies
from staithe.wire.bulk import Body


class CriteriaKind(Struct, frozen=True):
    """What tells segments and filters apart."""

    name: str
    object_type: str
    path: str
    properties: tuple[str, ...]
    to_body: Callable[[Asset, Depth], Body]


CRITERIA_KINDS: Final = (
    CriteriaKind(
        segments.SEGMENT, "ContactSegment", "/assets/contact/segment", bodies.SEGMENT_PROPERTIES, bodies.segment_body
    ),
    CriteriaKind(
        segments.FILTER, "ContactFilter", "/assets/contact/filter", bodies.FILTER_PROPERTIES, bodies.filter_body
    ),
)


def search(kind: CriteriaKind, call: Call) -> Answer:
    return answer_search(kind, call, read_query(call, SEARCHABLE))


def answer_search(kind: CriteriaKind, call: Call, query: SearchQuery) -> Answer:
    found, total = segments.search(call.caller, kind.name, query)
    return Answer(200, wire.page_body([kind.to_body(asset, query.depth) for asset in found], query, total))


def search_recent(kind: CriteriaKind, call: Call) -> Answer:
    query = read_query(call, SEARCHABLE)
    if not query.order_by:
        query = msgspec.structs.replace(query, order_by="updatedAt", descending=True)
    return answer_search(kind, call, query)


def create(kind: CriteriaKind, call: Call) -> Answer:
    properties = wire.read_properties(call.body, kind.properties)
    return Answer(201, kind.to_body(segments.create(call.caller, kind.name, properties), Depth.COMPLETE))


def get(kind: CriteriaKind, call: Call) -> Answer:
    depth = read_depth(call.parameters, Depth.COMPLETE)
    return Answer(200, kind.to_body(assets.read(call.caller, kind.name, call.id), depth))


def change(kind: CriteriaKind, call: Call) -> Answer:
    properties = wire.read_properties(call.body, kind.properties)
    return Answer(200, kind.to_body(segments.change(call.caller, kind.name, call.id, properties), Depth.COMPLETE))


def delete(kind: CriteriaKind, call: Call) -> Answer:
    segments.delete(call.caller, kind.name, call.id)
    return Answer(200)


def recount(kind: CriteriaKind, call: Call) -> Answer:
    return Answer(201, kind.to_body(segments.recount(call.caller, kind.name, call.id), Depth.COMPLETE))


def segment_operations(root: str) -> Iterator[RestOperation]:
    """The operations on segments and filters; `queue` counts contacts anew, `recent` begins with the last."""
    for kind in CRITERIA_KINDS:
        name, one = kind.object_type, f"{root}{kind.path}/{{id}}"
        yield RestOperation("GET", f"{root}{kind.path}s", partial(search, kind), name, gives=f"{name}Search")
        recent = partial(search_recent, kind)
        yield RestOperation("GET", f"{root}{kind.path}s/recent", recent, name, gives=f"{name}Search")
        yield RestOperation("POST", root + kind.path, partial(create, kind), name, f"{name}Request", name)
        yield RestOperation("GET", one, partial(get, kind), name, gives=name)
        yield RestOperation("PUT", one, partial(change, kind), name, f"{name}Request", name)
        yield RestOperation("DELETE", one, partial(delete, kind), name)
        yield RestOperation("POST", f"{root}{kind.path}/queue/{{id}}", partial(recount, kind), name, gives=name)
