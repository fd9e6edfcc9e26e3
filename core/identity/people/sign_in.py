"""Signing in with a password and a second factor: the same answer for everybody, and no way to lock out others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, text

from core.database import platform_session
from core.errors import Forbidden, Invalid, Unauthenticated
from core.identity.oidc.enforcement import CLOSED_LOCALLY, OPEN_LOCALLY, report_break_glass
from core.identity.people import passwords, pending, second_factor, sessions, sign_in_events, throttle
from core.identity.people.factor_rules import must_have_factor
from core.identity.people.names import is_reserved, normal_email
from core.identity.people.sessions import NewSession
from core.identity.tenants import JOINED, USABLE
from core.settings import get_settings

if TYPE_CHECKING:
    from uuid import UUID

    from sqlmodel import Session

    from core.identity.people.pending import PendingSignIn

_WRONG = "the e-mail address or the password is wrong"


def sign_in(email: str, password: str, *, address: str, device: str = "") -> NewSession | PendingSignIn:
    """Begin a session of the person with this address and password, or a pending sign-in if a second factor is needed.

    A person of several tenants continues in the one used last. Failures count for the account and the network address
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
    counter = throttle.of_password(account, address)
    with platform_session() as session:
        throttle.reject_waiting(session, counter)
        person = session.execute(
            text(
                f"SELECT id, password_hash, state, {CLOSED_LOCALLY} AS closed"  # noqa: S608 - constants
                " FROM platform.people p WHERE email = :email"
            ),
            {"email": account},
        ).first()
    usable = person is not None and person.state == "active" and not _is_of_demo(account)
    stored = person.password_hash if person is not None and usable else None
    right = passwords.matches(password, stored)
    started = None
    with platform_session() as session:
        # Whoever guesses a password learns nothing where a tenant takes none: the same answer, counted as well.
        if right and person is not None and not person.closed:
            started = _begin(session, person.id, password, stored, device)
        if started is None:
            throttle.count_failure(session, counter)
            sign_in_events.note_failure(session, account, device)
        else:
            throttle.clear(session, counter)
    if started is None or person is None:
        raise Unauthenticated(_WRONG, remedy="Try again, or ask your administrator for a link to a new password.")
    if isinstance(started, NewSession):
        _report(started, person.id)
    return started


def complete_with_code(secret: str, code: str, *, address: str) -> NewSession:
    """Begin the session of a pending sign-in, with a code of the app or a recovery code.

    Raises:
        Unauthenticated: the sign-in has ended; the person gives the password again (401).
        Invalid: the code is wrong, or was used already (422).
        Forbidden: the person belongs to no active tenant (403).
        TooManyRequests: too many wrong codes (429).
    """
    started = None
    with platform_session() as session:
        holder = pending.locked(session, secret, pending.CODE)
        counters = second_factor.counters_of(holder.person_id, code, address)
        for counter in counters:
            throttle.reject_waiting(session, counter)
        row = second_factor.locked_state(session, holder.person_id)
        if second_factor.use_code(session, holder.person_id, row, code):
            pending.end(session, secret)
            started = _session(session, holder.person_id, row.operator_role, holder.device)
            for counter in counters:
                throttle.clear(session, counter)
        else:
            pending.count_wrong(session, secret)
            sign_in_events.note(
                session,
                holder.person_id,
                sign_in_events.CODE_FAILED,
                actor=sign_in_events.NOBODY,
                device=holder.device,
            )
            for counter in counters:
                throttle.count_failure(session, counter)
    if started is None:
        sign_in_events.copy_of(holder.person_id)
        raise second_factor.wrong_code()
    _report(started, holder.person_id)
    return started


