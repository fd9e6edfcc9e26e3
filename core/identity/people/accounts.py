"""Accounts of people across tenants: deactivated and reactivated; the operators of the installation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import text

from core.audit.platform import record_act
from core.clock import now
from core.database import TenantRef, platform_session
from core.errors import Conflict, FieldError, Invalid, NotFound, phrase
from core.identity.people import links, members, sessions
from core.identity.people.account_rows import ensure_person
from core.identity.people.names import normal_email, normal_name
from core.identity.roles import ADMIN, ROLES

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel import Session


_TENANTS = (
    "SELECT t.id, t.slug, t.name, t.schema_name, t.role_name, t.database, t.time_zone,"
    " coalesce(t.phase, t.state) AS state FROM platform.memberships m JOIN platform.tenants t ON t.id = m.tenant_id"
    " WHERE m.person_id = :person ORDER BY t.id"
)


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator of the installation."""

    id: UUID
    email: str
    name: str
    role: str
    state: str
    last_seen_at: datetime | None


def deactivate(person_id: UUID, *, actor: str, source: str = "cli") -> None:
    """Deactivate an account in all tenants: sessions, links and API keys of the person end at once, on every process.

    Only the operator may: an admin deactivates people in their own tenant (``deactivation``). The memberships stay.
    Deactivating again changes nothing.

    Raises:
        NotFound: there is no such account.
        Conflict: the person is the last admin of a tenant.
    """
    with platform_session() as session:
        _lock(session, person_id)
        tenants = _tenants_of(session, person_id)
        for each in tenants:
            if ADMIN in members.lock_roles(session, each, person_id):
                members.reject_last_admin(session, each, person_id)
        session.execute(
            text(
                "UPDATE platform.people SET state = 'deactivated', deactivated_at = coalesce(deactivated_at, :now)"
                " WHERE id = :person"
            ),
            {"person": person_id, "now": now()},
        )
        end_access(session, person_id)
        _record(session, f"{source}:person:deactivate", person_id, tenants, actor)


def reactivate(person_id: UUID, *, actor: str, source: str = "cli") -> None:
    """Make a deactivated account usable again. What ended with the deactivation stays ended.

    Raises:
        NotFound: there is no such account.
    """
    with platform_session() as session:
        _lock(session, person_id)
        session.execute(
            text("UPDATE platform.people SET state = 'active', deactivated_at = NULL WHERE id = :person"),
            {"person": person_id},
        )
        _record(session, f"{source}:person:reactivate", person_id, _tenants_of(session, person_id), actor)


def end_access(session: Session, person_id: UUID) -> None:
    """End the sessions, the links and the API keys of the person, in the caller's transaction."""
    sessions.end_all(session, person_id)
    members.revoke_keys(session, person_id)
    links.revoke_open_links(session, person_id)


def list_operators() -> list[Operator]:
    """The operators of the installation, by name."""
    with platform_session() as session:
        rows = session.execute(
            text(
                "SELECT p.id, p.email, p.name, p.operator_role AS role, p.state, (SELECT max(s.last_seen_at)"
                " FROM platform.sessions s WHERE s.person_id = p.id) AS last_seen_at"
                " FROM platform.people p WHERE p.operator_role IS NOT NULL ORDER BY p.name, p.id"
            )
        ).mappings()
        return [Operator(**row) for row in rows]


def add_operator(email: str, name: str, role: str, *, actor: str) -> UUID:
    """Make the person with this address an operator of the installation.

    Raises:
        Invalid: the address or the role is not valid.
        Conflict: the account belongs to a tenant: operators have accounts of their own.
    """
    address, shown = normal_email(email), normal_name(name)
    if role not in ROLES or not ROLES[role].operator:
        detail = "there is no such operator role"
        names = ", ".join(known.name for known in ROLES.values() if known.operator)
        raise Invalid(
            detail, errors=[FieldError("role", "is not an operator role", phrase("Give one of {names}.", names=names))]
        )
    with platform_session() as session:
        person_id = ensure_person(session, address, shown, actor)
        member = session.execute(
            text("SELECT 1 FROM platform.memberships WHERE person_id = :person"), {"person": person_id}
        ).first()
        if member is not None:
            detail = "this account belongs to a tenant"
            raise Conflict(detail, remedy="Give the operator an account with another address.")
        session.execute(
            # Whoever invited this address before may know the password: the operator chooses one by the new link.
            text(
                "UPDATE platform.people SET operator_role = :role, password_hash = NULL,"
                " name = CASE WHEN operator_role IS NULL THEN :name ELSE name END WHERE id = :person"
            ),
            {"person": person_id, "role": role, "name": shown},
        )
        sessions.end_all(session, person_id)
        record_act(session, "cli:operator:add", actor=actor, tenant_id=None, detail={"person": str(person_id)})
    return person_id


def remove_operator(email: str, *, actor: str) -> UUID:
    """Take the operator's role from an account. Its sessions and links end at once, and its password is removed.

    Raises:
        NotFound: no operator has this address.
    """
    with platform_session() as session:
        person_id = session.execute(
            text(
                "UPDATE platform.people SET operator_role = NULL, password_hash = NULL"
                " WHERE email = :email AND operator_role IS NOT NULL RETURNING id"
            ),
            {"email": normal_email(email)},
        ).scalar_one_or_none()
        if person_id is None:
            detail = "no operator has this e-mail address"
            raise NotFound(detail, command="see `iit people operators`")
        end_access(session, person_id)
        record_act(session, "cli:operator:remove", actor=actor, tenant_id=None, detail={"person": str(person_id)})
    return UUID(str(person_id))


def _lock(session: Session, person_id: UUID) -> None:
    locked = text("SELECT 1 FROM platform.people WHERE id = :id FOR UPDATE")
    if session.execute(locked, {"id": person_id}).first() is None:
        raise NotFound(members.NO_SUCH)


def _tenants_of(session: Session, person_id: UUID) -> list[TenantRef]:
    return [TenantRef.of(row) for row in session.execute(text(_TENANTS), {"person": person_id}).mappings()]


def _record(session: Session, action: str, person_id: UUID, tenants: list[TenantRef], actor: str) -> None:
    """Add the act to the audit of each tenant of the person; of the platform if there is none."""
    for each in tenants:
        members.record_person(each, actor, action, person_id, {})
    if not tenants:
        record_act(session, action, actor=actor, tenant_id=None, detail={"person": str(person_id)})
