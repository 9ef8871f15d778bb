"""What operators do with companies, users and clients beside a running server, and what those then find."""

from __future__ import annotations

import itertools
import json
import threading
from pathlib import Path

import pytest

from staithe.clock import system_clock
from staithe.domain.companies import Role
from staithe.domain.errors import RequestError, ValidationFailed
from staithe.domain.limits import SECOND
from staithe.services import accounts, administration, clients
from staithe.services.stores import CompanyStore
from tests.conftest import StartServer
from tests.support.api import Api
from tests.support.commands import staithe, where
from tests.support.logins import is_over
from tests.support.oauth import Program, register
from tests.support.pauses import pauses
from tests.support.server import HTTP, WORKER, RunningServer
from tests.support.waiting import until

NUMBERS = itertools.count(1)


def new_name() -> str:
    return f"managed {next(NUMBERS)}"


def run(server: RunningServer, *words: str, given: str = "") -> str:
    """Run a command that succeeds; what it prints."""
    done = staithe(*words, *where(server), given=given)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def refused(server: RunningServer, *words: str, given: str = "") -> str:
    """Run a command that is refused in a sentence; what it says."""
    done = staithe(*words, *where(server), given=given)
    assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (1, "", False), done
    return done.stderr


def status_of(api: Api) -> int:
    return api.bulk("GET", "/syncs").status_code


def folders_of(server: RunningServer, store: CompanyStore) -> list[Path]:
    return list((server.data / "companies").glob(f"{store.company.id}/**/*"))


def test_who_is_disabled_has_no_login_and_gets_the_password_back_but_no_token(server: RunningServer) -> None:
    api, store = server.new_company(name := new_name())
    program = register(server, store)
    tokens = program.log_in(f"{name}\\ann")
    assert (status_of(api), program.bulk(tokens["access_token"]).status_code) == (200, 200)
    assert "is disabled" in run(server, "user", "disable", name.upper(), "ANN")
    assert is_over(server, lambda: api.bulk("GET", "/syncs"))
    assert is_over(server, lambda: program.bulk(tokens["access_token"]))
    assert program.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert program.token(grant_type="password", username=f"{name}\\ann", password="secret").status_code == 400
    (listed,) = json.loads(run(server, "user", "list", name, "--json"))
    assert (listed["company"], listed["name"], listed["role"], listed["isDisabled"]) == (name, "ann", "admin", True)
    run(server, "user", "create", name, "ann", "--role", "api", "--password-stdin", given="new\n")
    run(server, "user", "password", name, "ann", "--password-stdin", given="newer\n")
    for password in ("secret", "new", "newer", "!newer"):
        assert status_of(server.api(f"{name}\\ann:{password}")) == 401, "whoever sets a password enables nobody"
    run(server, "user", "enable", name, "ann")
    assert status_of(server.api(f"{name}\\ann:newer")) == 200
    assert program.bulk(tokens["access_token"]).status_code == 401
    assert program.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert "enabled" in run(server, "user", "list", name)


def test_tokens_that_were_ended_stay_so_when_the_same_password_counts_again(server: RunningServer) -> None:
    _, store = server.new_company(name := new_name())
    program = register(server, store)
    tokens = program.log_in(f"{name}\\ann")
    run(server, "user", "disable", name, "ann")
    run(server, "user", "enable", name, "ann")
    assert is_over(server, lambda: program.bulk(tokens["access_token"]))
    assert program.refresh(tokens["refresh_token"]).status_code == 401
    assert status_of(server.api(f"{name}\\ann:secret")) == 200


