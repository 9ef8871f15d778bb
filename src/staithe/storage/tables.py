"""The tables of a company's store: one SQLite file or one PostgreSQL schema, so a commit can cover all of them.

Ids come from `counter`, not from the database's own sequences: they start at 1 in every company, in every dialect,
and a number that was given once is never given again, so that what was deleted can be told from what never was.
Times are microseconds since 1970 in UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy import Text as AnyText
from sqlalchemy.types import TypeEngine

from staithe.domain.fields import STORED_FIELDS, DataType, Field

METADATA: Final = MetaData()
TEXT: Final = AnyText().with_variant(AnyText(collation="C"), "postgresql")
"""Texts compare by their code points in every dialect, wherever it runs; `storage.folding` has the other way."""


def id_column() -> Column[int]:
    return Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False)


def audit_columns() -> list[Column[int] | Column[str]]:
    return [
        Column("created_at", BigInteger, nullable=False),
        Column("created_by", TEXT, nullable=False),
        Column("updated_at", BigInteger, nullable=False),
        Column("updated_by", TEXT, nullable=False),
    ]


def asset_columns() -> list[Column[Any]]:
    """What lists, groups, segments and filters begin with."""
    return [
        id_column(),
        Column("name", TEXT, nullable=False),
        Column("description", TEXT),
        Column("data_lookup_id", TEXT, nullable=False),
    ]


TYPES: Final[Mapping[DataType, TypeEngine[Any]]] = {
    DataType.STRING: TEXT,
    DataType.EMAIL_ADDRESS: TEXT,
    DataType.NUMBER: Double(),
    DataType.DATE: BigInteger(),
}
"""What the column of a contact field holds: dates are microseconds."""


def contact_columns(fields: Iterable[Field]) -> list[Column[Any]]:
    """A column for each stored contact field."""
    return [Column(field.column, TYPES[field.data_type]) for field in fields]


def contact_table(fields: Iterable[Field], metadata: MetaData) -> Table:
    """The table of contacts of a company that has these stored fields."""
    return Table(
        "contact",
        metadata,
        id_column(),
        Column("email_key", TEXT),
        *contact_columns(fields),
        *audit_columns(),
        Index("contact_by_email", "email_key", unique=True),
    )


COUNTER: Final = Table(
    "counter",
    METADATA,
    Column("name", TEXT, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

CONTACT: Final = contact_table(STORED_FIELDS, METADATA)
"""The contacts of a company that has made no field: what all companies have in common."""

CONTACT_FIELD: Final = Table(
    "contact_field",
    METADATA,
    id_column(),
    Column("internal_name", TEXT, nullable=False, unique=True),
    Column("name", TEXT, nullable=False),
    Column("data_type", TEXT, nullable=False),
    Column("is_large", Boolean, nullable=False),
    Column("display_type", TEXT, nullable=False),
    Column("update_rule", TEXT, nullable=False),
    Column("description", TEXT, nullable=False),
    *audit_columns(),
)

CONTACT_FILTER: Final = Table(
    "contact_filter",
    METADATA,
    *asset_columns(),
    Column("properties", TEXT, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("executed_at", BigInteger, nullable=False),
    *audit_columns(),
)

CONTACT_SEGMENT: Final = Table(
    "contact_segment",
    METADATA,
    *asset_columns(),
    Column("properties", TEXT, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("executed_at", BigInteger, nullable=False),
    *audit_columns(),
)

CONTACT_LIST: Final = Table(
    "contact_list",
    METADATA,
    *asset_columns(),
    *audit_columns(),
)

EMAIL_GROUP: Final = Table(
    "email_group",
    METADATA,
    *asset_columns(),
    Column("properties", TEXT, nullable=False),
    *audit_columns(),
)

ID_SET: Final = Table(
    "id_set",
    METADATA,
    id_column(),
    Column("name", TEXT, nullable=False, unique=True),
)

ID_SET_CHUNK: Final = Table(
    "id_set_chunk",
    METADATA,
    Column("set_id", BigInteger, primary_key=True, autoincrement=False),
    Column("chunk", Integer, primary_key=True, autoincrement=False),
    Column("size", Integer, nullable=False),
    Column("bits", LargeBinary, nullable=False),
)

CHANGE: Final = Table(
    "change",
    METADATA,
    id_column(),
    Column("sync_id", BigInteger),
    Column("action", TEXT, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("changed_by", TEXT, nullable=False),
    Index("change_by_sync", "sync_id"),
)

SET_CHANGE: Final = Table(
    "set_change",
    METADATA,
    Column("set_id", BigInteger, primary_key=True, autoincrement=False),
    Column("chunk", Integer, primary_key=True, autoincrement=False),
    Column("change_id", BigInteger, primary_key=True, autoincrement=False),
    Column("added", LargeBinary),
    Column("removed", LargeBinary),
)

ADDRESS_STATE: Final = Table(
    "address_state",
    METADATA,
    Column("email_key", TEXT, primary_key=True),
    Column("set_id", BigInteger, primary_key=True, autoincrement=False),
)
"""The states of addresses that no contact has, each as the set that a contact with the address would be in."""

ADDRESS_STATE_CHANGE: Final = Table(
    "address_state_change",
    METADATA,
    Column("email_key", TEXT, primary_key=True),
    Column("change_id", BigInteger, primary_key=True, autoincrement=False),
    Column("set_id", BigInteger, primary_key=True, autoincrement=False),
    Column("is_added", Boolean, nullable=False),
)

DEFINITION: Final = Table(
    "definition",
    METADATA,
    Column("kind", TEXT, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("element", TEXT, nullable=False),
    Column("name", TEXT, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("last_synced_at", BigInteger),
    *audit_columns(),
)

DEFINITION_ASSET: Final = Table(
    "definition_asset",
    METADATA,
    Column("asset_kind", TEXT, primary_key=True),
    Column("asset_id", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", TEXT, primary_key=True),
    Column("definition_id", BigInteger, primary_key=True, autoincrement=False),
    Index("definition_asset_by_definition", "kind", "definition_id"),
)

UPLOAD: Final = Table(
    "upload",
    METADATA,
    id_column(),
    Column("definition_kind", TEXT, nullable=False),
    Column("definition_id", BigInteger, nullable=False),
    Column("sync_id", BigInteger),
    Column("file", TEXT, nullable=False),
    Column("format", TEXT, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("staged_bytes", BigInteger, nullable=False),
    Column("unmapped", LargeBinary, nullable=False),
    Column("has_mapped_field", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", TEXT, nullable=False),
    Column("checksums", LargeBinary),
    Index("upload_by_definition", "definition_kind", "definition_id", "sync_id"),
    Index("upload_by_sync", "sync_id"),
)

IDEMPOTENCY: Final = Table(
    "idempotency",
    METADATA,
    Column("definition_kind", TEXT, primary_key=True),
    Column("definition_id", BigInteger, primary_key=True, autoincrement=False),
    Column("key", TEXT, primary_key=True),
    Column("body_digest", LargeBinary, nullable=False),
    Column("sync_id", BigInteger),
    Column("created_at", BigInteger, nullable=False),
)

CALLBACK_OPEN: Final = "callback_url IS NOT NULL AND called_back_at IS NULL"

SYNC: Final = Table(
    "sync",
    METADATA,
    id_column(),
    Column("definition_uri", TEXT, nullable=False),
    Column("definition_kind", TEXT, nullable=False),
    Column("definition_id", BigInteger, nullable=False),
    Column("status", TEXT, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", TEXT, nullable=False),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("callback_url", TEXT),
    Column("called_back_at", BigInteger),
    Column("lease_owner", TEXT),
    Column("lease_until", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("reject_file", TEXT),
    Column("reject_count", BigInteger, nullable=False),
    Column("data_file", TEXT),
    Column("data_records", BigInteger),
    Column("data_bytes", BigInteger),
    Column("data_kept_until", BigInteger),
    Column("callback_until", BigInteger),
    Column("reject_checksums", LargeBinary),
    Column("data_checksums", LargeBinary),
    Index("sync_by_status", "status", "id"),
    Index("sync_by_definition", "definition_kind", "definition_id", "status"),
    Index("sync_by_creation", "created_at"),
    Index("sync_by_callback", "id", sqlite_where=text(CALLBACK_OPEN), postgresql_where=text(CALLBACK_OPEN)),
)

SYNC_LOG: Final = Table(
    "sync_log",
    METADATA,
    Column("sync_id", BigInteger, primary_key=True, autoincrement=False),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("code", TEXT, nullable=False),
    Column("severity", TEXT, nullable=False),
    Column("message", TEXT, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

IMPORT_CHUNK: Final = Table(
    "import_chunk",
    METADATA,
    Column("sync_id", BigInteger, primary_key=True, autoincrement=False),
    Column("records_done", BigInteger, primary_key=True, autoincrement=False),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("contacts", LargeBinary, nullable=False),
    Column("reject_counts", LargeBinary, nullable=False),
    Column("reject_file", TEXT),
    Column("american_dates", LargeBinary),
    Column("reject_checksums", LargeBinary),
    Column("ignored", LargeBinary),
)

SYNC_CREATION: Final = Table(
    "sync_creation",
    METADATA,
    Column("sync_id", BigInteger, primary_key=True, autoincrement=False),
    Column("created_at", BigInteger, nullable=False),
    Index("sync_creation_by_time", "created_at"),
)

SERVICE_INSTANCE: Final = Table(
    "service_instance",
    METADATA,
    Column("service", TEXT, primary_key=True),
    Column("id", TEXT, primary_key=True),
    Column("configuration", TEXT, nullable=False),
    *audit_columns(),
)
"""Instances of app services: `id` is 32 hex digits, `configuration` a JSON object."""

CONTROL_METADATA: Final = MetaData()

COMPANY: Final = Table(
    "company",
    CONTROL_METADATA,
    Column("id", Integer, Identity(), primary_key=True),
    Column("name", TEXT, nullable=False),
    Column("name_key", TEXT, nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("restore_began_at", BigInteger),
    Column("deleted_at", BigInteger),
    Column("erased_at", BigInteger),
)
"""A row for each company that there ever was: the number of a deleted one, by which processes know it, stays taken."""

USER: Final = Table(
    "user_account",
    CONTROL_METADATA,
    Column("id", Integer, Identity(), primary_key=True),
    Column("company_id", Integer, nullable=False),
    Column("name", TEXT, nullable=False),
    Column("name_key", TEXT, nullable=False),
    Column("password_hash", TEXT, nullable=False),
    Column("role", TEXT, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("company_id", "name_key"),
)

PENDING: Final = Table(
    "pending",
    CONTROL_METADATA,
    Column("company_id", Integer, primary_key=True, autoincrement=False),
    Column("hints", BigInteger, nullable=False),
)

COMPANY_LIMITS: Final = Table(
    "company_limits",
    CONTROL_METADATA,
    Column("company_id", Integer, primary_key=True, autoincrement=False),
    Column("staging_quota_kb", BigInteger),
    Column("uploads_at_once", BigInteger),
    Column("syncs_per_hour", BigInteger),
)

DEPLOYMENT: Final = Table(
    "deployment",
    CONTROL_METADATA,
    Column("id", TEXT, primary_key=True),
    Column("staging", TEXT, nullable=False),
)
"""One row: where the staged files are; empty until the staging area is claimed."""

OAUTH_CLIENT: Final = Table(
    "oauth_client",
    CONTROL_METADATA,
    Column("id", Integer, Identity(), primary_key=True),
    Column("company_id", Integer, nullable=False),
    Column("name", TEXT, nullable=False),
    Column("name_key", TEXT, nullable=False),
    Column("identifier", TEXT, nullable=False, unique=True),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("redirect_uris", TEXT, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("old_secret_hash", LargeBinary),
    Column("old_secret_ends_at", BigInteger),
    Column("redirect_prefixes", TEXT),
    UniqueConstraint("company_id", "name_key"),
)

OAUTH_GRANT: Final = Table(
    "oauth_grant",
    CONTROL_METADATA,
    Column("id", Integer, Identity(), primary_key=True),
    Column("client_id", Integer, nullable=False),
    Column("user_id", Integer, nullable=False),
    Column("user_mark", LargeBinary, nullable=False),
    Column("redirect_uri", TEXT),
    Column("challenge", TEXT),
    Column("created_at", BigInteger, nullable=False),
    Index("oauth_grant_by_client", "client_id"),
)

OAUTH_TOKEN: Final = Table(
    "oauth_token",
    CONTROL_METADATA,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("kind", TEXT, nullable=False),
    Column("grant_id", Integer, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
    Column("salt", LargeBinary),
    Index("oauth_token_by_grant", "grant_id"),
    Index("oauth_token_by_expiry", "expires_at"),
)
