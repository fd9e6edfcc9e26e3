"""Decides about the extras of a partner: its unpaid invoices and the hard caps of its plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.entitlements.quotas import state_of
from core import metering
from core.clock import now
from core.entitlements import EXTRAS, Decision, Extra, capped, unpaid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database import TenantRef


def decide(tenant: TenantRef) -> Mapping[Extra, Decision]:
    """Return the extras that a partner may not use now. Imports, lists, recording and export are no extras.

    Raises:
        Unavailable: the partner's database cannot be reached.
    """
    state = state_of(tenant)
    if state.extras_off:
        return dict.fromkeys(EXTRAS, unpaid())
    decisions: dict[Extra, Decision] = {}
    if state.period is None:
        return decisions
    seconds = max(1, int((state.period.ends_at - now()).total_seconds()))
    for quota in state.period.quotas:
        if quota.hard_cap is None or quota.used < quota.hard_cap:
            continue
        for extra in EXTRAS:
            if metering.meters()[quota.meter].extra == extra:
                decisions[extra] = capped(quota.meter, quota.hard_cap, state.period.days.end, seconds)
    return decisions
