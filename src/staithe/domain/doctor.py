"""The checks of `staithe doctor`: pure functions from a deployment's facts to findings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from staithe.domain import doctor_citus, doctor_damage, doctor_database, doctor_postgres, doctor_queue
from staithe.domain.doctor_facts import Deployment, DiskFacts, Finding, Outcome

Check = Callable[[Deployment], Iterable[Finding]]

MIB: Final = 1024**2
GIB: Final = 1024**3
LEAST_FREE_BYTES: Final = 256 * MIB
"""Eight uploads of the largest size: with less, clients get 413 soon."""
SCARCE_BYTES: Final = 5 * GIB
SCARCE_SHARE: Final = 0.05
SLOW_STAGING_SECONDS: Final = 2.0

NETWORK_FILE_SYSTEMS: Final = re.compile(
    r"9p|afs|beegfs|ceph|cifs|fuse\.(glusterfs|rclone|s3fs|sshfs)|gfs2|glusterfs|gpfs|lustre|nfs4?|ocfs2|smb3|smbfs"
    r"|vboxsf|virtiofs"
)
LOCAL_ADVICE: Final = (
    "SQLite needs a local disk: locks and memory maps of network file systems fail. Or run on PostgreSQL."
)
FLEETING_FILE_SYSTEMS: Final = {
    "overlay": "gone when its container is removed",
    "ramfs": "gone when the machine stops",
    "tmpfs": "gone when the machine stops",
}


def evaluate(deployment: Deployment) -> list[Finding]:
    """Judge a deployment: every finding, in the order of `CHECKS`."""
    return [finding for check in CHECKS for finding in check(deployment)]


def worst(findings: Iterable[Finding]) -> Outcome:
    """The worst outcome of all."""
    order = list(Outcome)
    return max((finding.outcome for finding in findings), key=order.index, default=Outcome.OK)


def software(deployment: Deployment) -> Iterator[Finding]:
    """What runs here; that this code runs at all shows that it is new enough."""
    facts = deployment.software
    yield Finding("software", Outcome.OK, f"Staithe {facts.staithe}, Python {facts.python}, {facts.system}")


def disks(deployment: Deployment) -> Iterator[Finding]:
    """Free space, and whether the file system keeps what is written."""
    for disk in deployment.disks:
        yield free_space(disk)
        yield file_system(disk)


def free_space(disk: DiskFacts) -> Finding:
    check = f"space of {disk.what}"
    found = f"{disk.free_bytes / GIB:,.1f} of {disk.total_bytes / GIB:,.1f} GiB free in {disk.path}"
    if disk.free_bytes < LEAST_FREE_BYTES:
        return Finding(check, Outcome.FAILURE, found, "Make room now: uploads are about to be refused with 413.")
    if disk.free_bytes < SCARCE_BYTES or disk.free_bytes < SCARCE_SHARE * disk.total_bytes:
        advice = "Make room. Staged and exported data goes by itself when its time is over."
        return Finding(check, Outcome.WARNING, found, advice)
    return Finding(check, Outcome.OK, found)


def file_system(disk: DiskFacts) -> Finding:
    check = f"file system of {disk.what}"
    found = f"{disk.file_system or 'unknown'} ({disk.path})"
    if disk.holds_sqlite and NETWORK_FILE_SYSTEMS.fullmatch(disk.file_system):
        return Finding(check, Outcome.WARNING, found, LOCAL_ADVICE)
    if end := FLEETING_FILE_SYSTEMS.get(disk.file_system):
        return Finding(check, Outcome.WARNING, f"{found}: {end}", "Keep it on a disk, or on a volume of the container.")
    return Finding(check, Outcome.OK, found)


def access(deployment: Deployment) -> Iterator[Finding]:
    """Nobody but Staithe's user may read what it keeps."""
    for facts in deployment.access:
        advice = f"chmod -R go= {facts.directory}: it holds all contacts, and the hashes of passwords."
        if facts.read_by_all:
            found = f"everybody on this machine may read {doctor_database.some(facts.read_by_all)}"
            yield Finding("access", Outcome.FAILURE, found, advice)
        elif facts.read_by_group:
            found = f"its group may read {doctor_database.some(facts.read_by_group)}"
            yield Finding("access", Outcome.WARNING, found, f"Unless that is meant: {advice}")
    if deployment.access and not any(facts.read_by_all or facts.read_by_group for facts in deployment.access):
        directories = doctor_database.some([facts.directory for facts in deployment.access])
        yield Finding("access", Outcome.OK, f"only Staithe's user may read {directories}")


def staging(deployment: Deployment) -> Iterator[Finding]:
    """A file was written, read and deleted."""
    facts = deployment.staging
    if facts is None:
        return
    if facts.failure:
        advice = "Let Staithe's user write there; until then uploads fail."
        yield Finding("staging", Outcome.FAILURE, f"{facts.place}: {facts.failure}", advice)
        return
    found = f"a file was written, read and deleted in {facts.seconds * 1000:,.0f} ms ({facts.place})"
    if facts.seconds > SLOW_STAGING_SECONDS:
        yield Finding("staging", Outcome.WARNING, found, "Every upload waits for this: bring staging nearer.")
    else:
        yield Finding("staging", Outcome.OK, found)


def servers(deployment: Deployment) -> Iterator[Finding]:
    """What runs, answers."""
    if not deployment.servers:
        yield Finding("server", Outcome.OK, "none runs on this data directory")
    for server in deployment.servers:
        if server.status == 200:
            found = f"{server.url} is ready ({server.seconds * 1000:,.0f} ms)"
            yield Finding("server", Outcome.OK, found)
        elif server.status:
            found = f"{server.url}/readyz answers {server.status}"
            yield Finding("server", Outcome.FAILURE, found, "It runs but cannot work: read its output.")
        else:
            found = f"{server.url} does not answer: {server.failure}"
            yield Finding(
                "server", Outcome.FAILURE, found, "Start it. If it was killed, the end of its output may tell why."
            )


CHECKS: Final[tuple[Check, ...]] = (
    software,
    doctor_database.unreadable_stores,
    doctor_database.schemas,
    doctor_database.newest_rows,
    doctor_postgres.clock,
    doctor_database.sqlite,
    doctor_postgres.postgres,
    doctor_citus.citus,
    disks,
    access,
    staging,
    servers,
    doctor_queue.stuck_syncs,
    doctor_queue.lapsed_leases,
    doctor_queue.orphan_files,
    doctor_damage.damage,
)
