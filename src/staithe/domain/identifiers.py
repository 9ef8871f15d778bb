"""What the identifier of a record may look like, and when two of them are the same."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from typing import Final

WHITE_SPACE: Final = " \t\r\n\f\v"
"""Trimmed from both ends of every identifier."""

NUL: Final = "\0"
"""No identifier has it: the store ends a text there when it looks one up, and would find another contact."""

EMAIL_CHARACTERS: Final = 254
PLAIN_EMAIL: Final = (
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]*[A-Za-z0-9])?"
)
"""What nearly all addresses look like: what matches it, and is not long, is one, and need not be looked at closely."""

PLAIN_EMAIL_CHARACTERS: Final = 64
"""Below it no part of an address can be too long (RFC 5321, section 4.5.3.1)."""


class IdentifierKind(StrEnum):
    """By which field a definition finds its contacts."""

    CONTACT_ID = "{{contact.id}}"
    EMAIL_ADDRESS = "{{contact.field(c_emailaddress)}}"
    EXTERNAL_ID = "{{contact.field(contactidext)}}"


def normal_email(text: str) -> str:
    """The form in which email addresses are compared: trimmed, lower case."""
    return text.strip(WHITE_SPACE).lower()


def is_email_address(text: str) -> bool:
    """Whether a trimmed text is an address by its syntax: RFC 5322 without quotes and comments, and RFC 6531.

    Its domain has a dot, and nothing in it is invisible.
    """
    if is_plain_email(text):
        return True
    return len(text) <= EMAIL_CHARACTERS and "@" in text and check_email(text)


def is_plain_email(text: str) -> bool:
    """Whether a text is surely an address."""
    return len(text) <= PLAIN_EMAIL_CHARACTERS and re.fullmatch(PLAIN_EMAIL, text) is not None


@lru_cache(2**12)
def check_email(text: str) -> bool:
    # Only who has an odd address waits for the library.
    from email_validator import EmailNotValidError, validate_email

    try:
        found = validate_email(text, check_deliverability=False, globally_deliverable=False, strict=True)
    except EmailNotValidError:
        return False
    return "." in found.domain
