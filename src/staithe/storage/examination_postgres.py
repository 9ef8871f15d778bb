"""What `staithe doctor` asks PostgreSQL, and Citus where it is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, text

from staithe.domain.doctor_facts import POSTGRES_SETTINGS, CitusFacts, CitusNode, PostgresFacts
from staithe.domain.limits import SECOND
from staithe.storage.postgres import MORE_CONNECTIONS, POOLED_CONNECTIONS

LISTENERS: Final = 1
"""A worker's connection that listens for hints, beside those of the pool."""

STATE: Final = text(
    "SELECT current_setting('server_version_num')::int AS version, current_setting('server_encoding') AS encoding, "
    "pg_is_in_recovery() AS is_standby, "
    "has_database_privilege(current_database(), 'CREATE') AS may_make_schemas, "
    "(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections"
)
SETTING: Final = text("SELECT current_setting(:name)")
CLOCK: Final = text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")


def postgres_facts(connection: Connection, clock: Callable[[], int]) -> PostgresFacts:
    """PostgreSQL as a new connection of the server gets it; `clock` is this machine's, in microseconds."""
    state = connection.execute(STATE).one()
    asked_at = clock()
    told = int(connection.execute(CLOCK).scalar_one())
    doubt = (clock() - asked_at) / 2
    return PostgresFacts(
        version=state.version,
        encoding=state.encoding,
        settings={name: str(connection.execute(SETTING, {"name": name}).scalar_one()) for name in POSTGRES_SETTINGS},
        is_standby=state.is_standby,
        may_make_schemas=state.may_make_schemas,
        connections=state.connections,
        connections_of_process=POOLED_CONNECTIONS + MORE_CONNECTIONS + LISTENERS,
        clock_seconds=(told - asked_at - doubt) / SECOND,
        clock_doubt_seconds=doubt / SECOND,
    )


CITUS_VERSION: Final = text("SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'citus'")
CITUS_GROUP: Final = text("SELECT groupid FROM pg_catalog.pg_dist_local_group")
CITUS_NODES: Final = text(
    "SELECT nodename, nodeport, groupid, isactive, shouldhaveshards, "
    "pg_catalog.citus_check_connection_to_node(nodename, nodeport) AS is_reached "
    "FROM pg_catalog.pg_dist_node WHERE noderole = 'primary' ORDER BY nodeid"
)
CITUS_SCHEMAS: Final = text(
    "SELECT nspname FROM pg_catalog.pg_dist_schema JOIN pg_catalog.pg_namespace ON pg_namespace.oid = schemaid"
)
CITUS_PLACES: Final = text(
    "SELECT groupid, count(DISTINCT schemaid) AS companies FROM pg_catalog.pg_dist_schema "
    "JOIN pg_catalog.pg_dist_partition USING (colocationid) JOIN pg_catalog.pg_dist_shard USING (logicalrelid) "
    "JOIN pg_catalog.pg_dist_placement USING (shardid) GROUP BY groupid"
)
SCHEMA_SHARDING_SINCE: Final = 12


def citus_facts(connection: Connection) -> CitusFacts | None:
    """What this node knows of Citus; None where that is not installed."""
    version = connection.execute(CITUS_VERSION).scalar_one_or_none()
    if version is None:
        return None
    group = int(connection.execute(CITUS_GROUP).scalar_one())
    if int(version.split(".")[0]) < SCHEMA_SHARDING_SINCE:
        return CitusFacts(version=version, group=group, nodes=(), distributed=frozenset())
    places = {row.groupid: row.companies for row in connection.execute(CITUS_PLACES)}
    nodes = tuple(
        CitusNode(
            address=f"{row.nodename}:{row.nodeport}",
            group=row.groupid,
            is_active=row.isactive,
            takes_companies=row.shouldhaveshards,
            is_reached=row.is_reached,
            companies=places.get(row.groupid, 0),
        )
        for row in connection.execute(CITUS_NODES)
    )
    distributed = frozenset(connection.execute(CITUS_SCHEMAS).scalars())
    return CitusFacts(version=version, group=group, nodes=nodes, distributed=distributed)
