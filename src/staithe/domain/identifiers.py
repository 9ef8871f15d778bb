"""What the identifier of a record may look like, and when two of them are the same."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

WHITE_SPACE: Final = " \t\r\n\f\v"
"""Trimmed from both ends of every identifier."""

NUL: Final = "\0"
"""No identifier has it: the store ends a text there when it looks one up, and would find another contact."""

EMAIL_PATTERN: Final = re.compile(r"[^\s\0@,;<>()\"]+@[^\s\0@,;<>()\"]+\.[^\s\0@.,;<>()\"]+")
EMAIL_CHARACTERS: Final = 254
PLAIN_EMAIL: Final = r"^[!#-'*-+\--:=?A-Z\[-~]+@[!#-'*-+\--:=?A-Z\[-~]+\.[!#-'*-+\-/-:=?A-Z\[-~]+$"
"""What nearly all addresses look like, in ASCII alone: whatever matches it, and is not too long, is one."""


class IdentifierKind(StrEnum):
    """By which field a definition finds its contacts."""

    CONTACT_ID = "{{contact.id}}"
    EMAIL_ADDRESS = "{{contact.field(c_emailaddress)}}"
    EXTERNAL_ID = "{{contact.field(contactidext)}}"


def normal_email(text: str) -> str:
    """The form in which email addresses are compared: trimmed, lower case."""
    return text.strip(WHITE_SPACE).lower()


def is_email_address(text: str) -> bool:
    """Whether a trimmed text could be an address: one @, a dot in the domain, no blanks, at most 254 characters."""
    return len(text) <= EMAIL_CHARACTERS and EMAIL_PATTERN.fullmatch(text) is not None
