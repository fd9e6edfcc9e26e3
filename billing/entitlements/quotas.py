"""The quotas of a partner's running period, and how much of each is used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from billing.plans.models import BillingAccount
from billing.plans.timeline import timelines_of
from billing.terms import bounds
from core import metering
from core.clock import today
from core.database import platform_session
from core.metering.current import used_so_far

if TYPE_CHECKING:
    from billing.terms import MeterTerms, Period
    from core.database import TenantRef

LEVELS: Final = (80, 100, 120)
"""Percent of a quota at which a partner and the operators are warned."""


@dataclass(frozen=True, slots=True)
class Quota:
    """A meter with a cap.

    Attributes:
        used: in the running period, also what is not rolled up yet.
        soft_cap: from which warnings count; None for the hard cap.
        hard_cap: at which the meter's extra stops; None if it only warns.
    """

    meter: str
    used: Decimal
    soft_cap: Decimal | None
    hard_cap: Decimal | None

    @property
    def quota(self) -> Decimal:
        """The quantity that warnings are percents of."""
        return self.soft_cap if self.soft_cap is not None else self.hard_cap or Decimal(0)

    @property
    def percent(self) -> int:
        """How much of the quota is used, rounded down; a quota of 0 is used up by any use."""
        if not self.quota:
            return LEVELS[-1] if self.used else 0
        return int(self.used * 100 / self.quota)

    @property
    def level(self) -> int:
        """The highest level that is reached; 0 if none is."""
        return max((level for level in LEVELS if level <= self.percent), default=0)


@dataclass(frozen=True, slots=True)
class RunningPeriod:
    """The running period of a partner with a subscription.

    Attributes:
        ends_at: the instant at which its caps begin again.
    """

    days: Period
    ends_at: datetime
    quotas: tuple[Quota, ...]


@dataclass(frozen=True, slots=True)
class PartnerState:
    """What decides about a partner's extras; ``period`` is None without a subscription."""

    extras_off: bool
    period: RunningPeriod | None


def state_of(tenant: TenantRef, day: date | None = None) -> PartnerState:
    """Return the caps of a partner, with what it has used. It opens transactions of its own.

    Raises:
        Unavailable: the partner's database cannot be reached.
    """
    with platform_session() as session:
        account = session.get(BillingAccount, tenant.id)
        zone = tenant.time_zone if account is None else account.time_zone
        extras_off = account is not None and account.extras_off
        wanted = day or today(zone)
        running = [
            (change, period.days)
            for timeline in timelines_of(session, tenant.id)
            if (change := timeline.on(wanted)) is not None
            for period in timeline.periods(wanted + timedelta(days=1))
            if period.days.start <= wanted < period.days.end
        ]
    if not running:
        return PartnerState(extras_off, None)
    change, days = running[-1]
    capped = [each for each in change.terms.meters if _is_capped(each)]
    start, end = bounds(days, ZoneInfo(zone))
    used = used_so_far(tenant, start, end, {each.meter: each.aggregation for each in capped})
    quotas = tuple(Quota(each.meter, used[each.meter], each.soft_cap, each.hard_cap) for each in capped)
    return PartnerState(extras_off, RunningPeriod(days, end, quotas))


def _is_capped(terms: MeterTerms) -> bool:
    has_cap = terms.soft_cap is not None or terms.hard_cap is not None
    return has_cap and terms.meter in metering.meters()
