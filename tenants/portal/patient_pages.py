"""Pages of patients: search by name, number or phone, the record of one patient, and recording attempts."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext
from core.errors import Conflict, Invalid
from core.idempotency import REPEATABLE
from core.identity import Principal
from core.web.cursors import Sort
from core.web.days import IsoDay
from core.web.pages import SEE_OTHER
from core.web.paging import Page as ListPage
from core.web.paging import PageRequest
from core.web.rejected_forms import RejectedForm
from core.web.texts import gettext as _
from core.web.texts import marked
from tenants.followup import planning, service
from tenants.followup.schemas import NOTE_MAX, AttemptPost, OutcomePost
from tenants.followup.schemas_interventions import EndPost, InterventionPost
from tenants.portal import patient_words
from tenants.portal.patient_view import DAYS_ON_PAGE, read_view
from tenants.portal.risk_picture import risk_picture
from tenants.portal.words import OUTCOMES, WRONG_PHONE, wrong_phone
from tenants.records.ids import new_uuid
from tenants.records.repository import facility_names
from tenants.records.schemas import PatientOut, PatientSearch
from tenants.records.service import search_patients

router = APIRouter()

Reader = Annotated[Principal, Depends(require("patients.read", confined=True, by_patient=True))]
Recorder = Annotated[Principal, Depends(require("attempts.write", confined=True, by_patient=True))]
PageNumber = Annotated[int, Query(ge=1, le=10_000)]

MOST: Final = 50
"""The most patients that a search shows. A search with more matches has to be narrowed."""

_SEARCHED: Final = ("hospital_number", "pepfar_id", "phone")
_ENDS: Final = {"failed": marked("Could not be done"), "cancelled": marked("Not needed any more")}
_WRONG: Final = {
    "outcome": marked("Choose what happened."),
    "medium": marked("Choose how you tried."),
    "promised_for": marked("A promised day goes with “Will come” alone. It is today or later, written as YYYY-MM-DD."),
    "returned_on": marked(
        "A day of return goes with “Came back” alone. It is today or earlier, written as YYYY-MM-DD."
    ),
    "reason": marked("Choose a reason."),
    "new_phone": WRONG_PHONE,
    "note": marked("Write a note of at most {count} characters."),
}


class AttemptForm(BaseModel):
    """The form of an attempt as the browser sends it; the page gave it its id."""

    model_config = ConfigDict(extra="ignore")

    id: UUID
    outcome: str = Field(default="", max_length=40)
    medium: str = Field(default="phone_call", max_length=40)
    promised_for: str = Field(default="", max_length=40)
    returned_on: str = Field(default="", max_length=40)
    new_phone: str = Field(default="", max_length=100)
    reason: str = Field(default="", max_length=200)
    note: str = Field(default="", max_length=2 * NOTE_MAX)


@dataclass(frozen=True, slots=True)
class WrongForm:
    """A form with errors, which was not recorded, and the fields to correct."""

    form: AttemptForm
    fields: tuple[str, ...]


@router.get("/patients")
def show_search(page: Page, _: Reader, scope: TenantScope) -> HTMLResponse:
    """Show the search form."""
    return _search_page(page, scope)


@router.post("/patients", dependencies=[REPEATABLE])
def post_search(
    page: Page, _: Reader, scope: TenantScope, text: Annotated[str, Form(max_length=100)] = ""
) -> HTMLResponse:
    """Show the patients with the name, number or phone in the form. It is in no address: addresses are logged."""
    matches = find_patients(scope, text)
    if matches is None:
        return _search_page(page, scope, text=text, problem=True)
    patients, more = matches
    return _search_page(page, scope, text=text, patients=patients, more=more)


def find_patients(scope: Scope, text: str) -> tuple[list[PatientOut], bool] | None:
    """Return the patients with a name, number or phone, and whether there may be more; None for a text without any.

    The audit records each patient that is found.
    """
    searches = _searches(text)
    if not searches:
        return None
    patients: dict[UUID, PatientOut] = {}
    more = False
    paging = PageRequest(1, MOST, "/patients", sort=Sort.parse("id"), keyed=True)
    for search in searches:
        if search.name is not None and patients and any(sign.isdigit() for sign in text):
            break  # a number or phone was written, and found
        part = ListPage[PatientOut].model_validate_json(search_patients(scope, search, paging))
        patients |= {patient.id: patient for patient in part.items}
        more = more or part.next is not None or (search.name is not None and part.total == MOST)
    return list(patients.values()), more


@router.get("/patients/{patient_id}")
def show_patient(
    page: Page,
    _: Reader,
    scope: TenantScope,
    patient_id: UUID,
    day: IsoDay | None = None,
    number: Annotated[PageNumber, Query(alias="page")] = 1,
    done: UUID | None = None,
) -> HTMLResponse:
    """Show a patient's record. ``done`` is the attempt that was just recorded, and can be undone."""
    return _patient_page(page, scope, patient_id, day=day, number=number, done=done)


