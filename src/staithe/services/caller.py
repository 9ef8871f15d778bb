"""Who asks, for which company, and when: what every use case of a request begins with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from staithe.domain.companies import User
from staithe.domain.company_limits import CompanyLimits
from staithe.services.stores import CompanyStore, Stores
from staithe.storage.database import Database

DEFAULT_LIMITS: Final = CompanyLimits()


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified user with the stores of the company, the time of the request in microseconds, and the limits."""

    user: User
    stores: Stores
    store: CompanyStore
    now: int
    limits: CompanyLimits = DEFAULT_LIMITS

    @property
    def database(self) -> Database:
        """The company's store."""
        return self.store.database

    @property
    def name(self) -> str:
        """What `createdBy` shows."""
        return self.user.name
