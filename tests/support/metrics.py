"""Reads `/metrics` of a running server, as Prometheus does."""

from __future__ import annotations

from collections.abc import Callable

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.support import bare
from tests.support.waiting import until

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


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
    return bare.get(f"{url}/metrics", headers=headers)


def scrape(url: str) -> Scrape:
    """Ask for them from this machine, and parse them."""
    answer = read_metrics(url)
    assert answer.status_code == 200, answer.text
    return Scrape(answer.text)


def scrape_until(url: str, condition: Callable[[Scrape], bool], what: str) -> Scrape:
    """Scrape until a condition holds: workers count what they have done just behind doing it."""
    found: list[Scrape] = []

    def holds() -> bool:
        found[:] = [scrape(url)]
        return condition(found[0])

    until(holds, what)
    return found[0]
