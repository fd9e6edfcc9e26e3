"""Patients who were handed over because their officer is away, and go back when the officer is there again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from core import audit
from core.clock import now
from core.database import lock_own

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from core.database import TenantSession

_HANDED_OVER: Final = """
SELECT a.patient_uuid, a.instead_of, p.facility_uuid, f.state_province FROM patient_assignments a
JOIN patients p ON p.uuid = a.patient_uuid AND p.known_to IS NULL
JOIN facilities f ON f.uuid = p.facility_uuid
WHERE a.instead_of IS NOT NULL ORDER BY a.patient_uuid
"""
_GIVE_BACK: Final = """
UPDATE patient_assignments SET person_id = instead_of, instead_of = NULL, assigned_at = %s, assigned_by = %s
WHERE patient_uuid = ANY(%s) AND instead_of IS NOT NULL RETURNING patient_uuid
"""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A patient who is followed by somebody else while ``owner`` is away; ``facility`` and ``state`` are theirs now."""

    patient: UUID
    owner: UUID
    facility: UUID
    state: str | None


def lock(session: TenantSession) -> None:
    """Wait until no other transaction shares out lists, or gives patients back."""
    with session.cursor() as cursor:
        lock_own(cursor, "followup:share")


def handed_over(session: TenantSession) -> list[HandedOver]:
    """The patients whose officers are, or were, away."""
    with session.cursor() as cursor:
        return [HandedOver(*row) for row in cursor.execute(_HANDED_OVER).fetchall()]


def give_back(session: TenantSession, patients: Collection[UUID]) -> Sequence[UUID]:
    """Assign these patients to their own officers again; return whom it concerned."""
    if not patients:
        return []
    with session.cursor() as cursor:
        values = (now(), session.actor, sorted(patients))
        returned = [row[0] for row in cursor.execute(_GIVE_BACK, values).fetchall()]
    audit.record_many(session, "followup:patient:assign", "patient", returned, {"given_back": True})
    return returned
