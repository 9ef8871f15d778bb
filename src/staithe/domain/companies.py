"""Companies, their users, and what a user's role allows."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

COMPANY_CHARACTERS: Final = 64
COMPANY_RULE: Final = f"1 to {COMPANY_CHARACTERS} letters, digits, '.', '_' or '-', and blanks inside"
USER_CHARACTERS: Final = 100
USER_RULE: Final = f"1 to {USER_CHARACTERS} printable characters without blanks, backslash and colon"
SEPARATORS: Final = frozenset("\\: ")
"""What a login is split at, and blanks."""

DISABLED: Final = "!"
"""Begins the stored hash of a disabled user, as in /etc/shadow: so it is no hash of any password, and none that a token
is bound to. Behind it stands the hash that the user had."""


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

    @property
    def email_address(self) -> str:
        """The name, if it is one; else empty: a user has a name and nothing else."""
        return self.name if "@" in self.name else ""


class Account(Struct, frozen=True):
    """A user as operators see it."""

    user: User
    is_disabled: bool
    created_at: int


def is_company_name(text: str) -> bool:
    """Whether a company that is made may have this name."""
    return (
        1 <= len(text) <= COMPANY_CHARACTERS
        and text == text.strip()
        and all(letter.isalpha() or letter.isdecimal() or letter in "._- " for letter in text)
    )


def is_user_name(text: str) -> bool:
    """Whether a user who is made may have this name: a login is split at its backslash and colon."""
    return 1 <= len(text) <= USER_CHARACTERS and text.isprintable() and SEPARATORS.isdisjoint(text)
