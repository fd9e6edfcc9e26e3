"""Requests to delete a tenant, and their cancellation. Nothing is destroyed before the days of grace are over."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select, text

from core import audit
from core.audit.platform import record_act
from core.clock import now
from core.database import owner_session, tenant_session
from core.errors import Conflict, FieldError, Invalid, NotFound
from core.settings import get_settings
from core.tenancy.models import Tenant
from core.tenancy.service import describe_tenant
from core.tenancy.tenant_lock import tenant_lock

if TYPE_CHECKING:
    from sqlmodel import Session

LONGEST_GRACE = 3650


def delete_tenant(slug: str, *, confirm: str, actor: str, grace_days: int | None = None) -> Tenant:
    """Suspend the tenant and start its days of grace; ``purge`` destroys it afterwards.

    Args:
        slug: the tenant's.
        confirm: the slug again, as the person typed it.
        actor: who asks.
        grace_days: days from now; the setting's when None.

    Raises:
        NotFound: no tenant has this slug.
        Invalid: ``confirm`` is not the slug, or the days are out of range.
        Conflict: the tenant is already being deleted, restored or moved.
    """
    days = get_settings().tenant_grace_days if grace_days is None else grace_days
    if confirm != slug:
        problem = "is not the tenant's slug"
        detail = f"the tenant {slug!r} is not deleted: the confirmation {problem}"
        raise Invalid(detail, remedy="write the slug again", errors=[FieldError("confirm", problem)])
    if not 0 <= days <= LONGEST_GRACE:
        problem = f"choose 0 to {LONGEST_GRACE} days"
        raise Invalid("the days of grace are not valid", errors=[FieldError("grace_days", "is out of range", problem)])
    ref = describe_tenant(slug).ref()
    with tenant_lock(slug), owner_session() as session:
        row = _locked(session, slug)
        if row.phase == "deleting":
            detail = (
                f"the tenant {slug!r} is already scheduled for deletion from {row.delete_after:%Y-%m-%d %H:%M} UTC on"
            )
            raise Conflict(detail, command="`iit tenant undelete` cancels the deletion")
        if row.phase is not None:
            detail = f"the tenant {slug!r} is {row.phase}"
            raise Conflict(detail, command="see `iit tenant show`")
        reject_moving(session, row)
        moment = now()
        row.state_before, row.state, row.phase = row.state, "suspended", "deleting"
        row.phase_since, row.phase_by, row.updated_at = moment, actor, moment
        row.delete_after = moment + timedelta(days=days)
        with tenant_session(ref, actor=actor) as scope:
            when = {"delete_after": row.delete_after.isoformat()}
            audit.record(scope, "cli:tenant:delete", "tenant", ref.id, when)
        record_act(session, "cli:tenant:delete", actor=actor, tenant_id=ref.id, detail=when)
        return row


def undelete_tenant(slug: str, *, actor: str) -> Tenant:
    """Cancel a deletion; the tenant becomes active or suspended, as it was before.

    Raises:
        NotFound: no tenant has this slug.
        Conflict: nobody asked for its deletion, or its destruction has begun.
    """
    ref = describe_tenant(slug).ref()
    with tenant_lock(slug), owner_session() as session:
        row = _locked(session, slug)
        if row.phase == "purging":
            detail = f"the tenant {slug!r} is being destroyed, and part of its data is gone"
            raise Conflict(detail, remedy="restore it from its archive or a backup, under another slug")
        if row.phase != "deleting":
            detail = f"the tenant {slug!r} is not scheduled for deletion"
            raise Conflict(detail)
        row.state = row.state_before or "active"
        row.phase = row.phase_since = row.phase_by = row.delete_after = row.state_before = None
        row.updated_at = now()
        with tenant_session(ref, actor=actor) as scope:
            audit.record(scope, "cli:tenant:undelete", "tenant", ref.id)
        record_act(session, "cli:tenant:undelete", actor=actor, tenant_id=ref.id)
        return row


def _locked(session: Session, slug: str) -> Tenant:
    row: Tenant | None = session.scalar(
        select(Tenant).where(Tenant.slug == slug).with_for_update()  # type: ignore[arg-type]  # SQLModel's column
    )
    if row is None:
        detail = f"there is no tenant {slug!r}"
        raise NotFound(detail, command="see `iit tenant list`")
    return row


def reject_moving(session: Session, row: Tenant) -> None:
    """Reject the destruction of a tenant that is being moved.

    Raises:
        Conflict: the tenant is being moved.
    """
    moving = session.scalar(text("SELECT count(*) FROM platform.tenant_moves WHERE tenant_id = :id"), {"id": row.id})
    if moving:
        detail = f"the tenant {row.slug!r} is being moved"
        raise Conflict(detail, command="finish the move first (`iit tenant move`), or cancel it with --abort")
