"""The second factor of a person: an authenticator app and recovery codes. Set up, use, renew, remove, reset.

Each function locks the person's row first, so a code or a recovery code works one time, even if many requests bring it
at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import Row, text

from core.clock import now
from core.database import platform_session
from core.errors import Conflict, FieldError, Invalid, NotFound
from core.identity.people import factor_codes, passwords, sessions, sign_in_events, throttle
from core.identity.people.factor_rules import must_have_factor
from core.identity.tenants import JOINED
from core.privacy import master

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlmodel import Session

    from core.identity.people.sessions import NewSession

SET_UP_MINUTES: Final = 15
_WRONG_CODE: Final = "is wrong, or was used already"
_CODE_REMEDY: Final = "Type the six digits that the app shows now, or a recovery code that you have not used."
_STATE = text(
    "SELECT p.email, p.name, p.password_hash, p.operator_role, f.secret_enc, f.confirmed_at, f.last_step,"
    " f.candidate_enc, f.candidate_at FROM platform.people p LEFT JOIN platform.second_factors f ON f.person_id = p.id"
    " WHERE p.id = :person AND p.state = 'active'"
)
_LOCK = text("SELECT 1 FROM platform.people WHERE id = :person FOR NO KEY UPDATE")
_RULES = text(
    "SELECT m.roles, r.roles AS named FROM platform.memberships m"  # noqa: S608 - a constant
    " JOIN platform.sign_in_rules r ON r.tenant_id = m.tenant_id"
    f" WHERE m.person_id = :person AND {JOINED}"
)


@dataclass(frozen=True, slots=True)
class FactorState:
    """A person's second factor, as they see it.

    Attributes:
        since: when it was set up; None while it is off.
        recovery_codes: how many are left.
        required: the installation or a partner of theirs asks for it.
        possible: they sign in with a password; with a partner's own provider it is the provider's matter.
    """

    since: datetime | None
    recovery_codes: int
    required: bool
    possible: bool


@dataclass(frozen=True, slots=True)
class AppSetUp:
    """The secret for a person's app: as text, and as the address in a QR code."""

    secret: str
    address: str


@dataclass(frozen=True, slots=True)
class Proof:
    """The password and the code with which a person proves an act on their own account, and from where."""

    password: str
    code: str
    address: str


def state_of(person_id: UUID) -> FactorState:
    """Return the state of the person's second factor.

    Raises:
        NotFound: there is no such person.
    """
    with platform_session() as session:
        row = locked_state(session, person_id)
        left = session.execute(
            text("SELECT count(*) FROM platform.recovery_codes WHERE person_id = :person AND used_at IS NULL"),
            {"person": person_id},
        ).scalar_one()
        required = _required(session, person_id, row)
    return FactorState(row.confirmed_at, int(left), required, row.password_hash is not None)


def begin_set_up(person_id: UUID, proof: Proof) -> None:
    """Make the secret of a new app, which counts once a code confirms it. A present app counts until then.

    Raises:
        Invalid: the password is wrong, or the code of the present app is (422).
        Conflict: the person signs in without a password (409).
        TooManyRequests: too many wrong ones (429).
    """
    _check(person_id, proof, lambda session, _row: make_candidate(session, person_id, fresh=True))


def make_candidate(session: Session, person_id: UUID, *, fresh: bool = False) -> None:
    """Make the secret of a new app in the caller's transaction; without ``fresh``, only if there is none to confirm."""
    moment = now()
    session.execute(
        text(
            "INSERT INTO platform.second_factors AS f (person_id, candidate_enc, candidate_at)"
            " VALUES (:person, :sealed, :now) ON CONFLICT (person_id) DO UPDATE"
            " SET candidate_enc = excluded.candidate_enc, candidate_at = excluded.candidate_at"
            " WHERE :fresh OR f.candidate_at IS NULL OR f.candidate_at < :old"
        ),
        {
            "person": person_id,
            "sealed": _seal(person_id, factor_codes.new_secret()),
            "now": moment,
            "fresh": fresh,
            "old": moment - timedelta(minutes=SET_UP_MINUTES) / 3,
        },
    )


def set_up_of(person_id: UUID) -> AppSetUp:
    """Return what the person gives to the new app.

    Raises:
        NotFound: nothing waits to be confirmed, or it took too long (404).
    """
    with platform_session() as session:
        row = locked_state(session, person_id)
    secret = _candidate(person_id, row)
    return AppSetUp(secret, factor_codes.address_of_secret(secret, row.email))


