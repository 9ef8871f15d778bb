"""Bodies with their times made equal, so that whole bodies can be compared."""

from __future__ import annotations

import re
from typing import Any

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z")


def timeless(body: Any) -> Any:
    """The same body with TIME for every time of the Bulk API; anything that is not exactly of its form stays."""
    if isinstance(body, dict):
        return {key: timeless(value) for key, value in body.items()}
    if isinstance(body, list):
        return [timeless(value) for value in body]
    return "TIME" if isinstance(body, str) and TIME.fullmatch(body) else body
