"""Periods and parts of subscriptions. The cases were computed by hand."""

from datetime import date, timedelta
from fractions import Fraction
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from billing.plans.timeline import TermsChange, Timeline
from billing.terms import PlanTerms

ID = UUID(int=1)


def terms(**values):
    return PlanTerms.model_validate({"currency": "USD", "base_fee": "100", **values})


def day(text):
    return date.fromisoformat(text)


def timeline(start, *changes, ends_on=None, invoiced_until=None):
    """Each change is a day and its terms; the version's number is its place."""
    rows = tuple(TermsChange(day(on), "Plan", UUID(int=place), each) for place, (on, each) in enumerate(changes))
    return Timeline(ID, ID, day(start), None if ends_on is None else day(ends_on), invoiced_until, rows)


def periods(subscription, until):
    return [(str(each.days.start), str(each.days.end), each.currency) for each in subscription.periods(day(until))]


def test_a_late_start_cuts_the_first_calendar_month():
    subscription = timeline("2027-01-15", ("2027-01-15", terms()))
    assert periods(subscription, "2027-03-01") == [
        ("2027-01-15", "2027-02-01", "USD"),
        ("2027-02-01", "2027-03-01", "USD"),
    ]
    (part,) = subscription.parts(next(subscription.periods(day("2027-03-01"))))
    assert part.share == Fraction(17, 31)


def test_an_anniversary_on_the_31st_is_on_the_last_day_of_shorter_months():
    subscription = timeline("2027-12-31", ("2027-12-31", terms(alignment="anniversary")))
    assert [start for start, _, _ in periods(subscription, "2028-06-01")] == [
        "2027-12-31",
        "2028-01-31",
        "2028-02-29",
        "2028-03-31",
        "2028-04-30",
        "2028-05-31",
    ]
    assert all(subscription.parts(each)[0].share == 1 for each in subscription.periods(day("2028-06-01")))


def test_an_end_cuts_the_last_period_and_nothing_follows():
    subscription = timeline("2027-01-01", ("2027-01-01", terms()), ends_on="2027-02-11")
    assert periods(subscription, "2027-12-01")[1:] == [("2027-02-01", "2027-02-11", "USD")]
    assert subscription.on(day("2027-02-11")) is None
    assert subscription.on(day("2026-12-31")) is None


def test_a_change_of_plan_within_a_month_makes_two_parts():
    subscription = timeline("2027-01-01", ("2027-01-01", terms()), ("2027-02-15", terms(base_fee="200")))
    february = list(subscription.periods(day("2027-03-01")))[1]
    parts = subscription.parts(february)
    assert [(str(part.days.start), part.share, part.version_id.int) for part in parts] == [
        ("2027-02-01", Fraction(14, 28), 0),
        ("2027-02-15", Fraction(14, 28), 1),
    ]


def test_another_currency_ends_the_period_and_begins_the_next():
    subscription = timeline("2027-01-01", ("2027-01-01", terms()), ("2027-02-15", terms(currency="NGN")))
    assert periods(subscription, "2027-03-02") == [
        ("2027-01-01", "2027-02-01", "USD"),
        ("2027-02-01", "2027-02-15", "USD"),
        ("2027-02-15", "2027-03-01", "NGN"),
        ("2027-03-01", "2027-04-01", "NGN"),
    ]


def test_a_change_from_months_to_quarters_counts_from_its_day_where_periods_are_anniversaries():
    subscription = timeline(
        "2027-01-10",
        ("2027-01-10", terms(alignment="anniversary")),
        ("2027-02-20", terms(alignment="anniversary", interval="quarter")),
    )
    assert [each[:2] for each in periods(subscription, "2027-06-01")] == [
        ("2027-01-10", "2027-02-10"),
        ("2027-02-10", "2027-02-20"),
        ("2027-02-20", "2027-05-20"),
        ("2027-05-20", "2027-08-20"),
    ]


def test_days_of_the_trial_are_a_part_of_their_own():
    subscription = timeline("2027-01-01", ("2027-01-01", terms(trial_days=14)))
    parts = subscription.parts(next(subscription.periods(day("2027-02-01"))))
    assert [(part.days.days, part.is_trial) for part in parts] == [(14, True), (17, False)]


starts = st.dates(date(2024, 1, 1), date(2028, 12, 31))
cadences = st.builds(
    terms,
    interval=st.sampled_from(["month", "quarter"]),
    alignment=st.sampled_from(["calendar", "anniversary"]),
    currency=st.sampled_from(["USD", "XOF"]),
)


@given(starts, st.lists(st.tuples(st.integers(0, 500), cadences), min_size=1, max_size=5), st.integers(1, 600))
def test_periods_and_parts_cover_every_day_of_a_subscription_one_time(start, changes, length):
    offsets = sorted({0, *(offset for offset, _ in changes)})
    rows = tuple(
        TermsChange(start + timedelta(offset), "Plan", UUID(int=place), changes[place % len(changes)][1])
        for place, offset in enumerate(offsets)
    )
    end = start + timedelta(length)
    subscription = Timeline(ID, ID, start, end, None, rows)
    covered = []
    for period in subscription.periods(end + timedelta(400)):
        parts = subscription.parts(period)
        assert sum(part.days.days for part in parts) == period.days.days
        assert sum(part.share for part in parts) <= 1
        assert len({part.terms.cadence for part in parts}) == 1
        covered += [part.days.start + timedelta(number) for part in parts for number in range(part.days.days)]
    assert covered == [start + timedelta(number) for number in range(length)]
