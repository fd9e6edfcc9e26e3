"""Computes an issued invoice again from its batch and its plan's versions, and compares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from billing.invoices.computing import Computation, as_line, issued_before, stored_lines
from billing.plans.timeline import timelines_of

if TYPE_CHECKING:
    from sqlmodel import Session

    from billing.invoices.lines import Line
    from billing.invoices.models import Invoice

COMPUTED = ("base", "add_on", "usage", "late_use")
"""Kinds of lines that follow from usage and plans. Credits and taxes follow from these and the account."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The stored lines of an invoice, and the lines computed again."""

    stored: tuple[Line, ...]
    computed: tuple[Line, ...]

    @property
    def is_same(self) -> bool:
        """Whether all lines are the same, and the total is their sum."""
        return self.stored == self.computed


def recompute(session: Session, invoice: Invoice) -> Comparison:
    """Compute an invoice again from sealed usage as of its batch, and the versions of its plan.

    Args:
        session: of the control database.
        invoice: an issued invoice of a period, or for late use.
    """
    timeline = next(each for each in timelines_of(session, invoice.tenant_id) if each.id == invoice.subscription_id)
    before = issued_before(session, timeline.id, invoice)
    zone = ZoneInfo(str(invoice.account["time_zone"]))
    computation = Computation(timeline, zone, invoice.as_of, before)
    lines = computation.of_late_use(session, invoice.currency)
    if invoice.kind == "invoice":
        period = next(each for each in timeline.periods(invoice.period_end) if each.days.start == invoice.period_start)
        lines = [*computation.of_period(session, period), *lines]
    stored = [as_line(row) for row in stored_lines(session, invoice.id) if row.kind in COMPUTED]
    return Comparison(tuple(stored), tuple(lines))
