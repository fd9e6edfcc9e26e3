"""People who use the platform, and their roles in each tenant."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from core import audit
from core.audit.platform import record_act
from core.clock import now
from core.database import TenantRef, platform_session, tenant_session
from core.errors import Conflict, FieldError, Invalid, NotFound
from core.identity.people import sessions
from core.identity.roles import ADMIN, ROLES
from core.identity.tenant_roles.changes import hold_roles
from core.identity.tenant_roles.compiled import read_rules

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlmodel import Session

_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]+\.[^@\s\x00-\x1f.]+")
EMAIL_MAX = 254
NAME_MAX = 100
NO_SUCH = "the tenant has no such person"


@dataclass(frozen=True, slots=True)
class Member:
    """A person of a tenant, with their role and facilities.

    Attributes:
        invited: they have not used the invitation yet, and the membership permits nothing.
    """

    id: UUID
    email: str
    name: str
    state: str
    roles: tuple[str, ...]
    facility_ids: tuple[UUID, ...] | None
    states: tuple[str, ...] | None
    invited: bool
    created_at: datetime
    last_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class Grant:
    """The role and the facilities that a person gets in a tenant.

    Attributes:
        roles: names of built-in roles, none of them an operator's, and of the tenant's own.
        facility_ids: only these facilities; None for all.
        states: only the facilities of these states; None for all.
    """

    roles: Collection[str]
    facility_ids: Collection[UUID] | None = None
    states: Collection[str] | None = None


def normal_email(email: str) -> str:
    """The form in which addresses are stored and compared.

    Raises:
        Invalid: it is no e-mail address (422).
    """
    address = email.strip().lower()
    if len(address) > EMAIL_MAX or not _EMAIL.fullmatch(address):
        detail = "the e-mail address is not valid"
        raise Invalid(detail, errors=[FieldError("email", "is not an e-mail address", "Write it as name@example.org.")])
    return address


def add_member(tenant: TenantRef, email: str, name: str, grant: Grant, *, actor: str, source: str = "api") -> UUID:
    """Invite the person with this address to the tenant; an account that exists is used as it is.

    The membership permits nothing until the person uses a link of the tenant (``links.use_link``).

    Raises:
        Invalid: the address, the name or a role is not valid.
        Conflict: the person is a member already.
    """
    address, shown = normal_email(email), _checked_name(name)
    with platform_session() as session:
        roles = _checked_roles(session, tenant, grant.roles)
        person_id = _ensure_person(session, address, shown, actor)
        added = session.execute(
            text(
                "INSERT INTO platform.memberships"
                " (person_id, tenant_id, roles, facility_ids, states, created_at, created_by)"
                " VALUES (:person, :tenant, :roles, :facilities, :states, :now, :actor)"
                " ON CONFLICT DO NOTHING RETURNING person_id"
            ),
            {"person": person_id, "tenant": tenant.id, "roles": roles, "now": now(), "actor": actor, **_scope(grant)},
        ).first()
        if added is None:
            detail = "the person belongs to the tenant already"
            raise Conflict(detail, remedy="Change the roles of the person instead.")
        _record(tenant, actor, f"{source}:person:add", person_id, {"roles": roles})
    return person_id


def accept(session: Session, person_id: UUID, tenant_id: UUID) -> None:
    """Make the membership count, in the caller's transaction: the person used the tenant's invitation."""
    session.execute(
        text(
            "UPDATE platform.memberships SET accepted_at = coalesce(accepted_at, :now)"
            " WHERE person_id = :person AND tenant_id = :tenant"
        ),
        {"person": person_id, "tenant": tenant_id, "now": now()},
    )


def change_member(tenant: TenantRef, person_id: UUID, grant: Grant, *, actor: str, source: str = "api") -> None:
    """Change a person's role or facilities in the tenant. The change takes effect with the person's next request.

    Raises:
        NotFound: the tenant has no such person.
        Invalid: a role is not valid.
        Conflict: the person is the last admin of the tenant.
    """
    with platform_session() as session:
        roles = _checked_roles(session, tenant, grant.roles)
        before = _locked(session, tenant, person_id)
        if ADMIN in before and (ADMIN not in roles or grant.facility_ids is not None or grant.states is not None):
            _reject_last_admin(session, tenant, person_id)
        session.execute(
            text(
                "UPDATE platform.memberships SET roles = :roles, facility_ids = :facilities, states = :states"
                " WHERE person_id = :person AND tenant_id = :tenant"
            ),
            {"person": person_id, "tenant": tenant.id, "roles": roles, **_scope(grant)},
        )
        _record(tenant, actor, f"{source}:person:change", person_id, {"roles": roles})


def remove_member(tenant: TenantRef, person_id: UUID, *, actor: str, source: str = "api") -> None:
    """Remove a person from the tenant. Their sessions and the API keys that they created end at once.

    Raises:
        NotFound: the tenant has no such person.
        Conflict: the person is the last admin of the tenant.
    """
    with platform_session() as session:
        if ADMIN in _locked(session, tenant, person_id):
            _reject_last_admin(session, tenant, person_id)
        values = {"person": person_id, "tenant": tenant.id, "now": now(), "creator": f"person:{person_id}"}
        session.execute(
            text("DELETE FROM platform.memberships WHERE person_id = :person AND tenant_id = :tenant"), values
        )
        sessions.end_all(session, person_id, tenant.id)
        session.execute(
            text(
                "UPDATE platform.api_keys SET revoked_at = :now"
                " WHERE tenant_id = :tenant AND created_by = :creator AND revoked_at IS NULL"
            ),
            values,
        )
        _record(tenant, actor, f"{source}:person:remove", person_id, {})


def list_members(tenant: TenantRef, *, limit: int = 50, offset: int = 0) -> tuple[list[Member], int]:
    """A page of the tenant's people by name, and how many there are."""
    with platform_session() as session:
        rows = session.execute(
            text(f"{_MEMBERS} ORDER BY p.name, p.id LIMIT :limit OFFSET :offset"),
            {"tenant": tenant.id, "person": None, "limit": limit, "offset": offset},
        ).mappings()
        members = [_member(row) for row in rows]
        total = session.execute(
            text("SELECT count(*) FROM platform.memberships WHERE tenant_id = :tenant"), {"tenant": tenant.id}
        ).scalar_one()
    return members, int(total)


