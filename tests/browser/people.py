"""People with a session, for the browser tests and the pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from core.database import platform_session
from core.identity.people import accounts, links, members, sessions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.database import TenantRef

PASSWORD = "seven green bicycles in the rain"


def add_person(
    tenant: TenantRef, *roles: str, name: str = "", email: str = "", facilities: Sequence[str] | None = None
) -> UUID:
    """Add a person who has accepted the invitation; without a name, called as the first role.

    ``facilities`` are the codes of those that the person reaches; None for all.
    """
    called = name or roles[0].replace("_", " ").capitalize()
    address = email or f"{roles[0]}-{uuid4().hex[:8]}@example.org"
    person = members.add_member(tenant, address, called, members.Grant(roles, facilities), actor="test:1")
    with platform_session() as session:
        members.accept(session, person, tenant.id)
    return person


def add_person_with_password(tenant: TenantRef, role: str) -> tuple[UUID, str]:
    """Add a person who chose ``PASSWORD`` by the link of the invitation; return the id and the address."""
    email = f"{role}-{uuid4().hex[:8]}@example.org"
    person = members.add_member(tenant, email, role.capitalize(), members.Grant([role]), actor="test:1")
    link = links.create_link(person, links.INVITATION, actor="test:1", tenant_id=tenant.id)
    links.use_link(link.path.removeprefix(links.PATH), PASSWORD)
    return person, email


def add_operator(role: str = "platform_admin") -> UUID:
    """Add an operator."""
    return accounts.add_operator(f"{role}-{uuid4().hex[:8]}@example.org", "Olu Operator", role, actor="test:1")


def session_of(person: UUID, tenant: TenantRef | None = None) -> str:
    """Begin a session of a person at the tenant, or of an operator, and return its secret."""
    with platform_session() as session:
        return sessions.begin(session, person, tenant and tenant.id, signed_in_by="password").secret
