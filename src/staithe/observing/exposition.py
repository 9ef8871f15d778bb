"""The text that `/metrics` gives: what all processes of this server have counted, and what a reader adds to it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from staithe.observing.metrics import REGISTRY
from staithe.observing.shared_counts import SharedCounts


def registry_of_server(folder: Path | None, more: Iterable[Collector] = ()) -> CollectorRegistry:
    """Everything that the processes of a server count.

    Args:
        folder: that of the server's metrics; without one it is what this process counts.
        more: what the reader adds.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(REGISTRY if folder is None or not folder.is_dir() else SharedCounts(folder))
    for collector in more:
        registry.register(collector)
    return registry


def render(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """The text, in UTF-8, and its media type: in the format that the reader wants, by its Accept header."""
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type
