"""Phones, found by their blind index: who has them, who wants nothing, and which do not exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from core.clock import now
from tenants.followup.repository import wrong_phones
from tenants.messages.models import MessagePhone

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from core.database import TenantSession

_PATIENTS: Final = """
SELECT DISTINCT coalesce(m.canonical_uuid, p.uuid) FROM patients p
LEFT JOIN patient_identities m ON m.patient_uuid = p.uuid AND m.known_to IS NULL
WHERE p.phone_bidx = %s AND p.known_to IS NULL AND NOT p.voided ORDER BY 1
"""
_SENT: Final = """
SELECT count(*) FROM communications
WHERE recipient_bidx = %s AND direction = 'outbound' AND uuid <> %s AND sent_at >= %s
  AND status IN ('sending', 'sent', 'delivered', 'unknown')
"""
_RECENT: Final = """
SELECT DISTINCT ON (patient_uuid) patient_uuid, uuid FROM communications
WHERE recipient_bidx = %s AND direction = 'outbound' AND sent_at >= %s
  AND status IN ('sending', 'sent', 'delivered', 'unknown')
ORDER BY patient_uuid, sent_at DESC
"""
_OPT_OUT: Final = """
INSERT INTO message_phones (phone_bidx, opted_out_at, opted_out_by, updated_at)
VALUES (%(phone)s, %(now)s, %(by)s, %(now)s)
ON CONFLICT (phone_bidx) DO UPDATE SET opted_out_at = coalesce(message_phones.opted_out_at, excluded.opted_out_at),
  opted_out_by = coalesce(message_phones.opted_out_by, excluded.opted_out_by), updated_at = excluded.updated_at
"""
_OPT_IN: Final = """
UPDATE message_phones SET opted_out_at = NULL, opted_out_by = NULL, updated_at = %s WHERE phone_bidx = %s
"""
_WRONG: Final = """
INSERT INTO message_phones (phone_bidx, wrong_since, wrong_reason, updated_at)
VALUES (%(phone)s, %(now)s, %(reason)s, %(now)s)
ON CONFLICT (phone_bidx) DO UPDATE SET wrong_since = coalesce(message_phones.wrong_since, excluded.wrong_since),
  wrong_reason = excluded.wrong_reason, updated_at = excluded.updated_at
"""
_RIGHT: Final = """
UPDATE message_phones SET wrong_since = NULL, wrong_reason = NULL, updated_at = %s
WHERE phone_bidx = %s AND wrong_since IS NOT NULL
"""


def get(session: TenantSession, index: bytes) -> MessagePhone | None:
    """What is remembered of a phone; None if nothing."""
    return session.get(MessagePhone, index, populate_existing=True)


def patients_with(session: TenantSession, index: bytes) -> list[UUID]:
    """The patients who have a phone now; merged records count one time."""
    with session.cursor() as cursor:
        return [row[0] for row in cursor.execute(_PATIENTS, (index,)).fetchall()]


def found_wrong(session: TenantSession, patient: UUID) -> bool:
    """Whether somebody found the patient's phone to be of somebody else, and nobody corrected it."""
    return bool(wrong_phones(session, [patient]))


def sent_since(session: TenantSession, index: bytes, begin: datetime, *, other_than: UUID) -> int:
    """The number of messages that left to a phone since a moment, without one of them."""
    with session.cursor() as cursor:
        count: int = cursor.execute(_SENT, (index, other_than, begin)).fetchall()[0][0]
    return count


def recent_messages(session: TenantSession, index: bytes, since: datetime) -> Sequence[tuple[UUID, UUID]]:
    """Each patient who got a message on a phone since a moment, with the newest message."""
    with session.cursor() as cursor:
        return cursor.execute(_RECENT, (index, since)).fetchall()


def opt_out(session: TenantSession, index: bytes, by: str) -> None:
    """Send nothing to a phone from now on.

    Args:
        session: the tenant's transaction.
        index: the phone.
        by: ``sms``, ``gateway``, or the actor who recorded it.
    """
    with session.cursor() as cursor:
        cursor.execute(_OPT_OUT, {"phone": index, "now": now(), "by": by})


def opt_in(session: TenantSession, index: bytes) -> None:
    """Let a phone receive messages again."""
    with session.cursor() as cursor:
        cursor.execute(_OPT_IN, (now(), index))


def mark_wrong(session: TenantSession, index: bytes, reason: str) -> None:
    """Remember that a number does not exist."""
    with session.cursor() as cursor:
        cursor.execute(_WRONG, {"phone": index, "now": now(), "reason": reason})


def mark_right(session: TenantSession, index: bytes) -> None:
    """Forget that a number does not exist: a message arrived, or came from it."""
    with session.cursor() as cursor:
        cursor.execute(_RIGHT, (now(), index))
