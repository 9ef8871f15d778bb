"""Uploads and syncs without a server: the same functions, in this process. No server may run on the data meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Final

from bench.bodies import Body
from bench.records import EMAIL
from bench.sizes import MIB
from staithe.clock import system_clock
from staithe.domain.definitions import IMPORTS, StoredDefinition
from staithe.domain.elements import ELEMENTS
from staithe.domain.limits import DAY
from staithe.services import definitions
from staithe.services import syncs as sync_services
from staithe.services.caller import Caller
from staithe.services.run_import import attempt_import
from staithe.services.sync_run import Run
from staithe.services.uploads import ReceivingUpload, UploadRequest
from staithe.storage import syncs

OWNER: Final = "bench"
CONTACTS: Final = next(element for element in ELEMENTS if element.name == "contacts")
FORMATS: Final = {"application/json": "JSON", "text/csv": "CSV"}


def statements_of(fields: Sequence[str]) -> dict[str, str]:
    """The `fields` of a definition whose names are those of the contact fields."""
    return {name: "{{Contact.Field(%s)}}" % name for name in fields}


def new_import(caller: Caller, fields: Sequence[str]) -> StoredDefinition:
    """An import that finds contacts by their email address."""
    properties = {"name": "bench", "fields": statements_of(fields), "identifierFieldName": EMAIL}
    return definitions.create(caller, CONTACTS, IMPORTS, properties)


def fill(caller: Caller, fields: Sequence[str], contents: Iterable[bytes]) -> None:
    """Import records in JSON."""
    stored = new_import(caller, fields)
    for content in contents:
        receive(caller, stored, Body(content, "application/json", 0, 0))
    attempt_import(claim_sync(caller, stored))


def receive(caller: Caller, stored: StoredDefinition, body: Body) -> dict[str, float]:
    """Receive a body as the HTTP process does, a MiB at a time; gives the seconds of both parts."""
    limit = time.monotonic() + 3600
    request = UploadRequest(FORMATS[body.content_type], "", limit)
    with ReceivingUpload(caller, CONTACTS, stored.key, request) as upload:
        began = time.perf_counter()
        for start in range(0, len(body.content), MIB):
            upload.feed(body.content[start : start + MIB])
        parsed = time.perf_counter()
        upload.finish()
        ended = time.perf_counter()
    return {"parse": parsed - began, "make_durable": ended - parsed}


def claim_sync(caller: Caller, stored: StoredDefinition) -> Run:
    """Begin a sync as a worker does.

    Raises:
        RuntimeError: a worker was faster.
    """
    with caller.database.write() as connection:
        sync_services.start(connection, stored, caller)
        sync = syncs.claim(connection, OWNER, caller.now, caller.now + DAY)
    if sync is None:
        raise RuntimeError("another process has taken the sync: stop the server first")
    return Run(caller.store, sync, OWNER, system_clock)
