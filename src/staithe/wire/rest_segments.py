"""Bodies of segments and contact filters in the Application API.

Source: Oracle's pages on contact segments; keys stand in the order of the reply shown there.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from staithe.domain.assets import Asset
from staithe.domain.search_query import Depth
from staithe.domain.segment_reader import CRITERION, FILTER_ELEMENT, LIST_ELEMENT
from staithe.domain.segments import CriteriaFilter, Segment, SegmentElement
from staithe.domain.times import format_unix
from staithe.wire.bulk import Body
from staithe.wire.rest import ROOT_FOLDER, asset_head, format_boolean

SEGMENT_PROPERTIES: Final = ("name", "description", "elements")
FILTER_PROPERTIES: Final = ("name", "description", "criteria", "statement")


def segment_body(asset: Asset, depth: Depth) -> Body:
    """A segment, with as many contacts as it had when they were last counted; elements at complete depth."""
    body = counted_head("ContactSegment", asset, depth)
    if depth is not Depth.COMPLETE:
        return body
    segment = msgspec.json.decode(asset.properties, type=Segment)
    return {**body, "elements": [element_body(e, n) for n, e in enumerate(segment.elements, start=1)]}


def filter_body(asset: Asset, depth: Depth) -> Body:
    """A shared contact filter; its criteria at complete depth."""
    body = counted_head("ContactFilter", asset, depth)
    if depth is not Depth.COMPLETE:
        return body
    return {**body, **criteria_body(msgspec.json.decode(asset.properties, type=CriteriaFilter)), "scope": "global"}


def counted_head(kind: str, asset: Asset, depth: Depth) -> Body:
    head = asset_head(kind, asset, depth, ROOT_FOLDER)
    if depth is Depth.MINIMAL:
        return head
    return {**head, "count": str(asset.size), "lastCalculatedAt": format_unix(asset.executed_at)}


def element_body(element: SegmentElement, number: int) -> Body:
    body: dict[str, Any] = {"type": LIST_ELEMENT if element.list_id else FILTER_ELEMENT, "id": str(number)}
    body["isIncluded"] = format_boolean(element.is_included)
    if element.list_id:
        body["list"] = {"type": "ContactList", "id": str(element.list_id)}
    elif element.filter is None:
        body["filter"] = {"type": "ContactFilter", "id": str(element.filter_id)}
    else:
        name = {"name": element.filter.name} if element.filter.name else {}
        body["filter"] = {"type": "ContactFilter", **name, **criteria_body(element.filter), "scope": "local"}
    return body


def criteria_body(criteria: CriteriaFilter) -> Body:
    return {
        "criteria": [
            {
                "type": CRITERION,
                "id": criterion.id,
                "condition": {
                    "type": criterion.condition.type,
                    "operator": criterion.condition.operator,
                    value_name(criterion.condition.type): criterion.condition.value,
                },
                "fieldId": str(criterion.field_id),
            }
            for criterion in criteria.criteria
        ],
        "statement": criteria.statement,
    }


def value_name(condition_type: str) -> str:
    return "quickListString" if condition_type == "TextSetCondition" else "value"
