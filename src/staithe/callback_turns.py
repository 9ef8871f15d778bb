"""The callbacks of a worker: side by side, in turns of the companies, so that a slow address keeps no other waiting."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from staithe.app import App
from staithe.domain.fairness import Turns
from staithe.domain.syncs import Sync
from staithe.observed_sync import note_callback, sync_fields
from staithe.services import callbacks
from staithe.services.stores import CompanyStore
from staithe.stop_latch import StopLatch

LOGGER: Final = logging.getLogger(__name__)
CALLBACKS_AT_ONCE: Final = 8
MOST_OF_ONE_COMPANY: Final = 2


class CallbackTurns:
    """Makes callbacks in threads of its own. What waits is in the stores alone, so it takes no memory.

    Args:
        app: whose stores, clock and settings are used.
        stopping: ends every callback under way; who scans next makes it.
    """

    def __init__(self, app: App, stopping: StopLatch) -> None:
        self.app = app
        self.stopping = stopping
        self.threads = ThreadPoolExecutor(CALLBACKS_AT_ONCE, "callback")
        self.lock = threading.Lock()
        self.turns = Turns(CALLBACKS_AT_ONCE, MOST_OF_ONE_COMPANY)
        self.offers: dict[int, tuple[CompanyStore, object]] = {}

    def offer(self, store: CompanyStore) -> None:
        """A company may have callbacks that nobody makes."""
        with self.lock:
            self.offers[store.company.id] = store, object()
        self.fill()

    def fill(self) -> None:
        """Give every free place to the company whose turn it is."""
        with self.lock:
            for company in self.turns.in_order(self.offers):
                if not self.stopping.is_set() and self.turns.take(company):
                    self.threads.submit(self.take_turn, *self.offers[company])

    def take_turn(self, store: CompanyStore, offer: object) -> None:
        """Make the next callback of a company; if it has none, it has no turn until it is offered anew."""
        has_more = False
        try:
            sync = callbacks.claim_next(store, self.app.clock)
            if sync is not None:
                has_more = True
                self.make(store, sync)
        except Exception:
            LOGGER.exception("the callbacks of company %s", store.company.name)
        with self.lock:
            self.turns.leave(store.company.id)
            if not has_more and self.offers.get(store.company.id, (store, None))[1] is offer:
                del self.offers[store.company.id]
        self.fill()

    def make(self, store: CompanyStore, sync: Sync) -> None:
        settings = self.app.settings
        with sync_fields(store, sync):
            was_taken = callbacks.make_callback(
                store,
                sync,
                self.app.clock,
                allow_private=settings.allow_private_callbacks,
                seconds=settings.pauses.callback_seconds,
                pause=self.pause,
            )
        if was_taken is not None:
            note_callback(was_taken=was_taken)

    def pause(self, seconds: float) -> None:
        if self.stopping.wait(seconds):
            raise callbacks.Interrupted

    def end(self) -> None:
        """Wait for those under way, which `stopping` has ended."""
        self.threads.shutdown(wait=True, cancel_futures=True)
