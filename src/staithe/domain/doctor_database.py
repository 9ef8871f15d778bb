"""The checks of `staithe doctor` that concern a database of either kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from staithe.domain.doctor_facts import Deployment, Finding, Outcome

OLDEST_SQLITE: Final = (3, 38)
"""From here on its JSON functions are always there; RETURNING is older [SQLite's release history]."""
NOTABLE_CLOCK_SECONDS: Final = 2.0
NAMED: Final = 5


def some(names: Sequence[str]) -> str:
    """A few names, and how many more there are."""
    shown = "; ".join(names[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED:,} more"


CONTROL: Final = "the control store"
UNREADABLE_ADVICE: Final = {
    "SQLite": "A fresh data directory is made by staithe serve; a damaged file needs a backup.",
    "PostgreSQL": "Is it running, and --database right? The tables of a fresh one are made by staithe serve.",
}
COMPANY_ADVICE: Final = "The company is refused meanwhile: bring its store back, or restore it from a backup."


def unreadable_stores(deployment: Deployment) -> Iterator[Finding]:
    """Every store could be read."""
    for store, reason in deployment.unreadable.items():
        what_helps = UNREADABLE_ADVICE[deployment.database] if store == CONTROL else COMPANY_ADVICE
        advice = f"Nothing else of it was checked. {what_helps}"
        yield Finding("database", Outcome.FAILURE, f"{store} cannot be read: {reason}", advice)


def schemas(deployment: Deployment) -> Iterator[Finding]:
    """Every store's schema is one that this Staithe knows."""
    if not deployment.schemas:
        return
    refused = [f"{s.store}: {s.version} of {s.newest}; it {s.fault}" for s in deployment.schemas if s.fault]
    older = [f"{s.store}: {s.version} of {s.newest}" for s in deployment.schemas if s.version < s.newest]
    if refused:
        advice = "This version refuses these stores: it does not know what they hold."
        yield Finding("schema", Outcome.FAILURE, some(refused), advice)
    if older:
        advice = "The next start of a server brings them up to date. Back them up before."
        yield Finding("schema", Outcome.WARNING, some(older), advice)
    if not refused and not older:
        yield Finding("schema", Outcome.OK, f"the newest, in stores: {len(deployment.schemas):,}")


def newest_rows(deployment: Deployment) -> Iterator[Finding]:
    """No row lies in the future of this machine's clock."""
    ahead = max(deployment.queues, key=lambda queue: queue.future_seconds, default=None)
    if ahead is None:
        return
    seconds = ahead.future_seconds
    found = f"the newest row of company {ahead.company} lies {seconds:,.0f} s in the future"
    yield clock_finding(deployment, "clock", seconds, found if seconds > 0 else "no row lies in the future")


def clock_finding(deployment: Deployment, check: str, seconds: float, found: str) -> Finding:
    """A difference of clocks, judged by the lease: past half of one, workers take each other for dead."""
    advice = "Set the clocks of all machines by NTP: leases, tokens and expiry go by them."
    if seconds > deployment.limits.lease_seconds / 2:
        return Finding(check, Outcome.FAILURE, found, advice)
    if seconds > NOTABLE_CLOCK_SECONDS:
        return Finding(check, Outcome.WARNING, found, advice)
    return Finding(check, Outcome.OK, found)


def sqlite(deployment: Deployment) -> Iterator[Finding]:
    """SQLite is new enough, and a commit is durable."""
    facts = deployment.sqlite
    if facts is None:
        return
    version = ".".join(map(str, facts.version))
    if facts.version < OLDEST_SQLITE:
        least = ".".join(map(str, OLDEST_SQLITE))
        advice = f"Staithe needs SQLite {least}: use a Python that brings a newer one."
        yield Finding("SQLite", Outcome.FAILURE, version, advice)
    else:
        yield Finding("SQLite", Outcome.OK, version)
    settings = f"journal_mode={facts.journal_mode}, synchronous={facts.synchronous}"
    if facts.journal_mode != "wal":
        advice = (
            "The file system does not allow WAL, which readers beside a writer need. Move the data to a local disk."
        )
        yield Finding("durability", Outcome.FAILURE, settings, advice)
    elif facts.synchronous not in ("full", "extra"):
        advice = "Commits would not survive a power cut: use SQLite as it comes, or report this."
        yield Finding("durability", Outcome.FAILURE, settings, advice)
    else:
        yield Finding("durability", Outcome.OK, settings)
