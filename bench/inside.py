"""Where the time of an upload and its sync goes inside: the server's own functions, called one by one and timed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from tests.support.api import add_to_list

from bench.data import LARGE, new_caller
from bench.filling import CONTACTS, claim_sync, receive
from bench.measures import Case, count_of
from bench.report import Breakdown, break_down, say
from bench.sizes import Sizes
from staithe.domain.definitions import SYNC_ACTIONS, StoredDefinition, SyncActionDefinition
from staithe.domain.plan import plan_sync
from staithe.services import definitions
from staithe.services.caller import Caller
from staithe.services.run_sync_actions import commit, match_uploads
from staithe.services.stores import Stores
from staithe.storage import assets, uploads

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
        caller = new_caller(stores, LARGE)
        stored = new_definition(caller, case.statement)
        figures.append(receive(caller, stored, body) | time_sync(caller, stored))
    say(f"{case.number}: taken apart in {sizes.runs} runs")
    return break_down(f"{case.number}, inside, in one process", PARTS, figures)


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


def time_sync(caller: Caller, stored: StoredDefinition) -> dict[str, float]:
    """Run a sync as a worker does."""
    assert isinstance(stored.definition, SyncActionDefinition)
    run, plan = claim_sync(caller, stored), plan_sync(stored.definition)
    began = time.perf_counter()
    with caller.database.read(maps=True) as connection:
        staged = uploads.uploads_of_sync(connection, run.sync.id)
        matches = match_uploads(run, connection, plan, stored, staged)
    matched = time.perf_counter()
    if not commit(run, plan, staged, matches):
        raise RuntimeError("contacts changed during the benchmark: leave its data directory to it")
    return {"match": matched - began, "commit": time.perf_counter() - matched}
