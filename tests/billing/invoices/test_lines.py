"""Lines of periods, late use and credits. The cases were computed by hand."""

from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest

from billing.invoices.credits import CreditState, credit_lines
from billing.invoices.lines import late_lines, period_lines
from billing.invoices.models import Credit
from billing.plans.timeline import TermsChange, Timeline
from billing.terms import PlanTerms

ID = UUID(int=1)
SMS = {"meter": "sms_segments", "charge": {"model": "per_unit", "unit_price": "0.10"}, "included": 100}
PEOPLE = {"meter": "active_people", "aggregation": "max", "charge": {"model": "per_unit", "unit_price": "0.50"}}
GRADUATED = {
    "meter": "sms_segments",
    "charge": {"model": "graduated", "tiers": [{"up_to": 1000, "unit_price": "0.10"}, {"unit_price": "0.05"}]},
}


def terms(**values):
    return PlanTerms.model_validate({"currency": "USD", **values})


def subscription(*changes):
    rows = tuple(
        TermsChange(date.fromisoformat(on), "Standard", UUID(int=place), each)
        for place, (on, each) in enumerate(changes)
    )
    return Timeline(ID, ID, rows[0].effective_on, None, None, rows)


def lines(timeline, month, used, until=None):
    """The lines of a month; ``used`` maps meter and first day of a part to its quantity."""

    def quantities(days, aggregations):
        return {meter: Decimal(used.get((meter, str(days.start)), 0)) for meter in aggregations}

    start = date.fromisoformat(f"{month}-01")
    period = next(each for each in timeline.periods(date(2030, 1, 1)) if each.days.start == start)
    cut = None if until is None else date.fromisoformat(until)
    return period_lines(timeline, period, quantities, until=cut)


def amounts(computed):
    return [(line.kind, line.meter or line.code, str(line.start), str(line.amount)) for line in computed]


def test_a_month_has_its_fees_then_its_meters():
    timeline = subscription(
        ("2027-02-01", terms(base_fee="280", meters=[SMS, PEOPLE], add_ons={"help": {"label": "Help", "fee": "28"}}))
    )
    used = {("sms_segments", "2027-02-01"): 350, ("active_people", "2027-02-01"): 1000}
    assert amounts(lines(timeline, "2027-02", used)) == [
        ("base", None, "2027-02-01", "280.00"),
        ("add_on", "help", "2027-02-01", "28.00"),
        ("usage", "sms_segments", "2027-02-01", "25.00"),  # 250 * 0.10
        ("usage", "active_people", "2027-02-01", "500.00"),
    ]


def test_a_change_of_the_fee_divides_the_fee_alone():
    timeline = subscription(
        ("2027-02-01", terms(base_fee="280", meters=[SMS])), ("2027-02-15", terms(base_fee="560", meters=[SMS]))
    )
    assert amounts(lines(timeline, "2027-02", {("sms_segments", "2027-02-01"): 350})) == [
        ("base", None, "2027-02-01", "140.00"),
        ("base", None, "2027-02-15", "280.00"),
        ("usage", "sms_segments", "2027-02-01", "25.00"),
    ]


def test_a_change_of_a_meter_divides_its_included_quantity_by_days():
    dearer = {**SMS, "charge": {"model": "per_unit", "unit_price": "0.20"}}
    timeline = subscription(("2027-02-01", terms(meters=[SMS])), ("2027-02-15", terms(meters=[dearer])))
    used = {("sms_segments", "2027-02-01"): 80, ("sms_segments", "2027-02-15"): 150}
    assert amounts(lines(timeline, "2027-02", used)) == [
        ("usage", "sms_segments", "2027-02-01", "3.00"),  # (80 - 50) * 0.10
        ("usage", "sms_segments", "2027-02-15", "20.00"),  # (150 - 50) * 0.20
    ]


