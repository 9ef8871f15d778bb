"""A part of a contact as the text that an export writes, worked out by SQLite."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Table, Text, bindparam, case, cast, func, literal, select

from staithe.domain.contact_parts import CONSTANTS, ContactPart, PartKind
from staithe.domain.fields import DataType
from staithe.domain.limits import HOUR, SECOND
from staithe.storage.contact_values import value_of
from staithe.storage.sqlite import derived

MILLISECOND: Final = SECOND // 1000
MOST_EXACT: Final = 2**53
"""Up to here every whole number is a 64-bit floating-point number."""


def text_of(part: ContactPart, table: Table, system_zone: tzinfo) -> ColumnElement[str]:
    """The text of a part, empty if it has no value.

    Each set that it comes from is a parameter of the set's name: a JSON array of its members.
    """
    members = [is_among(table.c.id, name) for name in part.sets]
    match part.kind:
        case PartKind.EMAIL_FORMAT | PartKind.ACCOUNT:
            return literal(CONSTANTS[part.kind])
        case PartKind.IS_SUBSCRIBED:
            return case((members[0], "False"), else_="True")
        case PartKind.IS_BOUNCED | PartKind.CONTACT_LIST:
            return case((members[0], "True"), else_="False")
        case PartKind.EMAIL_GROUP:
            return case((members[0], "subscribed"), (members[1], "unsubscribed"), else_="")
        case PartKind.ID:
            return cast(table.c.id, Text)
        case PartKind.FIELD | PartKind.CREATED_AT | PartKind.UPDATED_AT:
            value = value_of(part, table, derived)
    match part.data_type:
        case DataType.DATE:
            is_system = part.is_system_time
            text = format_date(value, system_zone if is_system else UTC, always_decimals=is_system)
            return func.coalesce(text, "")
        case DataType.NUMBER:
            return func.coalesce(format_number(value), "")
        case DataType.STRING | DataType.EMAIL_ADDRESS:
            return func.coalesce(value, "")


def is_among(contact_id: ColumnElement[int], parameter: str) -> ColumnElement[bool]:
    """Whether an id is in the JSON array that a parameter holds."""
    members = func.json_each(bindparam(parameter, type_=Text)).table_valued("value")
    return contact_id.in_(select(members.c.value))


def format_date(microseconds: ColumnElement[Any], zone: tzinfo, *, always_decimals: bool = False) -> ColumnElement[str]:
    """As `domain.values.format_date` writes it; `zone` is UTC or Eastern time."""
    fraction = remainder(microseconds, SECOND)
    seconds = (microseconds - fraction) // SECOND
    if zone is not UTC:
        hour = (microseconds - remainder(microseconds, HOUR)) // HOUR
        seconds = seconds + func.eastern_offset(hour, type_=BigInteger)
    decimals: ColumnElement[str] = func.printf(".%03d", fraction // MILLISECOND, type_=Text)
    shown = decimals if always_decimals else case((fraction == 0, ""), else_=decimals)
    return func.datetime(seconds, "unixepoch", type_=Text) + shown


def remainder(value: ColumnElement[Any], of: int) -> ColumnElement[Any]:
    """What is left of a value when it is divided, never negative: SQLite's own is, before 1970."""
    return (value % of + of) % of


def format_number(value: ColumnElement[Any]) -> ColumnElement[str]:
    """As `domain.values.format_number` writes it. Whole numbers need no Python."""
    whole = cast(value, BigInteger)
    is_whole = (func.abs(value) < MOST_EXACT) & (value == whole)
    return case((is_whole, cast(whole, Text)), else_=func.format_number(value))
