"""Waits after failures: a guesser waits longer and longer, and nobody else does."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from core.clock import now
from core.errors import TooManyRequests, phrase

if TYPE_CHECKING:
    from uuid import UUID

    from sqlmodel import Session

FREE: Final = 5
"""Failures of an account from an address before it has to wait."""

FREE_CODES: Final = 20
"""Wrong codes of an account from all addresses before a code of the app has to wait."""

LONGEST_WAIT: Final = timedelta(minutes=15)
FORGET_AFTER: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class FailureCounter:
    """Failures that count together.

    Attributes:
        digest: of what they have in common.
        free: failures without a wait.
        subject: what failed, for the error.
    """

    digest: bytes
    subject: str
    free: int = FREE


def of_password(account: str, address: str) -> FailureCounter:
    """Wrong passwords of one account from one network address."""
    return FailureCounter(_digest(account, address), phrase("failed sign-ins with this e-mail address from here"))


def of_codes_from(person_id: UUID, address: str) -> FailureCounter:
    """Wrong codes of one person from one network address."""
    return FailureCounter(_digest("code", str(person_id), address), phrase("wrong codes from here"))


def of_app_codes(person_id: UUID) -> FailureCounter:
    """Wrong codes of one person's app from everywhere: six digits could be guessed from many addresses.

    Only somebody who knows the password can make this one wait. Recovery codes are not counted here and never wait for
    it, so the person can still sign in.
    """
    return FailureCounter(_digest("app codes", str(person_id)), phrase("wrong codes of this account"), FREE_CODES)


def reject_waiting(session: Session, counter: FailureCounter) -> None:
    """Reject a further try while the counter has to wait.

    Raises:
        TooManyRequests: there were too many failures (429).
    """
    row = session.execute(
        text("SELECT failures, last_at FROM platform.sign_in_failures WHERE digest = :digest"),
        {"digest": counter.digest},
    ).first()
    if row is None or row.failures < counter.free:
        return
    wait = min(LONGEST_WAIT, timedelta(seconds=2 ** min(row.failures - counter.free + 1, 20)))
    left = row.last_at + wait - now()
    if left > timedelta(0):
        detail, seconds = phrase("too many {subject}", subject=counter.subject), int(left.total_seconds()) + 1
        raise TooManyRequests(
            detail, remedy=phrase("Try again in {seconds} seconds.", seconds=seconds), retry_after=seconds
        )


def count_failure(session: Session, counter: FailureCounter) -> None:
    """Count one more failure, in the caller's transaction."""
    moment = now()
    session.execute(text("DELETE FROM platform.sign_in_failures WHERE last_at < :old"), {"old": moment - FORGET_AFTER})
    session.execute(
        text(
            "INSERT INTO platform.sign_in_failures AS f (digest, failures, last_at) VALUES (:digest, 1, :now)"
            " ON CONFLICT (digest) DO UPDATE SET failures = f.failures + 1, last_at = :now"
        ),
        {"digest": counter.digest, "now": moment},
    )


def clear(session: Session, counter: FailureCounter) -> None:
    """Forget the failures, after a success."""
    session.execute(text("DELETE FROM platform.sign_in_failures WHERE digest = :digest"), {"digest": counter.digest})


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode()).digest()
