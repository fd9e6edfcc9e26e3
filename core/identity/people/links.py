"""One-time links, invitations and resets, with which a person chooses a password."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from core.clock import now
from core.database import platform_session
from core.errors import Conflict, FieldError, Invalid, NotFound
from core.identity.people import members, passwords, sessions, sign_in_events, throttle
from core.identity.secrets import digest_of
from core.settings import get_settings

if TYPE_CHECKING:
    from sqlmodel import Session

INVITATION, RESET = "invitation", "reset"
PATH = "/password/"
"""The path of the page that a link leads to; the secret follows."""


@dataclass(frozen=True, slots=True)
class Link:
    """A new link. Its path is shown one time; only a digest of its secret is stored."""

    id: UUID
    path: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class LinkHolder:
    """The person for whom a link was created.

    Attributes:
        tenant_id: the tenant that made the link; ``tenant`` is its name. None for an operator's link.
        name: of the account; until the person accepts, the name that the inviter gave.
        joins: whether the account has a password already. Using the invitation then asks for that password, and adds
            the account to one more tenant.
    """

    purpose: str
    person_id: UUID
    email: str
    name: str
    tenant_id: UUID | None
    tenant: str | None
    joins: bool


def create_link(
    person_id: UUID,
    purpose: str,
    *,
    actor: str,
    tenant_id: UUID | None = None,
    source: str | None = None,
    compromised: bool = False,
) -> Link:
    """Create a link for the person. Earlier links of the same tenant stop working.

    Args:
        person_id: whom it is for.
        purpose: ``INVITATION`` or ``RESET``.
        actor: who asks.
        tenant_id: whose admin asks, and which membership an invitation accepts; None for the operator.
        source: ``cli`` to note the link as an event of the account; None where the caller records it.
        compromised: somebody else may know the password: it, the sessions, and the API keys that the person created end
            at once, in all tenants.

    Raises:
        NotFound: there is no such person, or they are deactivated.
    """
    secret, moment, link_id = secrets.token_urlsafe(32), now(), uuid7()
    settings = get_settings()
    lasting = (
        timedelta(hours=settings.invitation_hours)
        if purpose == INVITATION
        else timedelta(minutes=settings.reset_minutes)
    )
    with platform_session() as session:
        person = session.execute(
            text(
                "SELECT 1 FROM platform.people p WHERE p.id = :id AND p.state = 'active' AND NOT EXISTS"
                " (SELECT 1 FROM platform.memberships m WHERE m.person_id = p.id AND m.tenant_id = :tenant"
                " AND m.deactivated_at IS NOT NULL) FOR UPDATE"
            ),
            {"id": person_id, "tenant": tenant_id},
        ).first()
        if person is None:
            detail = "there is no such person"
            raise NotFound(detail)
        session.execute(
            text(
                "UPDATE platform.one_time_links SET revoked_at = :now WHERE person_id = :person"
                " AND tenant_id IS NOT DISTINCT FROM :tenant AND used_at IS NULL AND revoked_at IS NULL"
            ),
            {"person": person_id, "tenant": tenant_id, "now": moment},
        )
        session.execute(
            text(
                "INSERT INTO platform.one_time_links"
                " (id, secret_hash, purpose, person_id, tenant_id, created_at, created_by, expires_at)"
                " VALUES (:id, :digest, :purpose, :person, :tenant, :now, :actor, :expires)"
            ),
            {
                "id": link_id,
                "digest": digest_of(secret),
                "purpose": purpose,
                "person": person_id,
                "tenant": tenant_id,
                "now": moment,
                "actor": actor,
                "expires": moment + lasting,
            },
        )
        if compromised:
            session.execute(text("UPDATE platform.people SET password_hash = NULL WHERE id = :id"), {"id": person_id})
            sessions.end_all(session, person_id)
            members.revoke_keys(session, person_id)
        if source is not None:
            action, about = f"{source}:person:link", link_detail(purpose, compromised=compromised)
            sign_in_events.note(session, person_id, action, actor=actor, tenant_id=tenant_id, detail=about)
    if source is not None:
        sign_in_events.copy_of(person_id)
    return Link(link_id, f"{PATH}{secret}", moment + lasting)


def link_detail(purpose: str, *, compromised: bool) -> dict[str, Any]:
    """Return what the audit says of a new link."""
    return {"purpose": purpose, **({"compromised": True} if compromised else {})}


def revoke_links(person_id: UUID, *, tenant_id: UUID | None = None) -> None:
    """Make the links of the person stop working: those that this tenant's admins made, or all."""
    with platform_session() as session:
        revoke_open_links(session, person_id, tenant_id)


def revoke_open_links(session: Session, person_id: UUID, tenant_id: UUID | None = None) -> None:
    """Do what ``revoke_links`` does, in the caller's transaction."""
    session.execute(
        text(
            "UPDATE platform.one_time_links SET revoked_at = :now"
            " WHERE person_id = :person AND used_at IS NULL AND revoked_at IS NULL"
            " AND (CAST(:tenant AS uuid) IS NULL OR tenant_id = :tenant)"
        ),
        {"person": person_id, "tenant": tenant_id, "now": now()},
    )


