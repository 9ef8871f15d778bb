"""Request bodies as they come: in pieces, perhaps gzipped, never more than is allowed in memory."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Final

from staithe.domain.errors import Busy, Failure, ParseFailed, TooLarge, ValidationFailed
from staithe.domain.limits import GZIP_MEMBERS, UPLOAD_BYTES
from staithe.http.header_values import read_parameters
from staithe.http.requests import Request

OBJECT_BYTES: Final = 4 * 1024 * 1024
"""A JSON object that is no upload: a contact list may be sent with many membershipAdditions."""

FORM_TYPES: Final = ("", "application/x-www-form-urlencoded", "multipart/form-data")
"""With text/plain what a browser sends to any site, if a page asks it to (Fetch, section 2.2.2)."""

OF_BROWSERS: Final = ("origin", "sec-fetch-site", "referer")
INFLATED_PIECE_BYTES: Final = 256 * 1024
DEFLATED_PIECE_BYTES: Final = 16 * 1024
"""zlib copies what it has not read yet, at the end of each member: of so little, all members together cost little."""

ANY_WINDOW: Final = zlib.MAX_WBITS | 32
"""zlib's code for: gzip or zlib, told by the first bytes."""


class Inflater:
    """Undoes gzip piece by piece, at most 256 KiB at a time, so that a bomb fills no memory. Linear in what it is fed.

    Args:
        most_bytes: compressed bytes that it takes.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self.members = 1
        self.inflater = zlib.decompressobj(ANY_WINDOW)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The text of some more compressed bytes; several gzip members follow each other as one.

        Zero bytes behind a member are skipped, as gzip does: tapes and block devices are padded so.

        Raises:
            ParseFailed: the bytes are no gzip, or have too many members.
            TooLarge: they are too many.
        """
        self.bytes += len(data)
        if self.bytes > self.most_bytes:
            raise TooLarge(f"The request is over {self.most_bytes} bytes.", limitBytes=self.most_bytes)
        view = memoryview(data)
        try:
            for start in range(0, len(data), DEFLATED_PIECE_BYTES):
                yield from self.feed_piece(bytes(view[start : start + DEFLATED_PIECE_BYTES]))
        except zlib.error as error:
            raise ParseFailed(f"Must be gzip, as Content-Encoding says: {error}.") from None

    def feed_piece(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self.inflater.eof:
                data = data.lstrip(b"\0")
                if not data:
                    return
                self.begin_member()
            piece = self.inflater.decompress(data, INFLATED_PIECE_BYTES)
            data = self.inflater.unused_data if self.inflater.eof else self.inflater.unconsumed_tail
            if piece:
                yield piece

    def begin_member(self) -> None:
        self.members += 1
        if self.members > GZIP_MEMBERS:
            raise ParseFailed(f"Must be gzip of at most {GZIP_MEMBERS} members.")
        self.inflater = zlib.decompressobj(ANY_WINDOW)

    def finish(self) -> None:
        """The compressed bytes are all there.

        Raises:
            ParseFailed: the end is missing.
        """
        if not self.inflater.eof:
            raise ParseFailed("Must be gzip, as Content-Encoding says, but its end is missing.")


async def read_pieces(
    request: Request, deadline: float | None = None, most_bytes: int = UPLOAD_BYTES
) -> AsyncIterator[bytes]:
    """The body, inflated if it is gzipped.

    Args:
        request: whose body it is.
        deadline: until when it must have come, by the event loop's clock.
        most_bytes: of a gzipped body as it is sent. Whoever asks counts what comes out.

    Raises:
        ValidationFailed: an encoding that is not known.
        TooLarge: it is gzipped, and over `most_bytes` all the same.
        Busy: it did not come in time, or the client went away.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", "deflate", ""):
        raise ValidationFailed(Failure("Content-Encoding", "Must be gzip, or left out.", encoding))
    inflater = Inflater(most_bytes) if encoding in ("gzip", "x-gzip", "deflate") else None
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
    async for piece in read_pieces(request, deadline, OBJECT_BYTES):
        body += piece
        if len(body) > OBJECT_BYTES:
            raise TooLarge(f"The request is over {OBJECT_BYTES} bytes.", limitBytes=OBJECT_BYTES)
    return bytes(body)


def refuse_form(request: Request) -> None:
    """Take no body that a page of another site may have a browser send without asking: it sends the login along.

    A body that no browser has sent is a form by its Content-Type alone: `curl -d` says so of any text.

    Raises:
        ValidationFailed: it is one.
    """
    sent = request.headers.get("content-type", "")
    media_type = read_parameters(sent)[0].lower()
    is_of_browser = any(name in request.headers for name in OF_BROWSERS)
    if request.has_body and (media_type == "text/plain" or (media_type in FORM_TYPES and is_of_browser)):
        raise ValidationFailed(Failure("Content-Type", "Must be application/json, or text/csv for an upload.", sent))
