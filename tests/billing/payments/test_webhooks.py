"""Webhooks: verified, stored one time, and applied as Stripe answers, in whatever order they come."""

import time
from datetime import timedelta
from decimal import Decimal
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from billing.payments import differences
from billing.payments.event_log import catch_up
from billing.payments.provider import invoice_link, provider_of
from billing.payments.reconciliation import reconcile
from billing.payments.service import close_difference, list_differences, list_events, retry_call
from billing.plans.service import Act
from core.clock import frozen, now
from core.database import platform_session
from core.errors import Conflict, Unavailable
from tests.billing.payments.conftest import NEVER, add_invoice, add_usage, exchange, usage_of
from tests.billing.payments.stripe_stand_in import checkout
from tests.billing.payments.stripe_stand_in.deliveries import signed

BACK = "https://app.example.org/admin/billing"
ACT = Act("test:1")


def link(invoice):
    return invoice_link(invoice, return_url=BACK).url.rpartition("/")[2]


def state_of(invoice):
    with platform_session() as session:
        rows = session.execute(
            text(
                "SELECT i.state, coalesce(sum(p.amount), 0), count(p.id) FROM platform.invoices i"
                " LEFT JOIN platform.payments p ON p.invoice_id = i.id WHERE i.id = :id GROUP BY i.state"
            ),
            {"id": invoice},
        )
        return tuple(rows.one())


def test_messages_need_a_signature_and_are_stored_one_time(stripe_account, endpoint):
    event = stripe_account.account.emit("customer.created", {"id": "cus_1", "object": "customer"})
    body, header = signed(event)
    assert endpoint.send(body, header) == endpoint.send(body, header) == 200
    assert endpoint.send(body + b" ", header) == 403
    assert endpoint.send(body, None) == 403
    assert endpoint.send(*signed(event, at=time.time() - 301)) == 403
    assert endpoint.send(*signed(event, secret="whsec_of_thin_events")) == 200
    assert endpoint.send(*signed({"object": "other"})) == 422
    [stored] = list_events()
    assert (stored.id, stored.times, stored.state) == (event["id"], 3, "ignored")


def test_a_payment_is_recorded_one_time(stripe_account, partner, endpoint):
    exchange()
    invoice = add_invoice(partner)
    session = link(invoice)
    assert link(invoice) == session
    checkout.pay(stripe_account.account, session)
    endpoint.deliver()
    for event in stripe_account.account.events:
        assert endpoint.send(*signed(event)) == 200
    exchange()
    exchange()
    assert state_of(invoice) == ("paid", Decimal("250.00"), 1)
    with pytest.raises(Conflict):
        link(invoice)


def test_a_late_payment_blocks_a_second_one_and_a_failed_one_does_not(stripe_account, partner, endpoint):
    exchange()
    invoice = add_invoice(partner)
    session = link(invoice)
    checkout.pay(stripe_account.account, session, late=True)
    with pytest.raises(Conflict, match="on its way"):
        link(invoice)
    checkout.settle(stripe_account.account, session, paid=False)
    second = link(invoice)
    assert second != session
    checkout.pay(stripe_account.account, second, late=True)
    checkout.settle(stripe_account.account, second)
    endpoint.deliver()
    exchange()
    assert state_of(invoice) == ("paid", Decimal("250.00"), 1)


def test_a_payment_whose_messages_were_lost_is_seen_in_the_list(stripe_account, partner):
    exchange()
    invoice = add_invoice(partner)
    checkout.pay(stripe_account.account, link(invoice))
    assert catch_up(NEVER) > 0
    assert catch_up(NEVER) == 0
    exchange()
    assert state_of(invoice)[0] == "paid"
    assert {each.source for each in list_events()} == {"list"}


def test_the_reconciliation_records_what_no_message_said(stripe_account, partner):
    exchange()
    invoice = add_invoice(partner)
    checkout.pay(stripe_account.account, link(invoice))
    stripe_account.account.events.clear()
    reconcile()
    assert state_of(invoice)[0] == "paid"
    assert not list_differences()


def test_a_refund_without_a_credit_note_is_escalated(stripe_account, partner, endpoint):
    from billing.invoices.payments import credit_note
    from core.clock import now

    exchange()
    invoice = add_invoice(partner)
    session = link(invoice)
    checkout.pay(stripe_account.account, session)
    endpoint.deliver()
    exchange()
    checkout.refund(stripe_account.account, checkout.get_session(stripe_account.account, {}, session)["payment_intent"])
    endpoint.deliver()
    exchange()
    assert [each.cause for each in list_differences()] == ["refund_without_credit_note"]
    with platform_session() as session:
        credit_note(session, invoice, now=now(), act=Act("test:1", reason="Wrong plan"))
    assert reconcile().escalated == 0
    assert state_of(invoice)[1:] == (Decimal("0.00"), 2)


@pytest.fixture
def alerts(monkeypatch):
    """Cause, and whether it ended, of each alert to operators."""
    sent = []
    monkeypatch.setattr(differences, "announce", lambda _, data: sent.append((data["cause"], data["ended"])))
    return sent


def test_money_that_nobody_owes_is_escalated_until_a_person_closes_it(stripe_account, partner, endpoint, alerts):
    exchange()
    invoice = add_invoice(partner)
    session = link(invoice)
    with platform_session() as database:
        from billing.invoices.payments import record_payment
        from core.clock import today

        record_payment(database, invoice, Decimal("250.00"), received_on=today("UTC"), method="bank_transfer",
                       reference="R1", act=ACT)  # fmt: skip
    checkout.pay(stripe_account.account, session)
    endpoint.deliver()
    exchange()
    [difference] = list_differences()
    assert difference.cause == "overpaid"
    reconcile()
    assert alerts == [("overpaid", False)]
    close_difference(difference.id, act=ACT)
    assert not list_differences()
    assert alerts[1:] == [("overpaid", True)]


