"""Sign-ins between the password and the second factor. Their cookie opens the pages of the second factor, and no other.

They are not a kind of credential: the application's boundary does not know them, so no other page or operation does.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlalchemy import text

from core.clock import now
from core.database import platform_session
from core.errors import Unauthenticated
from core.identity.secrets import digest_of

if TYPE_CHECKING:
    from sqlmodel import Session

COOKIE: Final = "iit_pending"
FORM: Final = re.compile(r"iitp_[0-9a-f]{64}")
MINUTES: Final = 10
MOST_WRONG: Final = 5
"""Wrong codes after which the person gives the password again."""

CODE, SET_UP = "code", "set_up"
_HOLDER: Final = (
    "SELECT q.person_id, q.purpose, q.device, q.wrong, p.email FROM platform.pending_sign_ins q"
    " JOIN platform.people p ON p.id = q.person_id"
    " WHERE q.digest = :digest AND q.expires_at > :now AND q.wrong < :most AND p.state = 'active'"
)


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """A sign-in that waits for the second factor. The cookie gets ``secret``, which the platform never stores.

    Attributes:
        purpose: ``CODE``, or ``SET_UP`` where the person must set up a second factor first.
    """

    secret: str
    purpose: str


@dataclass(frozen=True, slots=True)
class PendingHolder:
    """The person of a pending sign-in."""

    person_id: UUID
    email: str
    purpose: str
    device: str
    wrong: int


def begin(session: Session, person_id: UUID, purpose: str, *, device: str) -> PendingSignIn:
    """Begin a pending sign-in, in the caller's transaction. Old ones of anybody are removed."""
    secret, moment = f"iitp_{secrets.token_hex(32)}", now()
    session.execute(text("DELETE FROM platform.pending_sign_ins WHERE expires_at < :now"), {"now": moment})
    session.execute(
        text(
            "INSERT INTO platform.pending_sign_ins (digest, person_id, purpose, device, created_at, expires_at)"
            " VALUES (:digest, :person, :purpose, :device, :now, :expires)"
        ),
        {
            "digest": digest_of(secret),
            "person": person_id,
            "purpose": purpose,
            "device": device[:120],
            "now": moment,
            "expires": moment + timedelta(minutes=MINUTES),
        },
    )
    return PendingSignIn(secret, purpose)


def holder_of(secret: str, purpose: str) -> PendingHolder:
    """Return the person of a pending sign-in.

    Raises:
        Unauthenticated: there is none of this purpose, or it has ended (401).
    """
    with platform_session() as session:
        return locked(session, secret, purpose, lock=False)


def locked(session: Session, secret: str, purpose: str, *, lock: bool = True) -> PendingHolder:
    """Return the person of a pending sign-in, and lock it until the caller's transaction ends.

    Raises:
        Unauthenticated: there is none of this purpose, or it has ended (401).
    """
    row = None
    if FORM.fullmatch(secret):
        query = f"{_HOLDER} FOR UPDATE OF q" if lock else _HOLDER
        values = {"digest": digest_of(secret), "now": now(), "most": MOST_WRONG}
        row = session.execute(text(query), values).first()
    if row is None or row.purpose != purpose:
        detail = "the sign-in has ended"
        raise Unauthenticated(detail, remedy="Sign in again.")
    return PendingHolder(row.person_id, row.email, row.purpose, row.device, row.wrong)


def count_wrong(session: Session, secret: str) -> None:
    """Count a wrong code, in the caller's transaction."""
    session.execute(
        text("UPDATE platform.pending_sign_ins SET wrong = wrong + 1 WHERE digest = :digest"),
        {"digest": digest_of(secret)},
    )


def end(session: Session, secret: str) -> None:
    """End a pending sign-in, in the caller's transaction."""
    session.execute(text("DELETE FROM platform.pending_sign_ins WHERE digest = :digest"), {"digest": digest_of(secret)})