def complete_set_up(secret: str, code: str) -> tuple[NewSession, list[str]]:
    """Begin the session of a pending sign-in with a code of the app that the person has just set up.

    Returns:
        The session and the recovery codes, which nobody can read again.

    Raises:
        Unauthenticated: the sign-in has ended (401).
        NotFound: no new app waits to be confirmed (404).
        Invalid: the code is not the app's (422).
        Forbidden: the person belongs to no active tenant (403).
    """
    with platform_session() as session:
        holder = pending.locked(session, secret, pending.SET_UP)
        row = second_factor.locked_state(session, holder.person_id)
        codes = second_factor.confirm_candidate(session, holder.person_id, code)
        sessions.end_all(session, holder.person_id)
        started = _session(session, holder.person_id, row.operator_role, holder.device)
    _report(started, holder.person_id)
    return started, codes


def _report(started: NewSession, person_id: UUID) -> None:
    """Copy the sign-in to the audit, and report it if it used a tenant's break-glass account."""
    sign_in_events.copy_of(person_id)
    report_break_glass(started.tenant_id, person_id)


def _begin(
    session: Session, person_id: UUID, password: str, stored: str | None, device: str
) -> NewSession | PendingSignIn | None:
    """Begin a session or a pending sign-in; None if the account's password was changed meanwhile."""
    row = second_factor.locked_state(session, person_id)
    if row.password_hash != stored or stored is None:
        return None
    if passwords.needs_rehash(stored):
        session.execute(
            text("UPDATE platform.people SET password_hash = :hash WHERE id = :person"),
            {"hash": passwords.hash_of(password), "person": person_id},
        )
    if row.confirmed_at is not None:
        return pending.begin(session, person_id, pending.CODE, device=device)
    tenant_id, required = _place_of(session, person_id, row.operator_role)
    if required:
        second_factor.make_candidate(session, person_id)
        return pending.begin(session, person_id, pending.SET_UP, device=device)
    return sessions.begin(session, person_id, tenant_id, signed_in_by=sessions.BY_PASSWORD, device=device)


def _session(session: Session, person_id: UUID, operator_role: str | None, device: str) -> NewSession:
    tenant_id, _ = _place_of(session, person_id, operator_role)
    return sessions.begin(session, person_id, tenant_id, signed_in_by=sessions.BY_PASSWORD, device=device)


def _is_of_demo(account: str) -> bool:
    return get_settings().environment == "production" and is_reserved(account)


def _place_of(session: Session, person_id: UUID, operator_role: str | None) -> tuple[UUID | None, bool]:
    """The tenant in which the person begins, None for an operator, and whether it asks for a second factor.

    Raises:
        Forbidden: the person belongs to no tenant that is active.
    """
    if operator_role is not None:
        return None, must_have_factor(operator=True, roles=(), roles_with_factor=None)
    row = _tenant_of(session, person_id)
    return row.tenant_id, must_have_factor(operator=False, roles=row.roles, roles_with_factor=row.named)


def _tenant_of(session: Session, person_id: UUID) -> Row[Any]:
    """The tenant in which the person was last, else the first by name: with the roles, and those that need a factor.

    Raises:
        Forbidden: there is none that is active.
    """
    row = session.execute(
        text(
            "SELECT m.tenant_id, m.roles, r.roles AS named FROM platform.memberships m"  # noqa: S608 - a constant
            " JOIN platform.tenants t ON t.id = m.tenant_id"
            " LEFT JOIN platform.sign_in_rules r ON r.tenant_id = m.tenant_id"
            f" WHERE m.person_id = :person AND {JOINED} AND {USABLE}"
            f" AND {OPEN_LOCALLY}"
            " ORDER BY (SELECT max(s.last_seen_at) FROM platform.sessions s"
            "  WHERE s.person_id = m.person_id AND s.tenant_id = m.tenant_id) DESC NULLS LAST, t.name, t.id LIMIT 1"
        ),
        {"person": person_id},
    ).first()
    if row is None:
        detail = "you belong to no active tenant"
        raise Forbidden(detail, remedy="Ask your administrator.")
    return row
