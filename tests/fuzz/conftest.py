"""The options of the fuzz target."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz-requests", type=int, default=None, help="how many spoilt requests on each database")
    parser.addoption("--fuzz-seed", type=int, default=None, help="another seed of everything random than 1")
