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
from staithe.http.bodies import AnyRequest
from staithe.http.calls import Answer, Pieces, read_id, read_parameters
from staithe.services import exports

JSON: Final = "application/json; charset=utf-8"
CSV: Final = "text/csv"
"""The HTTP library adds the charset to texts, and to nothing else."""

GZIP_WINDOW: Final = 15 | 16
"""zlib's code for: write gzip."""


async def send_data(app: App, element: Element, request: AnyRequest) -> Answer:
    """Answer with a page of the data of a sync, or with that of an export's last sync."""
    header = request.headers.get("authorization")
    caller = await anyio.to_thread.run_sync(partial(authenticate, app, header, writes=False))
    query = read_list_query(read_parameters(request.scope["query_string"]), {}, DATA_PAGE_RECORDS)
    number = read_id(request.path_params)
    if element.name:
        read = partial(exports.read_of_definition, caller, element, number, query)
    else:
        read = partial(exports.read_of_sync, caller, number, query)
    page = await anyio.to_thread.run_sync(read)
    is_csv = request.accept.best_match(["application/json", "text/csv"]) == "text/csv"
    pieces = page.to_csv() if is_csv else page.to_json()
    headers = {"vary": "Accept, Accept-Encoding"}
    if takes_gzip(request.headers.get("accept-encoding", "")):
        headers["content-encoding"] = "gzip"
        pieces = gzip_pieces(pieces)
    return Answer(200, Pieces(pieces, CSV if is_csv else JSON), headers)


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a client wants its answers gzipped."""
    for choice in accept_encoding.lower().split(","):
        name, _, weight = choice.partition(";")
        if name.strip() in ("gzip", "x-gzip"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def gzip_pieces(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces as one gzip member. ISA-L compresses as fast as a network takes it."""
    compressor = isal_zlib.compressobj(isal_zlib.ISAL_BEST_SPEED, isal_zlib.DEFLATED, GZIP_WINDOW)
    for piece in pieces:
        compressed = compressor.compress(piece)
        if compressed:
            yield compressed
    yield compressor.flush()
