"""What our tables say reaches Stripe one time, whatever happens on the way."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from billing.payments import sender
from billing.payments.amounts import amount_of, smallest_units, unit_price
from billing.payments.prices import price_fields
from billing.payments.service import list_calls, overview
from billing.terms import MeterTerms, price
from core.database import platform_session
from core.errors import Invalid
from tests.billing.payments.conftest import add_usage, exchange, usage_of
from tests.billing.payments.stripe_stand_in.subscriptions import amount_of as price_of

ROWS = "iit_import_rows_sum_sum"


def kinds(server):
    return sorted(each["object"] for each in server.account.objects.values())


def test_an_account_becomes_customer_prices_and_a_subscription_that_collects_nothing(stripe_account, partner):
    exchange()
    assert kinds(stripe_account) == sorted(
        ["customer", "tax_id", "product", "price", "price", "price", "billing.meter", "billing.meter", "subscription"]
        + ["subscription_item"] * 3
    )
    [subscription] = stripe_account.account.all("subscription")
    assert (subscription["status"], subscription["pause_collection"]) == ("active", {"behavior": "void"})
    before = len(stripe_account.requests)
    exchange()
    assert len(stripe_account.requests) == before
    assert overview().calls_waiting == 0


def test_another_name_is_written_and_manual_accounts_are_left_alone(stripe_account, partner):
    exchange()
    with platform_session() as session:
        session.execute(text("UPDATE platform.billing_accounts SET legal_name = 'New', updated_at = now()"))
    exchange()
    assert next(stripe_account.account.all("customer"))["name"] == "New"
    with platform_session() as session:
        session.execute(text("UPDATE platform.billing_accounts SET provider = 'manual', legal_name = 'Other'"))
    before = len(stripe_account.requests)
    exchange()
    assert len(stripe_account.requests) == before


def test_usage_becomes_events_one_time_and_fractions_are_carried(stripe_account, partner):
    exchange()
    add_usage(partner, 1, {("import_rows", 5): "2.6", ("import_rows", 4): "2.6", ("storage_bytes", 4): 700})
    exchange()
    add_usage(partner, 2, {("import_rows", 4): "0.8", ("storage_bytes", 3): 500, ("questions", 3): 9})
    exchange()
    customer = partner.customer(stripe_account)
    assert usage_of(stripe_account, customer, ROWS) == 6
    levels = [e for e in stripe_account.account.meter_events.values() if e["event_name"] != ROWS]
    assert [each["payload"]["value"] for each in sorted(levels, key=lambda e: e["timestamp"])] == ["700", "500"]
    assert len({each["identifier"] for each in stripe_account.account.meter_events.values()}) == 5


def test_an_outage_delays_loses_nothing_and_doubles_nothing(stripe_account, partner):
    stripe_account.faults.away = True
    exchange()
    add_usage(partner, 1, {("import_rows", 5): 10})
    exchange()
    add_usage(partner, 2, {("import_rows", 5): 20, ("import_rows", 1): 3})
    exchange(until=timedelta(minutes=5))
    assert not stripe_account.account.objects
    assert overview().calls_waiting > 5
    stripe_account.faults.away = False
    stripe_account.faults.lost_answers = 4
    for hours in range(1, 8):
        exchange(until=timedelta(hours=hours))
    assert usage_of(stripe_account, partner.customer(stripe_account), ROWS) == 33
    assert kinds(stripe_account).count("customer") == kinds(stripe_account).count("subscription") == 1
    assert overview().calls_waiting == overview().calls_failed == 0


@pytest.mark.parametrize("days", [1, 2])
def test_a_lost_answer_is_looked_up_when_stripe_has_forgotten_the_key(stripe_account, partner, days):
    exchange()
    add_usage(partner, 1, {("import_rows", 5): 10})
    stripe_account.faults.lost_answers = 1
    exchange(rounds=1)
    assert usage_of(stripe_account, partner.customer(stripe_account), ROWS) == 10
    stripe_account.account.skew = days * 86_400
    exchange(until=timedelta(days=days))
    assert usage_of(stripe_account, partner.customer(stripe_account), ROWS) == 10
    assert not list_calls("waiting")


def test_a_fault_that_stripe_would_repeat_for_a_day_gets_a_new_key(stripe_account, partner):
    stripe_account.faults.errors = 1
    for minutes in range(0, 10, 2):
        exchange(until=timedelta(minutes=minutes))
    assert kinds(stripe_account).count("customer") == 1
    assert not list_calls("waiting")


def test_a_sender_that_is_killed_at_any_step_leaves_everything_to_the_next(stripe_account, partner):
    exchange(rounds=0)
    add_usage(partner, 1, {("import_rows", 5): 10})
    for place, step in enumerate(("write", "end") * 6):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sender if step == "write" else sender.outbox, step, killed)
            with pytest.raises(KilledError):
                exchange(until=timedelta(minutes=10 * place))
    for more in range(3):
        exchange(until=timedelta(minutes=130 + 10 * more))
    assert usage_of(stripe_account, partner.customer(stripe_account), ROWS) == 10
    assert kinds(stripe_account).count("customer") == 1
    assert not list_calls("waiting")


class KilledError(BaseException):
    """The process ends."""


def killed(*arguments, **options):
    raise KilledError


def test_too_many_requests_pause_the_round(stripe_account, partner):
    stripe_account.faults.per_round = 3
    exchange(rounds=1)
    assert len(stripe_account.requests) == 3
    for seconds in range(5, 60, 5):
        stripe_account.faults.count = 0
        exchange(rounds=1, until=timedelta(seconds=seconds))
    assert overview().calls_waiting == 0


AMOUNTS = st.decimals("0.01", "1000", places=2)


@given(
    st.sampled_from(["per_unit", "graduated", "volume", "package"]),
    AMOUNTS,
    AMOUNTS,
    st.integers(1, 500),
    st.integers(0, 2000),
)
def test_prices_at_stripe_cost_what_ours_cost(model, first, second, bound, quantity):
    tiers = [{"up_to": bound, "unit_price": first}, {"unit_price": second, "flat": first}]
    charge = {
        "per_unit": {"unit_price": first},
        "package": {"size": bound, "price": first},
        "graduated": {"tiers": tiers},
        "volume": {"tiers": tiers},
    }[model]
    terms = MeterTerms.model_validate({"meter": "rows", "charge": {"model": model, **charge}})
    fields = {"billing_scheme": "per_unit", "transform_quantity": None, **price_fields(terms, "USD")}
    ours = sum((step.amount for step in price(terms.charge, Decimal(quantity))), Decimal(0))
    assert price_of(fields, quantity) == smallest_units(ours, "USD")


def test_amounts_are_written_as_stripe_writes_them():
    assert smallest_units(Decimal("12.34"), "NGN") == 1234
    assert smallest_units(Decimal(500), "XOF") == 500
    assert (smallest_units(Decimal(500), "UGX"), amount_of(50_000, "UGX")) == (50_000, Decimal(500))
    assert smallest_units(Decimal("1.250"), "TND") == 1250
    with pytest.raises(Invalid):
        smallest_units(Decimal("1.255"), "TND")
    assert unit_price(Decimal("0.000000000125"), "USD") == "0.0000000125"
