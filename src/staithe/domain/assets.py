"""Contact lists and email groups."""

from __future__ import annotations

from msgspec import Struct


class Asset(Struct, frozen=True, kw_only=True):
    """A contact list or an email group. `properties` (email groups only) is the JSON of what it was sent with."""

    id: int
    name: str
    description: str | None
    data_lookup_id: str
    properties: str = "{}"
    created_at: int
    created_by: str
    updated_at: int
    updated_by: str
