"""Costs beside what was invoiced for the same period: the margin of each partner."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from billing.costs.rates import version_on, versions
from billing.costs.service import TenantCosts, costs
from core.database import psycopg_connection

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from sqlmodel import Session

# A credit note counts in the period that it corrects. Credits are left out: they pay an invoice, and are no revenue.
_INVOICED: Final = """
SELECT invoices.tenant_id, invoices.currency, sum(lines.amount)
FROM platform.invoices AS invoices JOIN platform.invoice_lines AS lines ON lines.invoice_id = invoices.id
WHERE invoices.state IN ('final', 'paid') AND invoices.period_start >= %(start)s AND invoices.period_start < %(end)s
    AND lines.kind NOT IN ('tax', 'credit', 'carried') AND (%(tenant)s::uuid IS NULL OR invoices.tenant_id = %(tenant)s)
GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class TenantMargin:
    """What one partner cost, and what it was invoiced for periods that began then, in US dollars.

    Attributes:
        invoiced: without tax and before credits; None if the cost table has no rate for a currency.
    """

    costs: TenantCosts
    invoiced: Decimal | None

    @property
    def margin(self) -> Decimal | None:
        """What was invoiced less the cost; None if that is not known."""
        return None if self.invoiced is None else self.invoiced - self.costs.amount


def margins(session: Session, start: date, end: date, *, tenant_id: UUID | None = None) -> list[TenantMargin]:
    """Return costs and invoiced amounts by partner, the most expensive first.

    Args:
        session: a session of the control database.
        start: the first day.
        end: the first day after the last one.
        tenant_id: one partner; all when None.

    Raises:
        Invalid: the days are no period that ``service.costs`` takes (422).
    """
    rates = version_on(versions(session), end).rates
    invoiced: dict[UUID, Decimal | None] = {}
    values = {"start": start, "end": end, "tenant": tenant_id}
    for tenant, currency, amount in psycopg_connection(session).execute(_INVOICED, values):
        before, dollars = invoiced.get(tenant, Decimal(0)), rates.in_dollars(amount, currency)
        invoiced[tenant] = None if before is None or dollars is None else before + dollars
    every = costs(session, start, end, tenant_id=tenant_id)
    costless = invoiced.keys() - {each.tenant_id for each in every}
    every += [TenantCosts(tenant) for tenant in sorted(costless, key=str)]
    return [TenantMargin(each, invoiced.get(each.tenant_id, Decimal(0))) for each in every]
