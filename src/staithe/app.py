"""The composition root: settings in, everything that runs out."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from staithe.beats import Beat
from staithe.clock import Clock, make_clock
from staithe.config import Settings
from staithe.domain.errors import Busy
from staithe.services.guesses import Guesses
from staithe.services.known_logins import KnownLogins
from staithe.services.stores import Stores
from staithe.services.tokens import Tokens

LOGGER: Final = logging.getLogger(__name__)
TRY_AGAIN: Final = 75
"""The exit code of a process that could not begin, though nothing is wrong with it: `EX_TEMPFAIL`."""


@dataclass(frozen=True, slots=True)
class App:
    """One process's view of a server."""

    settings: Settings
    stores: Stores
    logins: KnownLogins
    tokens: Tokens
    clock: Clock
    workers: Sequence[Beat] = ()
    """The beats of the workers of this server; none if they are elsewhere, or this is no HTTP process."""


def build(settings: Settings) -> App:
    """Open the data directory, making it if it is not there."""
    stores = Stores(settings.data, settings.database, settings.staging, settings.pauses)
    guesses = Guesses()
    tokens = Tokens(stores, guesses, settings.access_token_seconds)
    logins = KnownLogins(stores, tokens, guesses, settings.company_limits)
    return App(settings, stores, logins, tokens, make_clock(settings.clock_file))


def build_or_exit(settings: Settings) -> App:
    """The same in a process of a supervisor, which starts it anew if the database cannot be reached yet.

    Raises:
        SystemExit: it cannot, with the code `TRY_AGAIN`.
    """
    try:
        return build(settings)
    except Busy as error:
        LOGGER.warning("cannot begin: %s", error.message)
        sys.exit(TRY_AGAIN)
