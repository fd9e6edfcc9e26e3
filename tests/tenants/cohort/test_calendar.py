from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from tenants.cohort.calendar import AGE_BANDS, age_band, months_between, period_of
from tenants.cohort.timelines import NO_DAY, day_number


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026Q3", date(2026, 7, 1), date(2026, 9, 30)),
        ("FY26Q4", date(2026, 7, 1), date(2026, 9, 30)),
        ("fy2026q1", date(2025, 10, 1), date(2025, 12, 31)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("202412", date(2024, 12, 1), date(2024, 12, 31)),
        ("2025", date(2025, 1, 1), date(2025, 12, 31)),
        ("FY26", date(2025, 10, 1), date(2026, 9, 30)),
    ],
)
def test_periods(text: str, start: date, end: date) -> None:
    period = period_of(text)
    assert (period.start, period.end) == (start, end)


@pytest.mark.parametrize("text", ["", "2026Q5", "Q3", "26", "2026-13", "0000Q1", "FY26Q5", "FY1900"])
def test_what_is_no_period_is_rejected(text: str) -> None:
    with pytest.raises(Invalid):
        period_of(text)


def test_a_period_is_given_once_and_forwards() -> None:
    for given_period in [(None, None, None), (None, date(2026, 1, 1), None), ("2026", date(2026, 1, 1), None)]:
        with pytest.raises(Invalid):
            period_of(*given_period)
    with pytest.raises(Invalid, match="ends before it starts"):
        period_of(None, date(2026, 2, 1), date(2026, 1, 1))


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.dates(date(1900, 1, 1), date(2100, 1, 1)))
def test_completed_months_are_those_of_the_calendar(first: date, second: date) -> None:
    whole = (second.year - first.year) * 12 + second.month - first.month - (second.day < first.day)
    assert months_between([day_number(first)], [day_number(second)])[0] == (whole if second >= first else -1)


def test_ages() -> None:
    born = day_number(date(2000, 2, 29))
    cases = {
        date(2001, 2, 27): "<1",
        date(2005, 2, 27): "1-4",
        date(2005, 3, 1): "5-9",
        date(2065, 2, 27): "60-64",
        date(2065, 3, 1): "65+",
    }
    for day, band in cases.items():
        assert AGE_BANDS[age_band([born], [day_number(day)])[0]] == band
    assert age_band([NO_DAY], [0])[0] == -1
