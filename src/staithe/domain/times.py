"""Times: microseconds since 1970 in UTC inside; ISO 8601 with seven decimals, or Unix seconds, on the wire."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNIX_SECONDS = re.compile(r"-?[0-9]{1,11}")


def format_time(microseconds: int) -> str:
    """`2021-07-09T01:40:10.3187280Z`: always seven decimals and a Z [observed in recorded replies]."""
    moment = EPOCH + timedelta(microseconds=microseconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}0Z"


def format_unix(microseconds: int) -> str:
    """Unix seconds as a text: how the Application API gives times."""
    return str(microseconds // 1_000_000)


def parse_time(text: str) -> int | None:
    """Microseconds of an ISO 8601 date or time, UTC if it names no zone, or of Unix seconds; None if it is neither."""
    try:
        if text.isascii() and text.isdigit() and len(text) > 8:
            return int(text) * 1_000_000 if len(text) <= 11 else None
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return (moment - EPOCH) // timedelta(microseconds=1)
    except OverflowError:
        return None


def parse_unix_seconds(text: str) -> int | None:
    """Unix seconds from Unix seconds of any size, or from an ISO 8601 date or time; None if it is neither."""
    if UNIX_SECONDS.fullmatch(text):
        return int(text)
    microseconds = parse_time(text)
    return None if microseconds is None else microseconds // 1_000_000
