"""Who asks, for which company, and when: what every use case of a request begins with."""

from __future__ import annotations

from dataclasses import dataclass

from staithe.domain.companies import User
from staithe.services.stores import CompanyStore, Stores
from staithe.storage.database import Database


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified user with the stores of the company, and the time of the request in microseconds."""

    user: User
    stores: Stores
    store: CompanyStore
    now: int

    @property
    def database(self) -> Database:
        """The company's store."""
        return self.store.database

    @property
    def name(self) -> str:
        """What `createdBy` shows."""
        return self.user.name
