"""`GET /metrics`: who may read them, and the numbers that only the stores can tell."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import anyio.to_thread
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from staithe.app import App
from staithe.domain.errors import NotAllowed
from staithe.http.calls import Answer, Pieces
from staithe.http.requests import Request
from staithe.observing.access import ADVICE, REFUSED, may_read
from staithe.observing.exposition import registry_of_server, render
from staithe.observing.folder import folder_of_server
from staithe.services.queues import Kept, QueueFigures, read_figures

LOGGER: Final = logging.getLogger(__name__)
PATH: Final = "/metrics"
SHARE: Final = 10
"""Of the time that reading them took, so many times pass until it is done again: thousands of stores take seconds."""

WAIT_SECONDS: Final = 2.0
"""How long an answer waits for new numbers; then it tells the old ones."""


class QueueGauges(Collector):
    """The queues of all companies as metrics. They are read in a thread, at most one at a time, and kept for a while.

    Args:
        read: reads the queues.
        kept_seconds: how old the numbers may be.
    """

    def __init__(self, read: Callable[[], QueueFigures], kept_seconds: float) -> None:
        self.read = read
        self.kept_seconds = kept_seconds
        self.lock = threading.Lock()
        self.figures: QueueFigures | None = None
        self.read_at = self.due_at = float("-inf")
        self.done = threading.Event()
        self.done.set()

    def collect(self) -> Iterator[Metric]:
        """The gauges; none as long as the stores have not been read once."""
        self.begin().wait(WAIT_SECONDS)
        with self.lock:
            figures, age = self.figures, time.monotonic() - self.read_at
        if figures is None:
            return
        values = (
            ("companies", "Companies.", figures.companies),
            ("unreadable_companies", "Companies whose store cannot be read.", figures.unreadable_companies),
            ("pending_syncs", "Syncs that wait for a worker.", figures.pending_syncs),
            ("active_syncs", "Syncs that a worker has claimed.", figures.active_syncs),
            (
                "oldest_pending_sync_age_seconds",
                "Age of the oldest sync that waits; 0 if none does.",
                figures.oldest_pending_age_seconds,
            ),
            ("staged_uploads", "Uploads in the staging area.", figures.staged_uploads),
            ("staged_bytes", "Bytes of the staging area.", figures.staged_bytes),
            ("queue_figures_age_seconds", "How long ago the stores were read for these.", age),
        )
        for name, what, value in values:
            yield GaugeMetricFamily(f"staithe_{name}", what, value)

    def begin(self) -> threading.Event:
        """Have the stores read, if it is time; gives what is set as soon as that is done."""
        with self.lock:
            if self.done.is_set() and time.monotonic() >= self.due_at:
                self.done = threading.Event()
                threading.Thread(target=self.refresh, name="queues", daemon=True).start()
            return self.done

    def refresh(self) -> None:
        """Read the stores; if that fails, the numbers stay as they are and grow old."""
        begun = time.monotonic()
        figures: QueueFigures | None = None
        try:
            figures = self.read()
        except Exception:
            LOGGER.exception("the queues cannot be read")
        ended = time.monotonic()
        with self.lock:
            if figures is not None:
                self.figures, self.read_at = figures, ended
            self.due_at = ended + max(self.kept_seconds, SHARE * (ended - begun))
        self.done.set()


class MetricsEndpoint:
    """Answers `/metrics`."""

    def __init__(self, app: App) -> None:
        self.token = app.settings.metrics_token
        kept: Kept = {}
        queues = QueueGauges(lambda: read_figures(app.stores, app.clock(), kept), app.settings.pauses.figures_seconds)
        self.registry = registry_of_server(folder_of_server(), [queues])

    async def answer(self, request: Request) -> Answer:
        """All metrics, for who may read them.

        Raises:
            NotAllowed: neither from this machine, nor with the token.
        """
        if not may_read(request.client_host, request.headers, self.token):
            raise NotAllowed(REFUSED, ADVICE)
        text, media_type = await anyio.to_thread.run_sync(render, self.registry, request.header_list("accept"))
        return Answer(200, Pieces(iter((text,)), media_type))
