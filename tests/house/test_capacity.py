"""The model of growth: its tables follow from its constants, and these are those of the code and the benchmark."""

from __future__ import annotations

import json
import statistics
from typing import Any

import pytest

from staithe.domain import limits
from staithe.domain.pauses import USUAL_PAUSES
from staithe.services import accounts, known_logins
from staithe.storage import postgres
from tests.house.capacity import DOCUMENT, ROOT, Model, read_constants, three_digits, with_tables

TEXT = DOCUMENT.read_text()
CONSTANTS = read_constants(TEXT)
RESULTS: dict[str, Any] = json.loads((ROOT / "bench" / "results" / "latest.json").read_text())


def test_the_tables_follow_from_the_constants() -> None:
    assert with_tables(TEXT) == TEXT, "run: python -m tests.house.capacity"


def test_another_constant_makes_other_tables() -> None:
    assert with_tables(TEXT.replace("| `contact_bytes` | 478 |", "| `contact_bytes` | 956 |")) != TEXT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scan_seconds", USUAL_PAUSES.scan_seconds),
        ("retention_seconds", USUAL_PAUSES.retention_seconds),
        ("remember_seconds", known_logins.REMEMBER_SECONDS),
        ("chunk_bytes", limits.CHUNK_IDS / 8),
        ("login_mib", accounts.HASHER.memory_cost / 1024),
        ("kept_connections", postgres.POOLED_CONNECTIONS + 1),
        ("most_connections", postgres.POOLED_CONNECTIONS + postgres.MORE_CONNECTIONS + 1),
    ],
)
def test_what_the_code_decides_is_as_the_code_says(name: str, value: float) -> None:
    assert CONSTANTS[name] == value


@pytest.mark.parametrize(
    ("name", "measure", "records"), [("id_us", 1, 1_000_000), ("import_us", 7, 100_000), ("export_us", 9, 1_000_000)]
)
def test_processor_times_are_those_of_the_benchmark(name: str, measure: int, records: int) -> None:
    (found,) = [m for m in RESULTS["measures"] if m["number"] == measure]
    seconds = statistics.median(run[1] for run in found["figures"]["processor_seconds_of_floor_and_server"])
    assert CONSTANTS[name] == pytest.approx(seconds / records * 1e6, rel=0.5), "another run, another day: look again"


def test_every_constant_is_used() -> None:
    used: set[str] = set()

    class Watched(dict[str, float]):
        def __getitem__(self, name: str) -> float:
            used.add(name)
            return super().__getitem__(name)

    model = Model(Watched(CONSTANTS))
    for nodes in (10, 100):
        model.holds(nodes)
        model.shared(nodes)
    model.company()
    model.firsts()
    assert CONSTANTS.keys() - used == {"login_mib"}, "memory while a password is checked: in the text"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.00347, "0.00347"), (1.2345, "1.23"), (123.4, "123"), (5673, "5,670"), (981_000, "981,000")],
)
def test_three_digits(value: float, text: str) -> None:
    assert three_digits(value) == text
