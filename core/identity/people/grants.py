"""Grants as memberships store them: roles that exist, and the ids of facilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.database import TenantRef, tenant_session
from core.errors import FieldError, Invalid, phrase
from core.identity.facilities import facility_ids
from core.identity.roles import PROGRAM, ROLES
from core.identity.tenant_roles.changes import hold_roles
from core.identity.tenant_roles.compiled import read_rules

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlmodel import Session


def stored_reach(
    tenant: TenantRef, facilities: Collection[str] | None, states: Collection[str] | None, *, assigned_only: bool
) -> dict[str, Any]:
    """Return what a grant reaches, as the columns of a membership; the arguments are the fields of ``Grant``.

    Raises:
        Invalid: a facility does not exist (422).
    """
    return {
        "facilities": facility_ids(tenant, facilities),
        "states": None if states is None else sorted(states),
        "assigned_only": assigned_only,
    }


def checked_roles(session: Session, tenant: TenantRef, roles: Collection[str]) -> list[str]:
    """Check that the roles exist, and return them sorted. Lock the tenant's own roles until the transaction ends.

    Raises:
        Invalid: a role does not exist or is not for people, or there is none (422).
    """
    known = {role.name for role in ROLES.values() if not role.operator and role.name != PROGRAM}
    if not set(roles) <= known:
        hold_roles(session, tenant.id)
        with tenant_session(tenant, actor="system:roles", readonly=True) as scope:
            known |= {rule.name for rule in read_rules(scope)}
    unknown = sorted(set(roles) - known)
    if unknown or not roles:
        problem = "names a role that does not exist" if unknown else "names no role"
        remedy = phrase("Give one or more of {names}.", names=", ".join(sorted(known)))
        detail = "the roles are not valid"
        raise Invalid(detail, errors=[FieldError("roles", problem, remedy)])
    return sorted(set(roles))
