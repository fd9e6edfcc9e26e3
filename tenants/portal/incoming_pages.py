"""Page on which a message of an unknown phone is assigned to its patient."""

from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse

from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext
from core.errors import Invalid
from core.idempotency import REPEATABLE
from core.identity import Principal
from tenants.messages import service
from tenants.portal import message_words, patient_words
from tenants.portal.patient_pages import find_patients
from tenants.records.repository import facility_names
from tenants.records.schemas import PatientOut
from tenants.records.service import read_patient

router = APIRouter()

Answerer = Annotated[Principal, Depends(require("messages.answer"))]
PatientReader = Annotated[Principal, Depends(require("patients.read"))]


@router.get("/messages/{unmatched_id}/patient")
def show_choice(
    page: Page, _answerer: Answerer, _reader: PatientReader, scope: TenantScope, unmatched_id: UUID
) -> HTMLResponse:
    """Show the patients who have the phone of a message, and a search for another one."""
    return _choice_page(page, scope, unmatched_id)


@router.post("/messages/{unmatched_id}/patient", dependencies=[REPEATABLE])
def post_choice_search(
    page: Page,
    _answerer: Answerer,
    _reader: PatientReader,
    scope: TenantScope,
    unmatched_id: UUID,
    text: Annotated[str, Form(max_length=100)] = "",
) -> HTMLResponse:
    """Show the patients with the name, number or phone in the form. It is in no address: addresses are logged."""
    return _choice_page(page, scope, unmatched_id, text=text)


def _choice_page(page: PageContext, scope: Scope, unmatched_id: UUID, *, text: str | None = None) -> HTMLResponse:
    with scope.session() as session:
        message = service.read_unmatched(session, unmatched_id)
    problem = False
    if text is None:
        patients, more = [_patient(scope, candidate) for candidate in message.candidates], False
    else:
        matches = find_patients(scope, text)
        problem = matches is None
        patients, more = matches or ([], False)
    with scope.session() as session:
        clinics = facility_names(session, {patient.facility for patient in patients})
    return page.render(
        "portal/message_patient.html",
        scope.principal,
        status=Invalid.status if problem else 200,
        partner=scope.tenant.name,
        current="/patients",
        message=message,
        patients=patients,
        more=more,
        text=text,
        problem=problem,
        clinics=clinics,
        zone=ZoneInfo(scope.tenant.time_zone),
        words=message_words,
        patient_words=patient_words,
    )


def _patient(scope: Scope, patient_id: UUID) -> PatientOut:
    return PatientOut.model_validate_json(read_patient(scope, patient_id, None)[1])
