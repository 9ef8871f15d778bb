"""The checks of `staithe doctor` that concern Citus, where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from staithe.domain.doctor_database import some
from staithe.domain.doctor_facts import CitusFacts, Deployment, Finding, Outcome

OLDEST_CITUS: Final = (12, 0)
"""The first with schema-based sharding [Citus's changelog, 12.0.0]."""
UNEVEN: Final = 2.0
UNEVEN_COMPANIES: Final = 10


def citus(deployment: Deployment) -> Iterator[Finding]:
    """Nodes that can place, serve and move companies."""
    facts = deployment.citus
    if facts is None:
        return
    yield version(facts)
    yield coordinator(facts)
    yield nodes(facts)
    yield moving(deployment)
    yield placement(facts, deployment)


def version(facts: CitusFacts) -> Finding:
    numbers = tuple(int(part) for part in facts.version.replace("-", ".").split(".")[:2] if part.isdigit())
    if numbers < OLDEST_CITUS:
        advice = "Upgrade to Citus 12 or newer, which can place a schema on a node."
        return Finding("Citus", Outcome.FAILURE, facts.version, advice)
    return Finding("Citus", Outcome.OK, facts.version)


def coordinator(facts: CitusFacts) -> Finding:
    if facts.group != 0:
        advice = "Name the coordinator with --database: locks and wake-up calls do not pass from node to node."
        return Finding("coordinator", Outcome.FAILURE, "this is one of the worker nodes", advice)
    return Finding("coordinator", Outcome.OK, "this is the coordinator")


def nodes(facts: CitusFacts) -> Finding:
    """Every node is active and can be reached, and there is one for companies."""
    lost = [node.address for node in facts.nodes if not node.is_reached]
    inactive = [node.address for node in facts.nodes if not node.is_active]
    taking = [node for node in facts.nodes if node.is_active and node.takes_companies]
    if lost:
        advice = "Start them, or their standbys: their companies are down, and no company can be made on any node."
        return Finding("nodes", Outcome.FAILURE, f"cannot be reached: {some(lost)}", advice)
    if inactive:
        advice = "SELECT citus_activate_node(...), or citus_remove_node(...) if they are gone for good."
        return Finding("nodes", Outcome.WARNING, f"not active: {some(inactive)}", advice)
    if not taking:
        advice = "SELECT citus_add_node(...): without one, companies cannot be placed."
        return Finding("nodes", Outcome.FAILURE, "none takes companies", advice)
    return Finding("nodes", Outcome.OK, f"{len(facts.nodes):,} active, {len(taking):,} of them take companies")


def moving(deployment: Deployment) -> Finding:
    """`citus_schema_move` needs logical replication to move a company while it is used."""
    settings = deployment.postgres.settings if deployment.postgres else {}
    found = f"wal_level={settings.get('wal_level', 'unknown')}"
    if settings.get("wal_level") != "logical":
        advice = "Set wal_level=logical on every node: without it a company's writes wait while it is moved."
        return Finding("moving companies", Outcome.WARNING, found, advice)
    return Finding("moving companies", Outcome.OK, found)


def placement(facts: CitusFacts, deployment: Deployment) -> Finding:
    """Every company lies on a node, and no node has far more than another."""
    local = [s.store for s in deployment.schemas if s.store != "control" and s.schema not in facts.distributed]
    if local:
        advice = "They stay on the coordinator: SELECT citus_schema_distribute('company_ID'), with the servers stopped."
        return Finding("placement", Outcome.WARNING, f"not placed on a node: {some(local)}", advice)
    taking = [node for node in facts.nodes if node.takes_companies]
    counts = "; ".join(f"{node.address}: {node.companies:,}" for node in taking[:5])
    numbers = [node.companies for node in taking]
    if taking and max(numbers) > UNEVEN * min(numbers) + UNEVEN_COMPANIES:
        advice = "SELECT citus_rebalance_start(), or citus_schema_move(...) for one company."
        return Finding("placement", Outcome.WARNING, f"uneven: {counts}", advice)
    return Finding("placement", Outcome.OK, f"companies by node: {counts}")
