"""Assign patients to colleagues: who may be chosen, assigning, and ending an assignment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from core import audit
from core.clock import now
from core.errors import FieldError, Invalid, NotFound
from core.identity.people.colleagues import colleagues
from tenants.followup.schemas import AssigneeOut, AssignmentOut
from tenants.records.locks import lock_patient
from tenants.records.models import PatientAssignment
from tenants.records.repository import facility_of_id
from tenants.records.service import patient_of_id

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import Reach, TenantSession

NEEDED: Final = "attempts.write"
"""The permission that a colleague needs, because a patient's follower records attempts."""

SUBJECT: Final = "patient"


def assignees(session: TenantSession, patient: UUID) -> list[AssigneeOut]:
    """Return the people to whom the patient can be assigned, by name: they record attempts, and reach the facility.

    Raises:
        NotFound: there is no such patient.
    """
    facility = facility_of_id(session, patient_of_id(session, patient).facility_uuid)
    return [
        AssigneeOut(id=one.id, name=one.name)
        for one in colleagues(session.tenant, NEEDED)
        if facility is not None and can_follow(one.reach, facility.uuid, facility.state_province)
    ]


def can_follow(reach: Reach, facility: UUID, state: str | None) -> bool:
    """Whether somebody with a reach sees the patients of a facility in a state, and so can follow them."""
    return (reach.facility_ids is None or facility in reach.facility_ids) and (
        reach.states is None or state in reach.states
    )


def read(session: TenantSession, patient: UUID) -> AssignmentOut:
    """Return the assignment of a patient.

    Raises:
        NotFound: there is no such patient, or nobody is assigned.
    """
    row = session.get(PatientAssignment, patient_of_id(session, patient).uuid)
    if row is None:
        detail = "the patient is assigned to nobody"
        raise NotFound(detail)
    return _shown(row)


def assign(session: TenantSession, patient: UUID, person: UUID) -> AssignmentOut:
    """Assign a patient to a person, who replaces the one assigned before.

    Raises:
        NotFound: there is no such patient.
        Invalid: the person cannot follow the patient.
    """
    if person not in {one.id for one in assignees(session, patient)}:
        problem = FieldError("body.person_id", "cannot follow this patient", "Choose one of the patient's assignees.")
        detail = "the patient cannot be assigned to this person"
        raise Invalid(detail, errors=[problem])
    lock_patient(session, patient)
    row = session.get(PatientAssignment, patient, populate_existing=True)
    if row is None:
        row = PatientAssignment(patient_uuid=patient, person_id=person, assigned_by=session.actor)
    elif row.person_id == person and row.instead_of is None:
        return _shown(row)
    else:
        row.person_id, row.assigned_by, row.assigned_at = person, session.actor, now()
        row.merged_uuid = row.instead_of = None
    session.add(row)
    session.flush()
    audit.record(session, "followup:patient:assign", SUBJECT, patient, {"person": str(person)})
    return _shown(row)


def end(session: TenantSession, patient: UUID) -> None:
    """End the assignment of a patient. Without one, change nothing.

    Raises:
        NotFound: there is no such patient.
    """
    lock_patient(session, patient_of_id(session, patient).uuid)
    row = session.get(PatientAssignment, patient, populate_existing=True)
    if row is not None:
        session.delete(row)
        session.flush()
        audit.record(session, "followup:patient:unassign", SUBJECT, patient, {"person": str(row.person_id)})


def _shown(row: PatientAssignment) -> AssignmentOut:
    return AssignmentOut(
        patient_id=row.patient_uuid,
        person_id=row.person_id,
        assigned_at=row.assigned_at,
        assigned_by=row.assigned_by,
    )
