"""The life of an app's service instances, as public apps of Eloqua's AppCloud send it, with axios 0.18 as it is.

That is a replay: the apps are programs that are called by Eloqua, which Staithe does not do.
"""

from __future__ import annotations

from pathlib import Path

from staithe.storage.sets import load_set
from tests.clients.installed import NODE, PROGRAMS, result_of
from tests.conftest import COMPANY_NUMBERS, Deployment
from tests.support.oauth import REDIRECT, register

INSTANCE = "7b95fe48659843e88fd1dcb40cf83ef6"
ANSWERS = {
    f"actioninstance/{INSTANCE}/12/complete": [1, 2],
    f"actioninstance/{INSTANCE}/12/errored": [3],
    f"decisioninstance/{INSTANCE}/13/yes": [4],
    f"decisioninstance/{INSTANCE}/13/no": [5],
    f"decisioninstance/{INSTANCE}/0/yes": [6],
    f"feederinstance/{INSTANCE}/0/complete": [11],
}


def test_instances_are_configured_answered_for_and_deleted(deployment: Deployment, tmp_path: Path) -> None:
    server = deployment("sqlite")
    _, store = server.new_company(f"app{next(COMPANY_NUMBERS)}", contacts=10)
    app = register(server, store, "An app")
    token = app.log_in(f"{store.company.name}\\ann")["refresh_token"]
    words = [NODE, "--no-warnings", str(PROGRAMS / "app_service.js"), app.identifier, app.secret, token, REDIRECT]
    got = result_of(server, tmp_path, words)

    assert got["configured"] == [200, False, 200, False, 200, 200]
    assert set(got["sent"]) == {"complete", "errored", "yes", "no", "fed"}
    # Apps send back what they were notified with, also where the definition has no field for it: ELQ-00111.
    assert got["sent"].pop("complete") == [204, "warning"]
    assert all(answer == [204, "success"] for answer in got["sent"].values())
    assert (got["answered"], got["deleted"]) == (200, [204] * 5)
    assert (got["revoked"], got["refused"]) == (200, 401)
    with store.database.read() as connection:
        assert {key: list(load_set(connection, key)) for key in ANSWERS} == ANSWERS
