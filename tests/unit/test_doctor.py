"""The checks of `staithe doctor`, as functions from facts to findings: what cannot be brought about on any machine."""

from __future__ import annotations

import msgspec
import pytest

from staithe.domain.doctor import GIB, MIB, evaluate, worst
from staithe.domain.doctor_database import some
from staithe.domain.doctor_facts import (
    CitusFacts,
    CitusNode,
    Deployment,
    DiskFacts,
    FilesFacts,
    Finding,
    Limits,
    Outcome,
    PostgresFacts,
    QueueFacts,
    SchemaFacts,
    SoftwareFacts,
    SqliteFacts,
    StagingFacts,
)

SOUND = Deployment(
    limits=Limits(lease_seconds=10.0, stuck_seconds=600.0, processes=2),
    software=SoftwareFacts("1.0", "3.13.0", "Linux x86_64"),
    database="SQLite",
    sqlite=SqliteFacts((3, 45, 1), "wal", "full"),
    disks=(DiskFacts("data", "/data", "ext4", 100 * GIB, 200 * GIB, holds_sqlite=True),),
    staging=StagingFacts("/data/companies/1/staging", 0.005),
    queues=(QueueFacts("acme", 0, 0, 0, 0.0, 0.0),),
    files=(FilesFacts("acme", 0),),
)


def found(check: str, **changed: object) -> Finding:
    """The one finding of a check in a sound deployment of which something was changed."""
    (finding,) = [f for f in evaluate(msgspec.structs.replace(SOUND, **changed)) if f.check == check]
    return finding


def test_a_sound_deployment() -> None:
    findings = evaluate(SOUND)
    assert {finding.outcome for finding in findings} == {Outcome.OK}
    assert {finding.advice for finding in findings} == {""}
    assert [finding.check for finding in findings] == [
        "software",
        "clock",
        "SQLite",
        "durability",
        "space of data",
        "file system of data",
        "staging",
        "server",
        "syncs",
        "leases",
        "files",
    ]


def test_the_worst_of_all_is_what_counts() -> None:
    findings = [Finding("a", Outcome.WARNING, ""), Finding("b", Outcome.FAILURE, ""), Finding("c", Outcome.OK, "")]
    assert worst(findings) is Outcome.FAILURE
    assert worst(findings[:1]) is Outcome.WARNING
    assert worst([]) is Outcome.OK


@pytest.mark.parametrize(
    ("facts", "outcome", "told"),
    [
        (SqliteFacts((3, 37, 2), "wal", "full"), Outcome.FAILURE, "3.37.2"),
        (SqliteFacts((3, 38, 0), "wal", "full"), Outcome.OK, "3.38.0"),
        (SqliteFacts((4, 0, 0), "wal", "full"), Outcome.OK, "4.0.0"),
    ],
)
def test_versions_of_sqlite(facts: SqliteFacts, outcome: Outcome, told: str) -> None:
    finding = found("SQLite", sqlite=facts)
    assert (finding.outcome, finding.found) == (outcome, told)


@pytest.mark.parametrize(
    ("journal_mode", "synchronous", "outcome"),
    [
        ("wal", "full", Outcome.OK),
        ("wal", "extra", Outcome.OK),
        ("wal", "normal", Outcome.FAILURE),
        ("delete", "full", Outcome.FAILURE),
    ],
)
def test_durability_of_sqlite(journal_mode: str, synchronous: str, outcome: Outcome) -> None:
    finding = found("durability", sqlite=SqliteFacts((3, 45, 1), journal_mode, synchronous))
    assert finding.outcome is outcome
    assert finding.found == f"journal_mode={journal_mode}, synchronous={synchronous}"
    assert bool(finding.advice) == (outcome is not Outcome.OK)


@pytest.mark.parametrize(
    ("free", "total", "outcome"),
    [
        (6 * GIB, 100 * GIB, Outcome.OK),
        (6 * GIB, 200 * GIB, Outcome.WARNING),
        (4 * GIB, 10 * GIB, Outcome.WARNING),
        (255 * MIB, 300 * MIB, Outcome.FAILURE),
    ],
)
def test_space(free: int, total: int, outcome: Outcome) -> None:
    disk = DiskFacts("data", "/data", "ext4", free, total, holds_sqlite=True)
    assert found("space of data", disks=(disk,)).outcome is outcome


