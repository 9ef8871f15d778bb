"""The texts that the database makes for exports are those of `domain.values`, as are the dates that imports read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Connection, Double, literal, select

from staithe.domain.times import EPOCH
from staithe.domain.values import EASTERN, format_date, format_number, parse_date
from staithe.staging.import_rows import parse_plain_dates
from staithe.storage import export_texts
from staithe.storage.databases import SqliteFiles

MILLISECONDS = st.datetimes(datetime(2, 1, 1), datetime(9999, 12, 30)).map(
    lambda moment: (moment.replace(tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)
)
ZONES = st.sampled_from([UTC, EASTERN])


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    files = SqliteFiles(tmp_path_factory.mktemp("texts"))
    files.make_company(1)
    with files.open_company(1).read() as opened:
        yield opened
    files.close()


@given(milliseconds=MILLISECONDS, zone=ZONES)
@example(milliseconds=0, zone=EASTERN)
@example(milliseconds=-1, zone=UTC)
@example(milliseconds=-3_600_001, zone=EASTERN)
@example(milliseconds=1_699_163_999_999, zone=EASTERN)
@example(milliseconds=1_699_164_000_000, zone=EASTERN)
@example(milliseconds=parse_date("0001-01-01", EASTERN) // 1000, zone=EASTERN)
@example(milliseconds=parse_date("1883-11-18 12:00:00", EASTERN) // 1000, zone=EASTERN)
def test_dates(connection: Connection, milliseconds: int, zone: timedelta):
    value = milliseconds * 1000
    stored = literal(value, BigInteger)
    for always in (False, True):
        made = connection.execute(select(export_texts.format_date(stored, zone, always_decimals=always))).scalar()
        assert made == format_date(value, zone, always_decimals=always)


@given(value=st.floats(-1e14, 1e14) | st.integers(-(10**15), 10**15).map(float))
@example(value=-0.0)
@example(value=2.0**53)
@example(value=0.1)
@example(value=1e-7)
def test_numbers(connection: Connection, value: float):
    made = connection.execute(select(export_texts.format_number(literal(value, Double)))).scalar()
    assert made == format_number(value)


@pytest.mark.parametrize("zone", [UTC, EASTERN])
def test_no_value_has_no_text(connection: Connection, zone: timedelta):
    nothing = literal(None, BigInteger)
    texts = select(export_texts.format_date(nothing, zone), export_texts.format_number(nothing))
    assert connection.execute(texts).one() == (None, None)


@given(
    texts=st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2099, 12, 31)), min_size=1, max_size=5),
    zone=ZONES,
    form=st.sampled_from(["%Y-%m-%d", "%Y-%m-%d %H:%M:%S"]),
)
@example(texts=[datetime(2038, 4, 1)], zone=EASTERN, form="%Y-%m-%d")
@example(texts=[datetime(2024, 3, 10, 2, 30)], zone=EASTERN, form="%Y-%m-%d %H:%M:%S")
@example(texts=[datetime(2024, 11, 3, 1, 30)], zone=EASTERN, form="%Y-%m-%d %H:%M:%S")
def test_whole_columns_of_dates_are_read_as_single_dates_are(texts: list[datetime], zone: timedelta, form: str):
    column = [moment.strftime(form) for moment in texts]
    assert parse_plain_dates(column, zone) == [parse_date(text, zone) for text in column]


@pytest.mark.parametrize("text", ["2024-02-30", "1899-12-31", "2024-1-05", "2024-01-05 01:00:00", " 2024-01-05"])
def test_what_is_no_plain_date_is_left_to_the_slow_way(text: str):
    assert parse_plain_dates(["2024-01-05", text], UTC) is None