def test_a_deleted_user_ends_and_what_was_made_goes_on_naming_the_user(server: RunningServer) -> None:
    api, store = server.new_company(name := new_name(), contacts=2)
    program = register(server, store)
    access = program.log_in(f"{name}\\ann")["access_token"]
    uri = api.define()
    accounts.set_user(server.stores, store.company, "bo", "secret", Role.ADMIN, system_clock())
    assert program.bulk(access).status_code == 200
    assert "is deleted" in run(server, "user", "delete", name, "ann")
    assert is_over(server, lambda: api.bulk("GET", "/syncs"))
    assert is_over(server, lambda: program.bulk(access))
    other = server.api(f"{name}\\bo:secret")
    assert other.bulk("GET", uri).json()["createdBy"] == "ann"
    assert [user["name"] for user in json.loads(run(server, "user", "list", name, "--json"))] == ["bo"]
    assert f"Company {name} has no user ann." in refused(server, "user", "delete", name, "ann")
    run(server, "user", "create", name, "ann", "--password-stdin", given="secret\n")
    assert status_of(api) == 200
    assert program.bulk(access).status_code == 401, "tokens do not go to a new user of the same name"


def test_another_password_leaves_the_role(server: RunningServer) -> None:
    api, store = server.new_company(name := new_name())
    accounts.set_user(server.stores, store.company, "rita", "secret", Role.READER, system_clock())
    told = json.loads(run(server, "user", "password", name, "rita", "--password-stdin", "--json", given="other\n"))
    assert told == {"company": name, "name": "rita", "role": "reader"}
    rita = server.api(f"{name}\\rita:other")
    assert (status_of(rita), rita.bulk("POST", "/syncs", json={}).status_code) == (200, 403)
    assert status_of(server.api(f"{name}\\rita:secret")) == 401
    assert status_of(api) == 200
    assert "has no user nobody" in refused(server, "user", "password", name, "nobody", "--password-stdin", given="x\n")
    assert "password: Must not be empty" in refused(server, "user", "password", name, "rita", "--password-stdin")


def test_a_renamed_company_is_the_same_under_another_name(server: RunningServer) -> None:
    old, store = server.new_company(name := new_name(), contacts=3)
    program = register(server, store)
    access = program.log_in(f"{name}\\ann")["access_token"]
    uri = old.define()
    assert old.upload(uri, [{"Id": "1"}]).status_code == 204
    said = run(server, "company", "rename", name, f"{name} B")
    assert f"Logins with {name}\\ have ended" in said
    assert is_over(server, lambda: old.bulk("GET", "/syncs"))
    new = server.api(f"{name} B\\ann:secret")
    assert new.sync(uri)["status"] == "success"
    assert new.call("GET", "/id").json()["site"]["name"] == f"{name} B"
    assert program.bulk(access).status_code == 200
    assert f"There is a company {name} b already." in refused(server, "company", "rename", "acme", f"{name} b")
    assert "have ended" not in run(server, "company", "rename", f"{name} B", f"{name} b")
    assert status_of(new) == 200, "names differ by more than case"
    other, _ = server.new_company(name)
    assert other.bulk("GET", "/contacts/syncActions").json()["totalResults"] == 0, "the old name is another's now"


def test_a_deleted_company_is_gone_in_every_process_while_all_others_go_on(server: RunningServer) -> None:
    api, store = server.new_company(name := new_name(), contacts=20_000)
    other, _ = server.new_company(new_name(), contacts=3)
    program = register(server, store)
    access = program.log_in(f"{name}\\ann")["access_token"]
    uri = api.define()
    for _ in range(3):
        assert api.upload(uri, [{"Id": str(n)} for n in range(1, 20_000)]).status_code == 204
        api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri})
    processes = [*server.children(HTTP), *server.children(WORKER)]
    asked = refused(server, "company", "delete", name)
    assert f"--yes: Must be given where nobody can be asked: company {name} with 1 users and 20,000 contacts" in asked
    assert status_of(api) == 200
    assert "is deleted, with everything" in run(server, "company", "delete", name, "--yes")
    assert status_of(api) == 401
    assert program.bulk(access).status_code == 401
    assert program.token(grant_type="password", username=f"{name}\\ann", password="secret").status_code == 401
    assert folders_of(server, store) == []
    assert f"There is no company {name}." in refused(server, "company", "delete", name, "--yes")
    again, new = server.new_company(name)
    assert new.company.id > store.company.id, "no process takes it for the one of before"
    assert again.bulk("GET", "/contacts/syncActions").json()["totalResults"] == 0
    uri = other.define()
    assert other.upload(uri, [{"Id": "1"}]).status_code == 204
    assert other.sync(uri)["status"] == "success"
    assert [*server.children(HTTP), *server.children(WORKER)] == processes, "none has died"
    names = [row["name"] for row in json.loads(run(server, "company", "list", "--json"))]
    assert names.count(name) == 1


