"""Finding what is left of tenants that were deleted."""

from __future__ import annotations

from sqlalchemy import select

from core.database import platform_session
from core.tenancy.archive.models import TenantTombstone


def tombstone_of(slug: str) -> TenantTombstone | None:
    """The tombstone of the tenant that had this slug last; None where there is none."""
    with platform_session() as session:
        wanted = (
            select(TenantTombstone)
            .where(TenantTombstone.slug == slug)  # type: ignore[arg-type]  # SQLModel types columns as values
            .order_by(TenantTombstone.purge_began_at.desc())  # type: ignore[attr-defined]  # as above
        )
        return session.scalars(wanted).first()
