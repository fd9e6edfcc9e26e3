from decimal import Decimal

import pytest
from pydantic import ValidationError

from billing.terms import MeterChange, Overrides, PerUnit, PlanTerms, effective_terms

PLAN = {
    "currency": "NGN",
    "base_fee": "50000",
    "meters": [
        {"meter": "sms_segments", "charge": {"model": "per_unit", "unit_price": "4"}, "included": 100},
        {"meter": "ai_questions", "charge": {"model": "per_unit", "unit_price": "20"}, "hard_cap": 500},
    ],
    "add_ons": {
        "support": {"label": "Support by phone", "fee": "10000"},
        "bulk_sms": {
            "label": "Bulk SMS",
            "fee": "2000",
            "meters": [{"meter": "sms_segments", "charge": {"model": "per_unit", "unit_price": "3"}}],
        },
    },
}


def meters(terms):
    return {each.meter: each for each in terms.meters}


def test_terms_survive_their_form_in_json():
    terms = PlanTerms.model_validate(PLAN)
    assert PlanTerms.model_validate(terms.model_dump(mode="json")) == terms


def test_a_partner_has_only_its_own_add_ons():
    terms = effective_terms(PlanTerms.model_validate(PLAN), ["support"])
    assert list(terms.add_ons) == ["support"]
    assert meters(terms)["sms_segments"].charge.unit_price == 4


def test_a_meter_of_an_add_on_replaces_that_of_the_plan():
    sms = meters(effective_terms(PlanTerms.model_validate(PLAN), ["bulk_sms"]))["sms_segments"]
    assert (sms.charge.unit_price, sms.included) == (3, 0)


def test_overrides_change_single_values_and_add_meters():
    changes = Overrides(
        base_fee=Decimal(40000),
        due_days=60,
        meters={
            "sms_segments": MeterChange(included=Decimal(1000)),
            "storage_bytes": MeterChange(charge=PerUnit(unit_price=Decimal("0.01"))),
        },
    )
    terms = effective_terms(PlanTerms.model_validate(PLAN), [], changes)
    assert (terms.base_fee, terms.due_days, terms.grace_days) == (40000, 60, 3)
    assert meters(terms)["sms_segments"].included == 1000
    assert meters(terms)["sms_segments"].charge.unit_price == 4
    assert meters(terms)["ai_questions"].hard_cap == 500
    assert meters(terms)["storage_bytes"].charge.unit_price == Decimal("0.01")


@pytest.mark.parametrize(
    ("add_ons", "overrides"),
    [(["nothing"], Overrides()), ([], Overrides(meters={"new_meter": MeterChange(included=Decimal(1))}))],
)
def test_what_gives_no_whole_terms_is_rejected(add_ons, overrides):
    with pytest.raises(ValueError, match=r"no add-on|charge"):
        effective_terms(PlanTerms.model_validate(PLAN), add_ons, overrides)


@pytest.mark.parametrize(
    "change",
    [
        {"currency": "naira"},
        {"interval": "year"},
        {"base_fee": "-1"},
        {"unknown": 1},
        {"meters": [PLAN["meters"][0], PLAN["meters"][0]]},
        {"meters": [{**PLAN["meters"][0], "aggregation": "average"}]},
        {"meters": [{**PLAN["meters"][0], "soft_cap": 10, "hard_cap": 5}]},
        {"dunning": [{"after_days": 5, "action": "extras_off"}, {"after_days": 5, "action": "reminder"}]},
        {"dunning": [{"after_days": 5, "action": "suspend"}]},  # only a person suspends
    ],
)
def test_terms_that_cannot_be_charged_are_rejected(change):
    with pytest.raises(ValidationError):
        PlanTerms.model_validate({**PLAN, **change})
