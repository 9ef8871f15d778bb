"""The settings of a server: each with its unit, default, and where it is set. Built once, passed down as values."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct, field

from staithe.domain.company_limits import CompanyLimits
from staithe.domain.limits import (
    ACCESS_TOKEN_LIFE,
    MOST_CONNECTIONS,
    MOST_UPLOADS,
    SECOND,
    STAGING_QUOTA_KB,
    SYNCS_PER_HOUR,
)
from staithe.domain.pauses import Pauses

HANDOVER: Final = "STAITHE_SETTINGS"
"""The environment variable in which `staithe serve` hands its settings to the processes it starts."""

PAUSES: Final = "STAITHE_PAUSES"
"""The environment variable in which tests give other pauses than the usual, as JSON: `{"figures_seconds": 0.1}`."""


def pauses_of_environment() -> Pauses:
    """The pauses that the environment gives, or else the usual."""
    return msgspec.json.decode(os.environ.get(PAUSES, "{}"), type=Pauses)


class Settings(Struct, frozen=True, kw_only=True):
    """How one server runs. Everything can be left at its default."""

    data: Path = Path("staithe-data")
    database: str = ""
    staging: str = ""
    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = ""
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    http_workers: int = 1
    workers: int = 1
    request_timeout_seconds: float = 60.0
    query_timeout_seconds: float = 60.0
    sync_timeout_seconds: float = 6 * 3600.0
    most_connections: int = MOST_CONNECTIONS
    most_uploads: int = MOST_UPLOADS
    staging_quota_kb: int = STAGING_QUOTA_KB
    uploads_at_once: int | None = None
    syncs_per_hour: int = SYNCS_PER_HOUR
    access_token_seconds: int = ACCESS_TOKEN_LIFE // SECOND
    lease_seconds: float = 10.0
    allow_private_callbacks: bool = False
    clock_file: Path | None = None
    log_format: str = "text"
    access_log: bool = False
    metrics_token: str = ""
    pauses: Pauses = field(default_factory=pauses_of_environment)

    @property
    def company_limits(self) -> CompanyLimits:
        """What holds for a company that has no limits of its own: half of the uploads unless it was said."""
        half = max(1, self.most_uploads // 2)
        return CompanyLimits(
            staging_quota_kb=self.staging_quota_kb,
            uploads_at_once=half if self.uploads_at_once is None else self.uploads_at_once,
            syncs_per_hour=self.syncs_per_hour,
        )

    @property
    def has_store_of_its_own(self) -> bool:
        """Whether the store is in the data directory, so that only processes of one server can use it."""
        return not self.database

    def to_environment(self) -> Mapping[str, str]:
        """What a child process needs to have the same settings."""
        return {HANDOVER: msgspec.json.encode(self, enc_hook=str).decode()}


def from_environment() -> Settings:
    """The settings a parent process handed over."""
    return msgspec.json.decode(os.environ[HANDOVER], type=Settings, dec_hook=lambda kind, value: kind(value))
