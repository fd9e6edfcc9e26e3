"""The clock is aware, in UTC, can be stopped, and knows what today is where the tenant is."""

import threading
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import clock


def test_now_is_aware_and_in_utc():
    assert clock.now().tzinfo is UTC


def test_the_clock_stands_still_where_it_is_frozen_and_runs_elsewhere():
    instant = datetime(2024, 2, 29, 23, 30, tzinfo=UTC)
    elsewhere = []
    with clock.frozen(instant):
        assert clock.now() == instant
        thread = threading.Thread(target=lambda: elsewhere.append(clock.now()))
        thread.start()
        thread.join()
    assert elsewhere[0] > instant
    assert clock.now() > instant


def test_frozen_clocks_nest():
    outer, inner = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)
    with clock.frozen(outer):
        with clock.frozen(inner):
            assert clock.now() == inner
        assert clock.now() == outer


@pytest.mark.parametrize(("zone", "day"), [("Africa/Lagos", date(2024, 3, 1)), ("UTC", date(2024, 2, 29))])
def test_today_is_the_date_where_the_tenant_is(zone, day):
    with clock.frozen(datetime(2024, 2, 29, 23, 30, tzinfo=UTC)):
        assert clock.today(zone) == day


INSTANTS = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1))  # noqa: DTZ001 - made aware below


@given(INSTANTS, st.integers(-12, 14))
def test_a_frozen_instant_of_any_zone_is_the_same_instant_in_utc(naive, hours):
    instant = naive.replace(tzinfo=timezone(timedelta(hours=hours)))
    with clock.frozen(instant):
        assert clock.now() == instant
        assert clock.now().utcoffset() == timedelta(0)


def test_a_naive_instant_is_rejected():
    with pytest.raises(ValueError, match="time zone"), clock.frozen(datetime(2024, 1, 1)):  # noqa: DTZ001 - the fault
        pytest.fail("the clock was stopped at a time of no place")


@pytest.mark.parametrize("zone", ["Lagos", "", "../etc/passwd", "Africa/Nowhere"])
def test_an_unknown_time_zone_is_rejected_by_name(zone):
    with pytest.raises(ValueError, match="IANA"):
        clock.today(zone)
