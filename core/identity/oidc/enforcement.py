"""The memberships that a password opens, while tenants enforce single sign-on.

A membership that a provider's sign-in accepted (``sso_only``) is open to that provider alone: whoever invited the
address elsewhere may know the account's password.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from core import audit, telemetry
from core.database import TenantRef, platform_session, tenant_session
from core.identity.principal import actor_of_person
from core.identity.tenants import JOINED

if TYPE_CHECKING:
    from uuid import UUID

log = telemetry.get_logger(__name__)

OPEN_LOCALLY: Final = (
    "(NOT m.sso_only AND NOT EXISTS (SELECT 1 FROM platform.sso_providers sp WHERE sp.tenant_id = m.tenant_id"
    " AND sp.enforced AND sp.break_glass_person_id IS DISTINCT FROM m.person_id))"
)
"""SQL: the membership ``m`` is open to a session that a password began."""

CLOSED_LOCALLY: Final = (
    f"(EXISTS (SELECT 1 FROM platform.memberships m WHERE m.person_id = p.id AND {JOINED})"  # noqa: S608 - constants
    f" AND NOT EXISTS (SELECT 1 FROM platform.memberships m WHERE m.person_id = p.id AND {JOINED}"
    f" AND {OPEN_LOCALLY}))"
)
"""SQL: the person ``p`` belongs to tenants, and a password opens none of these memberships."""

_BREAK_GLASS: Final = text(
    "SELECT t.id, t.slug, t.name, t.schema_name, t.role_name, t.database, t.state, t.time_zone"
    " FROM platform.sso_providers sp JOIN platform.tenants t ON t.id = sp.tenant_id"
    " WHERE sp.tenant_id = :tenant AND sp.enforced AND sp.break_glass_person_id = :person"
)


def report_break_glass(tenant_id: UUID | None, person_id: UUID) -> None:
    """Record a password sign-in in the audit, and log a warning, if it used the tenant's break-glass account."""
    with platform_session() as session:
        row = session.execute(_BREAK_GLASS, {"tenant": tenant_id, "person": person_id}).mappings().first()
    if row is None:
        return
    with tenant_session(TenantRef.of(row), actor=actor_of_person(person_id)) as scope:
        audit.record(scope, "page:sso:break_glass", "person", person_id)
    log.warning("break-glass account used", tenant=row["slug"], actor=actor_of_person(person_id))
