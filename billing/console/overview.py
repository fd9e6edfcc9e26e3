"""The first page of the console: how the business stands, and what needs a hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from sqlalchemy import func
from sqlmodel import col, select

from billing.console.documents import overdue_by_currency
from billing.console.usage import totals_by_meter
from billing.costs.margins import margins
from billing.costs.notices import unseen
from billing.costs.service import month_of
from billing.invoices.models import Invoice
from billing.payments.models import ProviderDifference
from billing.plans.subscribers import accounts, recurring, subscribers
from core.audit.platform import acts
from core.clock import now
from core.database import platform_session
from core.metering import hours
from core.metering.models_hours import UsageLedger
from core.tenancy import list_tenants

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any
    from uuid import UUID

    from sqlmodel import Session

    from billing.costs.models import CostNotice

ZERO: Final = Decimal(0)
ACTS_SHOWN: Final = 15
BUSINESS: Final = ("plan", "subscription", "billing_account", "invoice", "payment", "credit", "cost_table", "provider")
"""Subjects of acts that the overview shows."""
_SHOWN_METERS: Final = ("active_people", "patients_scored", "import_rows", "sms_segments", "knowledge_questions")


@dataclass(frozen=True, slots=True)
class Overview:
    """How the business stands.

    Attributes:
        recurring: fees of a month by currency.
        paying: partners whose trial is over; trials: those whose trial runs.
        usage: quantities of this month of all partners together, by meter.
        overdue: currency, number of invoices, and what is owed for them.
        month: the first day of the last whole month, of which ``invoiced``, ``cost`` and ``margin`` are, in US dollars.
        unpriced: partners that were invoiced in a currency for which the cost table has no rate.
        drafts: invoices whose period ended, and that wait to be issued.
        without_plan: slugs of active partners without a subscription.
        extras_off: slugs of partners whose extras are off until they pay.
        differences: where our ledger and the payment provider differ, and a person must decide.
    """

    recurring: list[tuple[str, Decimal]]
    paying: int
    trials: int
    usage: dict[str, Decimal]
    overdue: list[tuple[str, int, Decimal]]
    month: date
    invoiced: Decimal
    cost: Decimal
    unpriced: int
    drafts: int
    without_plan: list[str]
    extras_off: list[str]
    complete_until: datetime | None
    failing: list[UsageLedger]
    notices: list[CostNotice]
    differences: int
    names: dict[UUID, str] = field(default_factory=dict)
    slugs: dict[UUID, str] = field(default_factory=dict)

    @property
    def margin(self) -> Decimal:
        """What was invoiced less the cost."""
        return self.invoiced - self.cost

    @property
    def needs_hand(self) -> bool:
        """Whether something waits for a person."""
        waiting = self.overdue or self.without_plan or self.extras_off or self.failing or self.notices
        return bool(waiting or self.differences)


def overview() -> Overview:
    """Return how the business stands now.

    Raises:
        Unavailable: the control database does not answer.
    """
    tenants = list_tenants()
    present = now().date()
    month, end = month_of(present.replace(day=1) - timedelta(days=1))
    with platform_session() as session:
        subscribed, billed = subscribers(session), accounts(session)
        complete = hours.complete_until(session)
        every = margins(session, month, end)
        drafts = session.exec(
            select(func.count()).select_from(Invoice).where(Invoice.state == "draft", Invoice.period_end <= present)
        ).one()
        return Overview(
            recurring=recurring(subscribed),
            paying=sum(not each.is_trial for each in subscribed.values()),
            trials=sum(each.is_trial for each in subscribed.values()),
            usage=_usage_of_all(session, present),
            overdue=overdue_by_currency(session),
            month=month,
            invoiced=sum((each.invoiced for each in every if each.invoiced is not None), ZERO),
            cost=sum((each.costs.amount for each in every), ZERO),
            unpriced=sum(each.invoiced is None for each in every),
            drafts=int(drafts),
            without_plan=[each.slug for each in tenants if each.state == "active" and each.id not in subscribed],
            extras_off=[each.slug for each in tenants if (account := billed.get(each.id)) and account.extras_off],
            complete_until=None if complete == hours.NEVER else complete,
            failing=list(session.exec(select(UsageLedger).where(col(UsageLedger.failed_at).is_not(None)))),
            notices=unseen(session),
            differences=session.exec(
                select(func.count()).select_from(ProviderDifference).where(ProviderDifference.state == "escalated")
            ).one(),
            names={each.id: each.name for each in tenants},
            slugs={each.id: each.slug for each in tenants},
        )


def business_acts(tenant_id: UUID | None = None) -> list[dict[str, Any]]:
    """Return the newest acts of the business, of one partner or of all."""
    newest = acts(tenant_id=tenant_id, limit=200)
    ours = [each for each in newest if each["action"].split(":")[1].startswith(BUSINESS) or _is_suspension(each)]
    return ours[:ACTS_SHOWN]


def _is_suspension(act: dict[str, Any]) -> bool:
    return str(act["action"]).endswith((":tenant:suspend", ":tenant:resume"))


def _usage_of_all(session: Session, present: date) -> dict[str, Decimal]:
    totals = totals_by_meter(session, present.replace(day=1), present + timedelta(days=1))
    return {name: totals[name] for name in _SHOWN_METERS if totals.get(name)}
