"""Columns read from PostgreSQL say what its own dates, moments and zones say."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from tenants.cohort.columns import fetch, fetch_together, local_days, places
from tenants.cohort.timelines import NO_DAY, OPEN_DAY, day_number

ZONES = ("Africa/Lagos", "Africa/Casablanca", "Africa/Cairo", "Europe/London", "Asia/Kathmandu", "UTC")
_2000 = datetime(2000, 1, 1, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


def microseconds(moment):
    return (moment - _2000) // timedelta(microseconds=1)


@given(st.lists(MOMENTS, max_size=20), st.sampled_from(ZONES))
def test_the_day_of_a_moment_is_that_of_the_zone_whatever_its_clock_changes(moments, zone):
    days = local_days(np.array([microseconds(moment) for moment in moments], dtype=np.int64), zone)
    assert days.tolist() == [day_number(moment.astimezone(ZoneInfo(zone)).date()) for moment in moments]


def test_both_ends_of_time_are_days_of_their_own():
    stamps = np.array([-(2**63), 0, 2**63 - 1], dtype=np.int64)
    assert local_days(stamps, "Africa/Lagos").tolist() == [NO_DAY, day_number(date(2000, 1, 1)), OPEN_DAY]
    assert local_days(stamps[[0, 2]], "Africa/Lagos").tolist() == [NO_DAY, OPEN_DAY]


def test_dates_and_moments_are_read_as_postgresql_means_them(session):
    query = sql.SQL(
        "SELECT d, s FROM (VALUES ('-infinity'::date, '-infinity'::timestamptz), ('1969-12-31', '2024-03-31 23:30Z'),"
        " ('2024-02-29', '2024-03-30 22:59:59Z'), ('infinity', 'infinity')) AS v (d, s)"
    ).format()
    columns = fetch(session, query, {"d": "date", "s": "stamp"})
    assert columns["d"].tolist() == [NO_DAY, -1, day_number(date(2024, 2, 29)), OPEN_DAY]
    days = [NO_DAY, day_number(date(2024, 4, 1)), day_number(date(2024, 3, 30)), OPEN_DAY]
    assert local_days(columns["s"], "Africa/Lagos").tolist() == days


def test_several_queries_by_one_statement_give_what_each_gives_alone(session):
    asked = {
        "some": (sql.SQL("SELECT i, i::float8 FROM generate_series(1, 3) AS i").format(), {"a": "int4", "b": "float8"}),
        "none": (sql.SQL("SELECT 1 WHERE false").format(), {"a": "int4"}),
        "uuid": (sql.SQL("SELECT gen_random_uuid() FROM generate_series(1, 2)").format(), {"u": "uuid"}),
    }  # fmt: skip
    columns = fetch_together(session, asked)
    alone = fetch(session, *asked["some"])
    assert {name: column.tolist() for name, column in columns["some"].items()} == {
        name: column.tolist() for name, column in alone.items()
    }
    assert columns["none"]["a"].size == 0
    assert columns["uuid"]["u"].size == 2


def test_a_null_is_rejected_in_one_statement_too(session):
    asked = {"some": (sql.SQL("SELECT NULLIF(i, 2) FROM generate_series(1, 3) AS i").format(), {"a": "int4"})}
    with pytest.raises(ValueError, match="NULL in the column a"):
        fetch_together(session, asked)


@given(st.lists(st.integers(0, 5), max_size=30))
def test_runs_of_equal_uuids_are_found_where_each_would_be(numbers):
    known = np.array([bytes([number]) * 16 for number in (1, 2, 4)], dtype="S16")
    wanted = np.array([bytes([number]) * 16 for number in numbers], dtype="S16")
    assert places(known, wanted).tolist() == [{1: 0, 2: 1, 4: 2}.get(number, -1) for number in numbers]