def confirm(person_id: UUID, code: str, session_id: UUID, device: str) -> tuple[NewSession, list[str]]:
    """Make the new app count. All sessions of the person end; a new one takes the place of ``session_id``.

    Returns:
        The new session and the recovery codes, which nobody can read again.

    Raises:
        NotFound: nothing waits to be confirmed, or the person has no such session (404).
        Invalid: the code is not the app's (422).
    """
    with platform_session() as session:
        codes = confirm_candidate(session, person_id, code)
        started = sessions.replace_all(session, session_id, person_id, device)
    sign_in_events.copy_of(person_id)
    return started, codes


def confirm_candidate(session: Session, person_id: UUID, code: str) -> list[str]:
    """Make the new app count, in the caller's transaction, and return new recovery codes.

    Raises:
        NotFound: nothing waits to be confirmed, or it took too long (404).
        Invalid: the code is not the app's (422).
    """
    row = locked_state(session, person_id)
    secret = _candidate(person_id, row)
    typed = factor_codes.app_code(code)
    step = None if typed is None else factor_codes.matching_step(secret, typed, now(), 0)
    if step is None:
        remedy = "Type the six digits that the app shows now. If they are rejected, check the clock of the phone."
        detail = "the code is wrong"
        raise Invalid(detail, errors=[FieldError("code", "is not the code of the new app", remedy)])
    session.execute(
        text(
            "UPDATE platform.second_factors SET secret_enc = candidate_enc, confirmed_at = :now, last_step = :step,"
            " candidate_enc = NULL, candidate_at = NULL WHERE person_id = :person"
        ),
        {"person": person_id, "now": now(), "step": step},
    )
    sign_in_events.note(session, person_id, "page:person:second_factor_set")
    return _new_recovery_codes(session, person_id)


def renew_recovery_codes(person_id: UUID, proof: Proof) -> list[str]:
    """Replace the recovery codes, and return the new ones, which nobody can read again.

    Raises:
        Invalid: the password or the code is wrong (422).
        Conflict: the second factor is off (409).
        TooManyRequests: too many wrong ones (429).
    """
    codes: list[str] = []

    def renew(session: Session, row: Row[Any]) -> None:
        _reject_off(row)
        codes.extend(_new_recovery_codes(session, person_id))
        sign_in_events.note(session, person_id, "page:person:recovery_codes")

    _check(person_id, proof, renew)
    return codes


def remove(person_id: UUID, proof: Proof, session_id: UUID) -> None:
    """Remove the second factor. The person's other sessions end.

    Raises:
        Invalid: the password or the code is wrong (422).
        Conflict: it is off, or required (409).
        TooManyRequests: too many wrong ones (429).
    """

    def act(session: Session, row: Row[Any]) -> None:
        _reject_off(row)
        if _required(session, person_id, row):
            detail = "your partner, or the installation, asks for a second factor"
            raise Conflict(detail, remedy="To change the phone, set up a new app instead.")
        delete(session, person_id)
        sessions.end_all(session, person_id, but=session_id)
        sign_in_events.note(session, person_id, "page:person:second_factor_remove")

    _check(person_id, proof, act)


def reseal_all() -> int:
    """Seal all secrets by the current master key, and return how many another key had sealed."""
    changed = 0
    with platform_session() as session:
        for row in session.execute(
            text("SELECT person_id, secret_enc, candidate_enc FROM platform.second_factors FOR UPDATE")
        ).all():
            for column, sealed in (("secret_enc", row.secret_enc), ("candidate_enc", row.candidate_enc)):
                if sealed is None or master.is_current(sealed):
                    continue
                session.execute(
                    text(f"UPDATE platform.second_factors SET {column} = :sealed WHERE person_id = :person"),  # noqa: S608 - one of two
                    {"person": row.person_id, "sealed": _seal(row.person_id, _unseal(row.person_id, sealed))},
                )
                changed += 1
    return changed


def locked_state(session: Session, person_id: UUID) -> Row[Any]:
    """Lock the person's account until the transaction ends, and return it with the second factor.

    Raises:
        NotFound: there is no such person.
    """
    session.execute(_LOCK, {"person": person_id})
    # A statement of its own: one that waits for the lock would still read the second factor as it was before.
    row = session.execute(_STATE, {"person": person_id}).first()
    if row is None:
        detail = "there is no such person"
        raise NotFound(detail)
    return row