def test_what_a_deletion_that_was_cut_short_has_left_is_erased_by_a_worker(servers: StartServer) -> None:
    server = servers(environment=pauses(retention_seconds=0.1, control_seconds=0.1))
    api, store = server.new_company("left behind", contacts=10)
    assert api.upload(api.define(), [{"Id": "1"}]).status_code == 204
    administration.delete_company(server.stores, store.company, system_clock())
    assert is_over(server, lambda: api.bulk("GET", "/syncs"))
    until(lambda: not left(server), "the erasure of the deleted company")
    assert folders_of(server, store) == []
    assert not [line for line in server.lines if "Traceback" in line]
    assert server.stop() == 0


def test_a_deletion_that_was_cut_short_is_taken_up_by_the_next(servers: StartServer) -> None:
    server = servers()
    _, store = server.new_company("left", contacts=10)
    assert server.stop() == 0
    administration.delete_company(server.stores, store.company, system_clock() - 60 * SECOND)
    assert "is deleted, with everything" in run(server, "company", "delete", "left", "--yes")
    assert (left(server), folders_of(server, store)) == (0, [])
    assert "There is no company left." in refused(server, "company", "delete", "left", "--yes")


def left(server: RunningServer) -> int:
    """How many deleted companies have something stored."""
    from staithe.storage import control

    with server.stores.control.read() as connection:
        return len(control.companies_deleted(connection))


def test_a_company_whose_store_is_damaged_can_be_deleted(servers: StartServer, database: str) -> None:
    if database:
        pytest.skip("a damaged file is SQLite's")
    server = servers()
    _, store = server.new_company("damaged", contacts=10)
    assert server.stop() == 0
    (server.data / "companies" / str(store.company.id) / "company.db").write_bytes(b"no database" * 1000)
    assert "is deleted, with everything" in run(server, "company", "delete", "damaged", "--yes")
    assert folders_of(server, store) == []


def test_requests_amid_a_deletion_are_answered_or_refused(server: RunningServer) -> None:
    """Those that came before may be answered still; none after it gets anything but 401, and none is a fault."""
    api, _ = server.new_company(name := new_name(), contacts=100)
    statuses: set[int] = set()
    ending = threading.Event()

    def ask() -> None:
        while not ending.is_set():
            statuses.add(api.bulk("GET", "/contacts/syncActions").status_code)

    asker = threading.Thread(target=ask)
    asker.start()
    until(lambda: 200 in statuses, "an answer")
    run(server, "company", "delete", name, "--yes")
    until(lambda: 401 in statuses, "a refusal")
    ending.set()
    asker.join()
    assert statuses == {200, 401}


def test_another_secret_ends_the_old_one_at_once_or_after_a_time(server: RunningServer) -> None:
    _, store = server.new_company(name := new_name())
    first = register(server, store, "Ferry")
    access = first.log_in(f"{name}\\ann")["access_token"]

    def rotate(*options: str) -> Program:
        told = json.loads(run(server, "client", "rotate", name, "ferry", *options, "--json"))
        assert (told["name"], told["clientId"]) == ("Ferry", first.identifier)
        return Program(server.url, first.identifier, told["clientSecret"])

    def is_good(program: Program) -> bool:
        answer = program.token(grant_type="password", username=f"{name}\\ann", password="secret")
        assert answer.status_code == 200 or answer.json()["error"] == "invalid_client"
        return answer.status_code == 200

    second = rotate()
    assert (is_good(first), is_good(second)) == (False, True)
    third = rotate("--keep-old", "60")
    assert (is_good(first), is_good(second), is_good(third)) == (False, True, True)
    fourth = rotate("--keep-old", "60")
    assert (is_good(second), is_good(third), is_good(fourth)) == (False, True, True)
    assert first.bulk(access).status_code == 200, "what it was given for users goes on"
    _, last = clients.rotate_secret(server.stores, store.company, "Ferry", system_clock() - 61 * SECOND, 60)
    assert (is_good(fourth), is_good(Program(server.url, first.identifier, last))) == (False, True)
    assert f"Company {name} has no client x." in refused(server, "client", "rotate", name, "x")


