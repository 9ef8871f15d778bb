"""`staithe doctor`: a sound deployment, and real faults one by one."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from staithe import __version__
from tests.support.clock import Clock
from tests.support.server import RunningServer

LONG_AGO_SECONDS = 2 * 3600.0


def doctor(data: Path, *options: str, json_wanted: bool = True, **environment: str) -> tuple[int, str]:
    """Run it: its exit code and what it printed."""
    words = ["doctor", "--data", str(data), *(["--json"] if json_wanted else []), *options]
    ran = subprocess.run(
        [sys.executable, "-m", "staithe", *words],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "COLUMNS": "200", **environment},
        check=False,
    )
    assert ran.stderr == ""
    return ran.returncode, ran.stdout


def findings(data: Path, *options: str, code: int = 0) -> dict[str, list[Any]]:
    """What it found by check: outcome, what was found, advice."""
    ended, printed = doctor(data, *options)
    assert ended == code, printed
    found: dict[str, list[Any]] = {}
    for finding in json.loads(printed)["findings"]:
        assert finding["check"] not in found, "each check once"
        found[finding["check"]] = [finding["outcome"], finding["found"], finding["advice"]]
    return found


def files_of(data: Path) -> dict[str, int]:
    """Every file that holds something for good, with its time; SQLite's logs come and go."""
    kept = [p for p in data.rglob("*") if p.is_file() and not p.name.endswith(("-wal", "-shm"))]
    return {str(path): path.stat().st_mtime_ns for path in kept}


def test_a_sound_deployment_beside_its_server(tmp_path: Path) -> None:
    server = RunningServer(tmp_path / "data")
    uri = server.api().define()
    server.api().upload(uri, [{"Id": "1"}])
    before = files_of(server.data)
    found = findings(server.data)
    assert files_of(server.data) == before, "nothing is left behind, nothing changed"
    place = server.data / "companies" / "1" / "staging"
    assert found.pop("software")[:2] == ["ok", f"Staithe {__version__}, Python {sys.version.split()[0]}, {system()}"]
    assert found.pop("space of data")[0] in ("ok", "warning"), "as the machine has it"
    assert found.pop("file system of data")[0] in ("ok", "warning"), "a container's, maybe"
    assert found["staging"][1].startswith("a file was written, read and deleted in ")
    assert found.pop("staging")[1].endswith(f" ms ({place})")
    assert found["server"][1].startswith(f"{server.url} is ready (")
    assert found.pop("server")[0] == "ok"
    assert found == {
        "schema": ["ok", "the newest, in stores: 2", ""],
        "clock": ["ok", "no row lies in the future", ""],
        "SQLite": ["ok", sqlite3.sqlite_version, ""],
        "durability": ["ok", "journal_mode=wal, synchronous=full", ""],
        "syncs": ["ok", "0 pending, 0 running, none has waited for long", ""],
        "leases": ["ok", "every active sync has its worker", ""],
        "files": ["ok", "none is left without a row", ""],
    }
    ended, printed = doctor(server.data, json_wanted=False)
    assert ended == 0
    for words in ("found, and what to do", "durability", "journal_mode=wal, synchronous=full", "is ready"):
        assert words in printed
    assert server.stop() == 0
    assert findings(server.data)["server"] == ["ok", "none runs on this data directory", ""]


def system() -> str:
    return f"{os.uname().sysname} {os.uname().machine}"


