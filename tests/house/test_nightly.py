"""What only `make nightly` does was decided: CONTRIBUTING.md lists all of it, each with its reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.nightly import EFFORTS

ROOT = Path(__file__).parents[2]
ROWS = [
    cells
    for cells in (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (ROOT / "CONTRIBUTING.md").read_text().splitlines()
        if line.startswith("| ")
    )
    if set(cells[0]) != {"-"} and cells[0] != "what"
]
"""The table of CONTRIBUTING.md."""

MARK = re.compile(r"\bmark\.(?:nightly|one_database)\b")
MARK_WITH_REASON = re.compile(r"\bmark\.(nightly|one_database)\(\s*\"([^\"]+)\",?\s*\)")
WHAT_IS_RUN = {"nightly": ("left out", "run"), "one_database": ("on SQLite", "on both")}
"""A mark -> what stands in the table for `make test` and for `make nightly`."""

TESTS = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in sorted((ROOT / "tests").rglob("*.py"))
    if path != Path(__file__)
}


def marked() -> list[list[str]]:
    """What must stand in the table of each file that leaves something to the nightly run: a row of each reason."""
    return [
        [f"`{path}`", *WHAT_IS_RUN[mark], reason]
        for path, text in TESTS.items()
        for mark, reason in MARK_WITH_REASON.findall(text)
    ]


@pytest.mark.parametrize("cells", WHAT_IS_RUN.values())
def test_there_are_tests_that_are_left_out(cells: tuple[str, str]) -> None:
    assert any(tuple(row[1:3]) == cells for row in marked())


@pytest.mark.parametrize("path", [path for path, text in TESTS.items() if MARK.search(text)])
def test_every_mark_has_its_reason(path: str) -> None:
    assert len(MARK_WITH_REASON.findall(TESTS[path])) == len(MARK.findall(TESTS[path]))


def test_the_table_has_every_test_that_is_left_out_with_its_reason_and_every_effort() -> None:
    efforts = [[what, f"{effort.usual:,}", f"{effort.nightly:,}"] for what, effort in EFFORTS.items()]
    assert sorted(row for row in ROWS if row[0].startswith("`tests/")) == sorted(marked())
    others = [row for row in ROWS if not row[0].startswith("`tests/")]
    assert sorted(row[:3] for row in others) == sorted(efforts)
    assert all(len(row) == 4 and row[3] for row in others), "each with a reason"
