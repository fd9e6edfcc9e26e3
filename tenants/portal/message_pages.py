"""Pages of messages: the log, what has to be read, and the consent and messages of one patient."""

from typing import Annotated, Final, cast, get_args
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext
from core.clock import today
from core.entitlements import CapReached, PaymentRequired
from core.entitlements import require as require_extra
from core.errors import AppError, Conflict, Invalid
from core.identity import Principal
from core.web.pages import SEE_OTHER
from core.web.paging import PageRequest
from core.web.texts import gettext as _
from core.web.texts import shown_date
from tenants.messages import consents, incoming, service
from tenants.messages.schemas import (
    ConsentPost,
    MessageFilter,
    MessagePost,
    PurposeName,
    SettlementName,
    SettlePost,
    StateName,
)
from tenants.portal import admin_words, patient_words
from tenants.portal import message_words as words
from tenants.portal.words import names_of_patients, unnamed
from tenants.records.ids import new_uuid
from tenants.records.schemas import PatientOut
from tenants.records.service import patient_of_id, read_patient

router = APIRouter()

Reader = Annotated[Principal, Depends(require("messages.read", confined=True, by_patient=True))]
Sender = Annotated[Principal, Depends(require("messages.send", confined=True, by_patient=True))]
Answerer = Annotated[Principal, Depends(require("messages.answer", confined=True, by_patient=True))]
ConsentReader = Annotated[Principal, Depends(require("consents.read", confined=True, by_patient=True))]
ConsentWriter = Annotated[Principal, Depends(require("consents.write", confined=True, by_patient=True))]
PageNumber = Annotated[int, Query(ge=1, le=10_000)]
PAGE_SIZE: Final = 25
_STATES: Final = get_args(StateName)


class ConsentForm(BaseModel):
    """The form of a decision."""

    model_config = ConfigDict(extra="ignore")

    purpose: str = Field(default="reminders", max_length=40)
    decision: str = Field(default="yes", max_length=10)
    source: str = Field(default="verbal", max_length=40)
    day: str = Field(default="", max_length=40)
    language: str = Field(default="", max_length=10)
    shared_phone: str = Field(default="", max_length=10)


