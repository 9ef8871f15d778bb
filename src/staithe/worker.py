"""The sync worker: claims pending syncs, runs them side by side, keeps their leases alive, stops cleanly.

It is a loop around a watch of the control store, which tells when another process has left a hint there, within
milliseconds. Every few seconds it scans all companies: a hint that was lost costs no more.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Final

import msgspec

from staithe.app import App, build
from staithe.config import from_environment
from staithe.domain.companies import Company
from staithe.domain.limits import SECOND
from staithe.domain.syncs import Sync
from staithe.orphan import stop_with
from staithe.services import callbacks, retention, tokens
from staithe.services.run_sync import run_sync
from staithe.services.stores import CompanyStore
from staithe.storage import control, syncs
from staithe.storage.databases import Watch
from staithe.wire.bulk import sync_body

LOGGER: Final = logging.getLogger(__name__)
SYNCS_AT_ONCE: Final = 4
CALLBACKS_AT_ONCE: Final = 8
POLL_SECONDS: Final = 0.005
SCAN_SECONDS: Final = 2.0
RETENTION_SECONDS: Final = 10.0
ERROR_PAUSE_SECONDS: Final = 1.0
CALLBACK_ABANDONED: Final = 90 * SECOND
"""After this a callback that was not dealt with is made by whoever sees it: its worker is gone."""


class Worker:
    """One worker process. The main thread only looks; whatever may wait for a store runs in threads of its own."""

    def __init__(self, app: App, owner: str) -> None:
        self.app = app
        self.owner = owner
        self.stopping = threading.Event()
        self.wake = threading.Event()
        self.finished = threading.Event()
        self.room = threading.Semaphore(SYNCS_AT_ONCE)
        self.runner = ThreadPoolExecutor(SYNCS_AT_ONCE, "sync")
        self.caller = ThreadPoolExecutor(CALLBACKS_AT_ONCE, "callback")
        self.lock = threading.Lock()
        self.claiming: set[int] = set()
        self.running: Counter[int] = Counter()
        self.calling_back: set[tuple[int, int]] = set()

    def run(self) -> None:
        """Work until `stopping` is set; then end what runs, and claim nothing more."""
        for name, duty in (("heartbeat", self.beat), ("retention", self.retain)):
            threading.Thread(target=duty, name=name, daemon=True).start()
        with closing(self.app.stores.watch()) as watch:
            while not self.stopping.is_set():
                try:
                    self.look(watch)
                except Exception:
                    LOGGER.exception("the worker goes on after an error")
                    self.stopping.wait(ERROR_PAUSE_SECONDS)
        self.runner.shutdown(wait=True)
        self.caller.shutdown(wait=True)
        self.finished.set()

    def look(self, watch: Watch) -> None:
        """Follow hints as they come, and scan now and then."""
        scanned_at = float("-inf")
        seen_version = -1
        while not self.stopping.is_set():
            version = watch.version()
            if version != seen_version or self.wake.is_set():
                seen_version = version
                self.wake.clear()
                self.follow_hints()
            if time.monotonic() - scanned_at > SCAN_SECONDS:
                scanned_at = time.monotonic()
                self.scan()
            self.stopping.wait(POLL_SECONDS)

    def companies(self) -> list[Company]:
        """Every company."""
        with self.app.stores.control.read() as connection:
            return control.all_companies(connection)

    def follow_hints(self) -> None:
        """Run what the hinted companies have pending; a hint goes when a company has no more to claim."""
        with self.app.stores.hints.read() as connection:
            hinted = control.hinted_companies(connection)
        for company in self.companies() if hinted else []:
            if company.id in hinted and self.nothing_to_claim(company):
                with self.app.stores.hints.write() as connection:
                    control.forget_hint(connection, company.id, hinted[company.id])

    def scan(self) -> None:
        """Look into every company: for syncs without a hint, for lost workers' syncs, for callbacks not made."""
        for company in self.companies():
            self.nothing_to_claim(company)
            store = self.app.stores.open(company)
            with store.database.read() as connection:
                due = syncs.callbacks_due(connection, self.app.clock() - CALLBACK_ABANDONED)
            for sync in due:
                self.call_back(store, sync)

    def nothing_to_claim(self, company: Company) -> bool:
        """Whether a company has nothing to claim; if it has, and there is room, a thread sets out to claim it."""
        store = self.app.stores.open(company)
        with store.database.read() as connection:
            if syncs.next_sync(connection, self.app.clock()) is None:
                return True
        with self.lock:
            # One thread a company waits for its store, so that a busy one does not take all the room.
            if company.id not in self.claiming and self.room.acquire(blocking=False):
                self.claiming.add(company.id)
                self.runner.submit(self.claim_and_run, store)
        return False

    def claim_and_run(self, store: CompanyStore) -> None:
        """Claim a company's next sync and run it to its end."""
        try:
            sync = self.claim(store)
            if sync is not None:
                self.run_one(store, sync)
        except Exception:
            LOGGER.exception("company %s", store.company.name)
        finally:
            self.room.release()
            # The next sync of the same definition, or of a company that found no room, can start now.
            self.app.stores.hint_pending(store.company)
            self.wake.set()

    def claim(self, store: CompanyStore) -> Sync | None:
        try:
            if self.stopping.is_set():
                return None
            with store.database.write(alone=False) as connection:
                now = self.app.clock()
                return syncs.claim(connection, self.owner, now, self.lease_end(now))
        finally:
            with self.lock:
                self.claiming.discard(store.company.id)
            self.wake.set()

    def lease_end(self, now: int) -> int:
        return now + int(self.app.settings.lease_seconds * SECOND)

    def run_one(self, store: CompanyStore, sync: Sync) -> None:
        with self.lock:
            self.running[store.company.id] += 1
        try:
            run_sync(store, sync, self.owner, self.app.clock)
        finally:
            with self.lock:
                self.running[store.company.id] -= 1
        if sync.callback_url:
            with store.database.read() as connection:
                finished = syncs.find_sync(connection, sync.id)
            if finished is not None and finished.ended_at is not None:
                self.call_back(store, finished)

    def call_back(self, store: CompanyStore, sync: Sync) -> None:
        """Deliver a sync's callback beside everything else; what a stop cuts short, a later scan takes up."""
        key = (store.company.id, sync.id)
        with self.lock:
            if key in self.calling_back or self.stopping.is_set():
                return
            self.calling_back.add(key)
        self.caller.submit(self.deliver, store, sync)

    def deliver(self, store: CompanyStore, sync: Sync) -> None:
        settings = self.app.settings
        try:
            callbacks.deliver(
                sync.callback_url or "",
                msgspec.json.encode(sync_body(sync)),
                allow_private=settings.allow_private_callbacks or settings.listens_on_loopback,
            )
            with store.database.write(alone=False) as connection:
                syncs.mark_called_back(connection, sync.id, self.app.clock())
        except Exception:
            LOGGER.exception("callback of sync %s of company %s", sync.id, store.company.name)
        finally:
            with self.lock:
                self.calling_back.discard((store.company.id, sync.id))

    def beat(self) -> None:
        """Prolong the leases of this worker, several times in the life of one."""
        while not self.finished.wait(self.app.settings.lease_seconds / 4):
            with self.lock:
                busy = {company_id for company_id, count in self.running.items() if count}
            for company in (c for c in self.companies() if c.id in busy):
                try:
                    with self.app.stores.open(company).database.write(alone=False) as connection:
                        now = self.app.clock()
                        syncs.renew_leases(connection, self.owner, self.lease_end(now))
                except Exception:
                    LOGGER.exception("heartbeat of company %s", company.name)

    def retain(self) -> None:
        """Remove what has expired, in every company, again and again."""
        while not self.finished.wait(RETENTION_SECONDS):
            self.remove_expired_tokens()
            for company in self.companies():
                try:
                    removed = retention.remove_expired(self.app.stores.open(company), self.app.clock())
                except Exception:
                    LOGGER.exception("retention of company %s", company.name)
                    continue
                if removed.anything:
                    LOGGER.info("company %s, expired: %s", company.name, removed)

    def remove_expired_tokens(self) -> None:
        try:
            removed = tokens.remove_expired(self.app.stores, self.app.clock())
        except Exception:
            LOGGER.exception("retention of tokens")
            return
        if removed:
            LOGGER.info("expired tokens removed: %d", removed)


def main() -> None:
    """Run a worker with the settings that the parent process handed over; arguments: its name, the parent's id."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s worker %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    app = build(from_environment())
    worker = Worker(app, owner=sys.argv[1])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stopping.set())
    stop_with(int(sys.argv[2]))
    worker.run()
    app.stores.close()


if __name__ == "__main__":
    main()
