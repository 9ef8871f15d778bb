"""Values of contact fields as texts: how imports, filters and exports write dates and numbers.

Source: formats of public clients and of Eloqua's import page; zones from its page on time zones. Date fields that
people fill hold what was written, without a zone. System timestamps are moments: written in Eastern time, the zone
Eloqua stores them in, unless a definition has `areSystemTimestampsInUTC`.
"""

from __future__ import annotations

import contextlib
import math
import re
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from staithe.domain.fields import DataType, FieldValue
from staithe.domain.times import EPOCH

EASTERN: Final = ZoneInfo("America/New_York")
DATE_FORMS: Final = "YYYY-MM-DD, YYYY-MM-DD HH:MM:SS, the same with a fraction, or ISO 8601"
DATE: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
US_DATE: Final = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})((?: \d\d:\d\d(?::\d\d)?)?)", re.ASCII)
NUMBER: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
FIRST_SECOND: Final = -62_135_596_800
LAST_SECOND: Final = 253_402_300_799
"""The years 1 to 9999 in Unix seconds: the dates that have a text."""

NUMBER_DIGITS: Final = 15
"""Significant digits of a number: as many as a 64-bit floating-point number keeps exactly."""


def parse_value(text: str, data_type: DataType, zone: tzinfo = UTC) -> FieldValue:
    """The stored form of a text that is not empty.

    Raises:
        ValueError: it does not fit the type: a sentence that starts with "must".
    """
    match data_type:
        case DataType.NUMBER:
            return parse_number(text)
        case DataType.DATE:
            return parse_date(text, zone)
        case DataType.STRING | DataType.EMAIL_ADDRESS:
            return text


def format_value(value: FieldValue, data_type: DataType, zone: tzinfo = UTC, *, is_system_time: bool = False) -> str:
    """A stored value as exports write it; empty for none. A time of the system always has decimals."""
    if value is None:
        return ""
    match data_type:
        case DataType.NUMBER:
            return format_number(float(value))
        case DataType.DATE:
            return format_date(int(value), zone, always_decimals=is_system_time)
        case DataType.STRING | DataType.EMAIL_ADDRESS:
            return str(value)


def parse_number(text: str) -> float:
    """A decimal number with a point, and without signs of thousands; an exponent may follow, as JSON has it.

    Raises:
        ValueError: it is none, has more than 15 significant digits, or is too large.
    """
    trimmed = text.strip()
    if not NUMBER.fullmatch(trimmed):
        raise ValueError("must be a number such as 12 or -0.5")
    if len(trimmed) > NUMBER_DIGITS and len(Decimal(trimmed).normalize().as_tuple().digits) > NUMBER_DIGITS:
        raise ValueError(f"must be a number of at most {NUMBER_DIGITS} digits")
    number = float(trimmed)
    if math.isinf(number):
        raise ValueError("must be a number below 1e308")
    return number


def format_number(value: float) -> str:
    """A number as the shortest decimal text that stands for it, never with an exponent."""
    return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")


def parse_date(text: str, zone: tzinfo = UTC) -> int:
    """Microseconds since 1970, whole milliseconds, of a date with or without a time.

    Args:
        text: in one of the forms of `DATE_FORMS`, or MM/DD/YYYY with or without a time.
        zone: what a text without a zone is in.

    Raises:
        ValueError: it is no date.
    """
    trimmed = text.strip()
    american = US_DATE.fullmatch(trimmed)
    if american:
        trimmed = f"{american[3]}-{american[1]:0>2}-{american[2]:0>2}{american[4]}"
    if not DATE.fullmatch(trimmed):
        raise ValueError(f"must be a date: {DATE_FORMS}")
    try:
        moment = datetime.fromisoformat(trimmed)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return (moment.astimezone(UTC) - EPOCH) // timedelta(milliseconds=1) * 1000
    except (ValueError, OverflowError):
        raise ValueError(f"must be a date that exists: {DATE_FORMS}") from None


def format_date(microseconds: int, zone: tzinfo = UTC, *, always_decimals: bool = False) -> str:
    """`YYYY-MM-DD HH:MM:SS`, with three decimals if they are not zero, or always."""
    moment = EPOCH + timedelta(microseconds=microseconds)
    if zone is not UTC:
        with contextlib.suppress(OverflowError):
            # The first hours of the year 1 are in the year 0 elsewhere, which there is not.
            moment = moment.astimezone(zone)
    text = f"{moment.year:04}-{moment:%m-%d %H:%M:%S}"
    milliseconds = moment.microsecond // 1000
    return f"{text}.{milliseconds:03}" if milliseconds or always_decimals else text
