"""Patients of Today's list: assign them to a colleague, and plan what to do for several at once."""

from typing import Annotated, Literal
from uuid import UUID, uuid5

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import Field, ValidationError

from core.access import TenantScope, require
from core.access.pages import Page
from core.errors import Invalid, NotFound
from core.identity import Principal
from core.web.pages import SEE_OTHER
from core.web.texts import gettext as _
from tenants.followup import assignments, planning
from tenants.followup.schemas_interventions import InterventionPost
from tenants.portal import patient_words
from tenants.portal.today_pages import Recorder, Tracker, Viewed, ViewForm, WrongPlan, today_page
from tenants.portal.words import unnamed
from tenants.records.schemas import PatientOut
from tenants.records.service import read_patient

router = APIRouter()

Assigner = Annotated[Principal, Depends(require("assignments.write", confined=True, by_patient=True))]


class AssignManyForm(ViewForm):
    """The form of an assignment of the chosen patients of a page; an empty ``person_id`` ends theirs."""

    person_id: UUID | Literal[""] = ""
    patient_id: list[UUID] = Field(default_factory=list, max_length=100)


class PlanManyForm(ViewForm):
    """The form of what to do for the chosen patients of a page. The page has chosen its id."""

    id: UUID
    kind: str = Field(default="", max_length=40)
    due: str = Field(default="", max_length=40)
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
    _assigner: Assigner, scope: TenantScope, patient_id: UUID, form: Annotated[AssignForm, Form()]
) -> RedirectResponse:
    """Assign the patient to the chosen colleague, or to nobody, and return to the list."""
    with scope.session() as session:
        if form.person_id:
            assignments.assign(session, patient_id, form.person_id)
        else:
            assignments.end(session, patient_id)
    return RedirectResponse(form.view.address(), SEE_OTHER)


@router.post("/today/assignments")
def post_assignments(
    _assigner: Assigner, scope: TenantScope, form: Annotated[AssignManyForm, Form()]
) -> RedirectResponse:
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


@router.post("/today/plans")
def post_plans(
    page: Page, principal: Tracker, _recorder: Recorder, scope: TenantScope, form: Annotated[PlanManyForm, Form()]
) -> Response:
    """Plan an intervention for each of the chosen patients, and return to the list.

    Sending the same form again plans nothing more.
    """
    chosen = sorted(set(form.patient_id))
    try:
        plans = [
            InterventionPost.model_validate(
                {"id": uuid5(form.id, str(patient)), "patient_id": patient, "kind": form.kind, "due": form.due or None}
            )
            for patient in chosen
        ]
        with scope.session() as session:
            for plan in plans:
                planning.plan(session, plan)
    except (Invalid, ValidationError) as error:
        if isinstance(error, Invalid) and any(one.field.endswith("patient_id") for one in error.errors):
            detail = "there is no such patient"
            raise NotFound(detail) from None
        wrong = WrongPlan(_("Choose what to do, and a day from today on."), form.due, chosen)
        return today_page(page, principal, scope, form.view, wrong=wrong)
    return RedirectResponse(form.view.address(planned=len(chosen)), SEE_OTHER)