def get_member(tenant: TenantRef, person_id: UUID) -> Member:
    """Return one person of the tenant.

    Raises:
        NotFound: the tenant has no such person.
    """
    with platform_session() as session:
        row = session.execute(text(_MEMBERS), {"tenant": tenant.id, "person": person_id}).mappings().first()
    if row is None:
        raise NotFound(NO_SUCH)
    return _member(row)


def names_of(tenant: TenantRef, people: Collection[UUID]) -> dict[UUID, str]:
    """Return the names of those of these people who belong to the tenant."""
    if not people:
        return {}
    with platform_session() as session:
        rows = session.execute(
            text(
                "SELECT p.id, p.name FROM platform.memberships m JOIN platform.people p ON p.id = m.person_id"
                " WHERE m.tenant_id = :tenant AND p.id = ANY(:people)"
            ),
            {"tenant": tenant.id, "people": sorted(people)},
        ).all()
    return {UUID(str(row.id)): row.name for row in rows}


def person_of(email: str) -> UUID:
    """The person with this address.

    Raises:
        NotFound: nobody has it.
    """
    with platform_session() as session:
        row = session.execute(
            text("SELECT id FROM platform.people WHERE email = :email"), {"email": normal_email(email)}
        ).first()
    if row is None:
        detail = "nobody has this e-mail address"
        raise NotFound(detail)
    return UUID(str(row.id))


def tenants_of(person_id: UUID) -> list[dict[str, Any]]:
    """The active tenants that the person belongs to, by name: ``id``, ``slug``, ``name`` and ``roles``."""
    with platform_session() as session:
        rows = session.execute(
            text(
                "SELECT t.id, t.slug, t.name, m.roles FROM platform.memberships m"
                " JOIN platform.tenants t ON t.id = m.tenant_id"
                " WHERE m.person_id = :person AND m.accepted_at IS NOT NULL AND t.state = 'active' AND t.phase IS NULL"
                " ORDER BY t.name, t.id"
            ),
            {"person": person_id},
        ).mappings()
        return [dict(row) for row in rows]


def add_operator(email: str, name: str, role: str, *, actor: str) -> UUID:
    """Make the person with this address an operator of the installation.

    Raises:
        Invalid: the address or the role is not valid.
        Conflict: the account belongs to a tenant: operators have accounts of their own.
    """
    address, shown = normal_email(email), _checked_name(name)
    if role not in ROLES or not ROLES[role].operator:
        detail = "there is no such operator role"
        names = ", ".join(known.name for known in ROLES.values() if known.operator)
        raise Invalid(detail, errors=[FieldError("role", "is no operator role", f"Give one of {names}.")])
    with platform_session() as session:
        person_id = _ensure_person(session, address, shown, actor)
        member = session.execute(
            text("SELECT 1 FROM platform.memberships WHERE person_id = :person"), {"person": person_id}
        ).first()
        if member is not None:
            detail = "this account belongs to a tenant"
            raise Conflict(detail, remedy="Give the operator an account with another address.")
        session.execute(
            # Whoever invited this address before may know the password: the operator chooses one by the new link.
            text("UPDATE platform.people SET operator_role = :role, password_hash = NULL WHERE id = :person"),
            {"person": person_id, "role": role},
        )
        sessions.end_all(session, person_id)
        record_act(session, "cli:operator:add", actor=actor, tenant_id=None, detail={"person": str(person_id)})
    return person_id


