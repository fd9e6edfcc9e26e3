"""Page on which a patient of Today's list is assigned to a colleague."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import Field

from core.access import TenantScope, require
from core.access.pages import Page
from core.errors import Invalid, NotFound
from core.identity import Principal
from core.web.pages import SEE_OTHER
from tenants.followup import assignments
from tenants.portal import patient_words
from tenants.portal.today_pages import Viewed, ViewForm
from tenants.portal.words import unnamed
from tenants.records.schemas import PatientOut
from tenants.records.service import read_patient

router = APIRouter()

Assigner = Annotated[Principal, Depends(require("assignments.write", confined=True, by_patient=True))]


class AssignManyForm(ViewForm):
    """The form of an assignment of the chosen patients of a page; an empty ``person_id`` ends theirs."""

    person_id: UUID | Literal[""] = ""
    patient_id: list[UUID] = Field(default_factory=list, max_length=100)


class AssignForm(ViewForm):
    """The form of an assignment; an empty ``person_id`` ends it."""

    person_id: UUID | Literal[""] = ""


@router.get("/assign/{patient_id}")
def show_assign(page: Page, principal: Assigner, scope: TenantScope, patient_id: UUID, view: Viewed) -> HTMLResponse:
    """Show the colleagues to whom the patient can be assigned."""
    title = unnamed(patient_id)
    if "patients.read" in principal.permissions:
        title = patient_words.title_of(PatientOut.model_validate_json(read_patient(scope, patient_id, None)[1]))
    with scope.session() as session:
        people = assignments.assignees(session, patient_id)
        try:
            assigned = assignments.read(session, patient_id).person_id
        except NotFound:
            assigned = None
    return page.render(
        "portal/assign.html",
        principal,
        partner=scope.tenant.name,
        current="/today",
        view=view,
        back_to=view.address(),
        patient_id=patient_id,
        title=title,
        people=people,
        assigned=assigned,
        own=principal.id,
    )


@router.post("/assign/{patient_id}")
def post_assign(
    _: Assigner, scope: TenantScope, patient_id: UUID, form: Annotated[AssignForm, Form()]
) -> RedirectResponse:
    """Assign the patient to the chosen colleague, or to nobody, and return to the list."""
    with scope.session() as session:
        if form.person_id:
            assignments.assign(session, patient_id, form.person_id)
        else:
            assignments.end(session, patient_id)
    return RedirectResponse(form.view.address(), SEE_OTHER)


@router.post("/today/assignments")
def post_assignments(_: Assigner, scope: TenantScope, form: Annotated[AssignManyForm, Form()]) -> RedirectResponse:
    """Assign the chosen patients to a colleague, or to nobody, and return to the list, which says how many it was."""
    assigned = 0
    with scope.session() as session:
        for patient in sorted(set(form.patient_id)):
            if not form.person_id:
                assignments.end(session, patient)
            else:
                try:
                    assignments.assign(session, patient, form.person_id)
                except Invalid:
                    continue  # the colleague does not reach this patient's clinic
            assigned += 1
    return RedirectResponse(form.view.address(assigned=assigned), SEE_OTHER)
