"""Signing in with a password: the same answer in the same time for everybody, and no way to lock out others."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlalchemy import text

from core.clock import now
from core.database import platform_session
from core.errors import Forbidden, Invalid, TooManyRequests, Unauthenticated
from core.identity.oidc.enforcement import CLOSED_LOCALLY, OPEN_LOCALLY, report_break_glass
from core.identity.people import passwords, sessions
from core.identity.people.names import normal_email
from core.identity.tenants import USABLE

if TYPE_CHECKING:
    from sqlmodel import Session

    from core.identity.people.sessions import NewSession

FREE: Final = 5
"""Failures of an account from an address before it has to wait."""

LONGEST_WAIT: Final = timedelta(minutes=15)
FORGET_AFTER: Final = timedelta(hours=1)
_WRONG = "the e-mail address or the password is wrong"


def sign_in(email: str, password: str, *, address: str, device: str = "") -> NewSession:
    """Begin a session of the person with this address and password.

    A person of several tenants begins in the one used last. Failures count for the account and the network address
    together, so somebody who guesses passwords makes only their own address wait.

    Raises:
        Unauthenticated: nobody has this address and password, or the account is deactivated (401).
        Forbidden: the person belongs to no active tenant (403).
        TooManyRequests: too many failures from this network address (429).
    """
    try:
        account = normal_email(email)
    except Invalid:
        account = ""
    digest = hashlib.sha256(f"{account}\0{address}".encode()).digest()
    _reject_waiting(digest)
    with platform_session() as session:
        person = session.execute(
            text(
                f"SELECT id, password_hash, operator_role, state, {CLOSED_LOCALLY} AS closed"  # noqa: S608 - constants
                " FROM platform.people p WHERE email = :email"
            ),
            {"email": account},
        ).first()
    stored = None if person is None or person.state != "active" else person.password_hash
    # Whoever guesses a password learns nothing where a tenant takes none: the same answer, counted as well.
    if not passwords.matches(password, stored) or person is None or person.closed:
        _count_failure(digest)
        raise Unauthenticated(_WRONG, remedy="Try again, or ask your administrator for a link to a new password.")
    with platform_session() as session:
        session.execute(text("DELETE FROM platform.sign_in_failures WHERE digest = :digest"), {"digest": digest})
        if passwords.needs_rehash(stored or ""):
            session.execute(
                text("UPDATE platform.people SET password_hash = :hash WHERE id = :person"),
                {"hash": passwords.hash_of(password), "person": person.id},
            )
        tenant = None if person.operator_role is not None else _tenant_of(session, person.id)
        begun = sessions.begin(session, person.id, tenant, signed_in_by="password", device=device)
    report_break_glass(tenant, person.id)
    return begun


def _tenant_of(session: Session, person_id: UUID) -> UUID:
    """The tenant in which the person was last, else the first by name.

    Raises:
        Forbidden: there is none that is active.
    """
    row = session.execute(
        text(
            "SELECT m.tenant_id FROM platform.memberships m JOIN platform.tenants t ON t.id = m.tenant_id"  # noqa: S608 - a constant
            f" WHERE m.person_id = :person AND m.accepted_at IS NOT NULL AND {USABLE}"
            f" AND {OPEN_LOCALLY}"
            " ORDER BY (SELECT max(s.last_seen_at) FROM platform.sessions s"
            "  WHERE s.person_id = m.person_id AND s.tenant_id = m.tenant_id) DESC NULLS LAST, t.name, t.id LIMIT 1"
        ),
        {"person": person_id},
    ).first()
    if row is None:
        detail = "you belong to no active tenant"
        raise Forbidden(detail, remedy="Ask your administrator.")
    return UUID(str(row.tenant_id))


def _reject_waiting(digest: bytes) -> None:
    with platform_session() as session:
        row = session.execute(
            text("SELECT failures, last_at FROM platform.sign_in_failures WHERE digest = :digest"), {"digest": digest}
        ).first()
    if row is None or row.failures < FREE:
        return
    wait = min(LONGEST_WAIT, timedelta(seconds=2 ** min(row.failures - FREE + 1, 20)))
    left = row.last_at + wait - now()
    if left > timedelta(0):
        detail = "too many failed sign-ins with this e-mail address from here"
        seconds = int(left.total_seconds()) + 1
        raise TooManyRequests(detail, remedy=f"Try again in {seconds} seconds.", retry_after=seconds)


def _count_failure(digest: bytes) -> None:
    moment = now()
    with platform_session() as session:
        session.execute(
            text("DELETE FROM platform.sign_in_failures WHERE last_at < :old"), {"old": moment - FORGET_AFTER}
        )
        session.execute(
            text(
                "INSERT INTO platform.sign_in_failures AS f (digest, failures, last_at) VALUES (:digest, 1, :now)"
                " ON CONFLICT (digest) DO UPDATE SET failures = f.failures + 1, last_at = :now"
            ),
            {"digest": digest, "now": moment},
        )
