"""The one operation whose body is streamed: an upload, parsed and staged as it arrives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import anyio.to_thread

from staithe.app import App
from staithe.domain.definitions import DefinitionKey
from staithe.domain.elements import Element
from staithe.domain.errors import Busy, Failure, TooManyRequests, ValidationFailed
from staithe.domain.syncs import Sync
from staithe.http.auth import authenticate
from staithe.http.bodies import read_pieces, refuse_form
from staithe.http.calls import Answer, read_id
from staithe.http.header_values import read_parameters
from staithe.http.requests import Request
from staithe.observing import traces
from staithe.observing.metrics import UPLOAD_RECEIVED_BYTES
from staithe.services.caller import Caller
from staithe.services.uploads import ReceivingUpload, UploadRequest, check_size
from staithe.wire.bulk import created_sync_body

PIECE_BYTES: Final = 1024 * 1024
"""How much is handed to a thread at once."""

FORMATS: Final = {"application/json": "JSON", "text/csv": "CSV"}
DEFAULT_CONTENT_TYPE: Final = "application/json"
"""Old clients leave the header out when they send JSON [observed]."""

CHARSETS: Final = ("", "utf-8", "utf8", "us-ascii")


class UploadGate:
    """Counts the uploads under way in this process, so that too many at once are told to come again.

    Args:
        most: of all companies together.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.under_way = 0
        self.of_company: dict[int, int] = {}

    @contextmanager
    def admit(self, caller: Caller) -> Generator[None]:
        """Count an upload as long as the block lasts.

        Raises:
            TooManyRequests: the company has as many under way as it may.
            Busy: the process has.
        """
        company = caller.user.company
        own, most_own = self.of_company.get(company.id, 0), caller.limits.uploads_at_once
        if own >= most_own:
            what = f"{most_own} uploads of company {company.name}, as many as it takes of one at once"
            raise TooManyRequests(f"The server is receiving {what}.", "Send it again when one of them is done.")
        if self.under_way >= self.most:
            raise Busy(f"The server is receiving {self.most} uploads, as many as it takes at once.", "Send it again.")
        self.under_way += 1
        self.of_company[company.id] = own + 1
        try:
            yield
        finally:
            self.leave(company.id)

    def leave(self, company_id: int) -> None:
        self.under_way -= 1
        self.of_company[company_id] -= 1
        if not self.of_company[company_id]:
            del self.of_company[company_id]


def read_format(content_type: str) -> str:
    """The format of an upload by its Content-Type.

    Raises:
        ValidationFailed: it is neither JSON nor CSV, or not in UTF-8.
    """
    media_type, parameters = read_parameters(content_type or DEFAULT_CONTENT_TYPE)
    kind = FORMATS.get(media_type.lower())
    if kind is None or parameters.get("charset", "").lower() not in CHARSETS:
        rule = "Must be application/json or text/csv, in UTF-8."
        raise ValidationFailed(Failure("Content-Type", rule, content_type))
    return kind


async def receive_upload(app: App, element: Element, kind: str, gate: UploadGate, request: Request) -> Answer:
    """Answer an upload: 204, or 201 with the sync it started."""
    timeout = app.settings.request_timeout_seconds
    deadline = asyncio.get_running_loop().time() + timeout
    refuse_form(request)
    caller = await authenticate(app, request, writes=True)
    with gate.admit(caller):
        wanted = UploadRequest(
            format=read_format(request.headers.get("content-type", "")),
            idempotency_key=request.headers.get("idempotency-key", ""),
            deadline=time.monotonic() + timeout,
        )
        key = DefinitionKey(kind, read_id(request.path_parameters))
        sync = await stage(request, caller, element, key, wanted, deadline)
    return Answer(204) if sync is None else Answer(201, created_sync_body(sync))


async def stage(
    request: Request, caller: Caller, element: Element, key: DefinitionKey, wanted: UploadRequest, deadline: float
) -> Sync | None:
    receiving = await anyio.to_thread.run_sync(ReceivingUpload, caller, element, key, wanted)
    with receiving as upload:
        if "content-encoding" not in request.headers:
            check_size(int(request.headers.get("content-length", "0")))
        pending = bytearray()
        with traces.span("receive and parse"):
            async for piece in read_pieces(request, deadline):
                UPLOAD_RECEIVED_BYTES.inc(len(piece))
                pending += piece
                if len(pending) >= PIECE_BYTES:
                    await anyio.to_thread.run_sync(upload.feed, bytes(pending))
                    pending.clear()
            await anyio.to_thread.run_sync(upload.feed, bytes(pending))
        with traces.span("commit upload"):
            return await anyio.to_thread.run_sync(upload.finish)
