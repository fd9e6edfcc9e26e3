"""The stand-in behaves as Stripe documents, seen through Stripe's own client."""

import time
from datetime import UTC, datetime

import pytest
import stripe

from tests.billing.payments.stripe_stand_in import checkout
from tests.billing.payments.stripe_stand_in.deliveries import SECRET, signed
from tests.billing.payments.stripe_stand_in.server import KEY, running

NOON = int(datetime(2027, 1, 15, 12, tzinfo=UTC).timestamp())


@pytest.fixture
def stand_in():
    with running() as server:
        server.account.stopped_at = NOON
        yield server


@pytest.fixture
def api(stand_in):
    addresses = {"api": stand_in.url, "meter_events": stand_in.url}
    return stripe.StripeClient(KEY, base_addresses=addresses, max_network_retries=0)


def add_meter(api, formula="sum"):
    parameters = {"display_name": "Rows", "event_name": "rows", "default_aggregation": {"formula": formula}}
    return api.v1.billing.meters.create(parameters)


def use(api, customer, value, identifier, **more):
    payload = {"stripe_customer_id": customer, "value": str(value)}
    return api.v1.billing.meter_events.create(
        {"event_name": "rows", "payload": payload, "identifier": identifier, **more}
    )


def test_a_key_replays_its_answer_and_rejects_another_body(api, stand_in):
    first = api.v1.customers.create({"name": "A"}, {"idempotency_key": "k"})
    assert api.v1.customers.create({"name": "A"}, {"idempotency_key": "k"}).id == first.id
    with pytest.raises(stripe.IdempotencyError):
        api.v1.customers.create({"name": "B"}, {"idempotency_key": "k"})
    stand_in.account.skew = 86_401
    assert api.v1.customers.create({"name": "B"}, {"idempotency_key": "k"}).id != first.id


def test_faults_are_replayed_and_validation_errors_are_not(api, stand_in):
    stand_in.faults.errors = 1
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            api.v1.products.create({"name": "P"}, {"idempotency_key": "k"})
    with pytest.raises(stripe.InvalidRequestError):
        api.v1.products.create({}, {"idempotency_key": "other"})
    assert api.v1.products.create({"name": "P"}, {"idempotency_key": "other"}).name == "P"


def test_a_lost_answer_has_taken_effect(api, stand_in):
    stand_in.faults.lost_answers = 1
    with pytest.raises(stripe.APIConnectionError):
        api.v1.customers.create({"name": "A"}, {"idempotency_key": "k"})
    again = api.v1.customers.create({"name": "A"}, {"idempotency_key": "k"})
    assert [each.id for each in api.v1.customers.search({"query": "metadata['x']:'y'"}).data] == []
    assert stand_in.account.objects[again.id]["name"] == "A"


def test_too_many_requests_and_a_wrong_key(api, stand_in):
    stand_in.faults.per_round = 0
    with pytest.raises(stripe.RateLimitError):
        api.v1.prices.list()
    with pytest.raises(stripe.AuthenticationError):
        stripe.StripeClient("sk_test_other", base_addresses={"api": stand_in.url}).v1.prices.list()


def test_meter_events_add_up_and_count_one_time(api, stand_in):
    customer, meter = api.v1.customers.create({"name": "A"}).id, add_meter(api)
    hour = stand_in.account.now()
    use(api, customer, 5, "one", timestamp=hour)
    use(api, customer, -2, "two", timestamp=hour + 1)
    with pytest.raises(stripe.InvalidRequestError, match="An event already exists with identifier one"):
        use(api, customer, 5, "one", timestamp=hour)
    span = {"customer": customer, "start_time": hour - 3600, "end_time": hour + 3600, "value_grouping_window": "hour"}
    sums = [each.aggregated_value for each in api.v1.billing.meters.event_summaries.list(meter.id, span).data]
    assert sums == [3]
    for moment in (hour - 36 * 86_400, hour + 7200):
        with pytest.raises(stripe.InvalidRequestError):
            use(api, customer, 1, f"at {moment}", timestamp=moment)


