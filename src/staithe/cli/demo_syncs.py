"""Syncs of the demo: wait for the end of one, and read what its log counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from staithe.cli.demo_client import DemoClient, Json
from staithe.cli.progress import spinner
from staithe.domain import codes
from staithe.domain.errors import RequestError
from staithe.domain.syncs import SyncStatus

PAGE_ITEMS: Final = 1000


def synchronize(client: DemoClient, definition: str) -> Json:
    """Sync a definition.

    Raises:
        RequestError: the sync ended in error; the message is its log's.
    """
    with spinner("syncing"):
        sync = client.sync(definition)
    if sync["status"] == SyncStatus.ERROR:
        errors = [line["message"] for line in log_lines(client, sync) if line["severity"] == codes.ERROR]
        raise RequestError(f"The sync ended in error: {' '.join(errors)}")
    return sync


def log_lines(client: DemoClient, sync: Json) -> Iterable[Json]:
    return client.page(f"{sync['uri']}/logs", PAGE_ITEMS)["items"]


def read_log(client: DemoClient, sync: Json) -> Mapping[str, int]:
    """The count of each status code in a sync's log."""
    return {line["statusCode"]: line.get("count", 0) for line in log_lines(client, sync)}
