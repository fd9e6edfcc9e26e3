"""The commands of plans, accounts and subscriptions, as an operator types them."""

import json
from decimal import Decimal

import pytest
from click.testing import CliRunner

from billing.plans.checks import complete_overrides
from billing.plans.commands import billing
from billing.terms import MeterChange, Overrides, PerUnit, PlanTerms
from core.errors import AppError

PLAN = """
currency: NGN
base_fee: 50000
meters:
  - meter: sms_segments
    charge: {model: graduated, tiers: [{up_to: 1000, unit_price: 4}, {unit_price: 3.5}]}
    included: 100
add_ons:
  help:
    label: Help by phone
    fee: 5000
"""


def run(*arguments):
    result = CliRunner().invoke(billing, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


@pytest.fixture
def plan_file(tmp_path):
    file = tmp_path / "plan.yaml"
    file.write_text(PLAN, encoding="utf-8")
    return file


def test_an_operator_makes_a_plan_and_subscribes_a_partner(tenant, plan_file):
    code = f"plan-{tenant.id.hex[-12:]}"
    assert run("plan", "create", code, "--file", str(plan_file), "--name", "Standard")["version"] == 1
    plan_file.write_text(PLAN.replace("50000", "60000"), encoding="utf-8")
    assert run("plan", "create", code, "--file", str(plan_file), "--note", "2028")["version"] == 2
    assert [each["terms"]["base_fee"] for each in run("plan", "show", code)["versions"]] == ["60000", "50000"]
    assert code in {each["plan"] for each in run("plan", "list")["plans"]}
    assert run("account", tenant.slug, "--legal-name", "Partner Ltd", "--tax-rate", "7.5")["tax_rate"] == "7.5"
    run("subscribe", tenant.slug, f"{code}@1", "--on", "2027-01-01", "--add-on", "help")
    assert run("change", tenant.slug, "--on", "2027-03-01", "--plan", code)["effective_on"] == "2027-03-01"
    assert run("end", tenant.slug, "--on", "2027-06-01")["ends_on"] == "2027-06-01"
    assert run("account", tenant.slug)["legal_name"] == "Partner Ltd"


def test_a_plan_shows_its_prices_caps_and_add_ons_in_words(database, plan_file):
    plan_file.write_text(PLAN.replace("included: 100", "included: 100\n    hard_cap: 90000"), encoding="utf-8")
    run("plan", "create", "plan-words", "--file", str(plan_file))
    shown = CliRunner().invoke(billing, ["plan", "show", "plan-words"], catch_exceptions=False).output
    assert "up to 1,000: NGN 4; more: NGN 3.5; 100 included" in shown
    assert "stops extras at 90,000" in shown
    assert "add-on help, Help by phone: NGN 5,000.00" in shown
    assert "extras_off after 30 days" in shown


def test_terms_that_equal_the_newest_or_name_no_meter_are_rejected(database, plan_file, tmp_path):
    code = "plan-twice"
    run("plan", "create", code, "--file", str(plan_file))
    with pytest.raises(AppError, match="already has these terms"):
        run("plan", "create", code, "--file", str(plan_file))
    plan_file.write_text(PLAN.replace("sms_segments", "sms_segmentz"), encoding="utf-8")
    with pytest.raises(AppError) as raised:
        run("plan", "create", code, "--file", str(plan_file))
    assert "sms_segments" in raised.value.errors[0].problem
    latest = PLAN.replace("included: 100", "aggregation: latest")
    plan_file.write_text(latest, encoding="utf-8")
    with pytest.raises(AppError) as raised:
        run("plan", "create", code, "--file", str(plan_file))
    assert "latest value" in raised.value.errors[0].problem
    plan_file.write_text(PLAN.replace("included: 100", "aggregation: max"), encoding="utf-8")
    with pytest.raises(AppError) as raised:
        run("plan", "create", code, "--file", str(plan_file))
    assert "largest value" in raised.value.errors[0].problem
    plan_file.write_text(PLAN.replace("NGN", "ZZZ"), encoding="utf-8")
    with pytest.raises(AppError) as raised:
        run("plan", "create", code, "--file", str(plan_file))
    assert "'ZZZ' is not a currency" in raised.value.errors[0].problem


def test_a_meter_without_an_aggregation_counts_as_it_declares(database, plan_file):
    plan_file.write_text(
        PLAN + "    meters: [{meter: database_bytes, charge: {model: per_unit, unit_price: 1}}]\n", encoding="utf-8"
    )
    created = run("plan", "create", "plan-own", "--file", str(plan_file))["terms"]
    assert created["meters"][0]["aggregation"] == "sum"
    assert created["add_ons"]["help"]["meters"][0]["aggregation"] == "latest"
    price = MeterChange(charge=PerUnit(unit_price=Decimal(1)))
    overrides = Overrides(meters=dict.fromkeys(("active_people", "sms_segments"), price))
    complete = complete_overrides(overrides, PlanTerms.model_validate(created)).meters
    assert [complete[name].aggregation for name in overrides.meters] == ["unique:person", None]


def test_a_second_subscription_waits_for_the_end_of_the_first(tenant, plan_file, tmp_path):
    code = f"plan-{tenant.id.hex[-12:]}"
    run("plan", "create", code, "--file", str(plan_file))
    with pytest.raises(AppError, match="no billing account"):
        run("subscribe", tenant.slug, code, "--on", "2027-01-01")
    run("account", tenant.slug, "--legal-name", "Partner Ltd")
    run("subscribe", tenant.slug, code, "--on", "2027-01-01")
    with pytest.raises(AppError, match="has a subscription since"):
        run("subscribe", tenant.slug, code, "--on", "2028-01-01")
    run("end", tenant.slug, "--on", "2027-06-01")
    run("subscribe", tenant.slug, code, "--on", "2027-06-01")
    with pytest.raises(AppError, match="no add-on"):
        run("change", tenant.slug, "--on", "2027-07-01", "--add-on", "nothing")
    overrides = tmp_path / "overrides.yaml"
    unknown = "sms_segmentz: {charge: {model: per_unit, unit_price: 1}}"
    for meter in (unknown, "sms_segments: {aggregation: 'unique:nothing'}"):
        overrides.write_text(f"meters: {{{meter}}}", encoding="utf-8")
        with pytest.raises(AppError, match="not valid"):
            run("change", tenant.slug, "--on", "2027-07-01", "--overrides", str(overrides))
    with pytest.raises(AppError, match="the year must be"):
        run("change", tenant.slug, "--on", "9999-12-31")
    with pytest.raises(AppError, match="cannot change"):
        run("account", tenant.slug, "--time-zone", "Asia/Tokyo")
