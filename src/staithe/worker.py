"""The sync worker: claims pending syncs, runs them side by side, keeps their leases alive, stops cleanly.

It watches the control store, which tells within milliseconds that a company has something to run. Every few seconds it
scans all companies: a hint that was lost costs no more. Companies take turns: `staithe.domain.fairness`.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Final

from staithe.app import App, build_or_exit
from staithe.beats import Beat
from staithe.callback_turns import CallbackTurns
from staithe.config import Settings, from_environment
from staithe.domain.companies import Company
from staithe.domain.errors import StoreUnusable
from staithe.domain.fairness import Turns
from staithe.domain.limits import SECOND
from staithe.observed_sync import run_observed, sync_fields
from staithe.observing import lifetime
from staithe.orphan import stop_with
from staithe.processes import name_process
from staithe.services import administration, retention, tokens
from staithe.services.leases import Claim, Leases
from staithe.services.quiet import QuietCompanies, Unexpired
from staithe.services.stores import CompanyStore
from staithe.services.sync_run import Run
from staithe.stop_latch import StopLatch
from staithe.storage import callback_claims, control, syncs
from staithe.storage.databases import Watch

LOGGER: Final = logging.getLogger(__name__)
SYNCS_AT_ONCE: Final = 4
MOST_OF_ONE_COMPANY: Final = 3
POLL_SECONDS: Final = 0.005
IDLE_POLL_SECONDS: Final = 0.05
IDLE_AFTER_SECONDS: Final = 10.0
"""Without a hint: to look for one 200 times a second takes up to 3 % of a processor."""

SCANNED_IN_A_SECOND: Final = 2500
"""Companies, at most: to see that one is quiet takes 7 us, and beyond 5,000 that comes less often."""

HINTS_EVERY: Final = 20
"""Companies that a scan passes by between two looks for hints."""

RETENTION_LOOK_SECONDS: Final = 0.2
QUIET_IN_TURN: Final = 5
"""Companies in which nothing has expired that a removal looks into all the same: for files that a crash has left."""

FIRST_LOOKS_SECONDS: Final = 0.05
"""Processor time after which a removal looks into no more companies for the first time: they come with the next ones,
so that a thousand take two minutes, and 0.5 % of a processor."""

ERROR_PAUSE_SECONDS: Final = 1.0
DUTY_PART: Final = 10.0
SWITCH_SECONDS: Final = 0.0005
"""How long a thread that has its answer waits for one that runs Python: at Python's 5 ms, PostgreSQL soon idles."""


