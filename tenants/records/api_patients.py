"""Patients over the API: list, export, read, history, add, change, void."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.responses import StreamingResponse

from core.access import TenantDb, TenantScope
from core.errors.family import Conflict, PreconditionFailed, PreconditionRequired
from core.errors.problem import responses
from core.web.etag import IfMatch, etag, set_etag
from core.web.here import here
from core.web.location import set_location
from core.web.ndjson import RESPONSES, ndjson
from core.web.paging import Page, Paging
from tenants.records import service
from tenants.records.filters import AsOf, PatientFilter
from tenants.records.permissions import PatientsRead, PatientsReader, PatientsWrite, VoidReason
from tenants.records.schemas import PatientOut, PatientPatch, PatientPost, PatientVersionOut, TimelineEntry
from tenants.records.timeline import read_timeline

router = APIRouter(prefix="/patients", tags=["patients"])

Wanted = Annotated[PatientFilter, Depends(here(PatientFilter))]
PatientPath = Annotated[
    str, Path(description="UUID, programme identifier or hospital number of the patient.", max_length=64)
]
TimelineKind = Literal["visit", "encounter", "observation", "dispensation", "appointment", "state", "contact"]
Kinds = Annotated[list[TimelineKind] | None, Query(description="Only these kinds; all when empty.")]
AMBIGUOUS = responses(Conflict)
CHANGES = responses(Conflict, PreconditionFailed, PreconditionRequired)


@router.get("", summary="List patients", response_model=Page[PatientOut])
def list_patients(caller: PatientsReader, paging: Paging, wanted: Wanted) -> Response:
    """Names, phones and identifiers are shown in the clear; each patient on the page is recorded as read."""
    return Response(service.read_patients(caller.scope(), wanted, paging), media_type="application/json")


@router.get("/export", summary="Export all patients that match, one JSON object a line", responses=RESPONSES)
def export_patients(_: PatientsRead, scope: TenantScope, wanted: Wanted) -> StreamingResponse:
    """Read in steps; what is sent is recorded as read before it is sent."""
    return ndjson(scope, lambda session, cursor: service.export_step(session, wanted, cursor))


@router.post("", status_code=201, summary="Add a patient", responses=AMBIGUOUS)
def create_patient(_: PatientsWrite, db: TenantDb, body: PatientPost, response: Response) -> PatientOut:
    """The patient's identity at the facility is new: identifiers must not belong to another patient there."""
    patient = service.create_patient(db, body)
    set_location(response, f"/v1/patients/{patient.uuid}")
    return _tagged(response, patient)


@router.get("/{patient}", summary="Get a patient", responses=AMBIGUOUS, response_model=PatientOut)
def read_patient(caller: PatientsReader, patient: PatientPath, as_of: AsOf = None) -> Response:
    """As things are, or as they were known at the end of a day."""
    version, answer = service.read_patient(caller.scope(), patient, as_of)
    return Response(answer, media_type="application/json", headers={"ETag": etag(version)})


@router.patch("/{patient}", summary="Change what is sent, leave the rest", responses=CHANGES)
def change_patient(
    _: PatientsWrite, db: TenantDb, patient: PatientPath, body: PatientPatch, if_match: IfMatch, response: Response
) -> PatientOut:
    """Closes the present version and adds the next one; a change that changes nothing adds none."""
    return _tagged(response, service.change_patient(db, patient, body, if_match))


@router.delete("/{patient}", status_code=204, summary="Void a patient and all of theirs", responses=CHANGES)
def void_patient(_: PatientsWrite, db: TenantDb, patient: PatientPath, if_match: IfMatch, reason: VoidReason) -> None:
    """Nothing is deleted: rows stay in the history with who voided them, when and why. Imports bring none back."""
    service.void_patient(db, patient, reason, if_match)


@router.get("/{patient}/timeline", summary="List what is recorded of a patient, newest first", responses=AMBIGUOUS)
def read_patient_timeline(
    _: PatientsRead, db: TenantDb, paging: Paging, patient: PatientPath, kind: Kinds = None, as_of: AsOf = None
) -> Page[TimelineEntry]:
    """Visits, encounters, observations, dispensations, appointments, states, and the contacts derived from them."""
    return read_timeline(db, patient, as_of, frozenset(kind or ()), paging)


@router.get("/{patient_uuid}/versions", summary="List every version of a patient, oldest first")
def read_patient_versions(_: PatientsRead, db: TenantDb, patient_uuid: UUID) -> list[PatientVersionOut]:
    """The tombstone of a voided patient too, with who voided it, when and why."""
    return service.read_versions(db, patient_uuid)


def _tagged(response: Response, patient: PatientOut) -> PatientOut:
    set_etag(response, patient.version_id)
    return patient
