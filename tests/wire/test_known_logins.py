"""What ends a login that an HTTP process knows: each is used before, so that it is known."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from staithe.clock import system_clock
from staithe.domain.companies import Role
from staithe.domain.company_limits import CompanyLimits
from staithe.domain.errors import NotAuthenticated
from staithe.services import accounts, known_logins
from staithe.services.guesses import Attempt, Guesses
from staithe.services.known_logins import KnownLogins, Login
from staithe.services.stores import CompanyStore
from staithe.services.tokens import Tokens
from tests.conftest import Deployment, StartServer
from tests.support.api import Api
from tests.support.logins import PATIENCE_SECONDS, is_over
from tests.support.server import RunningServer


def set_user(server: RunningServer, store: CompanyStore, password: str = "secret", role: Role = Role.API) -> None:
    accounts.set_user(server.stores, store.company, "ann", password, role, system_clock())


def test_another_password_ends_it(api: Api, server: RunningServer, store: CompanyStore) -> None:
    assert api.bulk("GET", "/syncs").status_code == 200
    set_user(server, store, "another")
    assert is_over(server, lambda: api.bulk("GET", "/syncs"))
    assert server.api(f"{store.company.name}\\ann:another").bulk("GET", "/syncs").status_code == 200


def test_the_same_password_set_anew_is_verified_anew(api: Api, server: RunningServer, store: CompanyStore) -> None:
    assert api.bulk("GET", "/syncs").status_code == 200
    set_user(server, store)
    assert api.bulk("GET", "/syncs").status_code == 200


def test_another_role_counts(api: Api, server: RunningServer, store: CompanyStore) -> None:
    uri = api.define()
    set_user(server, store, role=Role.READER)
    limit = time.monotonic() + (PATIENCE_SECONDS if server.database else 0)
    while (answer := api.bulk("DELETE", f"{uri}/data")).status_code != 403:
        assert time.monotonic() < limit, answer.text
    set_user(server, store, role=Role.ADMIN)
    while (answer := api.bulk("DELETE", f"{uri}/data")).status_code != 204:
        assert time.monotonic() < limit + PATIENCE_SECONDS, answer.text


def test_every_http_process_hears_of_it(servers: StartServer) -> None:
    server = servers("--http-workers", "3")
    _, store = server.new_company("spread")
    clients = [server.api("spread\\ann:secret") for _ in range(12)]
    assert {client.bulk("GET", "/syncs").status_code for client in clients} == {200}
    set_user(server, store, "another")
    for client in clients:
        assert is_over(server, lambda client=client: client.bulk("GET", "/syncs"))
    assert server.stop() == 0


def test_a_sync_changes_nothing_that_would_end_logins(deployment: Deployment) -> None:
    """Not even its hints, which have a file of their own. In PostgreSQL it is the second that ends what is known."""
    server = deployment("sqlite")
    api, _ = server.new_company("unchanged", contacts=2)
    with closing(server.stores.watch_control()) as watch:
        before = watch.version()
        uri = api.define()
        assert api.upload(uri, [{"Id": "1"}]).status_code == 204
        assert api.sync(uri)["status"] == "success"
        assert watch.version() == before
    assert (server.data / "hints.db").exists()


@pytest.fixture
def logins(server: RunningServer, store: CompanyStore, monkeypatch: pytest.MonkeyPatch) -> KnownLogins:
    """What a process knows: nothing yet; at most two."""
    monkeypatch.setattr(known_logins, "MOST_REMEMBERED", 2)
    guesses = Guesses()
    known = KnownLogins(server.stores, Tokens(server.stores, guesses, 60), guesses, CompanyLimits())
    known.watch = Still()
    return known


class Still:
    """A control store that nobody changes."""

    def version(self) -> int:
        return 1

    def close(self) -> None:
        """Nothing."""


def log_in(logins: KnownLogins, store: CompanyStore, sent: str, password: str = "secret") -> Login:
    login = logins.verify_password(Attempt(f"{store.company.name}\\ann", password), logins.version(), logins.last(sent))
    logins.remember(sent, login)
    return login


def test_of_too_many_the_oldest_is_forgotten(logins: KnownLogins, store: CompanyStore) -> None:
    for sent in ("a", "b", "a", "c"):
        log_in(logins, store, sent)
    assert [logins.find(sent, 0) is not None for sent in "abc"] == [True, False, True]


def test_a_password_is_hashed_once_as_long_as_it_is_the_same(
    logins: KnownLogins, server: RunningServer, store: CompanyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = log_in(logins, store, "a")
    with monkeypatch.context() as patch:
        patch.setattr(accounts, "HASHER", None)
        again = log_in(logins, store, "a")
    assert (again.mark, again.mark_ends_at) == (first.mark, first.mark_ends_at)
    set_user(server, store, "another")
    with pytest.raises(NotAuthenticated):
        log_in(logins, store, "a")


def test_a_password_is_hashed_again_after_minutes(
    logins: KnownLogins, store: CompanyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_logins, "REMEMBER_SECONDS", -1)
    log_in(logins, store, "a")
    assert logins.find("a", 0) is None
    monkeypatch.setattr(accounts, "HASHER", None)
    with pytest.raises(AttributeError):
        log_in(logins, store, "a")


def test_a_token_is_good_until_it_expires(logins: KnownLogins, store: CompanyStore) -> None:
    login = log_in(logins, store, "a")
    logins.remember("b", Login(login.user, login.store, login.limits, 1, expires_at=100))
    assert [logins.find("b", now) is not None for now in (99, 100, 101)] == [True, False, False]


def test_another_version_of_the_control_store_ends_all(logins: KnownLogins, store: CompanyStore) -> None:
    login = log_in(logins, store, "a")
    logins.remember("b", Login(login.user, login.store, login.limits, 0))
    assert logins.find("b", 0) is None
    assert logins.find("a", 0) == login


def test_what_is_sent_is_not_kept(logins: KnownLogins, store: CompanyStore) -> None:
    log_in(logins, store, "Basic c2VjcmV0")
    assert "c2VjcmV0" not in repr(logins.known)
    assert "secret" not in repr(logins.known)
