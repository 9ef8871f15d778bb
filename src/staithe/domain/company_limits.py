"""What one company may use of a server, so that it cannot starve the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from staithe.domain.errors import Failure, ValidationFailed
from staithe.domain.limits import (
    HIGHEST_COMPANY_LIMIT,
    HOUR,
    MOST_UPLOADS,
    SECOND,
    STAGING_QUOTA_KB,
    SYNCS_PER_HOUR,
)


class CompanyLimits(Struct, frozen=True, kw_only=True):
    """What holds for a company; `syncs_per_hour` is 0 if there is no limit."""

    staging_quota_kb: int = STAGING_QUOTA_KB
    uploads_at_once: int = MOST_UPLOADS // 2
    syncs_per_hour: int = SYNCS_PER_HOUR


class OwnLimits(Struct, frozen=True, kw_only=True):
    """What was set for one company; None where the server's default holds."""

    staging_quota_kb: int | None = None
    uploads_at_once: int | None = None
    syncs_per_hour: int | None = None

    def over(self, defaults: CompanyLimits) -> CompanyLimits:
        """What holds: the company's own limits, and the server's where it has none."""

        def choose(own: int | None, default: int) -> int:
            return default if own is None else own

        return CompanyLimits(
            staging_quota_kb=choose(self.staging_quota_kb, defaults.staging_quota_kb),
            uploads_at_once=choose(self.uploads_at_once, defaults.uploads_at_once),
            syncs_per_hour=choose(self.syncs_per_hour, defaults.syncs_per_hour),
        )


LEAST: Final[Mapping[str, int]] = {"staging_quota_kb": 1, "uploads_at_once": 1, "syncs_per_hour": 0}
"""The least number of each limit: only the syncs of an hour can be without one, which is 0."""


def check_own_limits(limits: OwnLimits) -> None:
    """Refuse numbers that cannot be limits.

    Raises:
        ValidationFailed: naming each that is wrong.
    """
    failures = [
        Failure(name.replace("_", "-"), f"Must be a whole number from {least:,} to {HIGHEST_COMPANY_LIMIT:,}.", value)
        for name, least in LEAST.items()
        if (value := getattr(limits, name)) is not None and not least <= value <= HIGHEST_COMPANY_LIMIT
    ]
    if failures:
        raise ValidationFailed(*failures)


def seconds_until_over(created_at: int, now: int) -> int:
    """Whole seconds after which what was created at a time is an hour old."""
    return -(-(created_at + HOUR - now) // SECOND)
