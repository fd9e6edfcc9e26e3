"""What a rule would have raised in the last days, for who chooses its threshold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlmodel import col, func, select

from core.clock import now, today
from tenants.alerts.findings import FOUND_BY, on_lists
from tenants.alerts.kinds import ON_LISTS
from tenants.alerts.models import Alert
from tenants.cohort.service import cohort_settings

if TYPE_CHECKING:
    from datetime import date

    from core.database import TenantSession
    from tenants.alerts.rules import Rule

DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class Preview:
    """What a rule would have raised, and what it raised.

    Attributes:
        days: with a scoring in the last ``DAYS`` days, for a rule that looks at scorings; None for others.
        alerts: that the rule would have raised on those days, or would raise now; None if other rooms signal it.
        people: people or things of these alerts.
        raised: alerts that the rule raised in the last ``DAYS`` days.
    """

    days: int | None
    alerts: int | None
    people: int
    raised: int


def preview(session: TenantSession, rule: Rule) -> Preview:
    """Return what a rule with this threshold would have raised.

    A facility that the rule finds on days that follow one another counts one time, as it raises one alert.
    """
    raised = session.exec(
        select(func.count())
        .select_from(Alert)
        .where(Alert.alert_type == rule.kind.name, col(Alert.created_at) >= now() - timedelta(days=DAYS))
    ).one()
    day = today(session.tenant.time_zone)
    if rule.kind.name in ON_LISTS:
        days = _scored_days(session, day)
        alerts, people = _on_days(session, rule, days)
        return Preview(len(days), alerts, people, raised)
    if rule.kind.name in FOUND_BY:
        signals = FOUND_BY[rule.kind.name](session, rule, day)
        return Preview(None, len(signals), sum(signal.count for signal in signals), raised)
    return Preview(None, None, 0, raised)


def _on_days(session: TenantSession, rule: Rule, days: list[date]) -> tuple[int, int]:
    grace = cohort_settings(session).grace_days
    alerts = people = 0
    before: set[str] = set()
    for as_of in days:
        signals = {signal.key(rule.kind.name): signal for signal in on_lists(session, rule, as_of, grace)}
        begun = signals.keys() - before
        alerts += len(begun)
        people += sum(signals[key].count for key in begun)
        before = set(signals)
    return alerts, people


def _scored_days(session: TenantSession, day: date) -> list[date]:
    query = "SELECT DISTINCT as_of FROM score_runs WHERE state = 'done' AND as_of > %s AND as_of <= %s ORDER BY as_of"
    with session.cursor() as cursor:
        return [row[0] for row in cursor.execute(query, (day - timedelta(days=DAYS), day)).fetchall()]
