"""A partner of billing tests: uses on given days, rolled up, and invoices issued on given days."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from billing.invoices import issuing
from billing.invoices.loop import issue_for
from billing.invoices.models import Invoice
from billing.plans.schemas import AccountChange
from billing.plans.service import Act, create_version, start_subscription, store_account
from core.clock import frozen
from core.database import platform_session, tenant_session
from core.identity import csrf
from core.identity.people import accounts, sessions
from core.metering import record
from tests.keyed import KeyedClient
from tests.ledger import roll_up

if TYPE_CHECKING:
    from core.database import TenantRef

ACT = Act("test:1", "cli", "A test")


@dataclass
class Partner:
    """A tenant with an account and, after ``subscribe``, a subscription."""

    ref: TenantRef
    numbers: list[int] = field(default_factory=list)

    def subscribe(self, terms: dict[str, Any], start: str, **account: Any) -> None:
        """Make the account, a plan of its own with these terms, and the subscription."""
        default = {"legal_name": "Partner", "time_zone": account.pop("time_zone", "Africa/Lagos")}
        with platform_session() as session:
            store_account(session, self.ref.id, AccountChange(**account), act=ACT, default=default)
            _, version = create_version(session, f"p-{self.ref.id.hex[-12:]}", {"currency": "USD", **terms}, act=ACT)
            start_subscription(session, self.ref.id, version, date.fromisoformat(start), act=ACT)

    def use(self, value: int, at: str, *, meter: str = "sms_segments", recorded: str | None = None) -> str:
        """Record a use at a time in UTC, roll it up, and return its key."""
        key = f"use-{len(self.numbers)}"
        self.numbers.append(value)
        with (
            frozen(datetime.fromisoformat(recorded or at).replace(tzinfo=UTC)),
            tenant_session(self.ref, actor="test:1") as session,
        ):
            record(session, meter, value, key=key, occurred_at=datetime.fromisoformat(at).replace(tzinfo=UTC))
        self.roll_up()
        return key

    def roll_up(self) -> None:
        roll_up(self.ref.database)

    def issue(self, day: str) -> list[Invoice]:
        """Draft and issue what is due at noon of a day; return the documents in their last state."""
        moment = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=UTC)
        with frozen(moment):
            documents = {document.id: document for document in issue_for(self.ref.id, moment, ACT)}
        return list(documents.values())


@pytest.fixture
def ledger_complete(monkeypatch):
    """Treat usage as complete, whatever transactions of other tests run."""
    monkeypatch.setattr(issuing, "complete_until", lambda _: datetime(2100, 1, 1, tzinfo=UTC))


@pytest.fixture
def partner(make_tenant, ledger_complete) -> Partner:
    """A fresh partner."""
    return Partner(make_tenant().ref)


@pytest.fixture(scope="module")
def admin(application) -> KeyedClient:
    """The client of a platform admin with a session; it adds a key to each write."""
    person = accounts.add_operator(f"{uuid4().hex}@example.org", "Operator", "platform_admin", actor="test:1")
    with platform_session() as session:
        begun = sessions.begin(session, person, None, signed_in_by="password")
    token = {csrf.HEADER: csrf.token_of(begun.secret), "Origin": "http://testserver"}
    client = KeyedClient(application, headers=token)
    client.cookies.set("iit_session", begun.secret)
    return client


def amount(text: str) -> Decimal:
    return Decimal(text)


def noon(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=UTC)


def days_after(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days)).isoformat()
