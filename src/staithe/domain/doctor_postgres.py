"""The checks of `staithe doctor` that concern PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from staithe.domain.doctor_database import clock_finding
from staithe.domain.doctor_facts import Deployment, Finding, Outcome, PostgresFacts

OLDEST_POSTGRESQL: Final = 14
"""The oldest release line that its makers still mend [PostgreSQL's versioning policy]."""
LASTING_COMMITS: Final = ("on", "local", "remote_write", "remote_apply")
"""Values of `synchronous_commit` with which a commit waits for this server's disk [PostgreSQL's manual]."""
CROWDED_SHARE: Final = 0.8


def postgres(deployment: Deployment) -> Iterator[Finding]:
    """PostgreSQL is one that Staithe can run on."""
    facts = deployment.postgres
    if facts is None:
        return
    yield version(facts)
    yield rights(facts)
    yield durability(facts)
    yield connections(facts, deployment.limits.processes)
    yield timeouts(facts)


def version(facts: PostgresFacts) -> Finding:
    major, minor = divmod(facts.version, 10_000)
    found = f"{major}.{minor}, encoding {facts.encoding}"
    if major < OLDEST_POSTGRESQL:
        return Finding("PostgreSQL", Outcome.FAILURE, found, f"Upgrade it to {OLDEST_POSTGRESQL} or newer.")
    if facts.encoding != "UTF8":
        advice = "Make another database with createdb -E UTF8 -T template0: contacts have names in all scripts."
        return Finding("PostgreSQL", Outcome.FAILURE, found, advice)
    return Finding("PostgreSQL", Outcome.OK, found)


def rights(facts: PostgresFacts) -> Finding:
    if facts.is_standby:
        return Finding("rights", Outcome.FAILURE, "this server is a standby", "Name the primary with --database.")
    if not facts.may_make_schemas:
        advice = "GRANT CREATE ON DATABASE ... TO ...: every new company is a schema."
        return Finding("rights", Outcome.FAILURE, "the role may not make schemas", advice)
    return Finding("rights", Outcome.OK, "the role may make schemas")


def durability(facts: PostgresFacts) -> Finding:
    names = ("fsync", "full_page_writes", "synchronous_commit")
    found = ", ".join(f"{name}={facts.settings[name]}" for name in names)
    if facts.settings["fsync"] != "on":
        advice = "Set fsync=on: a power cut would destroy the whole database."
        return Finding("durability", Outcome.FAILURE, found, advice)
    if facts.settings["synchronous_commit"] not in LASTING_COMMITS:
        advice = "Set synchronous_commit=on: an upload that was answered with 204 could be lost."
        return Finding("durability", Outcome.FAILURE, found, advice)
    if facts.settings["full_page_writes"] != "on":
        advice = "Set full_page_writes=on, unless the file system never writes half a page (ZFS does not)."
        return Finding("durability", Outcome.WARNING, found, advice)
    return Finding("durability", Outcome.OK, found)


def connections(facts: PostgresFacts, processes: int) -> Finding:
    """Enough connections for all processes at their busiest, and room today."""
    usable = int(facts.settings["max_connections"]) - int(facts.settings["superuser_reserved_connections"])
    wanted = processes * facts.connections_of_process
    found = f"{facts.connections:,} of {usable:,} in use; {processes:,} processes may open {wanted:,}"
    if wanted > usable:
        advice = "Raise max_connections: at the limit, requests are answered 503. --processes says how many processes."
        return Finding("connections", Outcome.WARNING, found, advice)
    if facts.connections > CROWDED_SHARE * usable:
        advice = "Raise max_connections, or find out who else uses the server: pg_stat_activity names them."
        return Finding("connections", Outcome.WARNING, found, advice)
    return Finding("connections", Outcome.OK, found)


def timeouts(facts: PostgresFacts) -> Finding:
    names = ("statement_timeout", "idle_in_transaction_session_timeout")
    found = ", ".join(f"{name}={facts.settings[name]}" for name in names)
    if any(facts.settings[name] != "0" for name in names):
        advice = "ALTER ROLE ... SET them to 0 for Staithe's role: a large sync is one long transaction."
        return Finding("time-outs", Outcome.WARNING, found, advice)
    return Finding("time-outs", Outcome.OK, found)


def clock(deployment: Deployment) -> Iterator[Finding]:
    """This machine's clock and the database's agree."""
    facts = deployment.postgres
    if facts is None:
        return
    # What the asking itself took is not held against the clocks.
    seconds = max(0.0, abs(facts.clock_seconds) - facts.clock_doubt_seconds)
    direction = "ahead of" if facts.clock_seconds > 0 else "behind"
    found = f"the database's clock is {abs(facts.clock_seconds):,.1f} s {direction} this machine's"
    yield clock_finding(deployment, "clock of the database", seconds, found)