def test_wrong_meter_events_are_reported_later(api, stand_in):
    meter = add_meter(api)
    use(api, "cus_unknown", 1, "a")
    notice = stand_in.account.thin_events[-1]
    assert (notice["type"], notice["related_object"]["id"]) == ("v1.billing.meter.error_report_triggered", meter.id)
    event = api.v2.core.events.retrieve(notice["id"])
    [kind] = event.data.reason.error_types
    assert (kind.code, kind.sample_errors[0].request.identifier) == ("meter_event_customer_not_found", "a")


def test_periods_are_invoiced_by_the_clock(api, stand_in):
    start = int(datetime(2027, 1, 31, 12, tzinfo=UTC).timestamp())
    clock = api.v1.test_helpers.test_clocks.create({"frozen_time": start})
    customer = api.v1.customers.create({"name": "A", "test_clock": clock.id})
    product = api.v1.products.create({"id": "iit-plan", "name": "Plan"})
    meter = add_meter(api)
    tiers = [{"up_to": 10, "unit_amount": 0}, {"up_to": "inf", "unit_amount_decimal": "2.5"}]
    recurring = {"interval": "month", "usage_type": "metered", "meter": meter.id}
    price = api.v1.prices.create(
        {"currency": "usd", "product": product.id, "billing_scheme": "tiered", "tiers_mode": "graduated",
         "tiers": tiers, "recurring": recurring}
    )  # fmt: skip
    subscription = api.v1.subscriptions.create({"customer": customer.id, "items": [{"price": price.id}]})
    use(api, customer.id, 13, "a", timestamp=stand_in.account.now())
    api.v1.subscriptions.update(subscription.id, {"pause_collection": {"behavior": "void"}})
    with pytest.raises(stripe.InvalidRequestError, match="two intervals"):
        api.v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": start + 70 * 86_400})
    leap = int(datetime(2027, 2, 28, 12, tzinfo=UTC).timestamp())
    assert api.v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": leap}).status == "advancing"
    assert api.v1.test_helpers.test_clocks.retrieve(clock.id).status == "ready"
    states = [(each.status, each.period_end) for each in api.v1.invoices.list({"customer": customer.id}).data]
    assert states == [("void", leap), ("open", leap)]


def test_a_session_is_paid_one_time_or_expires(api, stand_in):
    customer = api.v1.customers.create({"name": "A"}).id
    item = {"quantity": 1, "price_data": {"currency": "usd", "unit_amount": 500, "product_data": {"name": "INV-1"}}}
    body = {"mode": "payment", "customer": customer, "success_url": "https://a.example", "line_items": [item]}
    paid, late, left = (api.v1.checkout.sessions.create(body).id for _ in range(3))
    checkout.pay(stand_in.account, paid)
    checkout.pay(stand_in.account, late, late=True)
    assert api.v1.checkout.sessions.retrieve(late).payment_status == "unpaid"
    checkout.settle(stand_in.account, late)
    assert api.v1.checkout.sessions.retrieve(late).payment_status == "paid"
    with pytest.raises(stripe.InvalidRequestError):
        api.v1.checkout.sessions.expire(paid)
    assert api.v1.checkout.sessions.expire(left).status == "expired"
    names = [each.type for each in api.v1.events.list({"types": ["checkout.session.completed"]}).data]
    assert names == ["checkout.session.completed"] * 2


def test_signatures_verify_with_stripes_own_code(stand_in):
    event = stand_in.account.emit("customer.created", {"id": "cus_1", "object": "customer"})
    body, header = signed(event)
    assert stripe.Webhook.construct_event(body, header, SECRET).id == event["id"]
    with pytest.raises(stripe.SignatureVerificationError):
        # Stripe's own code reads the machine's clock.
        stripe.Webhook.construct_event(*signed(event, at=time.time() - 400), SECRET)
