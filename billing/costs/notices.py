"""Notices about costs: unusual days, and budgets that are nearly used up. Operators see them in the console.

A loop of the workers looks every hour. A notice is stored once, so that two workers, or a repeated round, inform once.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from billing.costs.anomalies import DAYS_BEFORE, unusual
from billing.costs.budgets import list_budgets
from billing.costs.models import EVERY_TENANT, CostNotice
from billing.costs.service import ZERO, cost_lines, month_of, summed
from core import telemetry
from core.audit.platform import record_act
from core.clock import now
from core.database import platform_session
from core.errors import NotFound
from core.events.operator_events import BUSINESS, announce

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date
    from threading import Event
    from uuid import UUID

    from sqlmodel import Session

_CENT: Final = Decimal("0.01")

log = telemetry.get_logger(__name__)


def look(_stopping: Event) -> None:
    """Store the notices that are due by now, and inform operators.

    Raises:
        Unavailable: the control database is not there.
    """
    with platform_session() as session:
        added = [*unusual_days(session, now().date() - timedelta(days=1)), *budgets_reached(session, now().date())]
    for notice in added:
        log.warning(
            "costs need a look",
            kind=notice.kind,
            tenant_id=str(notice.tenant_id),
            amount=str(notice.amount.quantize(_CENT)),
            expected=str(notice.expected.quantize(_CENT)),
        )
    if added:
        announce(BUSINESS)


def unusual_days(session: Session, day: date) -> list[CostNotice]:
    """Store a notice for each partner whose costs of a whole day are unusual; return the new ones."""
    start = day - timedelta(days=DAYS_BEFORE)
    raised = []
    for each in summed(cost_lines(session, start, day + timedelta(days=1)), ()):
        before = [each.by_day.get(start + timedelta(days=number), ZERO) for number in range(DAYS_BEFORE)]
        first = next((place for place, amount in enumerate(before) if amount), len(before))
        result = unusual(each.by_day.get(day, ZERO), before[first:])
        if result is not None:
            raised.append(_notice("unusual_day", each.tenant_id, day, 0, result.amount, result.expected))
    return _store(session, raised)


def budgets_reached(session: Session, day: date) -> list[CostNotice]:
    """Store a notice for each threshold that a budget of the day's month has reached; return the new ones."""
    budgets = list_budgets(session)
    if not budgets:
        return []
    first, _ = month_of(day)
    spent = {each.tenant_id: each.amount for each in summed(cost_lines(session, first, day + timedelta(days=1)), ())}
    spent[EVERY_TENANT] = sum(spent.values(), ZERO)
    return _store(
        session,
        [
            _notice("budget", budget.tenant_id, first, threshold, spent[budget.tenant_id], budget.amount)
            for budget in budgets
            for threshold in budget.thresholds
            if spent.get(budget.tenant_id, ZERO) * 100 >= budget.amount * threshold and budget.tenant_id in spent
        ],
    )


def unseen(session: Session) -> list[CostNotice]:
    """Return the notices that no operator has seen, the newest first, at most 100."""
    query = select(CostNotice).where(col(CostNotice.seen_at).is_(None)).order_by(col(CostNotice.created_at).desc())
    return list(session.exec(query.limit(100)))


def mark_seen(session: Session, notice_id: UUID, *, actor: str, source: str = "page") -> CostNotice:
    """Say that an operator has seen a notice.

    Raises:
        NotFound: there is no such notice (404).
    """
    notice = session.get(CostNotice, notice_id, with_for_update=True)
    if notice is None:
        detail = "there is no such notice about costs"
        raise NotFound(detail)
    if notice.seen_at is None:
        notice.seen_at, notice.seen_by = now(), actor
        tenant_id = None if notice.tenant_id == EVERY_TENANT else notice.tenant_id
        detail_of_act = {"kind": notice.kind, "day": notice.day.isoformat()}
        record_act(session, f"{source}:cost_notice:see", actor=actor, tenant_id=tenant_id, detail=detail_of_act)
    return notice


def _notice(kind: str, tenant_id: UUID, day: date, threshold: int, amount: Decimal, expected: Decimal) -> CostNotice:
    return CostNotice(
        kind=kind, tenant_id=tenant_id, day=day, threshold=threshold, amount=amount, expected=expected, created_at=now()
    )


def _store(session: Session, notices: Iterable[CostNotice]) -> list[CostNotice]:
    """Store the notices that are new, and return them."""
    new = []
    for notice in notices:
        values = notice.model_dump()
        statement = insert(CostNotice).values(**values).on_conflict_do_nothing().returning(col(CostNotice.id))
        if session.execute(statement).first() is not None:
            new.append(notice)
    return new
