"""Reads `/metrics` of a running server, as Prometheus does."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.support.api import TRUST

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
WAIT_SECONDS = 60


class Scrape:
    """One answer of `/metrics`."""

    def __init__(self, text: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(text)}

    def value(self, name: str, **labels: str) -> float:
        """The value of a sample; 0 if there is none."""
        return self.by(name).get(frozenset(labels.items()), 0.0)

    def by(self, name: str) -> dict[frozenset[tuple[str, str]], float]:
        """The values of all samples of a name, by their labels."""
        return {
            frozenset(sample.labels.items()): sample.value
            for family in self.families.values()
            for sample in family.samples
            if sample.name == name
        }

    def by_label(self, name: str, label: str) -> dict[str, float]:
        """The values above zero of the samples of a name, by one label, which tells them apart."""
        return {dict(labels)[label]: value for labels, value in self.by(name).items() if value}

    def by_labels(self, name: str, *wanted: str) -> dict[tuple[str, ...], float]:
        """As `by_label`, by several."""
        found = {tuple(dict(labels)[label] for label in wanted): value for labels, value in self.by(name).items()}
        return {labels: value for labels, value in found.items() if value}


def read_metrics(url: str, **headers: str) -> httpx.Response:
    """Ask for them."""
    return httpx.get(f"{url}/metrics", headers=headers, timeout=60, trust_env=False, verify=TRUST)


def scrape(url: str) -> Scrape:
    """Ask for them from this machine, and parse them."""
    answer = read_metrics(url)
    assert answer.status_code == 200, answer.text
    return Scrape(answer.text)


def scrape_until(url: str, condition: Callable[[Scrape], bool], what: str) -> Scrape:
    """Scrape until a condition holds: workers count what they have done just behind doing it."""
    limit = time.monotonic() + WAIT_SECONDS
    while True:
        found = scrape(url)
        if condition(found):
            return found
        assert time.monotonic() < limit, f"not within {WAIT_SECONDS} s: {what}"
        time.sleep(0.05)
