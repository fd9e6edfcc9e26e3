"""Periods, bounds and shares of fees. The cases were computed by hand."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from babel.core import get_global
from babel.numbers import list_currencies
from hypothesis import given
from hypothesis import strategies as st

from billing.terms import Money, Period, bounds, exponent, fee_amount, period_of, rounded
from billing.terms.money import DECIMALS

BY_HAND = [
    # anchor, interval, alignment, day, start, end
    ("2027-01-15", "month", "calendar", "2027-02-28", "2027-02-01", "2027-03-01"),
    ("2027-01-15", "quarter", "calendar", "2027-12-31", "2027-10-01", "2028-01-01"),
    ("2027-01-15", "month", "anniversary", "2027-02-14", "2027-01-15", "2027-02-15"),
    ("2027-01-15", "month", "anniversary", "2027-02-15", "2027-02-15", "2027-03-15"),
    ("2027-01-31", "month", "anniversary", "2027-02-27", "2027-01-31", "2027-02-28"),
    ("2027-01-31", "month", "anniversary", "2027-02-28", "2027-02-28", "2027-03-31"),
    ("2027-01-31", "month", "anniversary", "2028-02-29", "2028-02-29", "2028-03-31"),  # a leap year
    ("2028-02-29", "month", "anniversary", "2028-03-29", "2028-03-29", "2028-04-29"),
    ("2027-11-30", "quarter", "anniversary", "2028-02-28", "2027-11-30", "2028-02-29"),
    ("2027-11-30", "quarter", "anniversary", "2028-02-29", "2028-02-29", "2028-05-30"),
]


@pytest.mark.parametrize(("anchor", "interval", "alignment", "day", "start", "end"), BY_HAND)
def test_periods_are_as_on_the_calendar(anchor, interval, alignment, day, start, end):
    period = period_of(date.fromisoformat(anchor), interval, alignment, date.fromisoformat(day))
    assert period == Period(date.fromisoformat(start), date.fromisoformat(end))


days = st.dates(date(2020, 1, 1), date(2040, 12, 31))


@given(days, st.sampled_from(["month", "quarter"]), st.sampled_from(["calendar", "anniversary"]))
def test_periods_cover_every_day_one_time(anchor, interval, alignment):
    periods = [period_of(anchor, interval, alignment, anchor)]
    for _ in range(20):
        periods.append(period_of(anchor, interval, alignment, periods[-1].end))
    assert all(before.end == after.start for before, after in pairwise(periods))
    assert periods[0].start <= anchor < periods[0].end
    if alignment == "anniversary":
        assert all(28 <= period.days <= 92 for period in periods)
        assert periods[0].start == anchor


@given(days, days, st.sampled_from(["month", "quarter"]), st.sampled_from(["calendar", "anniversary"]))
def test_the_period_of_a_day_contains_it(one, other, interval, alignment):
    anchor, day = sorted((one, other))
    period = period_of(anchor, interval, alignment, day)
    assert period.start <= day < period.end
    assert period_of(anchor, interval, alignment, period.start if alignment == "calendar" else day) == period


def test_a_day_before_the_anchor_has_no_period():
    with pytest.raises(ValueError, match="is before"):
        period_of(date(2027, 2, 1), "month", "anniversary", date(2027, 1, 31))


@pytest.mark.parametrize(
    ("zone", "start", "end"),
    [
        ("UTC", "2027-03-01T00:00", "2027-04-01T00:00"),
        ("Africa/Lagos", "2027-02-28T23:00", "2027-03-31T23:00"),
        ("Africa/Cairo", "2027-02-28T22:00", "2027-03-31T22:00"),
        ("Europe/Lisbon", "2027-03-01T00:00", "2027-03-31T23:00"),  # summer time begins within
        ("America/New_York", "2027-03-01T05:00", "2027-04-01T04:00"),
    ],
)
def test_a_period_begins_and_ends_at_midnight_where_the_partner_is(zone, start, end):
    instants = bounds(Period(date(2027, 3, 1), date(2027, 4, 1)), ZoneInfo(zone))
    assert instants == tuple(datetime.fromisoformat(instant).replace(tzinfo=UTC) for instant in (start, end))


FEES = [
    # fee, first day and day after the last of the part, of the whole period, currency, amount
    ("280", "2027-02-15", "2027-03-01", "2027-02-01", "2027-03-01", "USD", "140.00"),  # 14 of 28 days of February
    ("280", "2028-02-15", "2028-03-01", "2028-02-01", "2028-03-01", "USD", "144.83"),  # 15 of 29: a leap year
    ("100", "2027-03-31", "2027-04-01", "2027-03-01", "2027-04-01", "USD", "3.23"),  # the 31st alone
    ("100000", "2027-02-01", "2027-02-11", "2027-02-01", "2027-03-01", "XOF", "35714"),  # 10 of 28
    ("100", "2027-02-01", "2027-02-11", "2027-02-01", "2027-03-01", "TND", "35.714"),
    ("0.07", "2027-02-01", "2027-02-15", "2027-02-01", "2027-03-01", "USD", "0.04"),  # 0.035
    ("100", "2027-02-01", "2027-02-01", "2027-02-01", "2027-03-01", "USD", "0.00"),
]


@pytest.mark.parametrize(("fee", "start", "end", "first", "after", "currency", "amount"), FEES)
def test_fees_are_shared_by_days(fee, start, end, first, after, currency, amount):
    part, whole = (Period(date.fromisoformat(a), date.fromisoformat(b)) for a, b in ((start, end), (first, after)))
    assert str(fee_amount(Decimal(fee), Fraction(part.days, whole.days), currency)) == amount


@pytest.mark.parametrize(
    ("currency", "decimals"), [("XOF", 0), ("UGX", 0), ("RWF", 0), ("NGN", 2), ("MGA", 2), ("TND", 3), ("KWD", 3)]
)
def test_decimals_are_those_of_iso_4217(currency, decimals):
    assert exponent(currency) == decimals


@pytest.mark.parametrize("code", ["", "usd", "US", "USDX", "U$D", "ZZZ", "XTS", "DEM"])
def test_what_is_no_currency_is_rejected(code):
    with pytest.raises(ValueError, match="is not a currency"):
        exponent(code)


def test_the_currencies_are_those_of_babel_that_somebody_pays_with():
    assert set(DECIMALS) <= list_currencies()
    places = get_global("territory_currencies").values()
    assert {code for place in places for code, _start, end, tender in place if tender and end is None} <= set(DECIMALS)


@pytest.mark.parametrize(("amount", "result"), [("0.125", "0.13"), ("-0.125", "-0.13"), ("0.1249", "0.12")])
def test_half_is_rounded_away_from_zero(amount, result):
    assert str(rounded(Decimal(amount), "USD")) == result
    assert Money(Decimal(amount), "USD").rounded() == Money(Decimal(result), "USD")


def test_two_currencies_do_not_add_up():
    assert Money(Decimal(1), "USD") + Money(Decimal(2), "USD") - Money(Decimal(5), "USD") == -Money(Decimal(2), "USD")
    with pytest.raises(ValueError, match="do not add up"):
        Money(Decimal(1), "USD") + Money(Decimal(1), "NGN")


@given(days, st.integers(0, 400), st.integers(0, 400))
def test_the_common_days_of_two_periods_are_in_both(start, one, other):
    first, second = Period(start, start + timedelta(one)), Period(start + timedelta(30), start + timedelta(30 + other))
    common = first.within(second)
    assert common.days == len(set(_dates(first)) & set(_dates(second)))


def _dates(period):
    return [period.start + timedelta(number) for number in range(period.days)]
