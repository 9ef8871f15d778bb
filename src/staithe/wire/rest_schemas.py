"""JSON Schemas of the Application API's bodies, by the names the OpenAPI document gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from staithe.wire.schemas import Schema

REST_SCHEMAS: Final[Mapping[str, Schema]] = {}
