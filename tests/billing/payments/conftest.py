"""A stand-in for Stripe with an empty account, and a control database whose payments are empty."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from threading import Event
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlmodel import select

from core.clock import frozen, now
from core.database import owner_engine, platform_session
from core.resilience import instances
from core.settings import get_settings
from tests.billing.payments.stripe_stand_in.deliveries import SECRET, Deliveries
from tests.billing.payments.stripe_stand_in.server import KEY, running

TABLES = (
    "provider_objects",
    "provider_calls",
    "provider_usage",
    "provider_cursors",
    "provider_events",
    "provider_differences",
    "payments",
    "credit_uses",
    "credits",
    "invoice_lines",
    "invoice_letters",
    "invoices",
    "number_series",
    "subscription_changes",
    "subscriptions",
    "billing_accounts",
    "usage_hours",
    "usage_batches",
)
NEVER = Event()
TERMS = {
    "currency": "USD",
    "alignment": "anniversary",
    "base_fee": "100",
    "meters": [
        {"meter": "import_rows", "included": "1000", "charge": {"model": "per_unit", "unit_price": "0.005"}},
        {"meter": "storage_bytes", "aggregation": "latest", "charge": {"model": "per_unit", "unit_price": "0"}},
    ],
}


@pytest.fixture(scope="module")
def books(own_services):
    """The control database of this module, with one plan."""
    from billing.plans.service import Act, create_version

    with platform_session() as session:
        create_version(session, "standard", TERMS, act=Act("test:1"), name="Standard")


@pytest.fixture
def stripe_account(books, monkeypatch):
    """The stand-in; everything about payments is empty before each test."""
    from billing.payments import client

    with owner_engine().begin() as connection:
        for change in ("DISABLE", "ENABLE"):
            if change == "ENABLE":
                names = ", ".join(f"platform.{name}" for name in TABLES)
                connection.execute(text(f"TRUNCATE {names} CASCADE"))
            for name in TABLES:
                connection.execute(text(f"ALTER TABLE platform.{name} {change} TRIGGER USER"))
    with running() as server:
        monkeypatch.setenv("IIT_STRIPE_KEY", KEY)
        monkeypatch.setenv("IIT_STRIPE_WEBHOOK_SECRET", f"whsec_of_thin_events, {SECRET}")
        monkeypatch.setenv("IIT_STRIPE_URL", server.url)
        get_settings.cache_clear()
        client._client.cache_clear()
        yield server
    monkeypatch.undo()
    get_settings.cache_clear()


@dataclass
class Partner:
    """A partner that pays by Stripe."""

    id: UUID

    def customer(self, server):
        return next(each["id"] for each in server.account.all("customer"))


@pytest.fixture
def partner(stripe_account):
    """A partner with an account and a subscription, whose period ends in some twenty days."""
    from billing.plans.schemas import AccountChange
    from billing.plans.service import Act, find_version, start_subscription, store_account

    tenant_id, act = uuid4(), Act("test:1")
    begun = now().date() - timedelta(days=10)
    begin = begun.replace(year=begun.year - 1, day=min(begun.day, 28))
    change = AccountChange(provider="stripe", email="accounts@example.org", tax_id="ng_tin:12345678-0001")
    with platform_session() as session:
        store_account(
            session, tenant_id, change, act=act, default={"legal_name": "Partner", "time_zone": "Africa/Lagos"}
        )
        start_subscription(session, tenant_id, find_version(session, "standard"), begin, act=act)
    return Partner(tenant_id)


def add_invoice(partner, total="250.00", number=1):
    """Issue an invoice, as the run that issues invoices does: first as a draft."""
    from billing.invoices.models import Invoice
    from billing.plans.models import Subscription

    begin = date(2020, 1, 1) + timedelta(days=number)
    with platform_session() as session:
        subscription = session.exec(select(Subscription).where(Subscription.tenant_id == partner.id)).one()
        invoice = Invoice(
            tenant_id=partner.id,
            subscription_id=subscription.id,
            kind="invoice",
            currency="USD",
            period_start=begin,
            period_end=begin + timedelta(days=1),
            as_of=0,
            account={"time_zone": "Africa/Lagos", "tax_name": "VAT"},
            subtotal=Decimal(total),
            total=Decimal(total),
        )
        session.add(invoice)
        session.flush()
        invoice.state, invoice.series, invoice.number = "final", "INV-2026", number
        invoice.issued_on, invoice.due_on = date(2026, 2, 4), date(2026, 3, 4)
        session.add(invoice)
        session.flush()
        return invoice.id


def add_usage(partner, number, hours):
    """Seal a batch: ``hours`` maps (meter, hours ago) to a total."""
    begin = now().replace(minute=0, second=0, microsecond=0)
    with platform_session() as session:
        session.execute(
            text(
                "INSERT INTO platform.usage_batches (number, database, after_transaction_id, after_id, transaction_id,"
                " last_id, events, sealed_at) VALUES (:n, 'default', :n, :id, :n, :id, 1, now())"
            ),
            {"n": number, "id": uuid4()},
        )
        for (meter, ago), total in hours.items():
            session.execute(
                text(
                    "INSERT INTO platform.usage_hours (tenant_id, meter, hour, batch, dimensions_key, dimensions,"
                    " total, uses, maximum, latest, latest_at) VALUES (:t, :m, :h, :n, '', '{}', :v, 1, :v, :v, :h)"
                ),
                {"t": partner.id, "m": meter, "h": begin - timedelta(hours=ago), "n": number, "v": Decimal(str(total))},
            )


def exchange(rounds=4, *, until=timedelta()):
    """Plan, send and apply, as the loops do, at a later time."""
    from billing.payments.applying import apply_waiting
    from billing.payments.mirror import mirror_all
    from billing.payments.sender import send_waiting
    from billing.payments.usage import plan_usage

    instances.forget()  # the breaker's time is not ours to move
    with frozen(datetime.now(UTC) + until):
        mirror_all(NEVER)
        plan_usage(NEVER)
        for _ in range(rounds):
            apply_waiting(NEVER)
            send_waiting(NEVER)


@pytest.fixture
def endpoint(stripe_account):
    """Our webhook's endpoint, reached without HTTP; the route has a test of its own."""
    from billing.payments.event_log import receive
    from core.errors import AppError

    def send(body, signature):
        try:
            receive(body, signature)
        except AppError as error:
            return error.status
        return 200

    return Deliveries(stripe_account.account, send)


def usage_of(server, customer, event_name):
    """What Stripe counts of a customer's events, whatever their hour."""
    values = [
        int(each["payload"]["value"])
        for each in server.account.meter_events.values()
        if each["event_name"] == event_name and each["payload"]["stripe_customer_id"] == customer and not each["error"]
    ]
    return sum(values)
