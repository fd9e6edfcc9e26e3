"""Budgets: what a partner, or all together, may cost in a month. They inform operators, and stop nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlmodel import col, select

from billing.costs.models import EVERY_TENANT, CostBudget
from core.audit.platform import record_act
from core.clock import now
from core.errors import Conflict, FieldError, Invalid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal
    from uuid import UUID

    from sqlmodel import Session

THRESHOLDS: Final = (50, 80, 100, 120)
"""Percentages of a budget, unless it names its own."""
MOST_THRESHOLDS: Final = 10
LARGEST: Final = 10**12
HIGHEST: Final = 1000
"""The largest budget in US dollars, and the highest threshold in percent."""


def list_budgets(session: Session) -> list[CostBudget]:
    """Return the present budgets."""
    query = select(CostBudget).where(col(CostBudget.ended_at).is_(None)).order_by(col(CostBudget.created_at))
    return list(session.exec(query))


def set_budget(
    session: Session,
    tenant_id: UUID | None,
    amount: Decimal,
    *,
    actor: str,
    thresholds: Sequence[int] = THRESHOLDS,
    source: str = "cli",
) -> CostBudget:
    """Set the budget of a month for one partner, or for all together; it takes the place of the present one.

    Args:
        session: a session of the control database.
        tenant_id: the partner; None for all together.
        amount: US dollars a month, above 0.
        actor: who sets it.
        thresholds: percentages at which operators are informed.
        source: ``cli``, ``api`` or ``page``.

    Raises:
        Invalid: the amount or a threshold is not valid (422).
    """
    if not (amount.is_finite() and 0 < amount < LARGEST):
        detail = "the budget is not valid"
        raise Invalid(detail, errors=[FieldError("amount", "is not above 0", "Write US dollars a month.")])
    marks = sorted(set(thresholds))
    if not marks or len(marks) > MOST_THRESHOLDS or not all(1 <= mark <= HIGHEST for mark in marks):
        problem = f"are not 1 to {MOST_THRESHOLDS} percentages from 1 to {HIGHEST}"
        detail = "the budget is not valid"
        raise Invalid(detail, errors=[FieldError("thresholds", problem, "Write whole numbers such as 80.")])
    subject = EVERY_TENANT if tenant_id is None else tenant_id
    _end(session, subject)
    budget = CostBudget(tenant_id=subject, amount=amount, thresholds=marks, created_by=actor, created_at=now())
    session.add(budget)
    session.flush()
    values = {"amount": str(amount), "thresholds": marks}
    record_act(session, f"{source}:cost_budget:set", actor=actor, tenant_id=tenant_id, detail=values)
    return budget


def end_budget(session: Session, tenant_id: UUID | None, *, actor: str, source: str = "cli") -> None:
    """End the budget of one partner, or of all together.

    Raises:
        Conflict: there is none (409).
    """
    if not _end(session, EVERY_TENANT if tenant_id is None else tenant_id):
        detail = "there is no such budget"
        raise Conflict(detail, remedy="Look at the budgets again.")
    record_act(session, f"{source}:cost_budget:end", actor=actor, tenant_id=tenant_id)


def _end(session: Session, subject: UUID) -> bool:
    query = select(CostBudget).where(CostBudget.tenant_id == subject, col(CostBudget.ended_at).is_(None))
    present = session.exec(query.with_for_update()).first()
    if present is not None:
        present.ended_at = now()
        session.flush()
    return present is not None
