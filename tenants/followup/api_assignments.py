"""Routes of assignments: which colleague follows a patient."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from core.access import TenantDb, require
from core.errors import NotFound
from core.errors.problem import responses
from core.identity import Principal
from tenants.followup import assignments
from tenants.followup.schemas import AssigneeOut, AssignmentOut, AssignmentPut

router = APIRouter(prefix="/assignments", tags=["assignments"])

AssignmentsRead = Annotated[Principal, Depends(require("attempts.read", confined=True, by_patient=True))]
AssignmentsWrite = Annotated[Principal, Depends(require("assignments.write", confined=True, by_patient=True))]
NO_SUCH = responses(NotFound)


@router.get("/{patient_id}", operation_id="get_assignment", summary="Get the assignment of a patient")
def get_assignment(_: AssignmentsRead, db: TenantDb, patient_id: UUID) -> AssignmentOut:
    """Return who follows the patient; 404 if nobody is assigned."""
    return assignments.read(db, patient_id)


@router.get(
    "/{patient_id}/assignees",
    operation_id="list_assignees",
    summary="List the people to whom a patient can be assigned",
    responses=NO_SUCH,
)
def list_assignees(_: AssignmentsWrite, db: TenantDb, patient_id: UUID) -> list[AssigneeOut]:
    """Return the people who record attempts and reach the patient's facility, by name."""
    return assignments.assignees(db, patient_id)


@router.put(
    "/{patient_id}", operation_id="assign_patient", summary="Assign a patient to a colleague", responses=NO_SUCH
)
def assign_patient(_: AssignmentsWrite, db: TenantDb, patient_id: UUID, body: AssignmentPut) -> AssignmentOut:
    """Replace the person who was assigned before. The audit records both."""
    return assignments.assign(db, patient_id, body.person_id)


@router.delete(
    "/{patient_id}",
    operation_id="end_assignment",
    status_code=204,
    summary="End the assignment of a patient",
    responses=NO_SUCH,
)
def end_assignment(_: AssignmentsWrite, db: TenantDb, patient_id: UUID) -> None:
    """The patient is then on everybody's list. Ending it again changes nothing."""
    assignments.end(db, patient_id)
