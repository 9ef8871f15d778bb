"""What `make nightly` does that `make test` does not: tests that it leaves out, and more effort in others.

A test that is left out has the mark `nightly` with the reason, and one that runs on SQLite alone by day the mark
`one_database`. Each reason, and each effort with both its numbers, stands in CONTRIBUTING.md; tests/house holds that.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Effort:
    """How hard something is tried by `make test`, and by `make nightly`."""

    usual: int
    nightly: int


EFFORTS = {
    "rounds of torture on each database": Effort(8, 1000),
    "kills of workers amid an import": Effort(12, 200),
    "times the examples of each property": Effort(1, 60),
    "files read beside a naive reader": Effort(2000, 100_000),
    "cases of each operation of the document": Effort(8, 100),
    "spoilt requests on each database": Effort(500, 100_000),
}
VARIABLE = "STAITHE_NIGHTLY"
"""Set for all processes of a nightly run: efforts are asked for when tests are imported."""


def effort(name: str) -> int:
    """How hard to try in this run."""
    found = EFFORTS[name]
    return found.nightly if os.environ.get(VARIABLE) else found.usual


def add_option(parser: pytest.Parser) -> None:
    """The option that `make nightly` gives."""
    parser.addoption("--nightly", action="store_true", help="leave out no test, and try harder: make nightly")


def obey_option(config: pytest.Config) -> None:
    """Tell the tests, before they are imported."""
    if config.getoption("nightly"):
        os.environ[VARIABLE] = "1"


def leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests out that only a nightly run has."""
    if config.getoption("nightly"):
        return
    left_out = [item for item in items if is_nightly(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not is_nightly(item)]


def is_nightly(item: pytest.Item) -> bool:
    """Whether a test has the mark, or one of its own by day and is on PostgreSQL."""
    if item.get_closest_marker("nightly"):
        return True
    case = getattr(item, "callspec", None)
    return bool(case and item.get_closest_marker("one_database") and case.params.get("database_kind") == "postgresql")
