"""The pauses of servers under test: short where tests wait for them, long where a busy machine may be slow."""

from __future__ import annotations

import msgspec

from staithe.config import PAUSES
from staithe.domain.pauses import Pauses

QUICK = Pauses(staging_seconds=0.5, silent_seconds=60, hasty_seconds=60, control_seconds=0.1, figures_seconds=0.1)


def pauses(**seconds: float) -> dict[str, str]:
    """The environment of a server some of whose pauses are others."""
    return {PAUSES: msgspec.json.encode(msgspec.structs.replace(QUICK, **seconds)).decode()}
