"""Routes of patients: list, search, export, read, history, add, change, void."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from core.access import TenantDb, TenantScope
from core.errors.family import Conflict, PreconditionFailed, PreconditionRequired
from core.errors.problem import responses
from core.idempotency import REPEATABLE
from core.web.etag import IfMatch, etag, set_etag
from core.web.event_loop import on_event_loop
from core.web.location import set_location
from core.web.ndjson import RESPONSES, ndjson
from core.web.paging import Page, PageRequest, long_pages, sorted_pages
from tenants.records import service
from tenants.records.filters import AsOf, PatientFilter
from tenants.records.permissions import PatientsAdd, PatientsRead, PatientsReader, PatientsWrite, VoidReason
from tenants.records.schemas import (
    PatientOut,
    PatientPatch,
    PatientPost,
    PatientSearch,
    PatientVersionOut,
    TimelineEntry,
    TimelineKind,
)
from tenants.records.timeline import read_timeline

router = APIRouter(prefix="/patients", tags=["patients"])

Wanted = Annotated[PatientFilter, Depends(on_event_loop(PatientFilter))]
Ordered = Annotated[PageRequest, Depends(long_pages({"id": UUID, "known_from": datetime}))]
OrderedVersions = Annotated[PageRequest, Depends(long_pages({"known_from": datetime}))]
OrderedEntries = Annotated[PageRequest, Depends(sorted_pages({"date": date}, "-date"))]
"""Page and order of a patient's timeline. It has no cursor, because every page merges several tables anyway."""
Kinds = Annotated[list[TimelineKind] | None, Query(description="Only these kinds; all when empty.")]
CHANGES = responses(Conflict, PreconditionFailed, PreconditionRequired)


@router.get("", summary="List patients", response_model=Page[PatientOut])
def list_patients(caller: PatientsReader, paging: Ordered, wanted: Wanted) -> Response:
    """Return one page of patients with names, phones and identifiers. The audit records the read of each of them."""
    return Response(service.read_patients(caller.scope(), wanted, paging), media_type="application/json")


@router.post(
    "/search",
    summary="Find patients by name, identifiers or phone",
    response_model=Page[PatientOut],
    dependencies=[REPEATABLE],
)
def search_patients(_: PatientsRead, scope: TenantScope, paging: Ordered, body: PatientSearch) -> Response:
    """Return one page of the patients who match. Send the same body to `next` and `previous`.

    A search by name gives the best match first, and takes no `sort`.
    """
    return Response(service.search_patients(scope, body, paging), media_type="application/json")


@router.get(
    "/export",
    summary="Export all patients that match, one JSON object a line",
    responses=RESPONSES,
    response_class=StreamingResponse,
)
def export_patients(_: PatientsRead, scope: TenantScope, wanted: Wanted) -> StreamingResponse:
    """Stream the patients in steps. The audit records the read of each patient before it is sent."""
    return ndjson(scope, lambda session, cursor: service.export_step(session, wanted, cursor))


@router.post("", status_code=201, summary="Add a patient", responses=responses(Conflict))
def create_patient(_: PatientsAdd, db: TenantDb, body: PatientPost, response: Response) -> PatientOut:
    """Add a patient who is new at the facility. No other patient there may have one of the identifiers."""
    patient = service.create_patient(db, body)
    set_location(response, f"/v1/patients/{patient.id}")
    return _tagged(response, patient)


@router.get("/{patient_id}", summary="Get a patient", response_model=PatientOut)
def read_patient(caller: PatientsReader, patient_id: UUID, as_of: AsOf = None) -> Response:
    """Return the patient as known now, or as known at the end of a day. The audit records the read."""
    version, answer = service.read_patient(caller.scope(), patient_id, as_of)
    return Response(answer, media_type="application/json", headers={"ETag": etag(version)})


@router.patch("/{patient_id}", summary="Change what is sent, leave the rest", responses=CHANGES)
def change_patient(
    _: PatientsWrite, db: TenantDb, patient_id: UUID, body: PatientPatch, if_match: IfMatch, response: Response
) -> PatientOut:
    """Close the open version and add the next one. A request that changes nothing adds no version."""
    return _tagged(response, service.change_patient(db, patient_id, body, if_match))


@router.delete("/{patient_id}", status_code=204, summary="Void a patient and all of theirs", responses=CHANGES)
def void_patient(_: PatientsWrite, db: TenantDb, patient_id: UUID, if_match: IfMatch, reason: VoidReason) -> None:
    """Void the patient and all their rows. The history keeps them, with who voided them, when and why.

    Later imports do not bring them back.
    """
    service.void_patient(db, patient_id, reason, if_match)


@router.get("/{patient_id}/timeline", summary="List what is recorded of a patient, newest first unless sorted")
def read_patient_timeline(
    reader: PatientsRead, db: TenantDb, paging: OrderedEntries, patient_id: UUID, kind: Kinds = None, as_of: AsOf = None
) -> Page[TimelineEntry]:
    """Return one page of visits, encounters, observations, dispensations, appointments, states and contacts.

    It also has messages to the patient, delivery reports and answers, without what they say unless the caller has
    `messages.read`; and decisions about messages, if the caller has `consents.read`.
    """
    return read_timeline(db, patient_id, as_of, frozenset(kind or ()), paging, reader.permissions)


@router.get("/{patient_id}/versions", summary="List the versions of a patient, oldest first unless sorted")
def read_patient_versions(
    _: PatientsRead, db: TenantDb, paging: OrderedVersions, patient_id: UUID
) -> Page[PatientVersionOut]:
    """Return one page of the versions of a patient.

    If the patient is voided, the newest says who voided it, when and why.
    """
    part = service.read_versions(db, patient_id, paging)
    return Page.of(part.rows, paging, part.total, part.last)


def _tagged(response: Response, patient: PatientOut) -> PatientOut:
    set_etag(response, patient.version_id)
    return patient
