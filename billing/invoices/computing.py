"""Computes the lines of a document from sealed usage, versions of plans and the documents before it. Stores nothing.

Given the same batch, it returns the same lines for ever: batches, versions, changes up to the invoiced days and issued
documents never change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy import and_, or_
from sqlmodel import col, select

from billing.invoices.lines import Line, Quantities, late_lines, period_lines
from billing.invoices.models import Invoice, InvoiceLine
from billing.terms import Period, bounds
from billing.terms.periods import midnight
from core.metering.hours import quantities
from core.metering.late import late_hours

if TYPE_CHECKING:
    from uuid import UUID

    from sqlmodel import Session

    from billing.plans.timeline import BillingPeriod, Timeline

ISSUED = ("final", "paid")


@dataclass(frozen=True, slots=True)
class Computation:
    """What to compute.

    Attributes:
        timeline: the subscription.
        zone: time zone of the account.
        as_of: the last batch of usage that counts.
        before: the documents of the subscription that were issued before, the oldest first; none of them void.
    """

    timeline: Timeline
    zone: ZoneInfo
    as_of: int
    before: tuple[Invoice, ...]

    def of_period(self, session: Session, period: BillingPeriod, *, until: date | None = None) -> list[Line]:
        """Return the lines of a period; see ``period_lines``."""
        return period_lines(self.timeline, period, self._quantities(session), until=until)

    def of_late_use(self, session: Session, currency: str) -> list[Line]:
        """Return the lines for use of periods invoiced in a currency that arrived after the newest of their documents.

        A document carries late use of its own currency only.
        """
        before = [each for each in self.before if each.currency == currency]
        invoiced = [each for each in before if each.kind == "invoice"]
        if not invoiced:
            return []
        after = max(each.as_of for each in before)
        end = midnight(invoiced[-1].period_end, self.zone)
        hours = late_hours(session, self.timeline.tenant_id, end, after=after, as_of=self.as_of)
        if hours is None:
            return []
        stored = _usage_lines(session, [each.id for each in before])
        periods = {each.days.start: each for each in self.timeline.periods(invoiced[-1].period_end)}
        lines = []
        for invoice in invoiced:
            period = periods[invoice.period_start]
            start, stop = bounds(period.days, self.zone)
            if start <= hours[1] and hours[0] < stop:
                lines += late_lines(self.of_period(session, period), [each for each in stored if _within(each, period)])
        return lines

    def _quantities(self, session: Session) -> Quantities:
        def ask(days: Period, aggregations: Mapping[str, str]) -> Mapping[str, Decimal]:
            start, end = bounds(days, self.zone)
            return quantities(session, self.timeline.tenant_id, start, end, aggregations, as_of=self.as_of)

        return ask


def issued_before(session: Session, subscription_id: UUID, document: Invoice | None = None) -> tuple[Invoice, ...]:
    """Return the issued invoices of a subscription, the oldest first: all, or those issued before a document.

    Documents that one run issues have the same instant; their numbers say which came first.
    """
    query = select(Invoice).where(
        Invoice.subscription_id == subscription_id,
        col(Invoice.state).in_(ISSUED),
        Invoice.kind != "credit_note",
    )
    if document is not None:
        issued_at = col(Invoice.issued_at)
        same_run = and_(issued_at == document.issued_at, col(Invoice.number) < document.number)
        query = query.where(or_(issued_at < document.issued_at, same_run))
    query = query.order_by(col(Invoice.period_start), col(Invoice.issued_at))
    return tuple(session.exec(query.execution_options(populate_existing=True)).all())


def stored_lines(session: Session, invoice_id: UUID) -> list[InvoiceLine]:
    """Return the stored lines of a document in their order."""
    query = select(InvoiceLine).where(InvoiceLine.invoice_id == invoice_id).order_by(col(InvoiceLine.position))
    return list(session.exec(query).all())


def as_line(row: InvoiceLine) -> Line:
    """Return a stored line in the form in which lines are computed."""
    values = {name: getattr(row, name) for name in Line.__dataclass_fields__}
    return Line(**{**values, "steps": tuple(row.steps)})


def _usage_lines(session: Session, invoice_ids: list[UUID]) -> list[Line]:
    query = select(InvoiceLine).where(
        col(InvoiceLine.invoice_id).in_(invoice_ids), col(InvoiceLine.kind).in_(("usage", "late_use"))
    )
    return [as_line(row) for row in session.exec(query).all()]


def _within(line: Line, period: BillingPeriod) -> bool:
    return line.start is not None and period.days.start <= line.start < period.days.end