_MEMBERS = (
    "SELECT p.id, p.email, p.name, p.state, m.roles, m.facility_ids, m.states, m.accepted_at IS NULL AS invited,"
    " m.created_at, (SELECT max(s.last_seen_at) FROM platform.sessions s"
    " WHERE s.person_id = p.id AND s.tenant_id = m.tenant_id) AS last_seen_at"
    " FROM platform.memberships m JOIN platform.people p ON p.id = m.person_id"
    " WHERE m.tenant_id = :tenant AND (CAST(:person AS uuid) IS NULL OR p.id = :person)"
)


def _member(row: Mapping[Any, Any]) -> Member:
    fields = dict(row)
    for name in ("roles", "facility_ids", "states"):
        fields[name] = None if fields[name] is None else tuple(fields[name])
    return Member(**fields)


def _scope(grant: Grant) -> dict[str, Any]:
    facilities, states = grant.facility_ids, grant.states
    return {
        "facilities": None if facilities is None else sorted(facilities),
        "states": None if states is None else sorted(states),
    }


def _ensure_person(session: Session, email: str, name: str, actor: str) -> UUID:
    session.execute(
        text(
            "INSERT INTO platform.people (id, email, name, state, created_at, created_by)"
            " VALUES (:id, :email, :name, 'active', :now, :actor) ON CONFLICT (email) DO NOTHING"
        ),
        {"id": uuid7(), "email": email, "name": name, "now": now(), "actor": actor},
    )
    row = session.execute(
        text("SELECT id, state, operator_role FROM platform.people WHERE email = :email FOR UPDATE"), {"email": email}
    ).one()
    if row.state != "active" or row.operator_role is not None:
        detail = "the account with this address cannot join a tenant"
        raise Conflict(detail, remedy="Ask the operator of the installation.")
    return UUID(str(row.id))


def _locked(session: Session, tenant: TenantRef, person_id: UUID) -> list[str]:
    """Lock the person's membership, and return their roles; none before they accept the invitation.

    Changes of the tenant's people wait for each other until the commit.
    """
    rows = session.execute(
        text(
            "SELECT person_id, roles, accepted_at FROM platform.memberships WHERE tenant_id = :tenant"
            " ORDER BY person_id FOR UPDATE"
        ),
        {"tenant": tenant.id},
    ).all()
    for row in rows:
        if row.person_id == person_id:
            return [] if row.accepted_at is None else list(row.roles)
    raise NotFound(NO_SUCH)


def _reject_last_admin(session: Session, tenant: TenantRef, person_id: UUID) -> None:
    other = session.execute(
        text(
            "SELECT 1 FROM platform.memberships m JOIN platform.people p ON p.id = m.person_id"
            " WHERE m.tenant_id = :tenant AND m.person_id <> :person AND :admin = ANY(m.roles) AND p.state = 'active'"
            " AND m.accepted_at IS NOT NULL AND m.facility_ids IS NULL AND m.states IS NULL"
        ),
        {"tenant": tenant.id, "person": person_id, "admin": ADMIN},
    ).first()
    if other is None:
        detail = "this is the last admin of the tenant"
        raise Conflict(detail, remedy="Make somebody else an admin first.")


def _checked_roles(session: Session, tenant: TenantRef, roles: Collection[str]) -> list[str]:
    """The roles, sorted. A role of the tenant's own cannot be deleted until the transaction ends."""
    known = {role.name for role in ROLES.values() if not role.operator}
    if not set(roles) <= known:
        hold_roles(session, tenant.id)
        with tenant_session(tenant, actor="system:roles", readonly=True) as scope:
            known |= {rule.name for rule in read_rules(scope)}
    unknown = sorted(set(roles) - known)
    if unknown or not roles:
        problem = "names a role that does not exist" if unknown else "names no role"
        remedy = f"Give one or more of {', '.join(sorted(known))}."
        detail = "the roles are not valid"
        raise Invalid(detail, errors=[FieldError("roles", problem, remedy)])
    return sorted(set(roles))


def _checked_name(name: str) -> str:
    shown = " ".join(name.split())
    if not 0 < len(shown) <= NAME_MAX or not shown.isprintable():
        detail = "the name is not valid"
        raise Invalid(detail, errors=[FieldError("name", "is empty or too long", f"Give 1 to {NAME_MAX} characters.")])
    return shown


def _record(tenant: TenantRef, actor: str, action: str, person_id: UUID, detail: dict[str, Any]) -> None:
    """Add to the tenant's audit before the transaction of ``platform`` commits, so that no change goes unrecorded."""
    with tenant_session(tenant, actor=actor) as session:
        audit.record(session, action, "person", person_id, detail)
