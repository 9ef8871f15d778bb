"""What is answered on the event loop, where a slow read would hold up every request: each row is found by its key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import pytest
from sqlalchemy import Engine, event

from staithe.app import App, build
from staithe.config import Settings
from staithe.domain.companies import Role
from staithe.domain.elements import ELEMENTS_BY_NAME, OPERATIONS, Operation
from staithe.domain.errors import NotFound
from staithe.http.bulk import find_handler
from staithe.http.calls import Call
from staithe.services import accounts
from staithe.services.caller import Caller
from staithe.storage.open_files import CompanyFile

HANDLED: Final = [o for o in OPERATIONS if o.served and o.verb not in ("upload", "read")]
QUICK: Final = [operation for operation in HANDLED if find_handler(operation).reads_few_rows]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    made = build(Settings(data=tmp_path_factory.mktemp("quick")))
    yield made
    made.stores.close()


def test_reads_of_syncs_are_quick() -> None:
    assert "/syncs/{id}" in {operation.path for operation in QUICK}


@pytest.mark.parametrize("operation", QUICK, ids=lambda operation: operation.path)
def test_a_quick_read_finds_each_row_by_its_key(app: App, operation: Operation) -> None:
    company = accounts.create_company(app.stores, re.sub(r"\W", ".", operation.path), 1)
    user = accounts.set_user(app.stores, company, "ann", "secret", Role.ADMIN, 1)
    store = app.stores.open(company)
    assert isinstance(store.database, CompanyFile)
    with store.database.opened() as database:
        engine: Engine = database.engine
    plans: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def explain(connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        if not statement.startswith("BEGIN"):
            driver = connection.connection.driver_connection
            plans.extend(row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

    with suppress(NotFound):
        caller = Caller(user, app.stores, store, 1)
        find_handler(operation).handle(Call(app, caller, 1, {}, b""), ELEMENTS_BY_NAME[operation.element])
    assert plans
    assert [plan for plan in plans if not plan.startswith("SEARCH")] == []
