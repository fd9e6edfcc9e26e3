"""The form of a partner's own prices describes its overrides, and is read back as the same."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.console.price_form import PriceForm, price_form_of
from billing.terms import Overrides, PerUnit
from billing.terms.effective import MeterChange
from core.errors import Invalid

NUMBERS = st.none() | st.decimals(0, 10_000, places=2)
CHANGES = st.builds(
    MeterChange,
    charge=st.none() | st.builds(PerUnit, model=st.just("per_unit"), unit_price=st.decimals(0, 100, places=4)),
    included=NUMBERS,
    soft_cap=NUMBERS,
    label=st.none() | st.just("Text messages"),
)


@given(st.builds(Overrides, base_fee=NUMBERS, due_days=st.none() | st.integers(0, 90), grace_days=st.just(5)), CHANGES)
def test_the_form_of_overrides_gives_the_same_overrides(general, change):
    meters = {"sms_segments": change} if change.model_dump(exclude_none=True) else {}
    overrides = general.model_copy(update={"meters": meters})
    form = price_form_of(overrides, ["sms_segments", "imports"])
    assert form.overrides(overrides) == overrides


def test_an_emptied_field_returns_to_the_plan_and_what_the_form_lacks_stays():
    present = Overrides(base_fee=Decimal(5), meters={"sms_segments": MeterChange(included=Decimal(9), label="SMS")})
    changed = PriceForm(meter=["sms_segments"], included=[""]).overrides(present)
    assert changed == Overrides(meters={"sms_segments": MeterChange(label="SMS")})


def test_what_is_wrong_is_named_by_its_place():
    with pytest.raises(Invalid) as raised:
        PriceForm(base_fee="much", meter=["sms_segments"], soft_cap=["x"]).overrides(Overrides())
    assert [error.field for error in raised.value.errors] == ["base_fee", "sms_segments.soft_cap"]