GOOD_COMPANIES = ("a", "Nord See", "a.b_c-d", "9", "Łódź", "x" * 64, "ü b")
BAD_COMPANIES = ("", " a", "a ", " ", "x" * 65, "a/b", "a:b", "a\\b", "a\tb", "a\nb", "a\u00a0b", "a@b", "{x}", "a\x7f")
GOOD_USERS = ("a", "ann@example.com", "x" * 100, "Jörg", "a/b")
BAD_USERS = ("", "a b", "a:b", "a\\b", "a\x7f", "a\tb", "x" * 101, "a\u200bb", "a\u00a0b")


@pytest.mark.parametrize("name", GOOD_COMPANIES)
def test_names_that_companies_may_have(server: RunningServer, name: str) -> None:
    api, store = server.new_company(name)
    assert status_of(api) == 200
    administration.delete_company(server.stores, store.company, system_clock())


def test_names_that_neither_may_have_are_refused_as_they_are_made(server: RunningServer) -> None:
    _, store = server.new_company(company := new_name())
    for name in BAD_COMPANIES:
        with pytest.raises(ValidationFailed, match="name: Must have 1 to 64 letters, digits"):
            accounts.create_company(server.stores, name, system_clock())
        with pytest.raises(ValidationFailed, match="name: Must have 1 to 64 letters, digits"):
            administration.rename_company(server.stores, store.company, name)
    for name in BAD_USERS:
        with pytest.raises(ValidationFailed, match="name: Must have 1 to 100 printable characters"):
            accounts.set_user(server.stores, store.company, name, "pw", Role.API, system_clock())
    assert "name: Must have" in refused(server, "company", "create", "a/b")
    assert "name: Must have" in refused(server, "company", "rename", company, " a")
    assert "name: Must have" in refused(server, "user", "create", company, "a:b", "--password-stdin", given="pw\n")
    for name in GOOD_USERS:
        accounts.set_user(server.stores, store.company, name, "pw", Role.API, system_clock())
        assert status_of(server.api(f"{company}\\{name}:pw")) == 200
    assert len(administration.list_users(server.stores, store.company)) == 1 + len(GOOD_USERS)


def test_names_of_older_versions_go_on(server: RunningServer) -> None:
    """They are inserted as an older version did."""
    from staithe.storage import control

    _, store = server.new_company(name := new_name())
    older = f"{name}/old+{{x}}"
    with server.stores.control.write() as connection:
        company = control.rename_company(connection, store.company, older)
        assert company is not None
        found = control.find_user(connection, older, "ann")
        assert found is not None
        control.add_user(connection, company, "b\x7fo", found[1], Role.API, system_clock())
    assert status_of(server.api(f"{older}\\ann:secret")) == 200
    run(server, "user", "create", older, "b\x7fo", "--password-stdin", given="pw\n")
    assert status_of(server.api(f"{older}\\b\x7fo:pw")) == 200
    run(server, "user", "disable", older, "b\x7fo")
    run(server, "company", "delete", older, "--yes")


def test_bytes_that_are_no_text_are_no_name(server: RunningServer) -> None:
    odd, stores = "caf\udce9", server.stores
    acme = accounts.find_company(stores, "acme")
    for said, ask in (
        ("There is no company caf\\?", lambda: accounts.find_company(stores, odd)),
        ("has no user caf\\?", lambda: administration.disable_user(stores, acme, odd)),
        ("has no client caf\\?", lambda: clients.delete_client(stores, acme, odd)),
        ("name: Must have", lambda: accounts.create_company(stores, odd, 1)),
        ("name: Must have", lambda: accounts.set_user(stores, acme, odd, "pw", Role.API, 1)),
        ("name: Must have", lambda: clients.create_client(stores, acme, odd, [], 1)),
    ):
        with pytest.raises(RequestError, match=said):
            ask()
