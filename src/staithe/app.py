"""The composition root: settings in, everything that runs out."""

from __future__ import annotations

from dataclasses import dataclass

from staithe.clock import Clock, make_clock
from staithe.config import Settings
from staithe.services.accounts import Logins
from staithe.services.company_limits import KnownLimits
from staithe.services.stores import Stores
from staithe.services.tokens import Tokens


@dataclass(frozen=True, slots=True)
class App:
    """One process's view of a server."""

    settings: Settings
    stores: Stores
    logins: Logins
    tokens: Tokens
    limits: KnownLimits
    clock: Clock


def build(settings: Settings) -> App:
    """Open the data directory, making it if it is not there."""
    stores = Stores(settings.data, settings.database)
    tokens = Tokens(stores, settings.access_token_seconds)
    limits = KnownLimits(stores, settings.company_limits)
    return App(settings, stores, Logins(stores), tokens, limits, make_clock(settings.clock_file))
