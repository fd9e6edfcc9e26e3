"""What became of people who are no longer in an alert: who came back, and who left care."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date
    from uuid import UUID

    from core.database import TenantSession

RULES: Final = frozenset({"risk_high", "late", "iit"})
"""The rules whose people leave an alert by coming back."""
_OUTCOMES: Final = """
SELECT count(*) FILTER (WHERE came), count(*) FILTER (WHERE NOT came AND has_left) FROM (
  SELECT EXISTS (
    SELECT FROM contacts c WHERE c.patient_uuid = p.uuid AND c.known_to IS NULL AND c.contact_date >= %(since)s
  ) AS came, coalesce((
    SELECT t.to_status IN ('died', 'transferred_out', 'stopped') FROM status_transitions t
    WHERE t.patient_uuid = p.uuid ORDER BY t.date DESC, t.seq DESC LIMIT 1
  ), false) AS has_left
  FROM unnest(%(people)s::uuid[]) AS p (uuid)
) AS each
"""


def outcomes_of(session: TenantSession, people: Collection[UUID], since: date) -> dict[str, int]:
    """Count what became of people: ``returned`` had a contact since, ``left_care`` died, moved or stopped.

    Args:
        session: a transaction of the tenant.
        people: those who are no longer in the alert.
        since: the day of the scoring that last put them there. They had not come by then.
    """
    with session.cursor() as cursor:
        row = cursor.execute(_OUTCOMES, {"people": list(people), "since": since}).fetchone()
    returned, left_care = row or (0, 0)
    return {"returned": returned, "left_care": left_care}