@router.post("/patients/{patient_id}/attempts")
def post_attempt(
    page: Page,
    _: Reader,
    __: Recorder,
    scope: TenantScope,
    patient_id: UUID,
    form: Annotated[AttemptForm, Form()],
) -> Response:
    """Record an attempt. If the form has errors, show it again with the fields to correct."""
    sent = {name: value for name, value in form.model_dump().items() if value != ""}
    try:
        body = AttemptPost.model_validate({**sent, "patient_id": patient_id})
        with scope.session() as session:
            service.record(session, body)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        wrong = WrongForm(form, tuple(dict.fromkeys(str(problem["loc"][0]) for problem in problems)))
        return _form_again(page, scope, patient_id, wrong)
    except Invalid as error:
        fields = tuple(problem.field.removeprefix("body.") for problem in error.errors)
        return _form_again(page, scope, patient_id, WrongForm(form, fields))
    except Conflict:
        renewed = form.model_copy(update={"id": new_uuid()})
        return _form_again(page, scope, patient_id, WrongForm(renewed, ()))
    return RedirectResponse(f"/patients/{patient_id}?done={form.id}", SEE_OTHER)


@router.post("/patients/{patient_id}/attempts/{attempt_id}/undo")
def post_undo(_: Recorder, scope: TenantScope, patient_id: UUID, attempt_id: UUID) -> RedirectResponse:
    """Undo the attempt."""
    with scope.session() as session:
        service.undo(session, attempt_id)
    return RedirectResponse(f"/patients/{patient_id}", SEE_OTHER)


class PlanForm(BaseModel):
    """The form of an intervention to plan; the page gave it its id."""

    model_config = ConfigDict(extra="ignore")

    id: UUID
    kind: str = Field(default="", max_length=40)
    due: str = Field(default="", max_length=40)
    note: str = Field(default="", max_length=2 * NOTE_MAX)


class PlanEndForm(BaseModel):
    """The form of a planned intervention's end: an outcome, or ``failed`` or ``cancelled``."""

    model_config = ConfigDict(extra="ignore")

    outcome: str = Field(default="", max_length=40)


@router.post("/patients/{patient_id}/plans")
def post_plan(
    page: Page,
    _reader: Reader,
    _recorder: Recorder,
    scope: TenantScope,
    patient_id: UUID,
    form: Annotated[PlanForm, Form()],
) -> Response:
    """Plan an intervention for the patient."""
    sent = {name: value for name, value in form.model_dump().items() if value != ""}
    try:
        with scope.session() as session:
            planning.plan(session, InterventionPost.model_validate({**sent, "patient_id": patient_id}))
    except (ValidationError, Invalid, Conflict):
        problem = _("Choose what to do, and a day from today on.")
        return RejectedForm(lambda: _patient_page(page, scope, patient_id, plan_problem=problem))
    return RedirectResponse(f"/patients/{patient_id}#plans", SEE_OTHER)


