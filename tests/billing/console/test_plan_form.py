"""The editor of a plan describes every plan, and what it describes is read back as the same terms."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.console.plan_form import PlanForm, form_of
from billing.invoices.effects import differences
from billing.terms import PlanTerms
from core.errors import Invalid

PRICES = st.decimals(0, 10_000, places=4)
QUANTITIES = st.decimals(1, 10**9, places=2)


@st.composite
def charges(draw):
    model = draw(st.sampled_from(["per_unit", "package", "graduated", "volume"]))
    if model == "per_unit":
        return {"model": model, "unit_price": draw(PRICES)}
    if model == "package":
        return {"model": model, "size": draw(QUANTITIES), "price": draw(PRICES)}
    limits = sorted(draw(st.sets(QUANTITIES, max_size=3)))
    tiers = [{"up_to": limit, "unit_price": draw(PRICES), "flat": draw(PRICES)} for limit in [*limits, None]]
    return {"model": model, "tiers": tiers}


@st.composite
def plans(draw):
    names = draw(st.lists(st.sampled_from(["patients_scored", "sms_segments", "imports"]), unique=True, max_size=3))
    meters = [
        {
            "meter": name,
            "label": draw(st.sampled_from(["", "Its name"])),
            "charge": draw(charges()),
            "included": draw(QUANTITIES),
            "hard_cap": draw(st.none() | QUANTITIES),
        }
        for name in names
    ]
    return PlanTerms.model_validate(
        {
            "currency": draw(st.sampled_from(["NGN", "USD", "XOF", "TND"])),
            "interval": draw(st.sampled_from(["month", "quarter"])),
            "base_fee": draw(PRICES),
            "meters": meters,
            "trial_days": draw(st.integers(0, 60)),
            "add_ons": {"support": {"label": "Support", "fee": draw(PRICES)}},
        }
    )


@given(plans())
def test_every_plan_has_a_form_that_describes_it(terms):
    assert form_of(terms).terms(terms) == terms
    assert differences(terms, form_of(terms).terms(terms)) == []


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"base_fee": "many"}, "base_fee"),
        ({"base_fee": "-1"}, "base_fee"),
        ({"currency": "naira"}, "currency"),
        ({"trial_days": "x"}, "trial_days"),
        ({"charge": ["graduated"], "prices": ["1000 5"]}, "patients_scored.prices"),
        ({"charge": ["graduated"], "prices": [""]}, "patients_scored.prices"),
        ({"charge": ["package"], "prices": ["1000: 5\n2000: 4"]}, "patients_scored.prices"),
        ({"prices": ["five"]}, "patients_scored.prices"),
        ({"included": ["a few"]}, "patients_scored.included"),
    ],
)
def test_a_wrong_field_is_named(changed, place):
    form = PlanForm(currency="NGN", meter=["patients_scored"], charge=["per_unit"], prices=["5"])
    with pytest.raises(Invalid) as caught:
        form.model_copy(update=changed).terms()
    assert place in [error.field for error in caught.value.errors]


def test_a_difference_names_the_meter_and_both_values():
    before = PlanForm(currency="NGN", meter=["patients_scored"], charge=["per_unit"], prices=["5"]).terms()
    after = PlanForm(
        currency="NGN", base_fee="10", meter=["patients_scored"], charge=["per_unit"], prices=["4"]
    ).terms()
    assert [(each.place, each.before, each.after) for each in differences(before, after)] == [
        ("base_fee", "0", "10"),
        ("meters.patients_scored.charge.unit_price", "5", "4"),
    ]
    assert all(each.before == "" for each in differences(None, after))


def test_a_tier_may_have_a_fee():
    form = PlanForm(currency="NGN", meter=["imports"], charge=["volume"], prices=["100: 2.5 + 20\nmore: 2"])
    (meter,) = form.terms().meters
    assert [(tier.up_to, tier.unit_price, tier.flat) for tier in meter.charge.tiers] == [
        (Decimal(100), Decimal("2.5"), Decimal(20)),
        (None, Decimal(2), Decimal(0)),
    ]
