"""Rounds of load under which processes are killed, and what must hold after each.

Every round has a contact list and an email group of its own. Its clients put disjoint ranges of contacts on the
list and unsubscribe them from the group, in one definition: so the members tell which upload was applied, the two
sets tell whether a sync was applied half, and the counts in the logs whether anything was done twice.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx
from sqlalchemy import func, select

from staithe.domain.companies import Company
from staithe.domain.definitions import SYNC_ACTIONS, DefinitionKey
from staithe.domain.id_set import IdSet
from staithe.services import retention
from staithe.services.stores import CompanyStore
from staithe.storage import sets, uploads
from staithe.storage.tables import SYNC, SYNC_LOG, UPLOAD
from tests.fault.processes import child, kill_everything, kill_supervisor
from tests.support.api import Api, add_to_list
from tests.support.audit import Replay, check_changes_of_syncs, check_files, check_integrity, staged_values
from tests.support.server import HTTP, WORKER, RunningServer
from tests.support.waiting import LONGEST_SECONDS, until

CONTACTS = 20_000
CLIENTS = 3
LOGIN = "tortured\\ann:secret"
UNKNOWN_IDS = range(900_000, 900_010)
LIGHT = ("worker", "worker", "http", "http", "both")
HEAVY = ("everything", "everything", "everything", "supervisor", "terminate")
LONGEST_LOAD_SECONDS = 1.0
ROUNDS_PER_HEAVY = 5
"""The supervisor gives up on a child that dies five times in a row: after four light rounds it is started anew."""


@dataclass
class Sent:
    """An upload. Its outcome is unknown until it was answered."""

    ids: range
    unknown: list[int]
    acknowledged: bool = False

    @property
    def values(self) -> list[int]:
        """What was sent, in order."""
        return [*self.ids, *self.unknown]


@dataclass
class Load:
    """What the clients of a round have sent, and where to."""

    list_id: int
    group_id: int
    stop: threading.Event = field(default_factory=threading.Event)
    sent: list[Sent] = field(default_factory=list)
    definitions: list[str] = field(default_factory=list)


class Client(threading.Thread):
    """Defines, uploads and syncs until it is told to stop. `problem` is the answer it should not have got."""

    def __init__(self, url: str, load: Load, chance: random.Random, contacts: range) -> None:
        super().__init__(daemon=True)
        self.api, self.load, self.chance = Api(url, LOGIN), load, chance
        self.left = contacts
        self.definitions: list[str] = []
        self.problem: BaseException | None = None

    def run(self) -> None:
        """The thread."""
        try:
            while not self.load.stop.is_set():
                self.step()
        except BaseException as error:
            self.problem = error
        finally:
            self.api.client.close()

    def step(self) -> None:
        """One request, or a few that belong together."""
        try:
            if not self.definitions or self.chance.random() < 0.05:
                self.define()
            elif self.chance.random() < 0.6 and len(self.left) > 500:
                self.upload()
            else:
                body = {"syncedInstanceUri": self.chance.choice(self.definitions)}
                answer = self.api.bulk("POST", "/syncs", json=body)
                assert answer.status_code == 201, answer.text
        except httpx.ConnectError:
            # Nobody listens: the whole server is gone, and the round about to stop.
            self.load.stop.wait(0.02)
        except httpx.TransportError:
            return

    def define(self) -> None:
        unsubscribe = f"{{{{EmailGroup[{self.load.group_id}]}}}}"
        uri = self.api.define(
            add_to_list(self.load.list_id),
            {"action": "setStatus", "destination": unsubscribe, "status": "unsubscribed"},
            isSyncTriggeredOnImport=self.chance.random() < 0.3,
        )
        self.definitions.append(uri)
        self.load.definitions.append(uri)

    def upload(self) -> None:
        """Upload the next contacts; with a key it may be sent again until it is answered."""
        count = self.chance.choice([20, 200, 200, 500])
        sent = Sent(self.left[:count], self.chance.sample(UNKNOWN_IDS, self.chance.choice([0, 0, 3])))
        self.left = self.left[count:]
        self.load.sent.append(sent)
        uri = self.chance.choice(self.definitions)
        has_key = self.chance.random() < 0.5
        headers = {"Idempotency-Key": f"upload {sent.ids[0]} to {self.load.list_id}"} if has_key else {}
        if self.chance.random() < 0.5:
            body = json.dumps([{"Id": value} for value in sent.values]).encode()
        else:
            body = "\n".join(["Id", *map(str, sent.values)]).encode()
            headers["content-type"] = "text/csv"
        while True:
            try:
                answer = self.api.upload(uri, body, **headers)
            except httpx.TransportError:
                if has_key and not self.load.stop.wait(0.02):
                    continue
                raise
            assert answer.status_code in (201, 204), answer.text
            sent.acknowledged = True
            return


class Torture:
    """A server on one data directory, through as many rounds as it takes."""

    def __init__(self, start: Callable[[], RunningServer], chance: random.Random) -> None:
        self.start, self.chance = start, chance
        self.server = start()
        _, store = self.server.new_company(LOGIN.partition("\\")[0], contacts=CONTACTS)
        self.company: Company = store.company
        self.replay = Replay()
        self.last_sync = 0
        self.killed: list[str] = []

    @property
    def store(self) -> CompanyStore:
        """The tortured company's store."""
        return self.server.stores.open(self.company)

    def play(self, number: int) -> None:
        """One round."""
        victim = self.chance.choice(HEAVY if number % ROUNDS_PER_HEAVY == 0 else LIGHT)
        self.killed.append(victim)
        api = self.server.api(LOGIN)
        load = Load(api.new_list(f"list of round {number}"), api.new_group(f"group of round {number}"))
        clients = self.clients(load)
        for client in clients:
            client.start()
        self.wait_for_a_random_moment(load)
        self.strike(victim)
        load.stop.set()
        for client in clients:
            client.join(LONGEST_SECONDS)
            assert not client.is_alive(), "a client waits forever"
            if client.problem is not None:
                raise client.problem
        self.check_nothing_acknowledged_is_lost(load)
        self.finish(load)
        self.check_outcome(load)

    def wait_for_a_random_moment(self, load: Load) -> None:
        """Some uploads into the load, often just when a sync is under way, and a little later.

        So the blow may fall anywhere in what a request or a sync does.
        """
        wanted, is_aimed = self.chance.randrange(15), self.chance.random() < 0.7
        limit = time.monotonic() + LONGEST_LOAD_SECONDS
        until(lambda: sum(s.acknowledged for s in load.sent) >= wanted or time.monotonic() > limit, "some load")
        if is_aimed:
            until(lambda: self.count(SYNC.c.status == "active") > 0 or time.monotonic() > limit, "a running sync")
        time.sleep(self.chance.uniform(0, 0.03))

    def clients(self, load: Load) -> list[Client]:
        share = CONTACTS // CLIENTS
        return [
            Client(
                self.server.url, load, random.Random(self.chance.random()), range(n * share + 1, (n + 1) * share + 1)
            )
            for n in range(CLIENTS)
        ]

    def strike(self, victim: str) -> None:
        """Kill; what the supervisor does not bring back is started again."""
        if victim in ("worker", "both"):
            child(self.server, WORKER).kill()
        if victim in ("http", "both"):
            child(self.server, HTTP).kill()
        if victim not in HEAVY:
            return
        if victim == "everything":
            kill_everything(self.server)
        elif victim == "supervisor":
            kill_supervisor(self.server)
        else:
            assert self.server.stop() == 0
        self.server = self.start()

    def check_nothing_acknowledged_is_lost(self, load: Load) -> None:
        """Before anything more is asked of the server: an upload is whole on the list, or whole in a readable file."""
        with self.store.database.read() as connection:
            members = sets.load_set(connection, f"contactList/{load.list_id}")
            rows = connection.execute(select(UPLOAD.c.id, UPLOAD.c.file, UPLOAD.c.records)).all()
        staged = {first: values for first, values in self.read_staged(rows)}
        for sent in load.sent:
            if sent.ids[0] in staged:
                assert staged[sent.ids[0]] == sent.values, "a staged file has other rows than were sent"
            elif sent.acknowledged and sent.ids[0] not in members:
                with self.store.database.read() as connection:
                    members = sets.load_set(connection, f"contactList/{load.list_id}")
                assert sent.ids[0] in members, f"{sent} was acknowledged, and is lost"

    def read_staged(self, rows: Iterable[Any]) -> Iterable[tuple[int, list[int]]]:
        """The first value and all values of each staged file, without those that a worker has just finished with."""
        for upload_id, file, records in rows:
            try:
                values = [int(value or 0) for value in staged_values(self.store, file, "Id")]
            except FileNotFoundError:
                with self.store.database.read() as connection:
                    gone = connection.execute(select(UPLOAD.c.id).where(UPLOAD.c.id == upload_id)).first() is None
                assert gone, f"{file} of upload {upload_id} is not there"
                continue
            assert len(values) == records
            yield values[0], values

    def finish(self, load: Load) -> None:
        """Sync what still waits, and wait until every sync has ended."""
        api = self.server.api(LOGIN)
        for uri in load.definitions:
            key = DefinitionKey(SYNC_ACTIONS, int(uri.rpartition("/")[2]))
            with self.store.database.read() as connection:
                waiting = uploads.waiting_uploads(connection, key)
            if waiting:
                answer = api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri})
                assert answer.status_code == 201, answer.text
        api.client.close()
        until(lambda: self.count(SYNC.c.ended_at.is_(None)) == 0, "the end of every sync")

    def count(self, condition: Any) -> int:
        with self.store.database.read() as connection:
            return connection.execute(select(func.count()).select_from(SYNC).where(condition)).scalar_one()

    def check_outcome(self, load: Load) -> None:
        """Everything was done, once, and whole."""
        with self.store.database.read() as connection:
            members = sets.load_set(connection, f"contactList/{load.list_id}")
            unsubscribed = sets.load_set(connection, f"emailGroup/{load.group_id}/unsubscribed")
            assert uploads.count_uploads(connection) == 0, "an upload was left behind"
            self.replay.follow(connection)
            check_changes_of_syncs(connection)
            check_integrity(connection)
        assert members == unsubscribed, "a sync was applied half"
        applied = [sent for sent in load.sent if sent.ids[0] in members]
        assert members == IdSet.union(IdSet.of(sent.ids) for sent in applied), "an upload was applied half"
        assert not [sent for sent in load.sent if sent.acknowledged and sent not in applied]
        self.check_counts(applied)
        retention.sweep(self.store, 0)
        check_files(self.store)

    def check_counts(self, applied: list[Sent]) -> None:
        """The logs of the round's syncs speak of each applied upload once."""
        of_round = SYNC.c.id > self.last_sync
        with self.store.database.read() as connection:
            statuses = set(connection.execute(select(SYNC.c.status).where(of_round)).scalars())
            rejected = connection.execute(select(func.sum(SYNC.c.reject_count)).where(of_round)).scalar() or 0
            processed = connection.execute(
                select(func.sum(SYNC_LOG.c["count"])).where(
                    SYNC_LOG.c.sync_id > self.last_sync, SYNC_LOG.c.code == "ELQ-00001"
                )
            ).scalar()
            self.last_sync = connection.execute(select(func.max(SYNC.c.id))).scalar() or 0
        assert statuses <= {"success", "warning"}, f"syncs ended in {statuses}"
        assert (processed or 0) == sum(len(sent.values) for sent in applied), "an upload was read twice, or not"
        assert rejected == sum(len(sent.unknown) for sent in applied)
