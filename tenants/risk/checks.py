"""Store and read what was measured about models: see :class:`tenants.risk.models_checks.ModelCheck`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlmodel import col, delete, select

from core.errors import NotFound
from tenants.risk.models_checks import ModelCheck

if TYPE_CHECKING:
    from datetime import date, datetime
    from uuid import UUID

    from core.database import TenantSession

DELETED_AT_ONCE: Final = 1000
_DELETE_OLD: Final = """
DELETE FROM model_checks WHERE uuid IN (
    SELECT uuid FROM model_checks WHERE as_of < %s LIMIT %s
)
"""


def store(session: TenantSession, check: ModelCheck) -> ModelCheck:
    """Store a measurement in place of an earlier one of the same kind and day."""
    session.execute(delete(ModelCheck).where(col(ModelCheck.kind) == check.kind, col(ModelCheck.as_of) == check.as_of))
    session.add(check)
    session.flush()
    return check


def list_checks(session: TenantSession, kind: str, *, most: int = 100) -> list[ModelCheck]:
    """The newest measurements of a kind, the newest day first."""
    query = select(ModelCheck).where(ModelCheck.kind == kind).order_by(col(ModelCheck.as_of).desc()).limit(most)
    return list(session.exec(query).all())


def newest(session: TenantSession, kind: str, *, until: date | None = None) -> ModelCheck | None:
    """The measurement of a kind of the newest day, or of the newest one up to ``until``."""
    query = select(ModelCheck).where(ModelCheck.kind == kind).order_by(col(ModelCheck.as_of).desc()).limit(1)
    if until is not None:
        query = query.where(col(ModelCheck.as_of) <= until)
    return session.exec(query).first()


def get(session: TenantSession, kind: str, check_id: UUID) -> ModelCheck:
    """The measurement with this UUID.

    Raises:
        NotFound: there is none of the kind.
    """
    row = session.get(ModelCheck, check_id)
    if row is None or row.kind != kind:
        detail = "there is no such measurement"
        raise NotFound(detail, remedy="list them first")
    return row


def delete_old(session: TenantSession, before: datetime) -> int:
    """Delete a batch of measurements of days before an instant; return how many. Files of snapshots expire before."""
    with session.cursor() as cursor:
        cursor.execute(_DELETE_OLD, (before.date(), DELETED_AT_ONCE))
        return cursor.rowcount


def figures_of(check: ModelCheck | None) -> dict[str, Any]:
    """The figures of a measurement; none where there is none."""
    return {} if check is None else dict(check.figures)
