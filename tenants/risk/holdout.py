"""The hold-out: a random share of the people at risk stays off the shown lists, so that an effect can be measured.

Nobody is held out without a recorded ethics approval, and nobody who is late already: they are always traced.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from sqlmodel import col, select

from core import audit
from core.clock import now, today
from core.errors import FieldError, Invalid
from tenants.risk.models_holdout import HoldoutApproval

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from core.database import TenantSession

MOST_ENDED: Final = 20


def in_force(session: TenantSession) -> HoldoutApproval | None:
    """The approval in force; None: nobody is held out."""
    return session.exec(select(HoldoutApproval).where(col(HoldoutApproval.ended_at).is_(None))).first()


def ended(session: TenantSession) -> Sequence[HoldoutApproval]:
    """The approvals that are out of force, the newest first."""
    rows: Sequence[HoldoutApproval] = session.exec(
        select(HoldoutApproval)
        .where(col(HoldoutApproval.ended_at).is_not(None))
        .order_by(col(HoldoutApproval.ended_at).desc())
        .limit(MOST_ENDED)
    ).all()
    return rows


def approve(
    session: TenantSession, share: float, reference: str, approved_on: date, approved_by: str
) -> HoldoutApproval:
    """Record an ethics approval, which replaces the one in force. Lists issued from now on follow it.

    Raises:
        Invalid: the day of the approval lies in the future.
    """
    if approved_on > today(session.tenant.time_zone):
        problem = FieldError("body.approved_on", "lies in the future", "give a date up to today")
        detail = "the approval cannot be recorded"
        raise Invalid(detail, errors=[problem])
    end(session)
    row = HoldoutApproval(
        share=share,
        reference=reference,
        approved_on=approved_on,
        approved_by=approved_by,
        recorded_by=session.actor,
    )
    session.add(row)
    session.flush()
    audit.record(session, "risk:holdout:approve", "holdout", row.uuid, {"share": share, "reference": reference})
    return row


def end(session: TenantSession) -> None:
    """Hold nobody out from now on. Lists that were issued stay as they are."""
    row = in_force(session)
    if row is not None:
        row.ended_at = now()
        session.add(row)
        session.flush()
        audit.record(session, "risk:holdout:end", "holdout", row.uuid)


def is_held_out(approval: HoldoutApproval | None, patient: UUID, expected: date | None) -> bool:
    """Whether a person is held out for an expected contact: at random, and the same on every list until that contact.

    Drawn anew for each list, nearly everybody would be shown on one day or another, and nothing could be compared.
    """
    if approval is None:
        return False
    key = approval.uuid.bytes + patient.bytes + str(expected).encode()
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest()) < approval.share * 2.0**64


def places(capacity: int) -> int:
    """The first people of a facility of whom this many are surely left when those held out are taken away.

    At the largest share, one half, the chance that they are too few is below one in ten million.
    """
    return 3 * capacity + 40
