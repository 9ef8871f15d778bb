"""The checks of `staithe doctor`, as functions from facts to findings: what cannot be brought about on any machine."""

from __future__ import annotations

import msgspec
import pytest

from staithe.domain.deployment import (
    Deployment,
    DiskFacts,
    FilesFacts,
    Finding,
    Limits,
    Outcome,
    QueueFacts,
    SoftwareFacts,
    SqliteFacts,
    StagingFacts,
)
from staithe.domain.doctor import GIB, MIB, evaluate, worst
from staithe.domain.doctor_database import some

SOUND = Deployment(
    limits=Limits(lease_seconds=10.0, stuck_seconds=600.0),
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
