"""The operations whose answer is streamed: the data of exports, as JSON or CSV, gzipped for who takes it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

import anyio.to_thread
from isal import isal_zlib

from staithe.app import App
from staithe.domain.elements import Element
from staithe.domain.limits import DATA_PAGE_RECORDS
from staithe.domain.list_query import read_list_query
from staithe.http.auth import authenticate
from staithe.http.calls import Answer, Pieces, read_id, read_parameters
from staithe.http.header_values import choose_media_type, read_weights
from staithe.http.requests import Request
from staithe.services import exports

JSON: Final = "application/json; charset=utf-8"
CSV: Final = "text/csv; charset=utf-8"
FORMATS: Final = ("application/json", "text/csv")

GZIP_WINDOW: Final = 15 | 16
"""zlib's code for: write gzip."""


async def send_data(app: App, element: Element, request: Request) -> Answer:
    """Answer with a page of the data of a sync, or with that of an export's last sync."""
    caller = await authenticate(app, request, writes=False)
    query = read_list_query(read_parameters(request.query), {}, DATA_PAGE_RECORDS)
    number = read_id(request.path_parameters)
    if element.name:
        read = partial(exports.read_of_definition, caller, element, number, query)
    else:
        read = partial(exports.read_of_sync, caller, number, query)
    page = await anyio.to_thread.run_sync(read)
    is_csv = choose_media_type(request.header_list("accept"), FORMATS) == "text/csv"
    pieces = page.to_csv() if is_csv else page.to_json()
    headers = {"vary": "Accept, Accept-Encoding"}
    if takes_gzip(request.header_list("accept-encoding")):
        headers["content-encoding"] = "gzip"
        pieces = gzip_pieces(pieces)
    return Answer(200, Pieces(pieces, CSV if is_csv else JSON), headers)


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a client wants its answers gzipped."""
    return any(coding in ("gzip", "x-gzip") and weight > 0 for coding, weight in read_weights(accept_encoding))


def gzip_pieces(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces as one gzip member. ISA-L compresses as fast as a network takes it."""
    compressor = isal_zlib.compressobj(isal_zlib.ISAL_BEST_SPEED, isal_zlib.DEFLATED, GZIP_WINDOW)
    for piece in pieces:
        compressed = compressor.compress(piece)
        if compressed:
            yield compressed
    yield compressor.flush()