class Worker:
    """One worker process. The main thread only looks; whatever may wait for a store runs in threads of its own."""

    def __init__(self, app: App, name: str, beat: Beat) -> None:
        self.app = app
        self.sign = beat
        self.stopping = StopLatch()
        self.wake = threading.Event()
        self.seen_version = -1
        self.hinted_at = time.monotonic()
        self.finished = threading.Event()
        self.leases = Leases(name, app.settings.lease_seconds, app.clock, SYNCS_AT_ONCE)
        self.runner = ThreadPoolExecutor(SYNCS_AT_ONCE, "sync")
        self.callbacks = CallbackTurns(app, self.stopping)
        self.lock = threading.Lock()
        self.turns = Turns(SYNCS_AT_ONCE, MOST_OF_ONE_COMPANY)
        self.quiet = QuietCompanies(app.stores)
        self.unexpired = Unexpired(app.stores)
        self.passes = 0
        self.claiming: set[int] = set()

    def run(self) -> None:
        """Work until `stopping` is set; then hand back what runs, and claim nothing more."""
        for name, duty in (("heartbeat", self.beat), ("retention", self.retain)):
            threading.Thread(target=duty, name=name, daemon=True).start()
        while not self.stopping.is_set():
            self.sign.mark()
            try:
                stores = self.app.stores
                with closing(stores.watch()) as watch, closing(stores.watch_control()) as changes:
                    self.look(watch, changes)
            except Exception:
                LOGGER.exception("the worker goes on after an error")
                self.stopping.wait(ERROR_PAUSE_SECONDS)
        self.runner.shutdown(wait=True)
        self.callbacks.end()
        self.finished.set()

    def look(self, watch: Watch, changes: Watch) -> None:
        """Follow hints as they come, and scan now and then: the companies that there are since the last change."""
        scan_at = 0.0
        self.seen_version = listed_version = -1
        companies: list[Company] = []
        while not self.stopping.is_set():
            self.sign.mark()
            self.look_for_hints(watch)
            if time.monotonic() >= scan_at:
                began = time.monotonic()
                if (version := changes.version()) != listed_version:
                    companies, listed_version = self.companies(), version
                self.scan(watch, companies)
                least = max(self.app.settings.pauses.scan_seconds, len(companies) / SCANNED_IN_A_SECOND)
                scan_at = began + pause_of(least, time.monotonic() - began)
            is_idle = time.monotonic() > self.hinted_at + IDLE_AFTER_SECONDS
            self.stopping.wait(IDLE_POLL_SECONDS if is_idle else POLL_SECONDS)

    def look_for_hints(self, watch: Watch) -> None:
        """Follow hints if there may be any."""
        version = watch.version()
        if version != self.seen_version or self.wake.is_set():
            self.seen_version, self.hinted_at = version, time.monotonic()
            self.wake.clear()
            self.follow_hints()

    def companies(self) -> list[Company]:
        """Every company."""
        with self.app.stores.control.read() as connection:
            return control.all_companies(connection)

    def in_turn(self, companies: Iterable[Company]) -> list[Company]:
        """Companies in the order in which they may take this worker's places."""
        by_id = {company.id: company for company in companies}
        with self.lock:
            return [by_id[number] for number in self.turns.in_order(by_id)]

    def follow_hints(self) -> None:
        """Run what the hinted companies have pending; a hint goes when a company has no more to claim."""
        with self.app.stores.hints.read() as connection:
            hinted = control.hinted_companies(connection)
        if not hinted:
            return
        with self.app.stores.control.read() as connection:
            companies = control.find_companies(connection, hinted)
        for company in self.in_turn(companies):
            if not self.has_more(company):
                with self.app.stores.hints.write() as connection:
                    control.forget_hint(connection, company.id, hinted[company.id])

    def scan(self, watch: Watch, companies: list[Company]) -> None:
        """Look into companies: for syncs without a hint, for lost workers' syncs, for callbacks not made."""
        busy: list[Company] = []
        for number, company in enumerate(companies):
            # However many companies there are, a hint does not wait for all of them.
            self.sign.mark()
            if number % HINTS_EVERY == 0:
                self.look_for_hints(watch)
            if self.stopping.is_set():
                return
            if not self.quiet.is_quiet(company):
                busy.append(company)
        for company in self.in_turn(busy):
            self.sign.mark()
            self.look_for_hints(watch)
            if self.stopping.is_set():
                return
            self.has_more(company)
            self.follow_callbacks(company)

    def follow_callbacks(self, company: Company) -> None:
        """Let the callbacks be made that nobody makes."""
        try:
            store = self.app.stores.open(company)
            with store.database.read() as connection:
                is_due = callback_claims.next_callback(connection, self.app.clock()) is not None
        except StoreUnusable:
            # The log says it already.
            return
        except Exception:
            LOGGER.exception("company %s cannot be looked into", company.name)
            return
        if is_due:
            self.callbacks.offer(store)

    def has_more(self, company: Company) -> bool:
        """Whether a company has syncs to claim; if there is room, a thread sets out to claim one."""
        try:
            store = self.app.stores.open(company)
            with store.database.read() as connection:
                if syncs.next_sync(connection, self.app.clock()) is None:
                    return False
        except StoreUnusable:
            return True
        except Exception:
            # One company's store that cannot be read must not keep the others waiting.
            LOGGER.exception("company %s cannot be looked into", company.name)
            return True
        with self.lock:
            # One thread a company waits for its store, so that a busy one does not take all the room.
            if company.id not in self.claiming and self.turns.take(company.id):
                self.claiming.add(company.id)
                self.runner.submit(self.claim_and_run, store)
        return True

    def claim_and_run(self, store: CompanyStore) -> None:
        """Claim a company's next sync and run it to its end."""
        try:
            claim = self.claim(store)
            if claim is not None:
                self.run_one(claim)
        except Exception:
            LOGGER.exception("company %s", store.company.name)
        finally:
            with self.lock:
                self.turns.leave(store.company.id)
            # The next sync of the same definition can start now, or of a company that found no room; here or elsewhere.
            self.wake.set()
            self.app.stores.hint_pending(store.company)

    def claim(self, store: CompanyStore) -> Claim | None:
        try:
            return None if self.stopping.is_set() else self.leases.claim(store)
        finally:
            with self.lock:
                self.claiming.discard(store.company.id)
            self.wake.set()

    def run_one(self, claim: Claim) -> None:
        """Run a claimed sync to its end, or until it is handed back."""
        store, sync, pause = claim.store, claim.sync, self.app.settings.pauses.staging_seconds
        with sync_fields(store, sync):
            try:
                run_observed(
                    Run(
                        store,
                        sync,
                        claim.owner,
                        self.app.clock,
                        should_stop=self.stopping.is_set,
                        is_lost=lambda: self.leases.is_lost(claim),
                        pause_seconds=pause,
                        most_seconds=self.app.settings.sync_timeout_seconds,
                    )
                )
            finally:
                self.leases.leave(claim)
        if sync.callback_url:
            self.callbacks.offer(store)

    def beat(self) -> None:
        """Prolong the leases of this worker until it has ended."""
        self.leases.keep(self.finished)

    def retain(self) -> None:
        """Remove what has expired, again and again: by the clock that says what has, so at once when it is moved."""
        least = self.app.settings.pauses.retention_seconds
        pause = least
        passed_at = self.app.clock()
        while not self.finished.wait(RETENTION_LOOK_SECONDS):
            began = time.monotonic()
            try:
                now = self.app.clock()
                if abs(now - passed_at) < pause * SECOND:
                    continue
                passed_at = now
                self.remove_expired()
            except Exception:
                LOGGER.exception("retention")
            pause = pause_of(least, time.monotonic() - began)

    def remove_expired(self) -> None:
        """Remove what has expired, in every company, and of the tokens."""
        removed_tokens = tokens.remove_expired(self.app.stores, self.app.clock())
        if removed_tokens:
            LOGGER.info("expired tokens removed: %d", removed_tokens)
        self.erase_deleted()
        began = time.thread_time()
        companies = self.companies()
        self.passes += 1
        for number, company in enumerate(companies):
            is_in_turn = (number - self.passes * QUIET_IN_TURN) % len(companies) < QUIET_IN_TURN
            may_wait = time.thread_time() > began + FIRST_LOOKS_SECONDS and not self.unexpired.was_seen(company)
            if may_wait and not is_in_turn:
                continue
            has_time = self.unexpired.has_time(company, self.app.clock())
            if has_time and not is_in_turn:
                continue
            try:
                removed = self.sweep(company) if has_time else self.remove_expired_of(company)
            except StoreUnusable:
                continue
            except Exception:
                LOGGER.exception("retention of company %s", company.name)
                continue
            if removed.anything:
                LOGGER.info("company %s, expired: %s", company.name, removed)

    def sweep(self, company: Company) -> retention.Removed:
        """Remove what a crash has left in a company in which nothing has expired."""
        return retention.Removed(0, 0, 0, retention.sweep_if_due(self.app.stores.open(company)))

    def remove_expired_of(self, company: Company) -> retention.Removed:
        """Remove what has expired in a company, and note what expires next."""
        state = self.unexpired.state_of(company)
        # Also one that cannot be used was looked into.
        self.unexpired.note(company, None, None)
        store, tells_next = self.app.stores.open(company), state is not None
        removed = retention.remove_expired(store, self.app.clock(), tells_next=tells_next)
        self.unexpired.note(company, state, removed.next_at)
        return removed

    def erase_deleted(self) -> None:
        """Close what deleted companies have open here, and erase what their deletion has left."""
        try:
            self.app.stores.close_deleted()
            administration.erase_deleted(self.app.stores, self.app.clock())
        except Exception:
            LOGGER.exception("deleted companies are erased another time")


def pause_of(least: float, seconds: float) -> float:
    """After how many seconds a duty that has taken `seconds` begins anew.

    With many companies it takes long: then it comes less often, so that it never takes more than a tenth of the time.
    """
    return max(least, DUTY_PART * seconds)


def run(settings: Settings, argument: str, supervisor: int) -> None:
    """Run a worker until SIGTERM, or until its supervisor is gone.

    Args:
        settings: of the server.
        argument: the worker's name, which no other has, and the number of the open file that takes its beat.
        supervisor: the id of the process that started this one.
    """
    name, beat = argument.split(",")
    name_process(name)
    sys.setswitchinterval(SWITCH_SECONDS)
    lifetime.start("worker", settings)
    app = build_or_exit(settings)
    worker = Worker(app, name, Beat(int(beat)))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, worker.stopping.set)
    stop_with(supervisor)
    worker.run()
    lifetime.stop()
    app.stores.close()


if __name__ == "__main__":
    run(from_environment(), sys.argv[1], int(sys.argv[2]))
