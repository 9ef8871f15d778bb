"""What docs/explanation/security.md promises is held by tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs/explanation/security.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith(("| ---", "| promise |"))
]
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


@cache
def functions_of(path: Path) -> frozenset[str]:
    """The names of the tests in a file."""
    tree = ast.parse(path.read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_there_are_promises() -> None:
    assert len(ROWS) > 20


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:60] for row in ROWS])
def test_each_promise_names_tests_that_exist(row: list[str]) -> None:
    promise, held_by = row
    named = TEST.findall(held_by)
    assert promise
    assert named
    assert TEST.sub("", held_by).strip(" ,") == ""
    for path, name in named:
        assert name in functions_of(ROOT / path), f"{path} has no {name}"
