"""People whom an admin deactivates in one tenant, and activates again. Their account and other tenants are not touched.

The operator deactivates whole accounts: ``core.identity.people.accounts``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from core.clock import now
from core.database import platform_session
from core.errors import Conflict
from core.identity.people import members, sessions
from core.identity.people.links import revoke_open_links
from core.identity.roles import ADMIN

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantRef
    from core.web.etag import ExpectedVersions


def deactivate_member(
    tenant: TenantRef, person_id: UUID, *, actor: str, source: str = "api", expected: ExpectedVersions | None = None
) -> None:
    """Deactivate a person in the tenant: their sessions, links and API keys of the tenant end at once.

    The roles stay, and so does what the person may do in other tenants. Deactivating again changes nothing.

    Raises:
        NotFound: the tenant has no such person.
        PreconditionFailed: somebody changed the person meanwhile.
        Conflict: the person is the last admin of the tenant, or has not accepted the invitation.
    """
    with platform_session() as session:
        if ADMIN in members.lock_roles(session, tenant, person_id, expected):
            members.reject_last_admin(session, tenant, person_id)
        changed = session.execute(
            text(
                "UPDATE platform.memberships SET deactivated_at = coalesce(deactivated_at, :now)"
                " WHERE person_id = :person AND tenant_id = :tenant AND accepted_at IS NOT NULL RETURNING person_id"
            ),
            {"person": person_id, "tenant": tenant.id, "now": now()},
        ).first()
        if changed is None:
            detail = "the person has not accepted the invitation yet"
            raise Conflict(detail, remedy="Remove the person instead.")
        sessions.end_all(session, person_id, tenant.id)
        members.revoke_keys(session, person_id, tenant.id)
        revoke_open_links(session, person_id, tenant.id)
        members.record_person(tenant, actor, f"{source}:person:deactivate", person_id, {})


def reactivate_member(tenant: TenantRef, person_id: UUID, *, actor: str, source: str = "api") -> None:
    """Activate a person of the tenant again. What ended with the deactivation stays ended.

    Raises:
        NotFound: the tenant has no such person.
        Conflict: the operator deactivated the whole account.
    """
    with platform_session() as session:
        members.lock_roles(session, tenant, person_id)
        row = session.execute(
            text(
                "UPDATE platform.memberships m SET deactivated_at = NULL FROM platform.people p"
                " WHERE p.id = m.person_id AND m.person_id = :person AND m.tenant_id = :tenant"
                " RETURNING p.state = 'active' OR m.accepted_at IS NULL AS usable"
            ),
            {"person": person_id, "tenant": tenant.id},
        ).one()
        if not row.usable:
            detail = "the operator of the installation deactivated this account"
            raise Conflict(detail, remedy="Ask the operator of the installation.")
        members.record_person(tenant, actor, f"{source}:person:reactivate", person_id, {})