@router.post("/patients/{patient_id}/plans/{intervention_id}/end")
def post_plan_end(
    page: Page,
    _reader: Reader,
    _recorder: Recorder,
    scope: TenantScope,
    patient_id: UUID,
    intervention_id: UUID,
    form: Annotated[PlanEndForm, Form()],
) -> Response:
    """Record what became of a planned intervention."""
    try:
        with scope.session() as session:
            if form.outcome in ("failed", "cancelled"):
                planning.end(session, intervention_id, EndPost.model_validate({"state": form.outcome}))
                return RedirectResponse(f"/patients/{patient_id}", SEE_OTHER)
            planning.complete(session, intervention_id, OutcomePost.model_validate({"outcome": form.outcome}))
    except (ValidationError, Invalid, Conflict):
        problem = _("Choose what happened. What has ended cannot be ended again.")
        return RejectedForm(lambda: _patient_page(page, scope, patient_id, plan_problem=problem))
    return RedirectResponse(f"/patients/{patient_id}?done={intervention_id}", SEE_OTHER)


def _searches(text: str) -> list[PatientSearch]:
    """The searches for a text: by either number, by phone, and last by name, which may have digits too."""
    if not any(character.isalnum() for character in text):
        return []
    searches = []
    for field in _SEARCHED:
        try:
            searches.append(PatientSearch.model_validate({field: text}))
        except ValidationError:
            continue  # the text is no phone
    with suppress(ValidationError):  # the text has no word of a name
        searches.append(PatientSearch(name=text))
    return searches


def _search_page(
    page: PageContext,
    scope: Scope,
    *,
    text: str = "",
    patients: list[PatientOut] | None = None,
    more: bool = False,
    problem: bool = False,
) -> HTMLResponse:
    with scope.session() as session:
        names = facility_names(session, {patient.facility for patient in patients or ()})
    return page.render(
        "portal/patients.html",
        scope.principal,
        status=Invalid.status if problem else 200,
        partner=scope.tenant.name,
        current="/patients",
        text=text,
        patients=patients,
        more=more,
        may_see_messages="messages.read" in scope.principal.permissions,
        problem=problem,
        clinics=names,
        words=patient_words,
    )


def _form_again(page: PageContext, scope: Scope, patient_id: UUID, wrong: WrongForm) -> RejectedForm:
    return RejectedForm(lambda: _patient_page(page, scope, patient_id, wrong=wrong))


def _patient_page(
    page: PageContext,
    scope: Scope,
    patient_id: UUID,
    *,
    number: int = 1,
    day: date | None = None,
    done: UUID | None = None,
    wrong: WrongForm | None = None,
    plan_problem: str = "",
) -> HTMLResponse:
    view = read_view(scope, patient_id, day, number)
    return page.render(
        "portal/patient.html",
        scope.principal,
        status=200 if wrong is None and not plan_problem else Invalid.status,
        partner=scope.tenant.name,
        current="/patients",
        view=view,
        plan_id=new_uuid(),
        plan_problem=plan_problem,
        reasons=patient_words.reason_rows(view.risk.reasons if view.risk else ()),
        risk_picture=risk_picture(view.risk),
        words=patient_words,
        wrong_phone=wrong_phone(view.wrong_phone_on) if view.patient.phone else "",
        outcomes={"": marked("Choose"), **OUTCOMES},
        plan_outcomes={"": marked("Choose"), **OUTCOMES, **_ENDS},
        page_number=number,
        pages=-(-view.days // DAYS_ON_PAGE),
        done=done,
        form=AttemptForm(id=new_uuid()) if wrong is None else wrong.form,
        form_again=wrong is not None,
        errors={} if wrong is None else {field: _(_WRONG[field]).format(count=NOTE_MAX) for field in wrong.fields},
        note_max=NOTE_MAX,
        may_record="attempts.write" in scope.principal.permissions,
        may_see_consent="consents.read" in scope.principal.permissions,
    )