def use_code(session: Session, person_id: UUID, row: Row[Any], code: str) -> bool:
    """Use a code of the app or a recovery code, in the caller's transaction; return whether it is right and unused."""
    typed = factor_codes.app_code(code)
    if typed is not None and row.secret_enc is not None:
        step = factor_codes.matching_step(_unseal(person_id, row.secret_enc), typed, now(), row.last_step)
        if step is None:
            return False
        session.execute(
            text("UPDATE platform.second_factors SET last_step = :step WHERE person_id = :person"),
            {"person": person_id, "step": step},
        )
        return True
    digest = factor_codes.recovery_digest(person_id, code)
    if digest is None:
        return False
    used = session.execute(
        text(
            "UPDATE platform.recovery_codes SET used_at = :now"
            " WHERE digest = :digest AND person_id = :person AND used_at IS NULL RETURNING 1"
        ),
        {"digest": digest, "person": person_id, "now": now()},
    ).first()
    return used is not None


def counters_of(person_id: UUID, code: str, address: str) -> list[throttle.FailureCounter]:
    """The counters of failures that a code counts to. A recovery code never waits for the guesses of others."""
    counters = [throttle.of_codes_from(person_id, address)]
    if factor_codes.app_code(code) is not None:
        counters.append(throttle.of_app_codes(person_id))
    return counters


def wrong_code() -> Invalid:
    """The error of a wrong code."""
    detail = "the code is wrong"
    return Invalid(detail, errors=[FieldError("code", _WRONG_CODE, _CODE_REMEDY)])


def _check(person_id: UUID, proof: Proof, act: Callable[[Session, Row[Any]], None]) -> None:
    """Check password and code, and run ``act(session, row)`` in the same transaction."""
    counters = counters_of(person_id, proof.code, proof.address)
    with platform_session() as session:
        for counter in counters:
            throttle.reject_waiting(session, counter)
        stored = locked_state(session, person_id).password_hash
    if stored is None:
        detail = "you sign in without a password"
        raise Conflict(detail, remedy="The provider by which you sign in asks for a second factor.")
    right = passwords.matches(proof.password, stored)
    error = None
    with platform_session() as session:
        row = locked_state(session, person_id)
        if not right or row.password_hash != stored:
            remedy = "Give the password that you sign in with."
            detail = "the password is wrong"
            error = Invalid(detail, errors=[FieldError("password", "is not your password", remedy)])
        elif row.confirmed_at is not None and not use_code(session, person_id, row, proof.code):
            error = wrong_code()
            sign_in_events.note(session, person_id, sign_in_events.CODE_FAILED)
        if error is None:
            act(session, row)
        for counter in counters:
            if error is None:
                throttle.clear(session, counter)
            else:
                throttle.count_failure(session, counter)
    sign_in_events.copy_of(person_id)
    if error is not None:
        raise error


def _reject_off(row: Row[Any]) -> None:
    if row.confirmed_at is None:
        detail = "you have no second factor"
        raise Conflict(detail, remedy="Set it up first.")


def _required(session: Session, person_id: UUID, row: Row[Any]) -> bool:
    if row.operator_role is not None:
        return must_have_factor(operator=True, roles=(), roles_with_factor=None)
    rules = session.execute(_RULES, {"person": person_id}).all()
    return any(must_have_factor(operator=False, roles=rule.roles, roles_with_factor=rule.named) for rule in rules)


def _candidate(person_id: UUID, row: Row[Any]) -> str:
    if row.candidate_at is None or row.candidate_at + timedelta(minutes=SET_UP_MINUTES) <= now():
        detail = "no new app waits to be confirmed"
        raise NotFound(detail, remedy="Begin again.")
    return _unseal(person_id, row.candidate_enc)


def _new_recovery_codes(session: Session, person_id: UUID) -> list[str]:
    codes = factor_codes.new_recovery_codes()
    session.execute(text("DELETE FROM platform.recovery_codes WHERE person_id = :person"), {"person": person_id})
    session.execute(
        text("INSERT INTO platform.recovery_codes (digest, person_id, created_at) VALUES (:digest, :person, :now)"),
        [
            {"digest": factor_codes.recovery_digest(person_id, code), "person": person_id, "now": now()}
            for code in codes
        ],
    )
    return codes


def delete(session: Session, person_id: UUID) -> None:
    """Delete the second factor and its recovery codes, in the caller's transaction."""
    for table in ("recovery_codes", "second_factors"):
        session.execute(text(f"DELETE FROM platform.{table} WHERE person_id = :person"), {"person": person_id})  # noqa: S608


def _seal(person_id: UUID, secret: str) -> bytes:
    return master.seal_own(secret.encode("ascii"), _bound_to(person_id))


def _unseal(person_id: UUID, sealed: bytes) -> str:
    return master.unseal_own(bytes(sealed), _bound_to(person_id)).decode("ascii")


def _bound_to(person_id: UUID) -> str:
    return f"platform|second_factors|secret_enc|{person_id}"
