"""Wrong passwords: who guesses is slowed down, at every door; who is right is answered."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from staithe.domain.errors import Busy
from staithe.services.guesses import FREE_GUESSES, FREE_GUESSES_OF_ADDRESS, HASHES_WAITING, Queue, network_of
from staithe.services.stores import CompanyStore
from tests.support import bare
from tests.support.api import Api
from tests.support.metrics import scrape
from tests.support.oauth import REDIRECT, Browser, Program, basic, register
from tests.support.server import RunningServer
from tests.support.waiting import until

Ask = Callable[[str, str], int]


@pytest.fixture
def login(store: CompanyStore) -> str:
    """A user's name."""
    return f"{store.company.name}\\ann"


@pytest.fixture
def ask(server: RunningServer) -> Callable[..., int]:
    """Sends a login by HTTP Basic, through a proxy that has seen an address; returns the status."""

    def ask_as(login: str, password: str, address: str = "") -> int:
        told = {"x-forwarded-for": f"192.0.2.1, {address}"} if address else {}
        headers = {"authorization": basic(login, password), **told}
        return bare.get(f"{server.url}/api/bulk/2.0/syncs", headers=headers).status_code

    return ask_as


def guess(ask: Callable[..., int], login: str, address: str = "") -> list[int]:
    return [ask(login, f"guess {number}", address) for number in range(FREE_GUESSES + 1)]


SLOWED = [401] * FREE_GUESSES + [429]


def test_who_guesses_is_told_to_wait_whether_the_user_exists_or_not(
    server: RunningServer, login: str, ask: Callable[..., int]
) -> None:
    before = scrape(server.url).by_label("staithe_wrong_passwords_total", "outcome")
    for name in (login, f"{login}x", "nobody\\at all"):
        assert guess(ask, name) == SLOWED
    after = scrape(server.url).by_label("staithe_wrong_passwords_total", "outcome")
    gained = {outcome: after[outcome] - before.get(outcome, 0) for outcome in after}
    assert gained == {"verified": 3 * FREE_GUESSES, "slowed": 3}
    assert any("wrong passwords for" in line for line in server.lines)
    answer = bare.get(f"{server.url}/id", headers={"authorization": basic(login, "another guess")})
    assert (answer.status_code, answer.json()["message"]) == (429, "Too many passwords were wrong.")
    assert int(answer.headers["retry-after"]) >= 1
    until(lambda: ask(login, "secret") == 200, "the right one is taken again")


def test_a_known_login_and_one_of_a_known_address_are_answered_meanwhile(
    api: Api, login: str, ask: Callable[..., int]
) -> None:
    assert ask(login, "secret", "198.51.100.1") == 200
    assert api.bulk("GET", "/syncs").status_code == 200
    assert guess(ask, login, "203.0.113.1") == SLOWED
    assert api.bulk("GET", "/syncs").status_code == 200
    assert ask(login.upper(), "secret", "198.51.100.1") == 200, "this form of the login is new"
    assert ask(login.title(), "secret", "203.0.113.2") == 429, "nobody knows it, and others guess"


def test_an_address_that_guesses_at_many_users_is_slowed_down_and_no_other(login: str, ask: Callable[..., int]) -> None:
    guessed = [ask(f"{login}{number}", "x", "203.0.113.9") for number in range(FREE_GUESSES_OF_ADDRESS)]
    assert guessed == [401] * FREE_GUESSES_OF_ADDRESS
    assert ask(login, "secret", "203.0.113.9") == 429
    assert ask(login, "secret", "203.0.113.10") == 200


def test_the_same_wrong_password_again_and_again_slows_nobody_down(login: str, ask: Callable[..., int]) -> None:
    assert [ask(login, "old") for _ in range(3 * FREE_GUESSES)] == [401] * 3 * FREE_GUESSES
    assert ask(login, "secret") == 200


def test_every_door_slows_down(server: RunningServer, store: CompanyStore, login: str, ask: Callable[..., int]) -> None:
    program = register(server, store)
    wrong = [program.token(grant_type="password", username=login, password=f"w{n}") for n in range(FREE_GUESSES + 1)]
    assert [answer.status_code for answer in wrong] == [400] * FREE_GUESSES + [429]
    assert ask(login, "yet another") == 429
    with Browser(server.url) as browser:
        page = browser.open(response_type="code", client_id=program.identifier, redirect_uri=REDIRECT)
        answer = browser.allow(page, login, "again another")
    assert (answer.status_code, answer.headers["content-type"]) == (429, "text/html; charset=utf-8")
    assert "Too many passwords were wrong. Please try again in" in answer.text
    assert Program(server.url, program.identifier, "wrong").refresh("x").status_code == 401


def test_few_are_verified_at_once_few_wait_and_the_rest_are_refused() -> None:
    queue = Queue(2)
    refused = threading.Event()
    with ExitStack() as stack, ThreadPoolExecutor(HASHES_WAITING + 1) as pool:
        for _ in range(2):
            stack.enter_context(queue.turn())

        def wait_in_it(_: int) -> bool:
            try:
                with queue.turn():
                    return True
            except Busy:
                refused.set()
                return False

        waiting = [pool.submit(wait_in_it, number) for number in range(HASHES_WAITING + 1)]
        assert refused.wait(60)
        stack.close()
        assert sorted(future.result() for future in waiting) == [False] + [True] * HASHES_WAITING


def test_the_network_of_an_ipv6_address_is_one_client() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") != network_of("2001:db8:0:1::1")
    assert network_of("192.0.2.1") != network_of("192.0.2.2")
