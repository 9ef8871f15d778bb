"""`staithe demo` as a newcomer runs it: a process, a real server, real requests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support import curl
from tests.support.demo import ServingDemo, run_demo, run_once
from tests.support.waiting import LONGEST_SECONDS, until


def count_rejected(outcome: dict[str, Any]) -> dict[str, int]:
    return {reason["code"]: reason["count"] for reason in outcome["rejected"]}


def count_applied(outcome: dict[str, Any]) -> set[int]:
    return {action["count"] for action in outcome["applied"]}


def write_json(path: Path, rows: object) -> Path:
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def test_the_report_adds_up() -> None:
    done = run_demo("--once", "--contacts", "2000", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    outcome = report["outcome"]
    assert (outcome["uploaded"], outcome["records"], outcome["requests"]) == (500, 500, 10)
    assert count_rejected(outcome) == {"ELQ-00085": 5, "ELQ-00032": 1, "ELQ-00061": 1}
    assert outcome["repeated"] == 10
    assert len(outcome["applied"]) == 3
    assert count_applied(outcome) == {500 - 10 - 7} == {outcome["onList"], outcome["exported"], outcome["updated"]}
    assert outcome["status"] == "warning"
    for reason in outcome["rejected"]:
        assert len(reason["firstRecords"]) == min(3, reason["count"])
        assert all(1 <= number <= 500 for number in reason["firstRecords"])
    assert [step["name"] for step in report["steps"]] == [
        "start",
        "seed",
        "define",
        "upload",
        "sync",
        "export",
        "import",
    ]
    assert [step["records"] for step in report["steps"]] == [0, 2000, 0, 500, 500, 483, 483]
    assert all(step["seconds"] > 0 for step in report["steps"])
    assert not report["server"]["isDataKept"]
    assert not Path(report["server"]["data"]).exists()


def test_the_screen_fits_80_columns_and_keeps_commands_whole() -> None:
    done = run_demo("--once", "--contacts", "400")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    commands = [line for line in lines if line.startswith("curl ")]
    assert len(commands) == 3
    assert """-d '[{"Id":"1"},{"Id":"3"}]' http://127.0.0.1:""" in commands[0]
    assert commands[0].endswith("/api/bulk/2.0/contacts/syncActions/1/data")
    assert max(len(line) for line in lines if line not in commands) <= 80
    assert "Login" in done.stdout
    assert "demo\\admin" in done.stdout
    assert "data removed" in lines[-1]


def test_ids_in_a_csv_file(tmp_path: Path) -> None:
    file = tmp_path / "ids.csv"
    file.write_text('name,Contact ID\nAnn,1\n"Bo, the 2nd",2\nAnn again,1\nCy,999\n\nDi,\nEd,x7\n', encoding="utf-8")
    outcome = run_once("--file", str(file))["outcome"]
    assert outcome["statement"] == "{{Contact.Id}}"
    assert (outcome["records"], outcome["repeated"], outcome["onList"]) == (6, 1, 2)
    assert count_rejected(outcome) == {"ELQ-00085": 1, "ELQ-00061": 1, "ELQ-00032": 1}
    assert count_applied(outcome) == {2}


def test_email_addresses_in_a_json_file(tmp_path: Path) -> None:
    addresses = ["contact-7@example.com", "CONTACT-8@example.com", "nobody@example.com", "no address", None]
    rows = [{"n": n, "Email Address": address} for n, address in enumerate(addresses)]
    report = run_once("--file", str(write_json(tmp_path / "people.JSON", rows)))
    outcome = report["outcome"]
    assert outcome["statement"] == "{{Contact.Field(C_EmailAddress)}}"
    assert (outcome["records"], outcome["repeated"], outcome["onList"]) == (5, 0, 2)
    assert count_rejected(outcome) == {"ELQ-00085": 1, "ELQ-00002": 1, "ELQ-00061": 1}
    assert """'[{"Email Address":"contact-1@example.com"},""" in report["curl"][0]


def test_external_ids_in_a_wanted_column_and_a_directory_used_before(tmp_path: Path) -> None:
    rows = [{"id": "x", "Their 'key'": "CSTAI000000000005"}, {"id": "y", "Their 'key'": "CSTAI000000000006"}]
    file = write_json(tmp_path / "keys.json", rows)
    data = tmp_path / "kept"
    reports = [run_once("--file", str(file), "--column", "their 'key'", "--data", str(data)) for _ in range(2)]
    assert [report["server"]["login"] for report in reports] == ["demo\\admin", "demo-2\\admin"]
    for report in reports:
        assert report["outcome"]["statement"] == "{{Contact.Field(ContactIDExt)}}"
        assert (report["outcome"]["status"], report["outcome"]["onList"]) == ("success", 2)
        assert report["server"] | {"isDataKept": True, "data": str(data)} == report["server"]
    assert (data / "control.db").exists()


def test_a_wrong_file_is_one_line_and_seeds_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    done = run_demo("--file", str(tmp_path / "none.csv"), "--data", str(data))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"staithe: --file {tmp_path / 'none.csv'}: Cannot be read: No such file or directory.\n"
    assert not data.exists()


def test_a_column_without_a_file_is_refused() -> None:
    done = run_demo("--column", "Id")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "staithe: --column: Must come with --file.\n"


@pytest.mark.parametrize("kind", curl.KINDS)
def test_every_printed_command_runs_and_ctrl_c_leaves_nothing(tmp_path: Path, kind: str) -> None:
    program = curl.curl_in(tmp_path / "programs", kind)
    demo = ServingDemo("--contacts", "400", until="Serving until Ctrl-C")
    data = demo.temporary_directory()
    assert data.exists()
    commands = [line for line in demo.lines if line.startswith("curl ")]
    upload, sync, contact_list = (run_in_shell(command, program) for command in commands)
    assert upload.startswith("HTTP/1.1 204")
    assert json.loads(sync)["status"] == "pending"
    before = json.loads(contact_list)["count"]
    until(
        lambda: json.loads(run_in_shell(commands[2], program))["count"] >= 100 - 2 - 3 + 2,
        f"the contact list, which had {before} contacts, gets those of the upload",
    )
    assert demo.end(signal.SIGINT) == (0, "")
    assert "data removed" in demo.lines[-1]
    assert not data.exists()
    assert not [child for child in demo.children if child.is_running()]


def run_in_shell(command: str, program: Path) -> str:
    """What a command for curl writes, as it is typed."""
    environment = {**os.environ, "PATH": curl.path_with(program)}
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, timeout=LONGEST_SECONDS, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_sigterm_amid_the_seeding_leaves_nothing() -> None:
    demo = ServingDemo("--contacts", "3000000", until="server started")
    data = demo.temporary_directory()
    assert demo.end(signal.SIGTERM) == (0, "")
    assert not data.exists()
    assert not [child for child in demo.children if child.is_running()]


def test_a_job_that_is_cut_short_is_told_from_one_that_is_done() -> None:
    demo = ServingDemo("--once", "--contacts", "3000000", until="server started")
    assert demo.end(signal.SIGINT) == (130, "")


def test_a_taken_port_is_told() -> None:
    demo = ServingDemo("--contacts", "100", until="Serving until Ctrl-C")
    url = next(line.split()[-1] for line in demo.lines if "server started" in line)
    port = url.rpartition(":")[2]
    done = run_demo("--once", "--port", port)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"staithe: Cannot listen on 127.0.0.1:{port}: Address already in use.\n")
    assert demo.end(signal.SIGHUP) == (0, "")
