"""What partners cost: by resource and feature, for each prediction, and beside what was invoiced."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from billing.costs import repository
from billing.costs.pricing import PREDICTIONS, CostLine, DayUse, price
from billing.costs.rates import versions
from core.clock import now
from core.errors import FieldError, Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from sqlmodel import Session

MOST_DAYS: Final = 400
"""Days of one request."""
PREDICTING: Final = "risk"
"""The feature that predicts."""
ZERO: Final = Decimal(0)


@dataclass(slots=True)
class TenantCosts:
    """What one partner cost. All amounts are US dollars, not rounded.

    Attributes:
        by_resource: ``compute``, ``database``, ``files``, ``sms`` and ``language_model``, where they cost something.
        by_feature: the same amounts by the feature that used the resources.
        by_day: the same amounts by day (UTC).
        predictions: people who got a score.
    """

    tenant_id: UUID
    amount: Decimal = ZERO
    by_resource: dict[str, Decimal] = field(default_factory=dict)
    by_feature: dict[str, Decimal] = field(default_factory=dict)
    by_day: dict[date, Decimal] = field(default_factory=dict)
    predictions: Decimal = ZERO

    @property
    def per_prediction(self) -> Decimal | None:
        """US dollars of the feature that predicts, for each prediction; None without one."""
        return self.by_feature.get(PREDICTING, ZERO) / self.predictions if self.predictions else None

    def _add(self, line: CostLine) -> None:
        self.amount += line.amount
        for table, key in ((self.by_resource, line.resource), (self.by_feature, line.feature)):
            table[key] = table.get(key, ZERO) + line.amount
        self.by_day[line.day] = self.by_day.get(line.day, ZERO) + line.amount


def cost_lines(session: Session, start: date, end: date, *, tenant_id: UUID | None = None) -> list[CostLine]:
    """Return the lines of costs of the days from ``start`` until before ``end`` (UTC).

    Args:
        session: a session of the control database.
        start: the first day.
        end: the first day after the last one.
        tenant_id: one partner; all when None.

    Raises:
        Invalid: the days are no period of up to ``MOST_DAYS`` (422).
    """
    return price(_uses(session, start, end, tenant_id), versions(session))


def costs(session: Session, start: date, end: date, *, tenant_id: UUID | None = None) -> list[TenantCosts]:
    """Return what each partner cost, the most expensive first; the arguments are those of ``cost_lines``.

    Raises:
        Invalid: the days are no period of up to ``MOST_DAYS`` (422).
    """
    uses = _uses(session, start, end, tenant_id)
    return summed(price(uses, versions(session)), uses)


def summed(lines: Iterable[CostLine], uses: Iterable[DayUse]) -> list[TenantCosts]:
    """Add up lines by partner, the most expensive first; the predictions come from ``uses``."""
    every: dict[UUID, TenantCosts] = {}
    for line in lines:
        every.setdefault(line.tenant_id, TenantCosts(line.tenant_id))._add(line)  # noqa: SLF001 - the class above
    for use in uses:
        if use.meter == PREDICTIONS:
            every.setdefault(use.tenant_id, TenantCosts(use.tenant_id)).predictions += use.quantity
    return sorted(every.values(), key=lambda each: (-each.amount, str(each.tenant_id)))


def month_of(day: date) -> tuple[date, date]:
    """Return the first day of the day's month, and the first day of the next month."""
    first = day.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)


def this_month() -> tuple[date, date]:
    """Return the present calendar month (UTC), up to and with today."""
    present = now().date()
    return present.replace(day=1), present + timedelta(days=1)


def _uses(session: Session, start: date, end: date, tenant_id: UUID | None) -> list[DayUse]:
    if not 0 < (end - start).days <= MOST_DAYS:
        problem = f"is not 1 to {MOST_DAYS} days after the start"
        remedy = "Choose an end after the start, and a shorter period."
        detail = "the period is not valid"
        raise Invalid(detail, errors=[FieldError("end", problem, remedy)])
    return repository.day_uses(session, start, end, tenant_id=tenant_id)
