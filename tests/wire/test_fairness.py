"""A company with one small sync, beside one that has queued a great many large ones."""

from __future__ import annotations

import statistics
from typing import Any

from tests.conftest import StartServer
from tests.support.api import FINAL, Api
from tests.support.imports import define_import
from tests.support.waiting import LONGEST_SECONDS, until

DEFINITIONS, ROUNDS_QUEUED, CONTACTS = 8, 12, 50_000
SMALL_SYNCS = 5
MOST_WAITED_FOR = 2


def queue_large(api: Api) -> None:
    """Queue exports of many contacts, several of each definition, which run one after the other.

    Exports only read, so nothing holds those up that the worker would begin before anything else.
    """
    fields = {"id": "{{Contact.Id}}", "email": "{{Contact.Field(C_EmailAddress)}}"}
    for number in range(DEFINITIONS):
        body = {"name": f"large {number}", "fields": fields}
        uri = api.bulk("POST", "/contacts/exports", json=body).raise_for_status().json()["uri"]
        for _ in range(ROUNDS_QUEUED):
            api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri}).raise_for_status()


def all_syncs(api: Api) -> list[dict[str, Any]]:
    """Every sync, as the API lists them."""
    return list(api.bulk("GET", "/syncs").raise_for_status().json()["items"])


def wait_for_more(api: Api, begun_before: int) -> int:
    """Wait until more large syncs have begun than before; gives how many."""
    begun = [begun_before]

    def is_more() -> bool:
        begun[:] = [sum("syncStartedAt" in sync for sync in all_syncs(api))]
        return begun[0] > begun_before

    until(is_more, "the large syncs go on")
    return begun[0]


def waited_for(small: dict[str, Any], large: list[dict[str, Any]]) -> int:
    """How many large syncs both began and ended between the creation of the small one and its beginning."""
    ended = [sync for sync in large if sync["status"] in FINAL]
    return sum(
        small["createdAt"] < sync["syncStartedAt"] and sync["syncEndedAt"] < small["syncStartedAt"] for sync in ended
    )


def test_a_small_sync_waits_for_at_most_two_of_another_companys_large_ones(servers: StartServer) -> None:
    server = servers("--workers", "0")
    # The one with the large syncs is older, and so are its syncs: nothing but fairness is for the other.
    large_api, _ = server.new_company("large", CONTACTS)
    small_api, _ = server.new_company("small")
    queue_large(large_api)
    assert server.stop() == 0
    server = servers("--workers", "1")
    large_api, small_api = server.api("large\\ann:secret"), server.api("small\\ann:secret")
    small_uri = define_import(small_api)
    small: list[dict[str, Any]] = []
    begun = 0
    for number in range(SMALL_SYNCS):
        small_api.upload(small_uri, [{"emailAddress": f"small-{number}@example.com"}]).raise_for_status()
        begun = wait_for_more(large_api, begun)
        small.append(small_api.sync(small_uri, LONGEST_SECONDS))
    large = all_syncs(large_api)
    assert len(large) == DEFINITIONS * ROUNDS_QUEUED
    assert sum(sync["status"] not in FINAL for sync in large) > 4, "the large syncs were too quick: queue more"
    assert statistics.median(waited_for(sync, large) for sync in small) <= MOST_WAITED_FOR
    assert server.stop() == 0


def test_a_company_alone_still_has_syncs_side_by_side(servers: StartServer) -> None:
    server = servers("--workers", "0")
    api, _ = server.new_company("large", CONTACTS)
    queue_large(api)
    assert server.stop() == 0
    server = servers("--workers", "1")
    api = server.api("large\\ann:secret")

    def are_at_once() -> bool:
        statuses = [sync["status"] for sync in all_syncs(api)]
        assert "pending" in statuses, "never three at once"
        return statuses.count("active") >= 3

    until(are_at_once, "three at once")
    assert server.stop() == 0