def test_a_clock_that_differs(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock")
    clock.forward(days=1)
    server = RunningServer(tmp_path / "data", "--clock-file", str(clock.file))
    server.api().upload(server.api().define(), [{"Id": "1"}])
    outcome, found, advice = findings(server.data, code=1)["clock"]
    assert outcome == "failure"
    told = re.fullmatch(r"the newest row of company acme lies ([\d,]+) s in the future", found)
    assert told
    assert 43_200 < int(told[1].replace(",", "")) <= 86_400
    assert advice.startswith("Set the clocks of all machines by NTP")
    assert findings(server.data, "--clock-file", str(clock.file))["clock"][0] == "ok"
    patient = findings(server.data, "--lease-seconds", str(4 * 86_400))["clock"]
    assert patient[0] == "warning", "half a lease is the limit"
    assert server.stop() == 0


def test_staging_that_cannot_be_written(tmp_path: Path) -> None:
    server = RunningServer(tmp_path / "data")
    assert server.stop() == 0
    place = server.data / "companies" / "1" / "staging"
    place.rmdir()
    place.write_text("in the way")
    found = findings(server.data, code=1)
    assert found["staging"] == [
        "failure",
        f"{place}: [Errno 17] File exists: '{place}'",
        "Let Staithe's user write there; until then uploads fail.",
    ]
    assert found["files"][0] == "failure"
    assert found["files"][1] == f"company acme: [Errno 20] Not a directory: '{place}'"
    assert place.read_text() == "in the way"


def test_schemas_of_another_version(tmp_path: Path) -> None:
    server = RunningServer(tmp_path / "data")
    server.new_company("north")
    assert server.stop() == 0
    newest = set_schema_version(server.data / "companies" / "1" / "company.db", 99)
    set_schema_version(server.data / "companies" / "2" / "company.db", newest - 1)
    ended, printed = doctor(server.data)
    assert ended == 1
    schemas = [list(f.values()) for f in json.loads(printed)["findings"] if f["check"] == "schema"]
    assert schemas == [
        [
            "schema",
            "failure",
            f"acme: 99, newer than {newest}",
            "Upgrade Staithe, and start no server of this version: it does not know what these stores hold.",
        ],
        [
            "schema",
            "warning",
            f"north: {newest - 1} of {newest}",
            "The next start of a server brings them up to date. Back them up before.",
        ],
    ]
    assert set_schema_version(server.data / "companies" / "2" / "company.db", newest) == newest - 1, "not migrated"


def set_schema_version(path: Path, version: int) -> int:
    """Claim another version; gives the one it was."""
    connection = sqlite3.connect(path)
    (was,) = connection.execute("SELECT version FROM schema_version").fetchone()
    connection.execute("UPDATE schema_version SET version = ?", (version,))
    connection.commit()
    connection.close()
    return was


def test_a_server_that_is_gone(tmp_path: Path) -> None:
    server = RunningServer(tmp_path / "data")
    server.kill()
    outcome, found, advice = findings(server.data, code=1)["server"]
    assert outcome == "failure"
    assert found.startswith(f"{server.url} does not answer: ")
    assert advice.startswith("Start it.")


def test_a_server_that_answers_something_else(server: RunningServer, tmp_path: Path) -> None:
    other = RunningServer(tmp_path / "data")
    assert other.stop() == 0
    found = findings(other.data, "--server", f"{server.url}/api", code=1)["server"]
    assert found == ["failure", f"{server.url}/api/readyz answers 404", "It runs but cannot work: read its output."]


def test_stores_that_are_not_there_or_broken(tmp_path: Path) -> None:
    found = findings(tmp_path / "none", code=1)
    assert found["database"][:2] == [
        "failure",
        f"the control store cannot be read: {tmp_path}/none/control.db does not exist.",
    ]
    assert "schema" not in found
    assert not (tmp_path / "none").exists(), "nothing is made"
    server = RunningServer(tmp_path / "data")
    server.new_company("north")
    assert server.stop() == 0
    broken = server.data / "companies" / "1" / "company.db"
    broken.write_bytes(b"no database" * 1000)
    found = findings(server.data, code=1)
    assert found["database"][:2] == [
        "failure",
        f"company acme cannot be read: {broken}: file is not a database.",
    ]
    assert found["schema"] == ["ok", "the newest, in stores: 2", ""], "the others are checked all the same"


def test_stuck_syncs_lapsed_leases_and_forgotten_files(tmp_path: Path) -> None:
    server = RunningServer(tmp_path / "data")
    api = server.api()
    uri = api.define()
    (worker,) = server.children("staithe.worker")
    worker.suspend()
    api.upload(uri, [{"Id": "1"}])
    created = api.bulk("POST", "/syncs", json={"syncedInstanceUri": uri})
    assert created.status_code == 201
    waiting = findings(server.data)["syncs"]
    assert waiting == ["ok", "1 pending, 0 running, none has waited for long", ""]
    time.sleep(0.05)
    stuck = findings(server.data, "--stuck-minutes", "0", code=1)["syncs"]
    assert stuck == [
        "failure",
        "acme: 1, the oldest for 0 min; 0 running",
        "No worker takes them up: start staithe serve or staithe worker, and read its output.",
    ]
    database = sqlite3.connect(server.data / "companies" / "1" / "company.db", timeout=60)
    database.execute("UPDATE sync SET status = 'active', lease_owner = 'gone', lease_until = 1")
    database.commit()
    database.close()
    forgotten = server.data / "companies" / "1" / "exports" / "forgotten.arrow"
    forgotten.write_bytes(b"x")
    os.utime(forgotten, (time.time() - LONG_AGO_SECONDS,) * 2)
    found = findings(server.data)
    assert found["leases"] == [
        "warning",
        "active syncs whose worker is gone: acme: 1",
        "Another worker takes them up within seconds. If this stays, none is running.",
    ]
    assert found["files"] == [
        "warning",
        "older than an hour and named by no row: acme: 1",
        "They take space and nothing else; a running worker removes them.",
    ]
    worker.resume()
    wait_until_swept(forgotten, worker)
    assert api.wait(created.json()["uri"])["status"] in ("success", "warning")
    assert findings(server.data)["leases"][0] == "ok"
    assert server.stop() == 0


def wait_until_swept(path: Path, worker: psutil.Process) -> None:
    limit = time.monotonic() + 60
    while path.exists():
        assert worker.is_running()
        assert time.monotonic() < limit
        time.sleep(0.05)
