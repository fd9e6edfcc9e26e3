"""What the running period costs so far, and will cost if its use goes on as before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from billing.invoices.computing import Computation, issued_before
from billing.invoices.lines import Line, period_lines
from billing.plans.service import get_account
from billing.plans.timeline import BillingPeriod, timelines_of
from billing.terms import Period, bounds, is_additive
from core.metering.hours import complete_until, newest_batch, quantities

if TYPE_CHECKING:
    from uuid import UUID

    from sqlmodel import Session

_MILLIONTH = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Preview:
    """The running period of a tenant.

    Attributes:
        period: its days.
        lines: what its use costs so far, with the fees of the whole period and late use of earlier ones.
        forecast: the same lines, if its use goes on at the same rate. An estimate.
        complete_until: use recorded before it is counted.
    """

    period: BillingPeriod
    lines: tuple[Line, ...]
    forecast: tuple[Line, ...]
    complete_until: datetime

    @property
    def total(self) -> Decimal:
        """Sum of the lines, without credits and taxes."""
        return sum((line.amount for line in self.lines), Decimal(0))

    @property
    def forecast_total(self) -> Decimal:
        """Sum of the forecast, without credits and taxes."""
        return sum((line.amount for line in self.forecast), Decimal(0))


def preview(session: Session, tenant_id: UUID, *, now: datetime) -> Preview | None:
    """Return the running period of a tenant; None without a subscription today.

    Raises:
        NotFound: the tenant has no account.
    """
    zone = ZoneInfo(get_account(session, tenant_id).time_zone)
    today = now.astimezone(zone).date()
    for timeline in timelines_of(session, tenant_id):
        if timeline.on(today) is None:
            continue
        period = list(timeline.periods(today + timedelta(days=1)))[-1]
        batch = newest_batch(session)
        computation = Computation(timeline, zone, batch, issued_before(session, timeline.id))
        late = computation.of_late_use(session, period.currency)

        rate = partial(at_same_rate, session, tenant_id, zone, batch, now)
        return Preview(
            period,
            (*computation.of_period(session, period), *late),
            (*period_lines(timeline, period, rate), *late),
            complete_until(session),
        )
    return None


def at_same_rate(
    session: Session,
    tenant_id: UUID,
    zone: ZoneInfo,
    batch: int,
    now: datetime,
    days: Period,
    aggregations: Mapping[str, str],
) -> Mapping[str, Decimal]:
    """Return quantities at the end of some days, if what adds up goes on at the rate until now. Levels stay."""
    start, end = bounds(days, zone)
    used = quantities(session, tenant_id, start, end, aggregations, as_of=batch)
    elapsed = (min(max(now, start), end) - start).total_seconds()
    whole = (end - start).total_seconds()
    if not elapsed:
        return used
    factor = Decimal(int(whole)) / Decimal(max(int(elapsed), 1))
    return {
        name: (used[name] * factor).quantize(_MILLIONTH) if is_additive(aggregation) else used[name]
        for name, aggregation in aggregations.items()
    }
