"""Finding what is left of tenants that were deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from core.database import platform_session
from core.errors import Conflict
from core.tenancy.archive.models import TenantTombstone

if TYPE_CHECKING:
    from uuid import UUID

    from sqlmodel import Session


def tombstone_of(slug: str) -> TenantTombstone | None:
    """The tombstone of the tenant that had this slug last; None where there is none."""
    with platform_session() as session:
        return _newest(session, slug)


def refuse_gone(session: Session, slug: str, *, origin: UUID | None = None) -> None:
    """Keep the slug of a tenant that was deleted from being given to another.

    Args:
        session: of the platform.
        slug: the one that is wanted.
        origin: whose archive is to be restored: a tenant that had the slug may have it back, in whichever life of it.

    Raises:
        Conflict: it was another tenant's.
    """
    gone = set(session.scalars(select(TenantTombstone.tenant_id).where(TenantTombstone.slug == slug)))  # type: ignore[call-overload]  # SQLModel types columns as values
    if gone and origin not in gone:
        detail = f"{slug!r} was the slug of a tenant that was deleted, and stays its own"
        raise Conflict(detail, remedy="choose another slug")


def _newest(session: Session, slug: str) -> TenantTombstone | None:
    wanted = (
        select(TenantTombstone)
        .where(TenantTombstone.slug == slug)  # type: ignore[arg-type]  # SQLModel types columns as values
        .order_by(TenantTombstone.purge_began_at.desc())  # type: ignore[attr-defined]  # as above
    )
    return session.scalars(wanted).first()
