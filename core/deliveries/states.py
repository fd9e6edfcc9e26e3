"""The states of a delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlmodel import col, select

from core.clock import now
from core.deliveries.models import DeliveryColumns
from core.deliveries.schedule import LONGEST, PAUSES, SHORTEST, pause_before
from plugins.sdk import Outcome

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from uuid import UUID

    from core.database import TenantSession

ENDED: Final = ("sent", "failed", "unknown")
OUT_OF_ATTEMPTS: Final = "out_of_attempts"
INTERRUPTED: Final = "interrupted"
"""Why a delivery is unknown whose worker died while it sent."""
NOT_TRIED: Final = frozenset({"rate_limited_here", "plugin_busy", "BreakerOpen", "BulkheadFull", "DeadlinePassed"})
"""Reasons of ``core.plugins.sending`` for waiting before it sends: such a try does not count.

No outcome of a plugin has one: ``core.plugins.calls`` renames it.
"""

_Row = TypeVar("_Row", bound=DeliveryColumns)


def begin(
    session: TenantSession, table: type[_Row], delivery_id: UUID, *, repeatable: bool | None = None
) -> _Row | None:
    """Begin a try: the row says ``sending`` once the session commits, and only then may the caller send.

    Only the job of the delivery calls this, so a row in ``sending`` belongs to an earlier try of that job.

    Args:
        session: a step of the job.
        table: of the delivery.
        delivery_id: the delivery.
        repeatable: whether the receiver recognizes a repetition of this try; None: as the row says.

    Returns:
        The delivery, or None if there is nothing to send: it is gone, has ended, is due later, or became ``unknown``.
    """
    row = _locked(session, table, delivery_id)
    if row is None or row.state in ENDED:
        return None
    if row.state == "sending" and not row.repeatable:
        _end(session, row, Outcome("unknown", INTERRUPTED))
        return None
    if row.state == "waiting" and row.due_at > now():
        return None
    row.state, row.attempts = "sending", row.attempts + 1
    row.repeatable = row.repeatable if repeatable is None else repeatable
    session.add(row)
    session.flush()
    return row


def after_try(attempts: int, outcome: Outcome) -> tuple[int, timedelta | None]:
    """Return the attempts that count after a try, and the pause before the next one; None if there is no next one.

    Args:
        attempts: with the try that ended.
        outcome: of the try.
    """
    if outcome.state != "retry":
        return attempts, None
    if outcome.reason in NOT_TRIED:
        return attempts - 1, max(SHORTEST, min(outcome.retry_after or PAUSES[0], LONGEST))
    return attempts, pause_before(attempts, outcome.retry_after)


def record(
    session: TenantSession, table: type[DeliveryColumns], delivery_id: UUID, outcome: Outcome
) -> datetime | None:
    """Record what became of a try that ``begin`` began.

    A worker that was taken for dead may answer late: what it knows settles a delivery that became ``unknown``.

    Returns:
        When the next try is due; None if the delivery has ended.
    """
    row = _locked(session, table, delivery_id)
    if row is None:
        return None
    if row.state != "sending":
        reconcile(session, row, outcome)  # nothing, if a report of the receiver was faster
        return None
    row.attempts, pause = after_try(row.attempts, outcome)
    if pause is None:
        given_up = outcome.state == "retry"
        _end(session, row, Outcome("failed", outcome.reason or OUT_OF_ATTEMPTS) if given_up else outcome)
        return None
    row.state, row.reason, row.due_at = "waiting", outcome.reason or None, now() + pause
    session.add(row)
    session.flush()
    return row.due_at


def reconcile(session: TenantSession, row: DeliveryColumns, outcome: Outcome) -> bool:
    """Settle a delivery by a report of its receiver; return whether it changed.

    Args:
        session: a transaction of the tenant.
        row: the delivery, locked.
        outcome: ``sent`` or ``failed``.
    """
    if row.state not in ("unknown", "sending") or outcome.state not in ("sent", "failed"):
        return False
    _end(session, row, outcome)
    return True


def send_again(session: TenantSession, row: DeliveryColumns) -> None:
    """Let a delivery that failed begin anew. The caller enqueues its job.

    Raises:
        ValueError: it has not failed. One that is ``unknown`` may have arrived.
    """
    if row.state != "failed":
        message = f"only failed deliveries are sent again, not one that is {row.state}"
        raise ValueError(message)
    row.state, row.attempts, row.due_at, row.ended_at = "waiting", 0, now(), None
    session.add(row)
    session.flush()


def _end(session: TenantSession, row: DeliveryColumns, outcome: Outcome) -> None:
    row.state, row.ended_at = outcome.state, now()
    row.reason, row.reference = outcome.reason or None, outcome.reference or row.reference
    session.add(row)
    session.flush()


def _locked(session: TenantSession, table: type[_Row], delivery_id: UUID) -> _Row | None:
    columns: Any = table
    query = select(table).where(col(columns.id) == delivery_id).with_for_update()
    return session.exec(query.execution_options(populate_existing=True)).first()
