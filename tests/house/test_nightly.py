"""What only `make nightly` does was decided: CONTRIBUTING.md lists all of it, each with its reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.nightly import EFFORTS

ROOT = Path(__file__).parents[2]
ROWS = {
    cells[0]: cells[1:]
    for cells in (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (ROOT / "CONTRIBUTING.md").read_text().splitlines()
        if line.startswith("| ")
    )
}
"""The table of CONTRIBUTING.md, by its first column."""

MARK = re.compile(r"\bmark\.nightly\b")
MARK_WITH_REASON = re.compile(r"\bmark\.nightly\(\s*\"([^\"]+)\",?\s*\)")
TESTS = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in sorted((ROOT / "tests").rglob("*.py"))
    if path != Path(__file__)
}


def marked() -> list[tuple[str, str]]:
    """Every file that leaves tests to the nightly run, and each reason in it."""
    return [(path, reason) for path, text in TESTS.items() for reason in MARK_WITH_REASON.findall(text)]


def test_there_are_tests_that_are_left_out() -> None:
    assert marked()


@pytest.mark.parametrize("path", [path for path, text in TESTS.items() if MARK.search(text)])
def test_every_mark_has_its_reason(path: str) -> None:
    assert len(MARK_WITH_REASON.findall(TESTS[path])) == len(MARK.findall(TESTS[path]))


def test_the_table_has_every_test_that_is_left_out_with_its_reason_and_every_effort() -> None:
    left_out = {f"`{path}`": ["left out", "run", reason] for path, reason in marked()}
    efforts = {what: [f"{effort.usual:,}", f"{effort.nightly:,}"] for what, effort in EFFORTS.items()}
    table = {what: cells for what, cells in ROWS.items() if set(what) != {"-"} and what != "what"}
    assert {what: cells for what, cells in table.items() if what.startswith("`tests/")} == left_out
    others = {what: cells for what, cells in table.items() if not what.startswith("`tests/")}
    assert {what: cells[:2] for what, cells in others.items()} == efforts
    assert all(len(cells) == 3 and cells[2] for cells in others.values()), "each with a reason"
