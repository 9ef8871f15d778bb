"""Who asks, for which company, and when: what every use case of a request begins with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Final

from staithe.domain.companies import User
from staithe.domain.company_limits import CompanyLimits
from staithe.services.stores import UNKNOWN_VERSION, CompanyStore, Stores
from staithe.storage.database import Database
from staithe.storage.deadlines import QueryTime

DEFAULT_LIMITS: Final = CompanyLimits()


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified user with the stores of the company, the time of the request in microseconds, and the limits."""

    user: User
    stores: Stores
    store: CompanyStore
    now: int
    limits: CompanyLimits = DEFAULT_LIMITS
    query_seconds: float = math.inf
    """How long each transaction may take that the caller waits for."""

    control_version: int = UNKNOWN_VERSION
    """That of the control store in which the login was verified."""

    @property
    def database(self) -> Database:
        """The company's store, for what the caller waits for."""
        database = self.store.database
        return database if math.isinf(self.query_seconds) else database.limited(partial(QueryTime, self.query_seconds))

    @property
    def name(self) -> str:
        """What `createdBy` shows."""
        return self.user.name
