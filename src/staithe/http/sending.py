"""Sends answers: status, headers and body as messages of ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import anyio.to_thread

from staithe.http.calls import Answer, Page, Pieces
from staithe.http.phrases import row_of
from staithe.http.requests import Request

Send = Callable[[Any], Awaitable[None]]

COMMON_HEADERS: Final = ((b"cache-control", b"no-store"), (b"pragma", b"no-cache"), (b"expires", b"-1"))
HTML: Final = "text/html; charset=utf-8"
BODILESS: Final = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


async def send_answer(send: Send, request: Request, answer: Answer, media_type: str, request_id: str) -> None:
    """Send an answer with the headers of every answer; to HEAD without the body.

    Args:
        send: of the ASGI server.
        request: what is answered.
        answer: to it.
        media_type: of a body that is JSON.
        request_id: of the request.
    """
    headers = [*COMMON_HEADERS, *encode(answer.headers), (b"x-request-id", request_id.encode())]
    start = {"type": "http.response.start", "status": row_of(int(answer.status), request.path), "headers": headers}
    if isinstance(answer.body, Pieces):
        headers.append((b"content-type", answer.body.media_type.encode()))
        await send(start)
        await send_pieces(send, request, answer.body)
        return
    content = answer.body.html.encode() if isinstance(answer.body, Page) else answer.encoded()
    if answer.body is not None:
        headers.append((b"content-type", (HTML if isinstance(answer.body, Page) else media_type).encode()))
    if answer.status not in BODILESS:
        headers.append((b"content-length", b"%d" % len(content)))
    await send(start)
    await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else content})


def encode(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]


async def send_pieces(send: Send, request: Request, body: Pieces) -> None:
    """Send a body as it is made, in a thread; no more of it is made once the client has gone."""
    gone = asyncio.ensure_future(request.wait_until_gone())
    try:
        while request.method != "HEAD" and not gone.done():
            piece = await anyio.to_thread.run_sync(next, body.pieces, None)
            if piece is None:
                break
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()
