"""The benchmark works: all of it, with tiny sizes. What it measures then means nothing, and is not looked at."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from bench.__main__ import app
from typer.testing import CliRunner

ROOT = Path(__file__).parents[2]
TINY = (
    *("--contacts", "20000", "--ids", "2000", "--imported", "2000", "--exported", "3000"),
    *("--runs", "1", "--records", "2", "--upload-kib", "64", "--mixed-seconds", "10", "--queued", "30"),
)
MOST_SECONDS = 600


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that others may enter: if root runs the tests, PostgreSQL runs as another user."""
    with TemporaryDirectory(prefix="staithe-bench-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.nightly("It takes a minute and a half of processor time, and no part of the product is only in it.")
def test_takes_every_measure_and_writes_it_as_json(open_folder: Path):
    """The benchmark itself verifies every list, all rejects, and all values, and fails if they are not right."""
    output = open_folder / "results"
    command = [sys.executable, "-m", "bench", *TINY, "--data", str(open_folder / "data"), "--output", str(output)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=MOST_SECONDS)
    assert ran.returncode == 0, ran.stderr
    latest, dated = sorted(output.iterdir(), key=lambda path: path.name != "latest.json")
    result = msgspec.json.decode(latest.read_bytes())
    assert latest.read_bytes() == dated.read_bytes()
    assert [measure["number"] for measure in result["measures"]] == list(range(1, 18))
    assert result["sizes"]["contacts"] == 20_000
    assert len(result["measures"][0]["figures"]["ratios"]) == 1
    mixed = result["measures"][14]["figures"]
    assert mixed["errors"] == []
    assert {"upload", "POST sync", "GET sync", "GET log"} <= mixed["operations"].keys()
    titles = [b["title"].partition(",")[0] for b in result["breakdowns"]]
    assert titles == ["1", "1", "2", "2", "3", "3", "7", "7", "8", "8", "9", "9", "12", "12", "13", "13"]
    assert str(open_folder) not in latest.read_text()


def test_deletes_no_data_but_its_own(tmp_path: Path):
    (tmp_path / "100").mkdir()
    (tmp_path / "100" / "precious").write_text("data")
    ran = CliRunner().invoke(app, ["--contacts", "100", "--ids", "20", "--data", str(tmp_path), "--fresh"])
    assert "--data" in str(ran.exception)
    assert (tmp_path / "100" / "precious").read_text() == "data"


def test_help_names_every_measure():
    ran = CliRunner().invoke(app, ["--help"])
    assert ran.exit_code == 0
    for name in (
        "ids as JSON",
        "ids as CSV",
        "email addresses",
        "growth",
        "one record",
        "memory",
        "import, new",
        "export",
        "mixed load",
        "fairness",
        "reads",
    ):
        assert name in ran.stdout
