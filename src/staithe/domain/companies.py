"""Companies, their users, and what a user's role allows."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from msgspec import Struct

NAME_PATTERN: Final = re.compile(r"[^\\:\s\x00-\x1f]{1,100}")
NAME_RULE: Final = "1 to 100 characters without blanks, backslash and colon"


class Role(StrEnum):
    """What a user may do: `admin` and `api` read and write, `reader` only reads."""

    ADMIN = "admin"
    API = "api"
    READER = "reader"

    @property
    def may_write(self) -> bool:
        """Whether requests that change anything are allowed."""
        return self is not Role.READER


class Company(Struct, frozen=True):
    """Whose contacts they are: the first half of a login `company\\user`."""

    id: int
    name: str


class User(Struct, frozen=True):
    """Who is calling."""

    id: int
    company: Company
    name: str
    role: Role


def is_name(text: str) -> bool:
    """Whether a company or a user may have this name: a login is split at its backslash and colon."""
    return NAME_PATTERN.fullmatch(text) is not None
