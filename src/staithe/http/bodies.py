"""Request bodies as they come: in pieces, perhaps gzipped, never more than is allowed in memory."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Final

from staithe.domain.errors import Busy, Failure, ParseFailed, TooLarge, ValidationFailed
from staithe.http.requests import Request

OBJECT_BYTES: Final = 4 * 1024 * 1024
"""A JSON object that is no upload: a contact list may be sent with many membershipAdditions."""

INFLATED_PIECE_BYTES: Final = 256 * 1024
ANY_WINDOW: Final = zlib.MAX_WBITS | 32
"""zlib's code for: gzip or zlib, told by the first bytes."""


class Inflater:
    """Undoes gzip piece by piece, giving at most 256 KiB at a time, so that a bomb fills no memory."""

    def __init__(self) -> None:
        self.inflater = zlib.decompressobj(ANY_WINDOW)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The text of some more compressed bytes; several gzip members follow each other as one.

        Zero bytes behind a member are skipped, as gzip does: tapes and block devices are padded so.

        Raises:
            ParseFailed: the bytes are no gzip.
        """
        try:
            while data:
                if self.inflater.eof:
                    data = data.lstrip(b"\0")
                    if not data:
                        return
                    self.inflater = zlib.decompressobj(ANY_WINDOW)
                piece = self.inflater.decompress(data, INFLATED_PIECE_BYTES)
                data = self.inflater.unused_data if self.inflater.eof else self.inflater.unconsumed_tail
                if piece:
                    yield piece
        except zlib.error as error:
            raise ParseFailed(f"Must be gzip, as Content-Encoding says: {error}.") from None

    def finish(self) -> None:
        """The compressed bytes are all there.

        Raises:
            ParseFailed: the end is missing.
        """
        if not self.inflater.eof:
            raise ParseFailed("Must be gzip, as Content-Encoding says, but its end is missing.")


async def read_pieces(request: Request, deadline: float | None = None) -> AsyncIterator[bytes]:
    """The body, inflated if it is gzipped.

    Raises:
        ValidationFailed: an encoding that is not known.
        Busy: it did not come before `deadline` (of the event loop's clock), or the client went away.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", "deflate", ""):
        raise ValidationFailed(Failure("Content-Encoding", "Must be gzip, or left out.", encoding))
    inflater = Inflater() if encoding in ("gzip", "x-gzip", "deflate") else None
    stream = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                data = await anext(stream, None)
        except TimeoutError:
            message = "The request's body did not come within the time limit; nothing was stored."
            raise Busy(message, "Send it again, or in smaller parts.") from None
        if data is None:
            break
        for piece in inflater.feed(data) if inflater else (data,):
            yield piece
    if inflater is not None:
        inflater.finish()


async def read_object(request: Request, deadline: float | None = None) -> bytes:
    """A whole body that is no upload.

    Raises:
        TooLarge: it is over 4 MiB.
    """
    if not request.has_body:
        return b""
    body = bytearray()
    async for piece in read_pieces(request, deadline):
        body += piece
        if len(body) > OBJECT_BYTES:
            raise TooLarge(f"The request is over {OBJECT_BYTES} bytes.", limitBytes=OBJECT_BYTES)
    return bytes(body)
