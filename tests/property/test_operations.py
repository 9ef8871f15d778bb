"""Random sequences of operations on a real store, compared with the naive model after every step."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from staithe.domain.errors import Gone, ParseFailed, ValidationFailed
from staithe.domain.fields import external_id
from staithe.domain.identifiers import IdentifierKind
from staithe.domain.limits import CHUNK_IDS
from staithe.services import run_sync_actions, syncs
from staithe.services.stores import Stores
from tests.property.actions import ACTIONS, FEW_ACTIONS, INSTANCES
from tests.property.effort import examples
from tests.property.model import Action, app_action, group_action, list_action
from tests.property.world import MANY, Defined, World

NUMBERS = itertools.count(1)
SPELLINGS = st.sampled_from(["{}", "{}", "{}", " {}\t", "{}\n", "\x0b{}"])
ODD = [
    "",
    "  ",
    "0",
    "-1",
    "1.0",
    "abc",
    "99",
    "65536000000",
    "x@y",
    "nobody@example.com",
    "CSTAI000000000099",
    "٣",
    "contact-1@example.com\0",
]
EMAILS = st.builds(lambda name: f"{name}@Example.com", st.text("abÜ", min_size=1, max_size=3))
KNOWN = st.tuples(st.integers(0, 9), st.booleans(), SPELLINGS)
SOME_ACTIONS = st.lists(st.one_of(FEW_ACTIONS, FEW_ACTIONS, FEW_ACTIONS, ACTIONS), min_size=1, max_size=10)
ONE_ACTION = st.lists(FEW_ACTIONS, min_size=1, max_size=1)
IDENTIFIER = st.one_of(KNOWN, KNOWN, KNOWN, st.sampled_from(ODD), st.none(), EMAILS)
IDENTIFIERS = st.lists(IDENTIFIER, max_size=15)
EXTRAS = st.lists(st.sampled_from(["", "", "", "Extra", "More"]), min_size=15, max_size=15)
BROKEN = st.sampled_from(
    [
        ("JSON", b'[{"Id":1}'),
        ("JSON", b'{"Id":1}'),
        ("JSON", b'[{"Id":[1]}]'),
        ("JSON", b""),
        ("CSV", b""),
        ("CSV", b"Id\n\xff\n"),
    ]
)


class Operations(RuleBasedStateMachine):
    """Rules are what clients do; a rule that runs a sync compares its outcome."""

    stores: Stores

    defined = Bundle("defined")

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.stores, f"company{next(NUMBERS)}")
        self.every: list[Defined] = []

    def spell(self, defined: Defined, identifiers: list[Any]) -> list[str | None]:
        """Identifiers as texts: known ones name a contact by its place."""
        texts: list[str | None] = []
        known = sorted(self.world.contacts)
        for identifier in identifiers:
            if not isinstance(identifier, tuple):
                texts.append(identifier)
                continue
            place, upper, spelling = identifier
            number = known[place % len(known)]
            by_kind = {
                IdentifierKind.CONTACT_ID: str(number),
                IdentifierKind.EXTERNAL_ID: external_id(number),
                IdentifierKind.EMAIL_ADDRESS: self.world.contacts[number],
            }
            text = by_kind[defined.kind]
            texts.append(spelling.format(text.upper() if upper else text))
        return texts

    @rule(
        target=defined,
        kind=st.sampled_from(list(IdentifierKind)),
        actions=st.one_of(ONE_ACTION, SOME_ACTIONS),
        is_triggered=st.integers(0, 4).map(lambda n: n == 0),
    )
    def define(self, kind: IdentifierKind, actions: list[Any], is_triggered: bool) -> Defined:
        made = self.world.define(kind, actions, is_triggered=is_triggered)
        self.every.append(made)
        return made

    @rule(defined=defined, identifiers=IDENTIFIERS, extras=EXTRAS)
    def upload_json(self, defined: Defined, identifiers: list[Any], extras: list[str]) -> None:
        if defined.is_deleted:
            return
        records: list[dict[str, Any]] = []
        for text, extra in zip(self.spell(defined, identifiers), extras, strict=False):
            record: dict[str, Any] = {} if text is None else {"Id": int(text) if text.isdecimal() else text}
            records.append({**record, **({extra: "},{"} if extra else {})})
        self.world.upload_json(defined, records)

    @rule(
        defined=defined,
        identifiers=IDENTIFIERS,
        names=st.sampled_from([["Id"], ["Id", "Extra"], ["Extra", "Id"], ["Extra"]]),
        lengths=st.lists(st.sampled_from([0, 0, 0, 0, 1]), min_size=15, max_size=15),
    )
    def upload_csv(self, defined: Defined, identifiers: list[Any], names: list[str], lengths: list[int]) -> None:
        if defined.is_deleted:
            return
        texts = [text or "" for text in self.spell(defined, identifiers)]
        lines = [
            [text if name == "Id" else 'a "quoted",\nvalue' for name in names] + ["too many"] * more
            for text, more in zip(texts, lengths, strict=False)
        ]
        self.world.upload_csv(defined, names, lines)

    @rule(defined=defined, broken=BROKEN)
    def upload_what_is_broken(self, defined: Defined, broken: tuple[str, bytes]) -> None:
        with pytest.raises(Gone if defined.is_deleted else ParseFailed):
            self.world.send(defined, *broken)

    @rule(defined=defined)
    def sync(self, defined: Defined) -> None:
        if defined.is_deleted:
            with pytest.raises(ValidationFailed):
                self.world.sync(defined)
        else:
            self.world.sync(defined)

    @rule(defined=defined)
    def clear(self, defined: Defined) -> None:
        if not defined.is_deleted:
            self.world.clear(defined)

    @precondition(lambda self: len(self.every) > 2)
    @rule(defined=consumes(defined), while_pending=st.booleans())
    def delete(self, defined: Defined, while_pending: bool) -> None:
        if defined.is_deleted:
            return
        if while_pending:
            self.world.delete_before_it_runs(defined)
        else:
            self.world.delete(defined)

    @rule(email=EMAILS)
    def add_contact(self, email: str) -> None:
        if email.lower() not in {known.lower() for known in self.world.contacts.values()}:
            self.world.add_contact(email)

    @precondition(lambda self: len(self.world.contacts) > 4)
    @rule(place=st.integers(0, 9))
    def remove_contact(self, place: int) -> None:
        self.world.remove_contact(sorted(self.world.contacts)[place % len(self.world.contacts)])

    @initialize(actions=SOME_ACTIONS, target=defined)
    def first(self, actions: list[Any]) -> Defined:
        return self.define(IdentifierKind.CONTACT_ID, actions, False)

    @invariant()
    def agrees(self) -> None:
        self.world.compare()
        self.world.check_waiting(self.every)


MEMORY = Path("/dev/shm")
"""Here a durable commit costs no time; whether it is durable, the fault tests say."""


def test_the_store_and_the_model_agree(database: str) -> None:
    folder = MEMORY if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=folder, prefix="staithe-") as data:
        Operations.stores = Stores(Path(data), database)
        try:
            run_state_machine_as_test(Operations, settings=examples(10, stateful_step_count=40))
        finally:
            Operations.stores.close()


@pytest.fixture
def world(tmp_path: Path, database: str) -> Iterator[World]:
    stores = Stores(tmp_path, database)
    yield World(stores, "acme")
    stores.close()


def define(world: World, *actions: Action) -> Defined:
    return world.define(IdentifierKind.CONTACT_ID, list(actions), is_triggered=False)


def upload_all(world: World, defined: Defined, condition: Callable[[int], bool] = lambda _: True) -> None:
    world.upload_json(defined, [{"Id": number} for number in world.contacts if condition(number)])


def is_first(number: int) -> bool:
    return number < CHUNK_IDS


def test_update_all_reaches_what_no_chunk_of_the_upload_holds(world: World) -> None:
    begun = define(world, app_action("ActionInstance", INSTANCES[0], 5, "active"))
    upload_all(world, begun)
    world.sync(begun)
    done = define(world, app_action("ActionInstance", INSTANCES[0], 5, "complete", update_all=True))
    upload_all(world, done, is_first)
    world.sync(done)
    world.compare()
    assert world.sets[f"actioninstance/{INSTANCES[0].lower()}/5/complete"] == set(world.contacts)


def test_a_set_that_loses_all_ids_of_a_chunk_keeps_those_of_the_others(world: World) -> None:
    added = define(world, list_action(1))
    upload_all(world, added)
    world.sync(added)
    removed = define(world, list_action(1, remove=True))
    for condition in (is_first, lambda number: not is_first(number)):
        upload_all(world, removed, condition)
        world.sync(removed)
        world.compare()
    assert world.sets["contactList/1"] == set()


Meanwhile = Callable[[], None]


def interleave(patch: pytest.MonkeyPatch, meanwhile: list[Meanwhile]) -> None:
    """Do something, once for each time that a sync has matched its records and is about to commit."""
    real = run_sync_actions.match_uploads

    def match_uploads(*arguments: Any) -> Any:
        matches = real(*arguments)
        if meanwhile:
            meanwhile.pop(0)()
        return matches

    patch.setattr(run_sync_actions, "match_uploads", match_uploads)


def test_a_definition_deleted_between_matching_and_commit_has_no_effect(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    defined = define(world, list_action(1))
    upload_all(world, defined)
    world.upload_json(defined, [{"Id": 99}])
    interleave(monkeypatch, [lambda: world.delete(defined)])
    sync = syncs.create(world.caller, {"syncedInstanceUri": f"/contacts/syncActions/{defined.id}"})
    world.work()
    assert syncs.read(world.caller, sync.id).status == "error"
    assert "ELQ-00143" in {line.code for line in syncs.read_log(world.caller, sync.id, MANY)[0]}
    world.compare()


@pytest.mark.parametrize("times", [1, 2])
def test_contacts_that_come_and_go_between_matching_and_commit_are_matched_again(
    world: World, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """The third matching is done while the store is held still."""
    defined = define(world, list_action(1), group_action(1, subscribed=False))
    upload_all(world, defined)
    world.upload_json(defined, [{"Id": max(world.contacts) + 1}])
    changes: list[Meanwhile] = [lambda: world.add_contact("new@example.com"), lambda: world.remove_contact(2)]
    interleave(monkeypatch, changes[:times])
    world.sync(defined)
    world.compare()
    assert max(world.contacts) in world.sets["contactList/1"]
    assert (2 in world.sets["contactList/1"]) is (times == 1)
