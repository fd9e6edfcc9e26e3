"""One-time links: invitations and resets, by which a person chooses a password."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from core.clock import now
from core.database import platform_session
from core.errors import NotFound
from core.identity.people import passwords, sessions
from core.settings import get_settings

if TYPE_CHECKING:
    from sqlmodel import Session

INVITATION, RESET = "invitation", "reset"
PATH = "/password/"
"""Where the page is that a link leads to; the secret follows."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link that has just been made. Its path is shown one time; of the secret only a digest is stored."""

    id: UUID
    path: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class LinkHolder:
    """Whom a link is for."""

    purpose: str
    person_id: UUID
    email: str
    name: str


def create_link(person_id: UUID, purpose: str, *, actor: str) -> Link:
    """A new link for the person; earlier ones stop working.

    Raises:
        NotFound: there is no such person, or the account is deactivated.
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
            text("SELECT 1 FROM platform.people WHERE id = :id AND state = 'active'"), {"id": person_id}
        ).first()
        if person is None:
            detail = "there is no such person"
            raise NotFound(detail)
        _revoke(session, person_id)
        session.execute(
            text(
                "INSERT INTO platform.one_time_links"
                " (id, secret_hash, purpose, person_id, created_at, created_by, expires_at)"
                " VALUES (:id, :digest, :purpose, :person, :now, :actor, :expires)"
            ),
            {
                "id": link_id,
                "digest": _digest(secret),
                "purpose": purpose,
                "person": person_id,
                "now": moment,
                "actor": actor,
                "expires": moment + lasting,
            },
        )
    return Link(link_id, f"{PATH}{secret}", moment + lasting)


def revoke_links(person_id: UUID) -> None:
    """Make every link of the person stop working."""
    with platform_session() as session:
        _revoke(session, person_id)


def holder_of(secret: str) -> LinkHolder:
    """Whom a link is for, without using it.

    Raises:
        NotFound: there is no such link, or it was used, revoked, or has expired (404).
    """
    with platform_session() as session:
        return _holder(session, secret)


def use_link(secret: str, password: str) -> LinkHolder:
    """Choose a password with a link. The link is used up, and the person's sessions end.

    Raises:
        NotFound: there is no such link, or it was used, revoked, or has expired (404).
        Invalid: the password cannot be used; the link stays good (422).
    """
    holder = holder_of(secret)
    passwords.check_new(password, (holder.email, holder.name))
    stored = passwords.hash_of(password)
    with platform_session() as session:
        holder = _holder(session, secret)
        values = {"digest": _digest(secret), "now": now(), "person": holder.person_id, "hash": stored}
        session.execute(text("UPDATE platform.one_time_links SET used_at = :now WHERE secret_hash = :digest"), values)
        session.execute(
            text("UPDATE platform.people SET password_hash = :hash, password_set_at = :now WHERE id = :person"), values
        )
        sessions.end_all(session, holder.person_id)
    return holder


def _holder(session: Session, secret: str) -> LinkHolder:
    row = session.execute(
        text(
            "SELECT l.purpose, l.person_id, p.email, p.name FROM platform.one_time_links l"
            " JOIN platform.people p ON p.id = l.person_id WHERE l.secret_hash = :digest AND l.used_at IS NULL"
            " AND l.revoked_at IS NULL AND l.expires_at > :now AND p.state = 'active'"
            " FOR UPDATE OF l"
        ),
        {"digest": _digest(secret), "now": now()},
    ).first()
    if row is None:
        detail = "this link does not work: it was used, replaced, or has expired"
        raise NotFound(detail, remedy="Ask your administrator for a new one.")
    return LinkHolder(row.purpose, row.person_id, row.email, row.name)


def _revoke(session: Session, person_id: UUID) -> None:
    session.execute(
        text(
            "UPDATE platform.one_time_links SET revoked_at = :now"
            " WHERE person_id = :person AND used_at IS NULL AND revoked_at IS NULL"
        ),
        {"person": person_id, "now": now()},
    )


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
