"""Random histories of contacts and their states, against a naive model that is keyed by the address alone."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import select

from staithe.domain.definitions import IMPORTS
from staithe.domain.errors import NotUnique
from staithe.domain.identifiers import IdentifierKind
from staithe.services import assets, contacts, run_import, syncs
from staithe.services.stores import Stores
from staithe.storage.tables import CONTACT
from tests.conftest import NewDatabase
from tests.property.effort import examples
from tests.property.import_model import Sent
from tests.property.import_world import STATEMENTS, ImportWorld
from tests.property.model import global_action, group_action
from tests.property.test_operations import MEMORY
from tests.property.world import Defined
from tests.support.audit import kept_states, stored_sets

NAMES = st.sampled_from("abcd")
TRUTH = st.sampled_from([None, True, False])
STATES = {"bounced": "{{Contact.Email.IsBounced}}", "subscribed": "{{Contact.Email.IsSubscribed}}"}
WIRE = {None: "", True: "1", False: "False"}
MAIL_IMPORT = {"mail": STATEMENTS["email"], **STATES}
ID_IMPORT = {"id": STATEMENTS["id"], **MAIL_IMPORT}
SENT = st.lists(st.tuples(NAMES, TRUTH, TRUTH), min_size=1, max_size=4)
RENAMED = st.lists(st.tuples(NAMES, NAMES, TRUTH, TRUTH), min_size=1, max_size=4)
STEPS = st.one_of(
    st.tuples(st.just("create"), NAMES, TRUTH),
    st.tuples(st.just("bring"), SENT),
    st.tuples(st.just("rename"), NAMES, NAMES, TRUTH),
    st.tuples(st.just("rename_by_import"), RENAMED),
    st.tuples(st.just("rename_by_import"), RENAMED),
    st.tuples(st.just("delete"), NAMES),
    st.tuples(st.just("delete"), NAMES),
    st.tuples(st.just("act"), st.integers(0, 3), st.lists(NAMES, max_size=3)),
    st.tuples(st.just("act"), st.integers(0, 3), st.lists(NAMES, max_size=3)),
    st.tuples(st.just("delete_group")),
)
COMPANIES = itertools.count(1)
TURNS = itertools.count(1)
UNSUBSCRIBED, BOUNCED = "globalUnsubscribed", "bounced"


class Histories:
    """A company, and what is known of some addresses of it: which have a contact, and which states each has."""

    def __init__(self, stores: Stores) -> None:
        self.bulk = ImportWorld(stores, f"company{next(COMPANIES)}")
        self.world = self.bulk.world
        self.by_mail = self.bulk.define(IMPORTS, {"name": "a", "fields": MAIL_IMPORT, "identifierFieldName": "mail"})
        self.by_id = self.bulk.define(IMPORTS, {"name": "b", "fields": ID_IMPORT, "identifierFieldName": "id"})

    def begin(self) -> None:
        """Forget the addresses: others are used from now on, with a new group."""
        self.turn = next(TURNS)
        self.ids: dict[str, int] = {}
        self.states: dict[str, set[str]] = {}
        group, _ = assets.create(self.world.caller, "emailgroup", {"name": "g"})
        self.group = group.id
        self.actions: list[Defined] = []
        for action in (
            global_action(subscribed=False),
            global_action(subscribed=True),
            group_action(group.id, subscribed=True),
            group_action(group.id, subscribed=False),
        ):
            self.actions.append(self.world.define(IdentifierKind.EMAIL_ADDRESS, [action], is_triggered=False))

    def address(self, name: str) -> str:
        return f"{name}.{self.turn}@x.yz"

    def of(self, name: str) -> set[str]:
        return self.states.setdefault(self.address(name), set())

    def create(self, name: str, subscribed: bool | None) -> None:
        properties = {"emailAddress": self.address(name).upper(), "isSubscribed": subscribed}
        if self.address(name) in self.ids:
            with pytest.raises(NotUnique):
                contacts.create(self.world.caller, properties)
            return
        self.ids[self.address(name)] = contacts.create(self.world.caller, properties).contact.id
        if subscribed is False:
            self.of(name).add(UNSUBSCRIBED)

    def rename(self, old: str, new: str, subscribed: bool | None) -> None:
        if self.address(old) not in self.ids:
            return
        number = self.ids[self.address(old)]
        properties = {"emailAddress": self.address(new), "isSubscribed": subscribed}
        if old != new and self.address(new) in self.ids:
            with pytest.raises(NotUnique):
                contacts.change(self.world.caller, number, properties)
            return
        contacts.change(self.world.caller, number, properties)
        self.move(old, new)
        if subscribed is False:
            self.of(new).add(UNSUBSCRIBED)
        elif subscribed and old == new:
            self.of(new).discard(UNSUBSCRIBED)

    def move(self, old: str, new: str) -> None:
        self.ids[self.address(new)] = self.ids.pop(self.address(old))

    def delete(self, name: str) -> None:
        if self.address(name) in self.ids:
            contacts.delete(self.world.caller, self.ids.pop(self.address(name)))

    def send(self, key: Any, rows: list[dict[str, str] | None]) -> None:
        self.bulk.upload(key, Sent(rows), [], "JSON")
        syncs.create(self.world.caller, {"syncedInstanceUri": f"/contacts/imports/{key.id}"})
        self.world.work()

    def bring(self, records: list[tuple[str, bool | None, bool | None]]) -> None:
        """Import records that are found by their address; repeated ones are refused."""
        rows = [
            {"mail": self.address(name), "bounced": WIRE[bounced], "subscribed": WIRE[subscribed]}
            for name, bounced, subscribed in records
        ]
        self.send(self.by_mail, list(rows))
        self.learn_ids()
        done: set[str] = set()
        for name, bounced, subscribed in records:
            if name not in done:
                self.take(name, bounced, subscribed)
            done.add(name)

    def take(self, name: str, bounced: bool | None, subscribed: bool | None) -> None:
        if bounced is not None:
            (self.of(name).add if bounced else self.of(name).discard)(BOUNCED)
        if subscribed is False:
            self.of(name).add(UNSUBSCRIBED)

    def rename_by_import(self, records: list[tuple[str, str, bool | None, bool | None]]) -> None:
        """Import records that are found by their contact's id: one may take the address that another has given up."""
        rows: list[dict[str, str] | None] = []
        wanted: list[tuple[int, str, bool | None, bool | None]] = []
        for old, new, bounced, subscribed in records:
            number = self.ids.get(self.address(old))
            if number is not None:
                states = {"bounced": WIRE[bounced], "subscribed": WIRE[subscribed]}
                rows.append({"id": str(number), "mail": self.address(new), **states})
                wanted.append((number, new, bounced, subscribed))
        if not rows:
            return
        self.send(self.by_id, rows)
        done: set[int] = set()
        for number, new, bounced, subscribed in wanted:
            owner = self.ids.get(self.address(new))
            if number in done or owner not in (None, number):
                continue
            done.add(number)
            old = next(address for address, known in self.ids.items() if known == number)
            del self.ids[old]
            self.ids[self.address(new)] = number
            self.take(new, bounced, subscribed)

    def learn_ids(self) -> None:
        with self.world.store.database.read() as connection:
            rows = connection.execute(select(CONTACT.c.email_key, CONTACT.c.id)).all()
        self.ids = {address: number for address, number in rows if address.endswith(f".{self.turn}@x.yz")}

    def act(self, place: int, names: list[str]) -> None:
        """Take a sync action for those that have a contact."""
        known = [name for name in names if self.address(name) in self.ids]
        if not (known and self.actions):
            return
        defined = self.actions[place % len(self.actions)]
        self.world.upload_json(defined, [{"Id": self.address(name)} for name in known])
        defined.waiting = []
        syncs.create(self.world.caller, {"syncedInstanceUri": f"/contacts/syncActions/{defined.id}"})
        self.world.work()
        action = defined.actions[0]
        for name in known:
            self.of(name).difference_update(action.removes_from)
            self.of(name).update([action.adds_to] if action.adds_to else [])

    def delete_group(self) -> None:
        if len(self.actions) < 4:
            return
        for defined in self.actions[2:]:
            self.world.delete(defined)
        del self.actions[2:]
        assets.delete(self.world.caller, "emailgroup", self.group)
        for states in self.states.values():
            states -= {f"emailGroup/{self.group}/subscribed", f"emailGroup/{self.group}/unsubscribed"}

    def compare(self) -> None:
        """Each address has its states: in the sets if it has a contact, else kept; and the changes say how it came."""
        before = self.ids
        self.learn_ids()
        assert self.ids == before
        with self.world.store.database.read() as connection:
            self.world.replay.follow(connection)
            kept, members = kept_states(connection), stored_sets(connection)
        for address, states in self.states.items():
            number = self.ids.get(address)
            found = {name for name, ids in members.items() if number is not None and number in ids} - {"contacts"}
            assert (address, found) == (address, states if number is not None else set())
            assert {n for a, n in kept if a == address} == (states if number is None else set())


@pytest.fixture(scope="module")
def histories(new_database: NewDatabase) -> Iterator[Histories]:
    """One company for all examples, each with addresses of its own; durability is for other tests."""
    folder = MEMORY if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=folder, prefix="staithe-") as data:
        opened = Stores(Path(data), new_database())
        yield Histories(opened)
        opened.close()


SWAPPED = [
    ("rename_by_import", [("a", "c", None, None), ("b", "a", None, None)]),
    ("delete", "a"),
    ("create", "a", True),
]
"""In one chunk one contact takes over the address that another gives up, which random names seldom do."""


@examples(15)
@example(steps=SWAPPED, chunk=1000)
@example(steps=SWAPPED, chunk=1)
@given(steps=st.lists(STEPS, min_size=5, max_size=16), chunk=st.sampled_from([1, 2, 1000]))
def test_states_belong_to_addresses(histories: Histories, steps: list[tuple[Any, ...]], chunk: int) -> None:
    histories.begin()
    # Who has a state, and an address to leave it at, is what most faults need.
    histories.bring([("a", True, False), ("b", None, None)])
    histories.act(2, ["b"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_import, "CHUNK_RECORDS", chunk)
        for name, *arguments in steps:
            getattr(histories, name)(*arguments)
            histories.compare()
