"""Where the time of an upload and its sync goes inside: the server's own functions, called one by one and timed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from tests.support.api import add_to_list

from bench.bodies import Body
from bench.data import LARGE, PASSWORD, USER, open_company
from bench.measures import Case, count_of
from bench.report import Breakdown, break_down, say
from bench.sizes import MIB, Sizes
from staithe.clock import system_clock
from staithe.config import Settings
from staithe.domain.definitions import SYNC_ACTIONS, StoredDefinition, SyncActionDefinition
from staithe.domain.elements import ELEMENTS
from staithe.domain.limits import DAY
from staithe.domain.plan import plan_sync
from staithe.services import definitions
from staithe.services import syncs as sync_services
from staithe.services.accounts import Logins
from staithe.services.caller import Caller
from staithe.services.run_sync_actions import commit, match_uploads
from staithe.services.stores import Stores
from staithe.services.sync_run import Run
from staithe.services.uploads import ReceivingUpload, UploadRequest
from staithe.storage import assets, syncs, uploads

OWNER: Final = "bench"
CONTACTS: Final = next(element for element in ELEMENTS if element.name == "contacts")
FORMATS: Final = {"application/json": "JSON", "text/csv": "CSV"}
PARTS: Final = {
    "parse": "upload: parsed, and written to the staged file",
    "make_durable": "upload: file and row made durable",
    "match": "sync: records matched to contacts, rejects written",
    "commit": "sync: sets changed, all made durable",
}


def measure_inside(stores: Stores, sizes: Sizes, case: Case) -> Breakdown:
    """The parts of a case, in this process. No server may run on the data: its worker would take the sync."""
    figures: list[Mapping[str, float]] = []
    for run in range(sizes.runs):
        body = case.make_body((case.number, run), sizes.contacts, count_of(case, sizes))
        caller = new_caller(stores)
        stored = new_definition(caller, case.statement)
        figures.append(time_upload(caller, stored, body) | time_sync(caller, stored))
    say(f"{case.number}: taken apart in {sizes.runs} runs")
    return break_down(f"{case.number}, inside, in one process", PARTS, figures)


def new_caller(stores: Stores) -> Caller:
    user = Logins(stores).verify(f"{LARGE}\\{USER}", PASSWORD)
    return Caller(user, stores, open_company(stores, LARGE), system_clock())


def new_definition(caller: Caller, statement: str) -> StoredDefinition:
    """A definition that adds to a list of its own."""
    with caller.database.write() as connection:
        columns = {"name": "bench", "data_lookup_id": "bench"}
        list_id = assets.add_asset(connection, "contactlist", columns, caller.now, caller.name)
    properties = {
        "name": "bench",
        "fields": {"Id": statement},
        "identifierFieldName": "Id",
        "syncActions": [add_to_list(list_id)],
    }
    return definitions.create(caller, CONTACTS, SYNC_ACTIONS, properties)


def time_upload(caller: Caller, stored: StoredDefinition, body: Body) -> dict[str, float]:
    """Receive a body as the HTTP process does, a MiB at a time."""
    limit = time.monotonic() + 3600
    request = UploadRequest(FORMATS[body.content_type], "", Settings().staging_quota_kb, limit)
    with ReceivingUpload(caller, CONTACTS, stored.key, request) as upload:
        began = time.perf_counter()
        for start in range(0, len(body.content), MIB):
            upload.feed(body.content[start : start + MIB])
        parsed = time.perf_counter()
        upload.finish()
        ended = time.perf_counter()
    return {"parse": parsed - began, "make_durable": ended - parsed}


def time_sync(caller: Caller, stored: StoredDefinition) -> dict[str, float]:
    """Run a sync as a worker does."""
    with caller.database.write() as connection:
        sync_services.start(connection, stored, caller)
        sync = syncs.claim(connection, OWNER, caller.now, caller.now + DAY)
    if sync is None:
        raise RuntimeError("another process has taken the sync: stop the server first")
    assert isinstance(stored.definition, SyncActionDefinition)
    run, plan = Run(caller.store, sync, OWNER, system_clock), plan_sync(stored.definition)
    began = time.perf_counter()
    with caller.database.read() as connection:
        staged = uploads.uploads_of_sync(connection, sync.id)
        matches = match_uploads(run, connection, plan, stored, staged)
    matched = time.perf_counter()
    if not commit(run, plan, staged, matches):
        raise RuntimeError("contacts changed during the benchmark: leave its data directory to it")
    return {"match": matched - began, "commit": time.perf_counter() - matched}
