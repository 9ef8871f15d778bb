"""Many clients of one definition and one list at once: there is always an order that explains their answers."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from staithe.domain.id_set import IdSet
from staithe.services.stores import CompanyStore
from staithe.storage import sets
from staithe.storage.tables import CHANGE, ID_SET, SET_CHANGE, SYNC
from tests.conftest import StartServer
from tests.support.api import FINAL, Api, add_to_list
from tests.support.audit import Replay, check_changes_of_syncs, check_files
from tests.support.orders import CONFLICT, DONE, GONE, REFUSED, Operation, SyncEnd, begin, check_order
from tests.support.server import RunningServer
from tests.support.waiting import LONGEST_SECONDS

ROUNDS, MOST_ROUNDS, CLIENTS, REQUESTS = 12, 100, 4, 6
IDS_PER_UPLOAD = 20
CONTACTS = 20_000
PROCESSES = ("--http-workers", "2", "--workers", "2", "--lease-seconds", "60")
"""Of two processes each. On a busy machine a lease of the usual length can end while its worker waits for the disk."""
KINDS = ("upload", "start", "replace", "clear", "read", "look")
WEIGHTS = (8, 5, 3, 1, 2, 2)


def ids_of(label: int) -> range:
    """The contacts of an upload, which no other has."""
    first = label * IDS_PER_UPLOAD + 1
    return range(first, first + 1 + label % IDS_PER_UPLOAD)


def labels_of(ids: IdSet) -> frozenset[int]:
    """The uploads whose contacts are in a set: of each all are, and there are no others."""
    labels = frozenset((number - 1) // IDS_PER_UPLOAD for number in ids)
    assert ids == IdSet.union(IdSet.of(ids_of(label)) for label in labels), "a part of an upload"
    return labels


@dataclass
class Round:
    """One definition, its two lists, and what was done with it."""

    store: CompanyStore
    uri: str
    lists: dict[str, int]
    history: list[Operation] = field(default_factory=list)
    sizes: dict[int, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def number(self) -> int:
        return int(self.uri.rpartition("/")[2])

    def action(self, name: str) -> dict[str, str]:
        return add_to_list(self.lists[name])

    def note(self, kind: str, given: Any, answer: Any, began: float, ended: float) -> None:
        with self.lock:
            self.history.append(Operation(kind, given, answer, began, ended))

    def members(self) -> tuple[tuple[str, frozenset[int]], ...]:
        """Both lists at one moment."""
        with self.store.database.read() as connection:
            found = {name: sets.load_set(connection, f"contactList/{number}") for name, number in self.lists.items()}
        return tuple((name, labels_of(ids)) for name, ids in found.items())


class Client:
    """Sends requests, and notes what it was answered. Each goes over a connection of its own, so to any process."""

    def __init__(self, api: Api, tested: Round, chance: random.Random) -> None:
        self.api, self.round, self.chance = api, tested, chance
        self.syncs: list[tuple[str, float]] = []

    def request(self, kind: str, label: int) -> None:
        """One request of a kind; an upload has a label that no other has."""
        given: Any = {"upload": label, "replace": self.chance.choice(list(self.round.lists))}.get(kind)
        began = time.monotonic()
        answer = getattr(self, kind)(given)
        self.round.note(kind, given, answer, began, time.monotonic())
        if kind == "start" and answer != REFUSED:
            self.syncs.append((answer, began))

    def upload(self, label: int) -> str:
        with self.round.lock:
            self.round.sizes[label] = len(ids_of(label))
        return self.meaning(self.api.upload(self.round.uri, [{"Id": number} for number in ids_of(label)]), 204)

    def replace(self, target: str) -> str:
        body = {
            "name": "replaced",
            "fields": {"Id": "{{Contact.Id}}"},
            "identifierFieldName": "Id",
            "syncActions": [self.round.action(target)],
        }
        return self.meaning(self.api.bulk("PUT", self.round.uri, json=body), 200, "replaced")

    def clear(self, _: None) -> str:
        return self.meaning(self.api.bulk("DELETE", f"{self.round.uri}/data"), 204, "emptied")

    def delete(self, _: None) -> str:
        return self.meaning(self.api.bulk("DELETE", self.round.uri), 204)

    def read(self, _: None) -> str:
        answer = self.api.bulk("GET", self.round.uri)
        if self.meaning(answer, 200) == GONE:
            return GONE
        return next(name for name in self.round.lists if answer.json()["syncActions"] == [self.round.action(name)])

    def start(self, _: None) -> str:
        answer = self.api.bulk("POST", "/syncs", json={"syncedInstanceUri": self.round.uri})
        if answer.status_code == 400:
            rule = f"Must be the uri of a definition that exists: {gone_body(self.round.number)['message']}"
            failure = {"field": "syncedInstanceUri", "value": self.round.uri, "constraint": rule}
            assert answer.json() == {"failures": [failure]}
            return REFUSED
        assert answer.status_code == 201, answer.text
        return str(answer.json()["uri"])

    def look(self, _: None) -> tuple[tuple[str, frozenset[int]], ...]:
        return self.round.members()

    def meaning(self, answer: httpx.Response, done: int, conflict: str = "") -> str:
        """What an answer says; no other answer is right."""
        if answer.status_code == done:
            return DONE
        number = self.round.number
        known = {GONE: gone_body(number)} | ({CONFLICT: conflict_body(number, conflict)} if conflict else {})
        assert answer.json() in known.values(), (answer.request.method, answer.status_code, answer.text)
        assert answer.status_code == answer.json()["status"]
        return next(name for name, body in known.items() if body == answer.json())


def gone_body(number: int) -> dict[str, Any]:
    return {
        "status": 410,
        "error": "Gone",
        "message": f"The sync action definition {number} of contacts was deleted or has expired.",
        "advice": "Create a new definition.",
    }


def conflict_body(number: int, what: str) -> dict[str, Any]:
    return {
        "status": 409,
        "error": "Conflict",
        "message": f"Definition {number} cannot be {what} while a sync of it is pending or active.",
        "advice": "Wait until GET /syncs/{id} shows success, warning or error, then send the request again.",
    }


class Watch:
    """Asks for every sync again and again, so that it is known between which moments it ended."""

    def __init__(self, api: Api, clients: Sequence[Client]) -> None:
        self.api, self.clients = api, clients
        self.seen_unfinished: dict[str, float] = {}
        self.ended: dict[str, tuple[str, float, float]] = {}
        self.stopping = threading.Event()

    def run(self) -> None:
        """Until `stopping` is set, and every sync has ended."""
        limit = time.monotonic() + 120
        while not self.stopping.is_set() or self.unfinished():
            assert time.monotonic() < limit, f"not ended: {self.unfinished()}"
            for sync, began in self.unfinished():
                self.ask(sync, began)
            time.sleep(0.005)

    def unfinished(self) -> list[tuple[str, float]]:
        return [sync for client in self.clients for sync in list(client.syncs) if sync[0] not in self.ended]

    def ask(self, sync: str, started: float) -> None:
        asked = time.monotonic()
        status = self.api.bulk("GET", sync).raise_for_status().json()["status"]
        if status in FINAL:
            self.ended[sync] = (status, self.seen_unfinished.get(sync, started), time.monotonic())
        else:
            self.seen_unfinished[sync] = asked


def added_by(tested: Round, sync: str) -> tuple[tuple[str, frozenset[int]], ...]:
    """What the recorded changes of a sync added to the lists, one entry a change and list."""
    query = (
        select(ID_SET.c.name, SET_CHANGE.c.added, SET_CHANGE.c.removed)
        .join(CHANGE, CHANGE.c.id == SET_CHANGE.c.change_id)
        .join(ID_SET, ID_SET.c.id == SET_CHANGE.c.set_id)
        .where(CHANGE.c.sync_id == int(sync.rpartition("/")[2]))
        .order_by(CHANGE.c.id, ID_SET.c.id)
    )
    with tested.store.database.read() as connection:
        rows = connection.execute(query).all()
    assert not any(removed for _, _, removed in rows)
    names = {f"contactList/{number}": name for name, number in tested.lists.items()}
    return tuple((names[name], labels_of(IdSet.from_chunks([added]))) for name, added, _ in rows)


def records_in_log(api: Api, sync: str) -> int:
    """How many records a sync says that it has read."""
    return sum(line["count"] for line in api.log(sync) if line["statusCode"] == "ELQ-00140")


def side_by_side(works: Sequence[Callable[[], None]]) -> None:
    """Do some works in threads that begin at the same moment."""
    barrier = threading.Barrier(len(works))

    def begin_together(work: Callable[[], None]) -> None:
        barrier.wait(LONGEST_SECONDS)
        work()

    with ThreadPoolExecutor(len(works)) as pool:
        for future in [pool.submit(begin_together, work) for work in works]:
            future.result()


def play(tested: Round, apis: Sequence[Api], watcher: Api, chance: random.Random, labels: Callable[[], int]) -> None:
    """One round: every client sends its requests; then what still waits is synced, so that it can be seen."""
    clients = [Client(api, tested, random.Random(chance.random())) for api in apis]
    kinds = [chance.choices(KINDS, WEIGHTS, k=REQUESTS) for _ in clients]
    if chance.random() < 1 / 3:
        kinds[0][chance.randrange(2, REQUESTS)] = "delete"
        kinds[1][chance.randrange(2, REQUESTS)] = "delete"
    plans = [[(kind, labels()) for kind in of_client] for of_client in kinds]
    watch = Watch(watcher, clients)

    def send(client: Client, plan: list[tuple[str, int]]) -> None:
        for kind, label in plan:
            client.request(kind, label)

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch.run)
        try:
            side_by_side([lambda c=client, p=plan: send(c, p) for client, plan in zip(clients, plans, strict=True)])
            clients[0].request("start", 0)
        finally:
            watch.stopping.set()
        watching.result()
    for sync, (status, began, ended) in watch.ended.items():
        end = SyncEnd(status, records_in_log(watcher, sync), added_by(tested, sync))
        tested.note("end", sync, end, began, ended)
    clients[0].request("look", 0)


@pytest.fixture
def server(servers: StartServer) -> RunningServer:
    return servers(*PROCESSES)


def new_connections(server: RunningServer, login: str) -> Api:
    """A client that closes its connection after each request: the next goes to whichever process takes it."""
    api = server.api(login)
    api.client.headers["connection"] = "close"
    return api


def check_audit(store: CompanyStore) -> None:
    with store.database.read() as connection:
        Replay().follow(connection)
        check_changes_of_syncs(connection)
    check_files(store)


def test_an_order_explains_what_clients_of_one_definition_are_answered(server: RunningServer, seed: int) -> None:
    print(f"--torture-seed {seed}")
    chance = random.Random(seed)
    api, store = server.new_company("orders", contacts=CONTACTS)
    apis = [new_connections(server, "orders\\ann:secret") for _ in range(CLIENTS)]
    taken: list[int] = []

    def next_label() -> int:
        taken.append(len(taken))
        return taken[-1]

    wanted = {("upload", DONE), ("replace", DONE), ("replace", CONFLICT), ("read", "A"), ("read", "B")}
    seen: set[tuple[str, str]] = set()
    for number in range(MOST_ROUNDS):
        # What happens in a round is up to who comes first.
        if number >= ROUNDS and wanted <= seen:
            break
        lists = {name: api.new_list(name) for name in "AB"}
        tested = Round(store, api.define(add_to_list(lists["A"])), lists)
        play(tested, apis, api, chance, next_label)
        check_order(tested.history, begin("A", list(lists)), tested.sizes)
        seen |= {
            (o.kind, o.answer) for o in tested.history if isinstance(o.answer, str) and not o.answer.startswith("/")
        }
    assert wanted <= seen
    check_audit(store)
    assert server.stop() == 0


def test_syncs_that_write_the_same_lists_in_opposite_order_neither_block_nor_lose(server: RunningServer) -> None:
    syncs, uploads_each = 15, 200
    api, store = server.new_company("opposite", contacts=CONTACTS)
    lists = [api.new_list(name) for name in "AB"]
    orders = [lists, lists[::-1], lists, lists[::-1]]
    ended: list[str] = []

    def sync_again_and_again(client: Api, uri: str, number: int) -> None:
        for repeat in range(syncs):
            first = (number * syncs + repeat) * uploads_each + 1
            assert client.upload(uri, [{"Id": i} for i in range(first, first + uploads_each)]).status_code == 204
            ended.append(client.sync(uri, 120)["status"])

    works: list[Callable[[], None]] = []
    for number, order in enumerate(orders):
        client = new_connections(server, "opposite\\ann:secret")
        uri = api.define(*map(add_to_list, order))
        works.append(lambda c=client, u=uri, n=number: sync_again_and_again(c, u, n))
    side_by_side(works)
    assert ended == ["success"] * syncs * len(orders)
    with store.database.read() as connection:
        assert set(map(tuple, connection.execute(select(SYNC.c.status, SYNC.c.attempts)))) == {("success", 1)}
        for number in lists:
            expected = IdSet.span(1, syncs * len(orders) * uploads_each)
            assert sets.load_set(connection, f"contactList/{number}") == expected
    check_audit(store)
    assert server.stop() == 0