def test_meter_events_that_stripe_rejects_later_are_shown_and_can_be_sent_again(stripe_account, partner, endpoint):
    exchange()
    [meter, _] = sorted(stripe_account.account.all("billing.meter"), key=lambda each: each["event_name"])
    meter["status"] = "inactive"
    add_usage(partner, 1, {("import_rows", 5): 10})
    exchange()
    endpoint.deliver()
    exchange()
    reconcile()
    causes = {each.cause for each in list_differences()}
    assert {"archived_meter", "meter_inactive"} <= causes
    meter["status"] = "active"
    from billing.payments.service import list_calls

    [call] = list_calls("failed")
    retry_call(call.id, act=ACT)
    exchange()
    assert usage_of(stripe_account, partner.customer(stripe_account), meter["event_name"]) == 10


def test_what_was_changed_at_stripe_is_mended_or_escalated(stripe_account, partner, endpoint, alerts):
    exchange()
    [subscription] = stripe_account.account.all("subscription")
    [customer] = stripe_account.account.all("customer")
    subscription["pause_collection"], customer["name"] = None, "Somebody"
    report = reconcile()
    assert (report.escalated, report.mending) == (0, 2)
    exchange()
    assert reconcile().mending == 0
    assert (subscription["pause_collection"], customer["name"]) == ({"behavior": "void"}, "Partner")
    assert {each.state for each in list_differences("all")} == {"mended"}
    [meter, *_] = stripe_account.account.all("billing.meter")
    subscription["status"], meter["status"] = "canceled", "inactive"
    for _ in range(2):
        reconcile()
    assert {each.cause for each in list_differences()} == {"canceled_at_provider", "meter_inactive"}
    meter["status"] = "active"
    reconcile()
    assert alerts == [("meter_inactive", False), ("canceled_at_provider", False), ("meter_inactive", True)]


def test_a_level_that_stripe_lost_is_sent_again_and_another_one_is_escalated(stripe_account, partner):
    exchange()
    for number, (hours_ago, level) in enumerate([(6, 500), (5, 700)]):
        add_usage(partner, number + 1, {("storage_bytes", hours_ago): level})
        exchange()
    stored = stripe_account.account.meter_events
    key = next(key for key, each in stored.items() if each["payload"]["value"] == "700")
    del stored[key]
    with frozen(now() + timedelta(hours=3)):
        assert reconcile().mending == 1
    exchange(until=timedelta(hours=3, minutes=1))
    with frozen(now() + timedelta(hours=6)):
        assert reconcile().mending == 0
        next(each for each in stored.values() if each["payload"]["value"] == "700")["payload"]["value"] = "900"
        reconcile()
    [difference] = list_differences()
    assert (difference.cause, difference.ours, difference.theirs) == ("surplus_at_provider", "700", "900")


def test_events_that_stripe_lost_are_sent_again(stripe_account, partner):
    exchange()
    add_usage(partner, 1, {("import_rows", 5): 10, ("import_rows", 4): 7})
    exchange()
    stored = stripe_account.account.meter_events
    del stored[next(key for key, each in stored.items() if each["payload"]["value"] == "7")]
    from core.clock import frozen, now

    with frozen(now() + timedelta(hours=3)):
        assert reconcile().mending == 1
    exchange(until=timedelta(hours=3, minutes=1))
    with frozen(now() + timedelta(hours=6)):
        assert reconcile().mending == 0
    assert [each.state for each in list_differences("all")] == ["mended"]
    assert (
        sum(int(each["payload"]["value"]) for each in stored.values() if each["event_name"].endswith("sum_sum")) == 17
    )


def test_an_outage_answers_links_with_what_to_do(stripe_account, partner):
    exchange()
    invoice = add_invoice(partner)
    stripe_account.faults.away = True
    with pytest.raises(Unavailable):
        link(invoice)
    stripe_account.faults.away = False
    assert provider_of(partner.id).portal_link(partner.id, return_url=BACK).url.startswith("https://billing.stripe.com")


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.5, 1.0]))
def test_states_agree_in_the_end_however_webhooks_come(stripe_account, partner, endpoint, seed, drop):
    """Stripe's messages come shuffled, twice, or never; payments settle late, fail, and are retried meanwhile."""
    random = Random(seed)  # noqa: S311 - no secret
    exchange(rounds=2)
    with platform_session() as session:
        number = session.execute(text("SELECT count(*) FROM platform.invoices")).scalar_one()
    invoices = [
        add_invoice(partner, total, number=1 + number + place) for place, total in enumerate(("10.00", "20.50"))
    ]
    account = stripe_account.account
    for invoice in invoices:
        for _ in range(3):
            try:
                session_id = link(invoice)
            except Conflict:
                break
            late = random.random() < 0.5
            checkout.pay(account, session_id, late=late)
            if random.random() < 0.5:
                endpoint.deliver_badly(random, drop=drop)
                exchange(rounds=1)
            if late:
                checkout.settle(account, session_id, paid=random.random() < 0.6)
    endpoint.deliver_badly(random, drop=drop)
    exchange(rounds=2)
    catch_up(NEVER)
    exchange(rounds=2)
    assert reconcile().escalated == 0
    for invoice, total in zip(invoices, ("10.00", "20.50"), strict=True):
        paid = [
            each
            for each in account.all("checkout.session")
            if each["metadata"]["invoice"] == str(invoice) and each["payment_status"] == "paid"
        ]
        assert len(paid) <= 1
        assert state_of(invoice) == (("paid", Decimal(total), 1) if paid else ("final", Decimal(0), 0))
    assert {each.state for each in list_events()} <= {"applied", "ignored"}
