"""The people of a tenant for other rooms: whom work can be handed to, and to whom a letter can go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text

from core.database import Reach, platform_session
from core.identity.tenant_roles.compiled import OwnRolesVersion, permissions_of
from core.identity.tenants import JOINED

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Row

    from core.database import TenantRef


@dataclass(frozen=True, slots=True)
class Colleague:
    """A person of the tenant, with what they reach."""

    id: UUID
    name: str
    reach: Reach


_COLLEAGUES = text(
    "SELECT p.id, p.name, m.roles, m.facility_ids, m.states, m.assigned_only, v.version, v.settled"  # noqa: S608 - a constant
    " FROM platform.memberships m JOIN platform.people p ON p.id = m.person_id"
    " LEFT JOIN platform.role_versions v ON v.tenant_id = m.tenant_id"
    f" WHERE m.tenant_id = :tenant AND {JOINED} AND p.state = 'active' ORDER BY p.name, p.id"
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
            person_id = UUID(str(row.id))
            reach = Reach(facilities, states, person_id if row.assigned_only else None)
            permitted.append(Colleague(person_id, row.name, reach))
    return permitted


@dataclass(frozen=True, slots=True)
class Reader:
    """A person who can get a letter: the address, and the language that they chose."""

    email: str
    language: str | None


_MEMBER = (
    "SELECT p.id, p.email, p.language"  # noqa: S608 - a constant
    " FROM platform.memberships m JOIN platform.people p ON p.id = m.person_id"
    f" WHERE m.tenant_id = :tenant AND {JOINED} AND p.state = 'active'"
)


def reader_of(tenant: TenantRef, person_id: UUID) -> Reader | None:
    """Return how to write to a person of the tenant; None if they left or are deactivated."""
    rows = _members(tenant, "p.id = :person", person=person_id)
    return Reader(rows[0].email, rows[0].language) if rows else None


def active_members(tenant: TenantRef, people: Collection[UUID]) -> set[UUID]:
    """Return those of these people who belong to the tenant and can sign in."""
    return {UUID(str(row.id)) for row in _members(tenant, "p.id = ANY(:people)", people=list(people))}


def members_at(tenant: TenantRef, addresses: Collection[str]) -> dict[str, UUID]:
    """Return the people of the tenant with these e-mail addresses, which are in the form of ``normal_email``."""
    rows = _members(tenant, "p.email = ANY(:addresses)", addresses=list(addresses))
    return {row.email: UUID(str(row.id)) for row in rows}


def _members(tenant: TenantRef, condition: str, **values: object) -> Sequence[Row[Any]]:
    """The rows of the tenant's people who can sign in and whom a condition, a constant, chooses."""
    with platform_session() as session:
        return session.execute(text(f"{_MEMBER} AND {condition}"), {"tenant": tenant.id, **values}).all()