@pytest.mark.parametrize(
    ("kind", "holds_sqlite", "outcome"),
    [
        ("xfs", True, Outcome.OK),
        ("", True, Outcome.OK),
        ("nfs4", True, Outcome.WARNING),
        ("nfs4", False, Outcome.OK),
        ("fuse.sshfs", True, Outcome.WARNING),
        ("tmpfs", False, Outcome.WARNING),
        ("overlay", True, Outcome.WARNING),
    ],
)
def test_file_systems(kind: str, holds_sqlite: bool, outcome: Outcome) -> None:
    disk = DiskFacts("data", "/data", kind, 100 * GIB, 200 * GIB, holds_sqlite)
    finding = found("file system of data", disks=(disk,))
    assert finding.outcome is outcome
    assert finding.found.startswith(f"{kind or 'unknown'} (/data)")


def test_slow_staging() -> None:
    finding = found("staging", staging=StagingFacts("s3://far/away", 2.5))
    assert (finding.outcome, finding.found) == (
        Outcome.WARNING,
        "a file was written, read and deleted in 2,500 ms (s3://far/away)",
    )


@pytest.mark.parametrize(("seconds", "outcome"), [(1.9, "ok"), (2.1, "warning"), (5.0, "warning"), (5.1, "failure")])
def test_clocks_are_judged_by_the_lease(seconds: float, outcome: str) -> None:
    queues = (QueueFacts("acme", 0, 0, 0, 0.0, seconds), QueueFacts("north", 0, 0, 0, 0.0, 0.0))
    assert found("clock", queues=queues).outcome == outcome


def test_syncs_that_wait_for_long() -> None:
    acme = QueueFacts("acme", 500, 2, 1, 1200.0, 0.0)
    north = QueueFacts("north", 1, 0, 0, 3600.0, 0.0)
    finding = found("syncs", queues=(acme, north))
    assert finding == Finding(
        "syncs",
        Outcome.WARNING,
        "north: 1, the oldest for 60 min; acme: 500, the oldest for 20 min; 1 running",
        "Run more workers, if this is not a passing load.",
    )
    assert found("syncs", queues=(north,)).outcome is Outcome.FAILURE, "nothing runs at all"


def test_long_lists_are_cut() -> None:
    assert some([]) == ""
    assert some(list("abcde")) == "a; b; c; d; e"
    assert some([str(n) for n in range(1205)]) == "0; 1; 2; 3; 4 and 1,200 more"


POSTGRES = PostgresFacts(
    version=160_004,
    encoding="UTF8",
    settings={
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "wal_level": "logical",
        "max_connections": "200",
        "superuser_reserved_connections": "3",
        "statement_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
    },
    is_standby=False,
    may_make_schemas=True,
    connections=20,
    connections_of_process=65,
    clock_seconds=0.01,
    clock_doubt_seconds=0.02,
)
"""One in which nothing is wrong."""


def changed_postgres(**changed: object) -> dict[str, object]:
    return {"postgres": msgspec.structs.replace(POSTGRES, **changed), "sqlite": None, "database": "PostgreSQL"}


def changed_settings(**settings: str) -> dict[str, object]:
    return changed_postgres(settings={**POSTGRES.settings, **settings})


def test_a_sound_postgresql() -> None:
    findings = evaluate(msgspec.structs.replace(SOUND, **changed_postgres()))
    assert {finding.outcome for finding in findings} == {Outcome.OK}
    checks = {finding.check for finding in findings}
    assert checks >= {"PostgreSQL", "rights", "durability", "connections", "time-outs", "clock of the database"}
    assert checks.isdisjoint({"SQLite", "Citus", "nodes"})


