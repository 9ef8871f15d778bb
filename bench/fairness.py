"""Measure 16: how long a small sync waits while another company has hundreds of large ones queued.

What is counted is not time but turns: the large syncs that end after the small one was created and before it starts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct
from tests.support.postgres import OwnPostgres
from tests.support.server import RunningServer

from bench.bodies import Body, json_of_ids
from bench.client import Client
from bench.data import add_company, new_caller
from bench.filling import receive
from bench.inside import new_definition
from bench.measures import BY_ID
from bench.report import Measure, say
from bench.running import running_server
from bench.sizes import Sizes
from staithe.cli.seed import seed_with_progress
from staithe.services import syncs
from staithe.services.stores import Stores

BUSY: Final = "busy"
QUIET: Final = "quiet"
QUIET_CONTACTS: Final = 100
SYNCS_OF_A_DEFINITION: Final = 10
DIFFERENT_BODIES: Final = 10
PAUSE_SECONDS: Final = 0.2
MOST_TURNS: Final = 2
PAGE: Final = 1000


class Turn(Struct, frozen=True):
    """One small sync.

    `queued`: the large syncs that had not started when it was created; `ended`: those that ended after that and before
    it started; `waited_seconds`: from its creation to its start.
    """

    queued: int
    ended: int
    waited_seconds: float


def measure_fairness(empty: Path, postgres: OwnPostgres, sizes: Sizes) -> Measure:
    """Measure 16, on SQLite and on PostgreSQL, each in a new folder."""
    turns = {
        "SQLite": take_turns(empty / "sqlite", "", sizes),
        "PostgreSQL": take_turns(empty / "postgresql", postgres.new_database("fairness"), sizes),
    }
    notes = [
        f"{name}: {len(taken)} turns; the small sync waited {milliseconds(taken):.1f} ms (median)."
        for name, taken in turns.items()
        if taken
    ]
    load = f"{sizes.queued} syncs of {sizes.queued_ids:,} ids"
    return Measure(
        number=16,
        name=f"fairness: {load}\nqueued; those that end while another\ncompany's small sync waits, {sizes.turns} times",
        staithe="\n".join(f"{name}: {tell(taken)}" for name, taken in turns.items()),
        target=f"median at\nmost {MOST_TURNS}",
        is_met=all(is_fair(taken) for taken in turns.values()),
        notes=tuple(notes),
        figures={name: {"turns": taken} for name, taken in turns.items()},
    )


def take_turns(folder: Path, database: str, sizes: Sizes) -> list[Turn]:
    """Queue the large syncs, start a server, and let small ones come, one after another; the rest is left undone.

    A turn counts if there were enough large syncs before it that more than the target allows could have been.
    """
    queue_syncs(folder, database, sizes)
    with running_server(folder, database=database) as server:
        with closing(Client(server.url, QUIET)) as client:
            _, uri = client.new_list_definition(BY_ID)
            for _ in range(sizes.turns):
                client.run(uri, Body(b'[{"Id":"1"}]', "application/json", 1, 0))
                time.sleep(PAUSE_SECONDS)
        large, small = read_syncs(server, BUSY), read_syncs(server, QUIET)
    turns = [to_turn(sync, large) for sync in small]
    counted = [turn for turn in turns if turn.queued > MOST_TURNS]
    say(f"16: {folder.name}: {len(counted)} turns, {' '.join(tell(counted).split())}")
    return counted


def queue_syncs(folder: Path, database: str, sizes: Sizes) -> None:
    """The large syncs of one company, and another company; without a server, so that none is done meanwhile."""
    stores = Stores(folder, database)
    seed_with_progress(add_company(stores, QUIET), QUIET_CONTACTS)
    seed_with_progress(add_company(stores, BUSY), sizes.few_contacts)
    caller = new_caller(stores, BUSY)
    bodies = [json_of_ids((16, n), sizes.few_contacts, sizes.queued_ids) for n in range(DIFFERENT_BODIES)]
    definitions = [new_definition(caller, BY_ID) for _ in range(0, sizes.queued, SYNCS_OF_A_DEFINITION)]
    say(f"16: queueing {sizes.queued} syncs of {len(definitions)} definitions ...")
    for number in range(sizes.queued):
        stored = definitions[number % len(definitions)]
        receive(caller, stored, bodies[number % len(bodies)])
        with caller.database.write() as connection:
            syncs.start(connection, stored, caller)
    stores.hint_pending(caller.user.company)
    stores.close()


def read_syncs(server: RunningServer, company: str) -> list[dict[str, Any]]:
    """All syncs of a company."""
    found: list[dict[str, Any]] = []
    with closing(Client(server.url, company)) as client:
        while True:
            page = msgspec.json.decode(client.call("GET", f"/syncs?limit={PAGE}&offset={len(found)}"))
            found += page["items"]
            if not page["hasMore"]:
                return found


def to_turn(sync: Mapping[str, Any], large: Sequence[Mapping[str, Any]]) -> Turn:
    """What a small sync had to wait for."""
    created, started = moment(sync["createdAt"]), moment(sync["syncStartedAt"])
    ends = [moment(other["syncEndedAt"]) for other in large if "syncEndedAt" in other]
    starts = [moment(other["syncStartedAt"]) for other in large if "syncStartedAt" in other]
    return Turn(
        queued=len(large) - sum(at <= created for at in starts),
        ended=sum(created < at <= started for at in ends),
        waited_seconds=(started - created).total_seconds(),
    )


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def tell(turns: Sequence[Turn]) -> str:
    if not turns:
        return "the queue was too short"
    return f"median {statistics.median(t.ended for t in turns):g},\nhighest {max(t.ended for t in turns)}"


def milliseconds(turns: Sequence[Turn]) -> float:
    """How long the small sync waited: the median."""
    return statistics.median(turn.waited_seconds for turn in turns) * 1000


def is_fair(turns: Sequence[Turn]) -> bool:
    return bool(turns) and statistics.median(turn.ended for turn in turns) <= MOST_TURNS
