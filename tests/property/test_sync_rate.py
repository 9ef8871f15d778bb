"""Syncs an hour, against a naive list of when each was created, whatever is deleted, forgotten or allowed meanwhile."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staithe.clock import system_clock
from staithe.domain.company_limits import CompanyLimits
from staithe.domain.errors import TooManyRequests
from staithe.domain.identifiers import IdentifierKind
from staithe.domain.limits import HOUR, SECOND
from staithe.services import retention, syncs
from staithe.services.stores import Stores
from staithe.storage import syncs as sync_rows
from tests.conftest import NewDatabase
from tests.property.effort import examples
from tests.property.model import list_action
from tests.property.world import World

NUMBERS = itertools.count(1)
WAITS = st.one_of(st.integers(0, 3 * SECOND), st.integers(0, HOUR), st.sampled_from([0, 1, HOUR - 1, HOUR, HOUR + 1]))
STEP = st.one_of(
    st.tuples(st.just("create"), WAITS),
    st.tuples(st.just("create"), WAITS),
    st.tuples(st.just("obey"), st.just(0)),
    st.tuples(st.just("delete"), st.integers(0, 9)),
    st.tuples(st.just("forget"), WAITS),
    st.tuples(st.just("limit"), st.integers(0, 4)),
)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase) -> Iterator[Stores]:
    """The stores of the companies below."""
    opened = Stores(tmp_path_factory.mktemp("rate"), new_database())
    yield opened
    opened.close()


@examples(20)
@given(st.integers(0, 4), st.lists(STEP, max_size=25))
def test_no_hour_has_more_syncs_than_it_may(stores: Stores, most: int, steps: list[tuple[str, int]]) -> None:
    check_history(World(stores, f"acme{next(NUMBERS)}"), most, steps)


def check_history(world: World, most: int, steps: list[tuple[str, int]]) -> None:
    defined = world.define(IdentifierKind.CONTACT_ID, [list_action(1)], is_triggered=False)
    uri = {"syncedInstanceUri": f"/contacts/syncActions/{defined.id}"}
    now, created, kept, wait = system_clock(), list[int](), list[int](), 0
    for step, number in steps:
        if step == "limit":
            most = number
        elif step == "delete" and kept:
            with world.store.database.write() as connection:
                sync_rows.remove_sync(connection, kept.pop(number % len(kept)))
        elif step == "forget":
            now += number
            retention.remove_expired(world.store, now)
        elif step in ("create", "obey"):
            now += number if step == "create" else wait * SECOND
            recent = [at for at in created if at > now - HOUR]
            caller = replace(world.caller, now=now, limits=CompanyLimits(syncs_per_hour=most))
            try:
                kept.append(syncs.create(caller, uri).id)
            except TooManyRequests as error:
                assert most
                assert len(recent) >= most
                wait = error.retry_after_seconds
                assert sum(at > now + wait * SECOND - HOUR for at in created) < most, "then there is room"
                assert sum(at > now + (wait - 1) * SECOND - HOUR for at in created) >= most, "and not a second before"
            else:
                assert not most or len(recent) < most
                created.append(now)
