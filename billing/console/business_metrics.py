"""Metrics of the business: what the console's overview shows, for Prometheus. A loop of the workers reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from billing.console.overview import overview
from billing.costs.service import costs, this_month
from core.database import platform_session
from core.metrics import Gauge

if TYPE_CHECKING:
    from threading import Event

RECURRING: Final = Gauge("iit_business_recurring", "Fees of a month, in units of the currency.", ("currency",))
OVERDUE: Final = Gauge("iit_business_overdue", "What overdue invoices owe, in units of the currency.", ("currency",))
PARTNERS: Final = Gauge("iit_business_partners", "Partners with a subscription, by whether they pay yet.", ("state",))
MONTH: Final = Gauge(
    "iit_business_month_dollars", "Invoiced and spent in the last whole month, in US dollars.", ("kind",)
)
COSTS: Final = Gauge("iit_cost_dollars", "Costs of this month so far, in US dollars.", ("tenant",))


def look(_stopping: Event) -> None:
    """Read how the business stands, for the next time that Prometheus asks.

    Raises:
        Unavailable: the control database does not answer.
    """
    stand = overview()
    start, end = this_month()
    with platform_session() as session:
        spent = costs(session, start, end)
    RECURRING.replace({currency: float(fees) for currency, fees in stand.recurring})
    OVERDUE.replace({currency: float(owed) for currency, _count, owed in stand.overdue})
    PARTNERS.replace({"paying": stand.paying, "trial": stand.trials})
    MONTH.replace({"invoiced": float(stand.invoiced), "cost": float(stand.cost)})
    COSTS.replace({stand.slugs[each.tenant_id]: float(each.amount) for each in spent if each.tenant_id in stand.slugs})
