"""Paths as clients send them, brought to the one spelling that routes have.

Clients send `/API/Bulk/2.0//contacts/imports/`: any case, doubled and trailing slashes [observed in many clients].
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def spellings(route_paths: Iterable[str]) -> Mapping[str, str]:
    """Every fixed segment of the routes, by its lower-case form."""
    return {segment.lower(): segment for path in route_paths for segment in path.split("/") if "{" not in segment}


def canonical_path(path: str, known: Mapping[str, str]) -> str:
    """The path with single slashes and known segments in their own spelling."""
    return "/" + "/".join(known.get(segment.lower(), segment) for segment in path.split("/") if segment)
