"""The reason phrases of Bulk API answers, which some clients compare or look for: they are part of the wire.

uvicorn keeps the status line of every status in a table, and knows one phrase for each. So those of the Bulk API are
rows of their own, whose number is the status and `BULK_ROWS`; answers outside the Bulk API have the usual phrases.
Source: Eloqua's table of HTTP status codes; the logs and the code of public clients.
"""

from __future__ import annotations

from typing import Final

from staithe.http.errors import BULK_ROOT
from staithe.http.paths import canonical_path, spellings

BULK_PHRASES: Final = {
    400: "There was a validation error.",
    401: "You are not authorized to make this request",
    404: "The requested resource was not found.",
    409: "There was a conflict.",
    413: "Storage space exceeded.",
}
BULK_ROWS: Final = 1000
BULK_STATUS_LINES: Final = {
    BULK_ROWS + status: f"HTTP/1.1 {status} {phrase}\r\n".encode() for status, phrase in BULK_PHRASES.items()
}
"""What uvicorn's table lacks."""

BULK_SPELLINGS: Final = spellings([BULK_ROOT])


def row_of(status: int, path: str) -> int:
    """The row of a status in the table of status lines.

    Args:
        status: of the answer.
        path: of the request, in its canonical spelling.
    """
    is_bulk = path.startswith(BULK_ROOT) and path[len(BULK_ROOT) :][:1] in ("", "/")
    return BULK_ROWS + status if is_bulk and status in BULK_PHRASES else status


def row_of_url(status: int, url: bytes) -> int:
    """As `row_of`, of a request that no route has seen.

    Args:
        status: of the answer.
        url: what has been read of the request's target, perhaps nothing.
    """
    return row_of(status, canonical_path(url.partition(b"?")[0].decode("latin-1"), BULK_SPELLINGS))
