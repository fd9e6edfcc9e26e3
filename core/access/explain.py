"""Why a person or an API key may do something, or may not."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import text

from core.access.policy import enforcer_of
from core.clock import now
from core.database import platform_session, tenant_session
from core.errors import FieldError, Invalid, NotFound
from core.identity.people.members import get_member, person_of
from core.identity.permissions import all_permissions
from core.identity.principal import person_of_actor
from core.identity.tenant_roles.compiled import read_rules

if TYPE_CHECKING:
    from core.database import TenantRef
    from core.identity.people.members import Member


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether a caller holds a permission, and the roles that grant it.

    Attributes:
        through: for a person, the roles that grant the permission; if it comes from a built-in role that such a role
        includes, that role too. For a key, a sentence about the key's permissions.
        reasons: why the caller does not hold the permission; empty if the caller holds it.
        facilities: DATIM ids of the facilities that the person reaches; None for all.
        states: the states whose facilities the person reaches; None for all.
        assigned_only: the person reaches only the patients who are assigned to them.
    """

    allowed: bool
    through: list[str]
    reasons: list[str] = field(default_factory=list)
    facilities: list[str] | None = None
    states: list[str] | None = None
    assigned_only: bool = False


def explain(tenant: TenantRef, who: str, permission: str) -> Explanation:
    """Return whether ``who`` holds the permission in the tenant, and why.

    ``who`` is an e-mail address or an API key's prefix.

    Raises:
        Invalid: there is no such permission.
        NotFound: the tenant has no such person or key.
    """
    if permission not in all_permissions():
        near = get_close_matches(permission, all_permissions(), 1)
        remedy = f"Do you mean {near[0]}?" if near else "See permissions in GET /v1/me."
        command = remedy if near else "see `iit key permissions`"
        detail = "there is no such permission"
        raise Invalid(detail, errors=[FieldError("permission", "is not a permission", remedy, command)])
    return _person(tenant, who, permission) if "@" in who else _key(tenant, who, permission)


def _person(tenant: TenantRef, email: str, permission: str) -> Explanation:
    member = get_member(tenant, person_of(email))
    through = _roles_that_permit(tenant, member, permission)
    reasons = [] if through else [f"none of the roles permits it: {', '.join(member.roles)}"]
    if member.invited:
        reasons.append("the person has not accepted the invitation")
    if member.state != "active":
        reasons.append("the person is deactivated")
    return Explanation(
        not reasons,
        through,
        reasons,
        None if member.facilities is None else list(member.facilities),
        None if member.states is None else list(member.states),
        member.assigned_only,
    )


def _roles_that_permit(tenant: TenantRef, member: Member, permission: str) -> list[str]:
    with tenant_session(tenant, actor="system:roles", readonly=True) as session:
        own = read_rules(session)
    domain = str(tenant.id)
    enforcer = enforcer_of({domain: own})
    through = []
    for name in member.roles:
        allowed, rule = enforcer.enforce_ex(name, domain, permission)
        if allowed:
            through.append(name if rule[0] == name else f"{name}, which includes {rule[0]}")
    return through


def _key(tenant: TenantRef, prefix: str, permission: str) -> Explanation:
    with platform_session() as session:
        row = session.execute(
            text(
                "SELECT permissions, created_by, expires_at, revoked_at FROM platform.api_keys"
                " WHERE tenant_id = :tenant AND prefix = :prefix"
            ),
            {"tenant": tenant.id, "prefix": prefix},
        ).first()
    if row is None:
        detail = "the tenant has no key with this prefix"
        raise NotFound(
            detail, remedy="Give an e-mail address, or a prefix of GET /v1/keys.", command="see `iit key list`"
        )
    through = []
    if row.permissions is None:
        through = ["the key, which holds every permission"]
    elif permission in row.permissions:
        through = ["the permissions of the key"]
    reasons = [] if through else ["the key does not hold it"]
    if row.revoked_at is not None:
        reasons.append("the key was revoked")
    elif row.expires_at is not None and row.expires_at <= now():
        reasons.append("the key has expired")
    creator = person_of_actor(row.created_by)
    if creator is None:
        return Explanation(not reasons, through, reasons)
    return _within_creator(tenant, creator, permission, Explanation(not reasons, through, reasons))


def _within_creator(tenant: TenantRef, creator: UUID, permission: str, key: Explanation) -> Explanation:
    """Return the explanation of a key that a person created: the person must hold the permission too."""
    try:
        member = get_member(tenant, creator)
    except NotFound:
        return Explanation(False, key.through, [*key.reasons, "its creator left the tenant"])  # noqa: FBT003
    through = _roles_that_permit(tenant, member, permission)
    reasons = [*key.reasons, *([] if through else ["its creator does not hold it"])]
    if member.state != "active":
        reasons.append("its creator is deactivated")
    return Explanation(
        not reasons,
        key.through,
        reasons,
        None if member.facilities is None else list(member.facilities),
        None if member.states is None else list(member.states),
        member.assigned_only,
    )