def holder_of(secret: str) -> LinkHolder:
    """Return the person for whom a link was created, without using it.

    Raises:
        NotFound: there is no such link, or it was used, revoked, or has expired (404).
    """
    with platform_session() as session:
        return _holder(session, secret)[0]


def use_link(secret: str, password: str, *, address: str = "") -> LinkHolder:
    """Use a link: choose a first or new password, or join another tenant with the present password.

    An invitation never replaces a password: else the admin of one tenant could take over the accounts of another's
    people. A new password ends the person's sessions. Whoever invites an address gets the link, and must not guess the
    account's password by it: wrong ones count as failed sign-ins from the network address.

    Raises:
        NotFound: there is no such link, or it was used, revoked, or has expired (404).
        Invalid: the password cannot be used, or is not that of the account; the link stays good (422).
        Conflict: the account got another password meanwhile (409).
        TooManyRequests: too many wrong passwords of the account from this network address (429).
    """
    with platform_session() as session:
        holder, present = _holder(session, secret)
        counter = throttle.of_password(holder.email, address)
        if holder.joins:
            throttle.reject_waiting(session, counter)
    if holder.joins:
        if not passwords.matches(password, present):
            with platform_session() as session:
                throttle.count_failure(session, counter)
                sign_in_events.note_failure(session, holder.email, "")
            sign_in_events.copy_of(holder.person_id)
            problem = FieldError("password", "is not the password of this account", _JOIN_REMEDY)
            detail = "the password is wrong"
            raise Invalid(detail, errors=[problem])
        stored = present
    else:
        passwords.check_new(password, (holder.email, holder.name))
        stored = passwords.hash_of(password)
    with platform_session() as session:
        holder, still_present = _holder(session, secret)
        if still_present != present:
            detail = "the account got another password meanwhile"
            raise Conflict(detail, remedy="Open the link again.")
        values = {
            "digest": digest_of(secret),
            "now": now(),
            "person": holder.person_id,
            "hash": stored,
        }
        session.execute(text("UPDATE platform.one_time_links SET used_at = :now WHERE secret_hash = :digest"), values)
        session.execute(
            text(
                "UPDATE platform.one_time_links SET revoked_at = :now"
                " WHERE person_id = :person AND purpose = 'reset' AND used_at IS NULL AND revoked_at IS NULL"
            ),
            values,
        )
        if holder.tenant_id is not None:
            members.accept(session, holder.person_id, holder.tenant_id)
        if not holder.joins:
            session.execute(
                text("UPDATE platform.people SET password_hash = :hash, password_set_at = :now WHERE id = :person"),
                values,
            )
            sessions.end_all(session, holder.person_id)
            sign_in_events.note(session, holder.person_id, "page:person:password_set")
        sign_in_events.note(
            session,
            holder.person_id,
            "page:person:link_use",
            tenant_id=holder.tenant_id,
            detail={"purpose": holder.purpose},
        )
    sign_in_events.copy_of(holder.person_id)
    return holder


_JOIN_REMEDY = "Give the password that you sign in with. If you do not know it, ask the operator of the installation."
_HOLDER = (
    "SELECT l.purpose, l.person_id, l.tenant_id, t.name AS tenant, p.email, p.password_hash,"
    " CASE WHEN i.accepted_at IS NULL THEN coalesce(i.invited_name, p.name) ELSE p.name END AS name"
    " FROM platform.one_time_links l JOIN platform.people p ON p.id = l.person_id"
    " LEFT JOIN platform.tenants t ON t.id = l.tenant_id"
    " LEFT JOIN platform.memberships i ON i.person_id = p.id AND i.tenant_id = l.tenant_id"
    " WHERE l.secret_hash = :digest AND l.used_at IS NULL AND l.revoked_at IS NULL AND l.expires_at > :now"
    " AND p.state = 'active' AND (l.tenant_id IS NULL OR (EXISTS (SELECT 1 FROM platform.memberships m"
    "  WHERE m.person_id = p.id AND m.tenant_id = l.tenant_id AND m.deactivated_at IS NULL)"
    " AND (l.purpose = 'invitation' OR (p.operator_role IS NULL AND NOT EXISTS (SELECT 1 FROM platform.memberships m"
    "  WHERE m.person_id = p.id AND m.tenant_id <> l.tenant_id AND m.accepted_at IS NOT NULL)))))"
    " FOR UPDATE OF l, p"
)


def _holder(session: Session, secret: str) -> tuple[LinkHolder, str | None]:
    """Return the link's person and the hash of the account's present password. Locks both rows."""
    row = session.execute(text(_HOLDER), {"digest": digest_of(secret), "now": now()}).first()
    if row is None:
        detail = "this link does not work: it was used, replaced, or has expired"
        raise NotFound(detail, remedy="Ask your administrator for a new one.")
    joins = row.purpose == INVITATION and row.password_hash is not None
    holder = LinkHolder(row.purpose, row.person_id, row.email, row.name, row.tenant_id, row.tenant, joins)
    return holder, row.password_hash