def test_nothing_is_charged_for_days_of_the_trial():
    timeline = subscription(("2027-02-01", terms(base_fee="280", meters=[SMS], trial_days=14)))
    used = {("sms_segments", "2027-02-01"): 10**6, ("sms_segments", "2027-02-15"): 60}
    assert amounts(lines(timeline, "2027-02", used)) == [
        ("base", None, "2027-02-15", "140.00"),
        ("usage", "sms_segments", "2027-02-15", "1.00"),  # (60 - 50) * 0.10
    ]


def test_what_was_used_by_a_day_has_the_prices_of_the_whole_period():
    timeline = subscription(("2027-02-01", terms(base_fee="280", meters=[GRADUATED, PEOPLE])))
    used = {("sms_segments", "2027-02-01"): 1200, ("active_people", "2027-02-01"): 1000}
    assert amounts(lines(timeline, "2027-02", used, until="2027-02-08")) == [
        ("base", None, "2027-02-01", "70.00"),  # 7 of 28 days
        ("usage", "sms_segments", "2027-02-01", "110.00"),  # 1000 * 0.10 + 200 * 0.05
        ("usage", "active_people", "2027-02-01", "125.00"),  # 1000 * 0.50 * 7 / 28
    ]


def test_late_use_is_priced_on_top_of_what_was_invoiced():
    timeline = subscription(("2027-02-01", terms(base_fee="280", meters=[GRADUATED])))
    key = ("sms_segments", "2027-02-01")
    invoiced = lines(timeline, "2027-02", {key: 900})
    late = late_lines(lines(timeline, "2027-02", {key: 1100}), invoiced)
    assert [(line.kind, line.quantity, line.amount) for line in late] == [
        ("late_use", Decimal(200), Decimal("15.00"))  # 100 * 0.10 + 100 * 0.05
    ]
    assert late_lines(lines(timeline, "2027-02", {key: 1100}), [*invoiced, *late]) == []
    less = late_lines(lines(timeline, "2027-02", {key: 950}), [*invoiced, *late])
    assert [(line.quantity, line.amount) for line in less] == [(Decimal(-150), Decimal("-10.00"))]


def credit(amount, expires_on=None, number=1):
    row = Credit(
        id=UUID(int=number),
        tenant_id=ID,
        currency="USD",
        amount=Decimal(amount),
        granted_on=date(2027, 1, 1),
        expires_on=None if expires_on is None else date.fromisoformat(expires_on),
        reason="Start",
        created_by="test:1",
    )
    return CreditState(row, Decimal(amount))


BY_HAND = [
    # credits in the order of their use, subtotal of February, used by a day, amounts of the lines
    ([credit("50")], "200", {}, ["-50"]),
    ([credit("500")], "200", {}, ["-200"]),
    ([credit("50"), credit("500", number=2)], "200", {}, ["-50", "-150"]),
    ([credit("50", "2027-02-01")], "200", {}, []),  # expired before the period
    ([credit("50", "2027-02-15")], "200", {"2027-02-15": "30"}, ["-30"]),  # expires within: 30 had been used
    ([credit("50", "2027-02-15"), credit("500", number=2)], "200", {"2027-02-15": "30"}, ["-30", "-170"]),
    ([credit("50", "2027-03-01")], "200", {}, ["-50"]),  # expires with the period
    ([credit("20"), credit("50", "2027-02-15", 2)], "200", {"2027-02-15": "30"}, ["-20", "-10"]),
    ([credit("50", "2027-02-02")], "0", {"2027-02-02": "0"}, []),
]


@pytest.mark.parametrize(("states", "subtotal", "used", "expected"), BY_HAND)
def test_credits_pay_in_order_and_never_for_use_after_they_expire(states, subtotal, used, expected):
    computed = credit_lines(
        states, Decimal(subtotal), date(2027, 2, 1), date(2027, 3, 1), lambda day: Decimal(used[str(day)])
    )
    assert [str(line.amount) for line in computed] == expected
