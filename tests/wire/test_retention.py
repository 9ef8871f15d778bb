"""What expires when, on a running server whose clock the test moves."""

from __future__ import annotations

import time

import pytest

from staithe.services import retention
from tests.support.api import Api
from tests.support.clock import Clock
from tests.support.imports import define_import, import_body
from tests.support.server import RunningServer
from tests.support.waiting import until

YEAR_DAYS = 365


def used_kb(api: Api) -> int:
    return int(api.bulk("GET", "/imports/data").json()["kbUsed"])


def test_staged_data_is_kept_for_seven_days(moved: RunningServer, clock: Clock) -> None:
    api, store = moved.new_company("staged")
    uri = api.define()
    api.upload(uri, [{"Id": 1}], **{"idempotency-key": "k"})
    clock.forward(6.9)
    await_retention(moved, clock)
    assert used_kb(api) == 1
    clock.forward(0.2)
    until(lambda: used_kb(api) == 0, "what was staged is removed")
    until(lambda: not list(store.staging.root.iterdir()), "its file is deleted")
    assert api.bulk("GET", uri).status_code == 200
    assert api.upload(uri, [{"Id": 2}], **{"idempotency-key": "k"}).status_code == 204


def await_retention(server: RunningServer, clock: Clock) -> None:
    """Wait until retention has passed since the clock was moved: a canary just over its time is gone then."""
    api, store = server.new_company(f"canary{clock.days}-{time.monotonic_ns()}")
    uri = api.define()
    api.upload(uri, [{"Id": 1}])
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE upload SET created_at = 0")
    clock.forward(seconds=30)
    until(lambda: used_kb(api) == 0, "what was staged is removed")


def test_unused_definitions_and_old_syncs_go_after_a_year(moved: RunningServer, clock: Clock) -> None:
    api, store = moved.new_company("old", contacts=1)
    unused, used = api.define(), api.define()
    api.upload(used, [{"Id": "x"}])
    api.sync(used)
    clock.forward(YEAR_DAYS / 2)
    api.upload(used, [{"Id": 1}])
    api.sync(used)
    clock.forward(YEAR_DAYS / 2 + 1)
    until(lambda: api.bulk("GET", unused).status_code == 410, "it is removed")
    until(lambda: api.bulk("GET", "/syncs/1").status_code == 410, "it is removed")
    assert api.bulk("GET", "/syncs/1/rejects").status_code == 410
    until(lambda: not list(store.rejects.root.iterdir()), "its rejects are deleted")
    assert api.bulk("GET", "/syncs/2").status_code == 200
    assert api.bulk("GET", used).status_code == 200
    assert api.bulk("GET", "/contacts/syncActions").json()["totalResults"] == 1
    clock.forward(YEAR_DAYS)
    until(lambda: api.bulk("GET", used).status_code == 410, "it is removed")
    answer = api.bulk("POST", "/syncs", json={"syncedInstanceUri": used})
    assert answer.json()["failures"][0]["field"] == "syncedInstanceUri"


def test_files_that_nothing_names_are_swept(moved: RunningServer) -> None:
    api, store = moved.new_company("orphans")
    uri = api.define()
    api.upload(uri, [{"Id": 1}])
    (store.staging.root / "left.arrow.part").write_bytes(b"half")
    (store.rejects.root / "left.arrow").write_bytes(b"whole")
    assert retention.sweep(store) == 0
    assert retention.sweep(store, min_age_seconds=-1) == 2
    assert used_kb(api) == 1
    assert len(list(store.staging.root.iterdir())) == 1


def test_an_import_says_how_long_its_staged_data_is_kept(moved: RunningServer, clock: Clock) -> None:
    api, store = moved.new_company("staged-for-imports")
    short = define_import(api, dataRetentionDuration="PT1H")
    long = define_import(api, dataRetentionDuration="P14D")
    for uri in (short, long):
        api.upload(uri, [{"emailAddress": "a@example.com"}])
    clock.forward(1 / 24)
    until(lambda: len(list(store.staging.root.iterdir())) == 1, "what may stay less long is removed")
    assert "kbUsed" not in api.bulk("GET", short).json()
    clock.forward(13.9)
    await_retention(moved, clock)
    assert api.bulk("GET", long).json()["kbUsed"] == 1
    clock.forward(0.2)
    until(lambda: not list(store.staging.root.iterdir()), "its file is deleted")
    assert api.bulk("GET", long).status_code == 200


def test_definitions_delete_themselves(moved: RunningServer, clock: Clock) -> None:
    api, _ = moved.new_company("short-lived")
    first = define_import(api, autoDeleteDuration="P2D")
    second = define_import(api, autoDeleteDuration="P2D")
    actions = api.define(autoDeleteDuration="P2D")
    clock.forward(1.5)
    api.bulk("PUT", second, json=import_body(name="changed", autoDeleteDuration="P2D")).raise_for_status()
    clock.forward(0.6)
    for uri in (first, actions):
        until(lambda uri=uri: api.bulk("GET", uri).status_code == 410, "it is removed")
    assert api.bulk("GET", second).status_code == 200
    clock.forward(1.5)
    until(lambda: api.bulk("GET", second).status_code == 410, "it is removed")


@pytest.mark.parametrize(("duration", "days"), [(None, 0.5), ("P3D", 3)])
def test_exported_data_is_kept_as_long_as_its_definition_says(
    moved: RunningServer, clock: Clock, duration: str | None, days: float
) -> None:
    api, store = moved.new_company(f"exported-for-{days}", contacts=2)
    body = {"name": "all", "fields": {"Id": "{{Contact.Id}}"}, "dataRetentionDuration": duration}
    uri = api.bulk("POST", "/contacts/exports", json=body).raise_for_status().json()["uri"]
    data = f"{api.sync(uri)['uri']}/data"
    clock.forward(days - 0.01)
    await_retention(moved, clock)
    assert api.bulk("GET", data).json()["items"] == [{"Id": "1"}, {"Id": "2"}]
    clock.forward(0.02)
    assert api.bulk("GET", data).status_code == 410, "at once, not when the file goes"
    until(lambda: not list(store.exports.root.iterdir()), "its file is deleted")
    assert api.bulk("GET", data).status_code == 410
    assert api.bulk("GET", f"{uri}/data").status_code == 410
    assert "kbUsed" not in api.bulk("GET", uri).json()
