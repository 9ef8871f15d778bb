"""The metrics of many processes: counts that outlive those who counted, and the folder that they are kept in."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from staithe import __version__
from staithe.observing.shared_counts import merge_dead
from tests.conftest import StartServer
from tests.fault.processes import Process
from tests.support import bare
from tests.support.metrics import Scrape, read_metrics, scrape, scrape_until
from tests.support.server import HTTP, WORKER
from tests.support.waiting import LONGEST_SECONDS

one_database = pytest.mark.one_database("Counts are kept in files, and in no database.")

TOKEN = "a-token-of-the-operator"
REFUSAL = {
    "status": 403,
    "error": "Forbidden",
    "message": "Metrics are for callers on the server's own machine, and for those with the token of --metrics-token.",
    "advice": "Send it as Authorization: Bearer TOKEN.",
}


COUNTED = ("syncs", "records", "rejects", "uploads", "sync_action_contacts", "upload_received_bytes")


def kill_all(processes: list[Process]) -> None:
    for process in processes:
        process.kill()
    for process in processes:
        process.wait(LONGEST_SECONDS)


@one_database
def test_counts_do_not_fall_when_processes_die(servers: StartServer, tmp_path: Path) -> None:
    place = tmp_path / "tmp"
    place.mkdir()
    server = servers("--http-workers", "2", "--workers", "2", environment={"TMPDIR": str(place)})
    api, _store = server.new_company("acme2", contacts=50)
    uri = api.define()
    api.upload(uri, [{"Id": "1"}, {"Id": "77"}])
    api.sync(uri)

    def has_started(found: Scrape, times: int) -> bool:
        # A scrape reads the files of all processes one after the other, and a process may start meanwhile.
        starts, there = ({"http": number, "worker": number} for number in (times, 2))
        return (
            found.by_label("staithe_process_starts_total", "process") == starts
            and found.by_label("staithe_processes", "process") == there
        )

    def has_counted(found: Scrape) -> bool:
        return sum(found.by("staithe_syncs_total").values()) == 1 and has_started(found, 2)

    before = scrape_until(server.url, has_counted, "a sync was counted")
    assert sum(before.by_label("staithe_sync_duration_seconds_count", "kind").values()) == 1
    after = before
    for times in (4, 6):
        kill_all([*server.children(HTTP), *server.children(WORKER)])
        after = scrape_until(server.url, lambda s, times=times: has_started(s, times), "all are there again")
        for name in COUNTED:
            assert after.by(f"staithe_{name}_total") == before.by(f"staithe_{name}_total"), name
    (folder,) = folders(place)
    for kind in ("counter", "histogram", "gauge_livesum"):
        merged = 0 if kind.startswith("gauge") else 1
        assert len(list(folder.glob(f"{kind}_*"))) <= 4 + 4 + merged, "those of the dead become one"
    assert after.by("staithe_sync_duration_seconds_bucket") == before.by("staithe_sync_duration_seconds_bucket")
    assert after.by("staithe_sync_duration_seconds_sum") == before.by("staithe_sync_duration_seconds_sum")
    requests, later = before.by("staithe_http_requests_total"), after.by("staithe_http_requests_total")
    assert all(later[labels] >= value for labels, value in requests.items())
    assert after.value("staithe_syncs_running") == 0
    api.upload(uri, [{"Id": "2"}])
    api.sync(uri)
    last = scrape_until(server.url, lambda s: sum(s.by("staithe_syncs_total").values()) == 2, "one more")
    assert last.by_label("staithe_rejects_total", "code") == {"ELQ-00085": 1}
    assert server.stop() == 0


def folders(place: Path) -> list[Path]:
    return list(place.glob("staithe-metrics-*"))


@one_database
def test_the_folder_of_the_counts_goes_with_its_server(servers: StartServer, database: str, tmp_path: Path) -> None:
    place = tmp_path / "tmp"
    place.mkdir()
    environment = {"TMPDIR": str(place)}
    # On one database they are one deployment, with one staging area.
    staging = ("--staging", str(tmp_path / "staging")) if database else ()
    killed = servers(*staging, data=tmp_path / "killed", environment=environment)
    (left,) = folders(place)
    assert {file.name.partition("_")[0] for file in left.iterdir()} == {"counter", "gauge", "histogram", "lock"}
    first = servers(*staging, data=tmp_path / "first", environment=environment)
    assert len(folders(place)) == 2, "that of a server that runs stays"
    killed.kill()
    second = servers(*staging, data=tmp_path / "second", environment=environment)
    assert len(folders(place)) == 2
    assert left not in folders(place), "that of a server that was killed is removed by the next"
    assert scrape(first.url).value("staithe_processes", process="http", version=__version__) == 1
    assert (first.stop(), second.stop()) == (0, 0)
    assert folders(place) == []


COUNT = """
import resource, sys
if len(sys.argv) > 1:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
from staithe.observing import exposition, folder, metrics
metrics.SYNCS.labels("imports", "success").inc()
print(exposition.render(exposition.registry_of_server(folder.folder_of_server()), "")[0].decode())
"""


def count_in_a_process(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", COUNT, *words], env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_process_that_finds_no_room_for_its_counts_runs_without_them(tmp_path: Path) -> None:
    """A limit of the size of files stands for the full disk: both refuse to reserve what may be needed."""
    full = count_in_a_process(tmp_path, "1000")
    assert full.returncode == 0, full.stderr
    assert "the metrics of this process cannot be seen from others" in full.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["lock"], "and leaves nothing"
    gone = count_in_a_process(tmp_path / "gone")
    assert gone.returncode == 0, gone.stderr
    assert Scrape(gone.stdout).value("staithe_syncs_total", kind="imports", status="success") == 1
    good = count_in_a_process(tmp_path)
    assert good.stderr == ""
    assert Scrape(good.stdout).value("staithe_syncs_total", kind="imports", status="success") == 1


def test_what_the_dead_have_counted_becomes_one_file(tmp_path: Path) -> None:
    for _ in range(3):
        assert count_in_a_process(tmp_path).returncode == 0
    assert len(list(tmp_path.glob("counter_*.db"))) == 3
    for _ in range(2):
        merge_dead(tmp_path)
        assert sorted(file.name for file in tmp_path.glob("*_*") if not file.name.startswith("gauge")) == [
            "counter_0.db",
            "histogram_0.db",
        ]
    last = Scrape(count_in_a_process(tmp_path).stdout)
    assert last.value("staithe_syncs_total", kind="imports", status="success") == 4


def test_workers_alone_tell_their_metrics(servers: StartServer, database: str) -> None:
    """They may have the store for themselves, so the server that has made it has stopped."""
    server = servers("--workers", "0")
    api, _store = server.new_company("acme2", contacts=50)
    uri = api.define()
    assert api.upload(uri, [{"Id": "1"}]).status_code == 204
    api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri}).raise_for_status()
    assert server.stop() == 0
    words = ["worker", "--data", str(server.data), "--workers", "2", "--metrics-port", "0", "--metrics-token", TOKEN]
    environment = {**os.environ, "STAITHE_DATABASE": database, "COLUMNS": "300"}
    with subprocess.Popen(
        [sys.executable, "-m", "staithe", *words], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            told = re.fullmatch(r"Metrics are at (http://127\.0\.0\.1:\d+)/metrics\n", process.stdout.readline())
            assert told
            both = {"worker": 2}
            found = scrape_until(
                told[1],
                lambda s: (
                    sum(s.by("staithe_syncs_total").values()) == 1
                    and s.by_label("staithe_process_starts_total", "process") == both
                ),
                "both workers have started, and a sync was counted",
            )
            assert found.by_label("staithe_records_total", "result") == {"processed": 1}
            assert "staithe_pending_syncs" not in found.families, "servers tell of the stores"
            behind_a_proxy = {"x-forwarded-for": "192.0.2.7"}
            assert read_metrics(told[1], authorization=f"Bearer {TOKEN}", **behind_a_proxy).status_code == 200
            refused = read_metrics(told[1], **behind_a_proxy)
            assert (refused.status_code, refused.json()) == (403, REFUSAL)
            nowhere = bare.get(f"{told[1]}/elsewhere")
            assert (nowhere.status_code, nowhere.json()) == (
                404,
                {"status": 404, "error": "Not Found", "message": "No path /elsewhere.", "advice": "GET /metrics."},
            )
        finally:
            process.terminate()
        assert process.wait(LONGEST_SECONDS) == 0