@router.get("/messages")
def show_messages(
    page: Page,
    principal: Reader,
    scope: TenantScope,
    state: str = "",
    number: Annotated[PageNumber, Query(alias="page")] = 1,
    done: str = "",
) -> HTMLResponse:
    """Show the messages to and from patients, newest first, and above them those that a person has to read."""
    wanted = MessageFilter(state=cast("StateName", state) if state in _STATES else None)
    may_answer = "messages.answer" in principal.permissions
    with scope.session() as session:
        part = service.find(session, wanted, PageRequest(number, PAGE_SIZE, sort=service.NEWEST_FIRST))
        messages = service.shown(session, part.rows, "list")
        waiting = service.waiting_for_reader(session) if may_answer else []
        known = {message.patient_id for message in messages} | {each.patient_id for each in waiting if each.patient_id}
        may_name = "patients.read" in principal.permissions
        names = names_of_patients(session, list(known)) if may_name else {}
    return page.render(
        "portal/messages.html",
        principal,
        partner=scope.tenant.name,
        current="/patients",
        messages=messages,
        waiting=waiting,
        state=wanted.state or "",
        number=number,
        pages=max(1, -(-part.total // PAGE_SIZE)),
        address=lambda at: f"/messages?{urlencode({'state': wanted.state or '', 'page': at})}",
        words=words,
        title_of=lambda patient: names.get(patient) or unnamed(patient),
        done=done,
        zone=ZoneInfo(scope.tenant.time_zone),
        may_send="messages.send" in principal.permissions,
        may_name=may_name,
        may_read_texts="templates.read" in principal.permissions,
    )


@router.post("/messages/{incoming_id}/settle")
def post_settle(
    _: Answerer,
    scope: TenantScope,
    incoming_id: UUID,
    answer: Annotated[SettlementName, Form()],
    patient_id: Annotated[UUID | None, Form()] = None,
) -> RedirectResponse:
    """Record what an incoming message says, of the patient of its phone or of the one named, and do what it asks."""
    with scope.session() as session:
        incoming.settle(session, incoming_id, SettlePost(answer=answer, patient_id=patient_id))
    return RedirectResponse("/messages?done=settled", SEE_OTHER)


@router.post("/messages/{message_id}/cancel")
def post_cancel(_: Sender, scope: TenantScope, message_id: UUID) -> RedirectResponse:
    """Cancel a message that waits."""
    with scope.session() as session:
        service.cancel(session, message_id)
    return RedirectResponse("/messages?done=cancelled", SEE_OTHER)


@router.get("/patients/{patient_id}/messages")
def show_patient_messages(
    page: Page, _: ConsentReader, scope: TenantScope, patient_id: UUID, done: str = ""
) -> HTMLResponse:
    """Show what a patient consents to, and the form that records a decision or sends a message."""
    return _patient_page(page, scope, patient_id, ConsentForm(), done=done)


@router.post("/patients/{patient_id}/consents")
def post_consent(
    page: Page, _: ConsentWriter, scope: TenantScope, patient_id: UUID, form: Annotated[ConsentForm, Form()]
) -> Response:
    """Record a decision about messages."""
    facts = form.model_dump(include={"purpose", "source", "day", "language"})
    facts = {name: value for name, value in facts.items() if value}
    try:
        body = ConsentPost.model_validate(
            {**facts, "agrees": form.decision == "yes", "shared_phone": form.shared_phone == "yes"}
        )
        with scope.session() as session:
            consents.decide(session, patient_id, body)
    except (ValidationError, Invalid):
        problem = Invalid(_WRONG)
        return _patient_page(page, scope, patient_id, form, problem=problem)
    return RedirectResponse(f"/patients/{patient_id}/messages?done=consent", SEE_OTHER)


@router.post("/patients/{patient_id}/messages")
def post_message(
    page: Page,
    _: Sender,
    __: ConsentReader,
    scope: TenantScope,
    patient_id: UUID,
    message_id: Annotated[UUID, Form()],
    purpose: Annotated[PurposeName, Form()] = "follow_up",
) -> Response:
    """Send a text to the patient, now or when quiet hours end."""
    body = MessagePost(id=message_id, patient_id=patient_id, purpose=purpose)
    try:
        require_extra(scope.tenant, "sms")
        with scope.session() as session:
            patient_of_id(session, patient_id)
            service.send(session, body)
    except (Conflict, PaymentRequired, CapReached) as error:
        return _patient_page(page, scope, patient_id, ConsentForm(), problem=error)
    return RedirectResponse(f"/patients/{patient_id}/messages?done=sent", SEE_OTHER)


_WRONG: Final = "the decision is not recorded: choose a day up to today, written as YYYY-MM-DD"


def _patient_page(
    page: PageContext,
    scope: Scope,
    patient_id: UUID,
    form: ConsentForm,
    *,
    done: str = "",
    problem: AppError | None = None,
) -> HTMLResponse:
    permissions, zone = scope.principal.permissions, ZoneInfo(scope.tenant.time_zone)
    title = unnamed(patient_id)
    if "patients.read" in permissions:
        title = patient_words.title_of(PatientOut.model_validate_json(read_patient(scope, patient_id, None)[1]))
    with scope.session() as session:
        part = consents.history(session, patient_id, PageRequest(1, 50, sort=consents.NEWEST_FIRST))
        current = consents.current(session, patient_id)
        messages = []
        if "messages.read" in permissions:
            newest = PageRequest(1, PAGE_SIZE, sort=service.NEWEST_FIRST)
            messages = service.read_list(session, MessageFilter(patient_id=patient_id), newest).items
    return page.render(
        "portal/patient_messages.html",
        scope.principal,
        status=200 if problem is None else problem.status,
        partner=scope.tenant.name,
        current="/patients",
        patient_id=patient_id,
        title=title,
        consents=current,
        history=[(row.day.isoformat(), shown_date(row.day), words.decision_words(row)) for row in part.rows],
        messages=[words.line(message, zone) for message in messages],
        form=form,
        message_id=new_uuid(),
        problem=None if problem is None else admin_words.problem_of(problem),
        words=words,
        done=done,
        today=today(scope.tenant.time_zone),
        languages={"": _("As usual at the partner"), **words.languages()},
        may_write="consents.write" in permissions,
        may_send="messages.send" in permissions,
    )
