"""Tombstones of deleted tenants."""

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
    """Return the newest tombstone of a tenant with this slug; None if there is none."""
    with platform_session() as session:
        return _newest(session, slug)


def reject_gone(session: Session, slug: str, *, origin: UUID | None = None) -> None:
    """Reject a slug that belonged to a deleted tenant.

    Args:
        session: of the platform.
        slug: the requested slug.
        origin: the tenant whose archive is being restored; it may have its own slug back.

    Raises:
        Conflict: the slug was another tenant's.
    """
    gone = set(session.scalars(select(TenantTombstone.tenant_id).where(TenantTombstone.slug == slug)))  # type: ignore[call-overload]  # SQLModel types columns as values
    if gone and origin not in gone:
        detail = f"{slug!r} was the slug of a deleted tenant and stays reserved for it"
        raise Conflict(detail, remedy="choose another slug")


def _newest(session: Session, slug: str) -> TenantTombstone | None:
    wanted = (
        select(TenantTombstone)
        .where(TenantTombstone.slug == slug)  # type: ignore[arg-type]  # SQLModel types columns as values
        .order_by(TenantTombstone.purge_began_at.desc())  # type: ignore[attr-defined]  # as above
    )
    return session.scalars(wanted).first()
