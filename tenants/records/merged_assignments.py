"""Assignments of merged patients: the survivor keeps who follows the person, and an unmerge returns it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from core import audit
from tenants.records.models_assignment import PatientAssignment

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from core.database import TenantSession


def move_to_survivor(session: TenantSession, merged: UUID, survivor: UUID) -> None:
    """Move the assignment of a merged patient to the survivor. If somebody follows the survivor, that one stays."""
    row = session.get(PatientAssignment, merged, populate_existing=True)
    if row is not None:
        _move(session, row, survivor, row.merged_uuid or merged)


def return_after_unmerge(session: TenantSession, survivor: UUID, patient: UUID, along: Collection[UUID]) -> None:
    """Return to a patient the assignment that the merge moved to the survivor, unless it was changed since.

    Args:
        session: the tenant's transaction.
        survivor: the patient for whom the other counted.
        patient: the patient who is by itself again.
        along: the patients who were merged into that one before, and count for it again.
    """
    row = session.exec(
        select(PatientAssignment).where(
            PatientAssignment.patient_uuid == survivor, col(PatientAssignment.merged_uuid).in_([patient, *along])
        )
    ).first()
    if row is not None:
        _move(session, row, patient, None if row.merged_uuid == patient else row.merged_uuid)


def _move(session: TenantSession, row: PatientAssignment, patient: UUID, merged: UUID | None) -> None:
    """Move an assignment to a patient; end it if somebody follows that one."""
    present = session.get(PatientAssignment, patient, populate_existing=True)
    moved = PatientAssignment(
        patient_uuid=patient,
        person_id=row.person_id,
        assigned_at=row.assigned_at,
        assigned_by=row.assigned_by,
        merged_uuid=merged,
        instead_of=row.instead_of,
    )
    session.delete(row)
    session.flush()
    audit.record(session, "followup:patient:unassign", "patient", row.patient_uuid, {"person": str(row.person_id)})
    if present is not None:
        return
    session.add(moved)
    session.flush()
    audit.record(session, "followup:patient:assign", "patient", patient, {"person": str(moved.person_id)})