@pytest.mark.parametrize(
    ("check", "changed", "outcome", "told"),
    [
        ("PostgreSQL", changed_postgres(version=130_022), "failure", "13.22, encoding UTF8"),
        ("PostgreSQL", changed_postgres(version=140_000), "ok", "14.0, encoding UTF8"),
        ("PostgreSQL", changed_postgres(encoding="SQL_ASCII"), "failure", "16.4, encoding SQL_ASCII"),
        ("rights", changed_postgres(is_standby=True), "failure", "this server is a standby"),
        ("rights", changed_postgres(may_make_schemas=False), "failure", "the role may not make schemas"),
        (
            "durability",
            changed_settings(synchronous_commit="off"),
            "failure",
            "fsync=on, full_page_writes=on, synchronous_commit=off",
        ),
        (
            "durability",
            changed_settings(full_page_writes="off"),
            "warning",
            "fsync=on, full_page_writes=off, synchronous_commit=on",
        ),
        (
            "durability",
            changed_settings(synchronous_commit="remote_apply"),
            "ok",
            "fsync=on, full_page_writes=on, synchronous_commit=remote_apply",
        ),
        ("connections", changed_postgres(), "ok", "20 of 197 in use; 2 processes may open 130"),
        (
            "connections",
            changed_settings(max_connections="100"),
            "warning",
            "20 of 97 in use; 2 processes may open 130",
        ),
        ("connections", changed_postgres(connections=190), "warning", "190 of 197 in use; 2 processes may open 130"),
        (
            "clock of the database",
            changed_postgres(clock_seconds=-3.0),
            "warning",
            "the database's clock is 3.0 s behind this machine's",
        ),
        (
            "clock of the database",
            changed_postgres(clock_seconds=6.0),
            "failure",
            "the database's clock is 6.0 s ahead of this machine's",
        ),
        (
            "clock of the database",
            changed_postgres(clock_seconds=6.0, clock_doubt_seconds=5.0),
            "ok",
            "the database's clock is 6.0 s ahead of this machine's",
        ),
    ],
)
def test_postgresql(check: str, changed: dict[str, object], outcome: str, told: str) -> None:
    finding = found(check, **changed)
    assert (finding.outcome, finding.found) == (outcome, told)
    assert bool(finding.advice) == (outcome != "ok")


NODES = (
    CitusNode("db0:5432", 0, is_active=True, takes_companies=False, is_reached=True, companies=0),
    CitusNode("db1:5432", 1, is_active=True, takes_companies=True, is_reached=True, companies=7),
    CitusNode("db2:5432", 2, is_active=True, takes_companies=True, is_reached=True, companies=5),
)
CITUS = CitusFacts(version="13.2-1", group=0, nodes=NODES, distributed=frozenset({"company_1", "company_2"}))
SCHEMAS = (
    SchemaFacts("control", 2, 2, "control"),
    SchemaFacts("acme", 3, 3, "company_1"),
    SchemaFacts("north", 3, 3, "company_2"),
)


def cluster(wal_level: str = "logical", **changed: object) -> dict[str, object]:
    return {
        **changed_settings(wal_level=wal_level),
        "schemas": SCHEMAS,
        "citus": msgspec.structs.replace(CITUS, **changed),
    }


def node_two(**changed: object) -> dict[str, object]:
    return cluster(nodes=(*NODES[:2], msgspec.structs.replace(NODES[2], **changed)))


@pytest.mark.parametrize(
    ("check", "changed", "outcome", "told"),
    [
        ("Citus", cluster(), "ok", "13.2-1"),
        ("Citus", cluster(version="12.0-1"), "ok", "12.0-1"),
        ("Citus", cluster(version="11.3-1"), "failure", "11.3-1"),
        ("coordinator", cluster(), "ok", "this is the coordinator"),
        ("coordinator", cluster(group=1), "failure", "this is one of the worker nodes"),
        ("nodes", cluster(), "ok", "3 active, 2 of them take companies"),
        ("nodes", node_two(is_reached=False), "failure", "cannot be reached: db2:5432"),
        ("nodes", node_two(is_active=False), "warning", "not active: db2:5432"),
        ("nodes", cluster(nodes=NODES[:1]), "failure", "none takes companies"),
        ("moving companies", cluster(), "ok", "wal_level=logical"),
        ("moving companies", cluster(wal_level="replica"), "warning", "wal_level=replica"),
        ("placement", cluster(), "ok", "companies by node: db1:5432: 7; db2:5432: 5"),
        ("placement", cluster(distributed=frozenset({"company_1"})), "warning", "not placed on a node: north"),
        ("placement", node_two(companies=100), "warning", "uneven: db1:5432: 7; db2:5432: 100"),
        ("placement", node_two(companies=24), "ok", "companies by node: db1:5432: 7; db2:5432: 24"),
    ],
)
def test_citus(check: str, changed: dict[str, object], outcome: str, told: str) -> None:
    finding = found(check, **changed)
    assert (finding.outcome, finding.found) == (outcome, told)
    assert bool(finding.advice) == (outcome != "ok")
