"""The people of a tenant who may do something now: whom work can be handed to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import text

from core.database import Reach, platform_session
from core.identity.tenant_roles.compiled import OwnRolesVersion, permissions_of

if TYPE_CHECKING:
    from core.database import TenantRef


@dataclass(frozen=True, slots=True)
class Colleague:
    """A person of the tenant, with the facilities that they reach."""

    id: UUID
    name: str
    reach: Reach


_COLLEAGUES = text(
    "SELECT p.id, p.name, m.roles, m.facility_ids, m.states, v.version, v.settled"
    " FROM platform.memberships m JOIN platform.people p ON p.id = m.person_id"
    " LEFT JOIN platform.role_versions v ON v.tenant_id = m.tenant_id"
    " WHERE m.tenant_id = :tenant AND m.accepted_at IS NOT NULL AND p.state = 'active' ORDER BY p.name, p.id"
)


def colleagues(tenant: TenantRef, permission: str) -> list[Colleague]:
    """Return the people of the tenant who hold the permission, by name. Invitations that nobody used do not count."""
    with platform_session() as session:
        rows = session.execute(_COLLEAGUES, {"tenant": tenant.id}).all()
    permitted = []
    for row in rows:
        at = OwnRolesVersion(row.version, settled=bool(row.settled))
        if permission in permissions_of(tenant, row.roles, at):
            facilities = None if row.facility_ids is None else frozenset(row.facility_ids)
            states = None if row.states is None else frozenset(row.states)
            permitted.append(Colleague(UUID(str(row.id)), row.name, Reach(facilities, states)))
    return permitted
