"""Simulated use is the same each time, says that it is simulated, and names meters and dimensions that there are."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from billing.demo.plans import PARTNERS
from billing.demo.service import LATEST_START, first_day
from billing.demo.simulated_use import PREFIX, uses_between
from billing.terms import PlanTerms
from core.metering import meters

DAYS = st.dates(date(2026, 1, 1), date(2030, 12, 31))


@given(DAYS)
def test_a_day_has_the_same_uses_each_time_with_keys_of_their_own(day):
    end = day + timedelta(days=8)
    uses = list(uses_between("demo-north", 1000, day, end))
    assert uses == list(uses_between("demo-north", 1000, day, end))
    assert len({(use.meter, use.key) for use in uses}) == len(uses)
    for use in uses:
        assert use.key.startswith(PREFIX)
        assert set(use.dimensions) <= set(meters()[use.meter].dimensions)
        assert use.value >= 0
        assert day <= use.occurred_at.date() < end


@given(DAYS)
def test_a_whole_month_and_its_days_of_grace_lie_behind_the_first_day(today):
    first = first_day(today)
    next_month = (first + timedelta(days=32)).replace(day=1)
    assert first.day == 1
    assert next_month + timedelta(days=LATEST_START - 1) <= today
    assert (today - first).days < 100


def test_the_plans_are_valid_and_name_meters_that_there_are():
    for partner in PARTNERS:
        terms = PlanTerms.model_validate(partner.terms)
        assert all(each.meter in meters() for each in terms.meters)
    assert len({partner.terms["currency"] for partner in PARTNERS}) == len(PARTNERS)
