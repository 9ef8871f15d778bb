"""The text that `/metrics` gives: what all processes of this server have counted, and what a reader adds to it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from staithe.observing.folder import FOLDER_VARIABLE
from staithe.observing.metrics import REGISTRY

LOOPBACK: Final = "127.0.0.1"


def registry_of_server(more: Iterable[Collector] = ()) -> CollectorRegistry:
    """Everything that the processes of this server count; without a folder, what this one counts.

    Args:
        more: what the reader adds.
    """
    registry = CollectorRegistry()
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder and Path(folder).is_dir():
        MultiProcessCollector(registry, folder)
    else:
        registry.register(REGISTRY)
    for collector in more:
        registry.register(collector)
    return registry


def render(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """The text and its media type, in the format that the reader wants, by its Accept header. It is in UTF-8."""
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


def serve_metrics(port: int, host: str = LOOPBACK) -> int:
    """Answer `/metrics` from a thread of this process, for a worker that has no HTTP process beside it.

    Args:
        port: where to listen; 0 takes a free one.
        host: the address to listen on. Who can reach it can read all metrics.

    Returns:
        The port.

    Raises:
        OSError: the port cannot be had.
    """
    server, _thread = start_http_server(port, host, registry_of_server())
    return server.server_port
