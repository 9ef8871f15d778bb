"""A process that lives and does nothing: `/readyz` says so of workers, and the supervisor starts it anew."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from staithe import beats
from staithe.app import build
from staithe.beats import Beat, Silence
from staithe.config import Settings
from staithe.http import health
from tests.conftest import StartServer
from tests.fault.processes import child
from tests.support.api import add_to_list
from tests.support.pauses import pauses
from tests.support.server import HTTP, WORKER, RunningServer
from tests.support.waiting import until

one_database = pytest.mark.one_database("Processes start and end the same, whichever database they use.")

HUNG_SECONDS = 4.0


@one_database
def test_a_process_that_stands_still_is_started_anew(servers: StartServer) -> None:
    server = servers(environment=pauses(hung_seconds=HUNG_SECONDS))
    api, _ = server.new_company("north", contacts=10)
    for role in (WORKER, HTTP):
        hung = child(server, role)
        hung.send_signal(signal.SIGSTOP)
        if role == WORKER:
            until(lambda: api.call("GET", "/readyz").status_code == 503, "nobody works off syncs")
            reasons = ["No worker has done anything for 1 s."]
            answer = api.call("GET", "/readyz")
            assert answer.status_code == 200 or answer.json() == {"status": "not ready", "reasons": reasons}
        until(partial(is_new, server, role, hung.pid), "it is started anew")
        until(lambda: api.call("GET", "/readyz").status_code == 200, "all is well")
    uri = api.define(add_to_list(api.new_list()))
    api.upload(uri, [{"Id": 1}])
    assert api.sync(uri)["status"] == "success"
    server.stop()
    assert sum("has done nothing for 4 s: ending it" in line for line in server.lines) >= 2


def is_new(server: RunningServer, role: str, pid: int) -> bool:
    """Whether another process does the work of one."""
    return [process.pid for process in server.children(role)] not in ([], [pid])


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less is free than the largest upload takes."""
    app = build(Settings(data=tmp_path / "data"))
    assert health.ready(app).status == 200
    monkeypatch.setattr(health.shutil, "disk_usage", lambda _: SimpleNamespace(free=32 * 1024**2 - 1))
    answer = health.ready(app)
    reasons = [f"The disk of {app.stores.data} is full."]
    assert (answer.status, answer.body) == (503, {"status": "not ready", "reasons": reasons})
    app.stores.close()


@one_database
def test_a_server_whose_workers_are_elsewhere_is_ready(servers: StartServer) -> None:
    server = servers("--workers", "0", environment=pauses(hung_seconds=HUNG_SECONDS))
    assert server.api().call("GET", "/readyz").json() == {"status": "ready"}
    server.kill()


def test_silence_is_counted_as_its_watcher_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(beats.time, "monotonic", lambda: now[0])
    beat, silence = Beat(), Silence()
    assert (silence.look(beat.last()), beat.is_fresh(10)) == (0, False), "never begun"
    beat.begin()
    for _ in range(100):
        now[0] += 1
        assert silence.look(beat.last()) == 0, "not watched before it has begun to work"
    assert (beat.is_fresh(101), beat.is_fresh(99)) == (True, False)
    beat.mark()
    silence.look(beat.last())
    for seconds in range(1, 20):
        now[0] += 1
        assert silence.look(beat.last()) == seconds
    now[0] += 3600
    assert silence.look(beat.last()) == 20, "the watcher slept, too"
    beat.mark()
    assert silence.look(beat.last()) == 0
