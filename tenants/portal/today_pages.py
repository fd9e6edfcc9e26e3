"""The page of today's work: whom to see, why, how to reach them, and the outcome."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Annotated, Literal
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext
from core.clock import today as day_in
from core.errors import Invalid, NotFound
from core.identity import Principal
from core.identity.people import members
from core.identity.people.colleagues import colleagues
from core.web.pages import SEE_OTHER
from core.web.texts import gettext as _
from core.web.texts import shown_time
from tenants.followup import assignments, planning, rest, service, today
from tenants.followup.outcomes import OutcomeName
from tenants.followup.schemas import AttemptPost, OutcomePost
from tenants.followup.today import Today
from tenants.followup.waiting import Counts
from tenants.portal import words
from tenants.portal.alert_counts import counts_for
from tenants.portal.patient_words import MEDIA, plan_words
from tenants.records.ids import new_uuid

router = APIRouter()

Tracker = Annotated[Principal, Depends(require("worklists.read", confined=True, by_patient=True))]
Scored = Annotated[Principal, Depends(require("risk.read", confined=True, by_patient=True))]
Recorder = Annotated[Principal, Depends(require("attempts.write", confined=True, by_patient=True))]
Kind = Literal["at_risk", "to_trace"]
Whose = Literal["", "mine"]


@dataclass(frozen=True, slots=True)
class View:
    """The part of today's work that an address names: list, facility, whose, and the entry with which a page begins."""

    kind: Kind
    facility: str
    start: UUID | None
    whose: Whose

    def address(self, **changes: object) -> str:
        """The address of the view, with changes."""
        return f"/today?{self.query(**changes)}"

    def query(self, **changes: object) -> str:
        """The view as the query of an address, with changes."""
        values = {"list": self.kind, "facility": self.facility, "whose": self.whose, "start": self.start, **changes}
        shown = {name: value for name, value in values.items() if value not in ("", None)}
        return urlencode(shown)


@dataclass(frozen=True, slots=True)
class WrongPlan:
    """What was wrong with a plan for the chosen patients, and what was typed."""

    problem: str
    due: str
    patients: Collection[UUID]


class ViewForm(BaseModel):
    """A form on the page of a view, to which the answer returns."""

    model_config = ConfigDict(extra="ignore")

    list: Kind = "at_risk"
    facility: str = Field(default="", max_length=100)
    start: UUID | Literal[""] = ""
    whose: Whose = ""

    @property
    def view(self) -> View:
        """The view to return to."""
        return View(self.list, self.facility, self.start or None, self.whose)


class AttemptForm(ViewForm):
    """The form of an attempt's outcome. The page has chosen the attempt's id."""

    id: UUID
    patient_id: UUID
    outcome: OutcomeName
    title: str = Field(default="", max_length=200)
    new_phone: str = Field(default="", max_length=100)
    plan: UUID | Literal[""] = ""

    @property
    def recorded_id(self) -> UUID:
        """The identifier of the attempt once it is recorded: that of the plan that it ends, if there is one."""
        return self.plan or self.id

    @property
    def result(self) -> OutcomePost:
        """The outcome that the form says, for a planned intervention.

        Raises:
            ValidationError: the new phone is not a number.
        """
        return OutcomePost(outcome=self.outcome, new_phone=self.new_phone or None)

    @property
    def attempt(self) -> AttemptPost:
        """The attempt that the form says.

        Raises:
            ValidationError: the new phone is not a number.
        """
        return AttemptPost(
            id=self.id, patient_id=self.patient_id, outcome=self.outcome, new_phone=self.new_phone or None
        )


def view_of(
    list: Annotated[Kind, Query()] = "at_risk",  # noqa: A002 - the query's name
    facility: Annotated[str, Query(max_length=100)] = "",
    start: UUID | None = None,
    whose: Annotated[Whose, Query()] = "",
) -> View:
    """The view that the query names."""
    return View(list, facility, start, whose)


Viewed = Annotated[View, Depends(view_of)]


@router.get("/today")
def show_today(
    page: Page,
    principal: Tracker,
    scope: TenantScope,
    view: Viewed,
    done: UUID | None = None,
    assigned: Annotated[int | None, Query(ge=0, le=100)] = None,
    planned: Annotated[int | None, Query(ge=0, le=100)] = None,
) -> HTMLResponse:
    """Show one page of today's list.

    ``done`` is the attempt that was just recorded, and can be undone; ``assigned`` and ``planned`` say for how many
    patients that was just done.
    """
    return today_page(page, principal, scope, view, done=done, just_assigned=assigned, just_planned=planned)


@router.get("/today/rest")
def show_rest(
    page: Page,
    principal: Tracker,
    _: Scored,
    scope: TenantScope,
    view: Viewed,
    number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
) -> HTMLResponse:
    """Show the people whom the list leaves out, because it is cut to the capacity of their clinic."""
    may_open = "patients.read" in principal.permissions
    with scope.session() as session:
        left_out = rest.read_rest(session, view.kind, facility=view.facility or None, page=number, identities=may_open)
    return page.render(
        "portal/today_rest.html",
        principal,
        partner=scope.tenant.name,
        current="/today",
        rest=left_out,
        view=view,
        page_size=rest.PAGE_SIZE,
        words=words,
        may_open=may_open,
        may_set="settings.read" in principal.permissions,
    )


def today_page(
    page: PageContext,
    principal: Principal,
    scope: Scope,
    view: View,
    *,
    done: UUID | None = None,
    just_assigned: int | None = None,
    just_planned: int | None = None,
    wrong: AttemptForm | WrongPlan | None = None,
) -> HTMLResponse:
    """Render the page of a view, with what was just done, or with a form that was rejected."""
    own = _own(principal)
    wrong_plan = wrong if isinstance(wrong, WrongPlan) else None
    work = today.read_today(
        scope.tenant,
        scope.session,
        view.kind,
        facility=view.facility or None,
        mine=own if view.whose else None,
        start=view.start,
        identities="patients.read" in principal.permissions,
    )
    if work is not None:
        view = replace(view, start=work.place.start)
    return page.render(
        "portal/today.html",
        principal,
        partner=scope.tenant.name,
        current="/today",
        navigation_counts=counts_for(scope),
        work=work,
        view=view,
        cards=[] if work is None else [words.shown_card(card, work) for card in work.people],
        assigned=_assigned(scope, work, own),
        plans=_plans(principal, scope, work),
        may_assign="assignments.write" in principal.permissions,
        just_assigned=just_assigned,
        just_planned=just_planned,
        media=MEDIA,
        plan_by=day_in(scope.tenant.time_zone).isoformat() if wrong_plan is None else wrong_plan.due,
        plan_for=() if wrong_plan is None else wrong_plan.patients,
        plan_problem="" if wrong_plan is None else wrong_plan.problem,
        colleagues=_colleagues(principal, scope),
        stale_days=0 if work is None else (work.day - work.as_of).days,
        clinics=_choices(work),
        new_id=new_uuid,
        done=done,
        may_record="attempts.write" in principal.permissions,
        may_open="patients.read" in principal.permissions,
        shared_at="" if work is None or work.shared_at is None else shown_time(work.shared_at, _zone(scope)),
        may_share="team.manage" in principal.permissions and principal.reach.everything,
        part=words.part_of_list(work) if work is not None else "",
        cut="" if work is None else words.cut(work),
        may_see_rest="risk.read" in principal.permissions,
        may_see_size="risk.read" in principal.permissions and principal.reach.everything,
        shown_filters=_shown_filters(work, view),
        outcomes=words.OUTCOMES,
        meaning="" if work is None else words.meaning(work),
        wrong=None if wrong_plan else wrong,
        phone_problem=_(words.WRONG_PHONE),
        status=200 if wrong is None else Invalid.status,
    )


@router.post("/today/attempts")
def post_attempt(
    request: Request, page: Page, principal: Recorder, scope: TenantScope, form: Annotated[AttemptForm, Form()]
) -> Response:
    """Record the attempt. Sending the same form again records nothing more."""
    try:
        with scope.session() as session:
            if form.plan:
                planning.complete(session, form.plan, form.result)
            else:
                service.record(session, form.attempt)
    except Invalid as error:
        if any(problem.field.endswith("patient_id") for problem in error.errors):
            detail = "there is no such patient"
            raise NotFound(detail) from None
        return today_page(page, principal, scope, form.view, wrong=form)
    except ValidationError:
        return today_page(page, principal, scope, form.view, wrong=form)
    if "hx-request" not in request.headers:
        return RedirectResponse(form.view.address(done=form.recorded_id), SEE_OTHER)
    return page.render(
        "portal/done.html",
        principal,
        attempt=form.recorded_id,
        title=form.title,
        outcome=words.OUTCOMES[form.outcome],
        view=form.view,
        counts=_counts(principal, scope, form.view),
    )


@router.post("/today/attempts/{attempt_id}/undo")
def post_undo(_: Recorder, scope: TenantScope, attempt_id: UUID, form: Annotated[ViewForm, Form()]) -> RedirectResponse:
    """Undo the attempt, and show the list, which has the patient again."""
    with scope.session() as session:
        service.undo(session, attempt_id)
    return RedirectResponse(form.view.address(), SEE_OTHER)


def _zone(scope: Scope) -> ZoneInfo:
    return ZoneInfo(scope.tenant.time_zone)


def _own(principal: Principal) -> UUID | None:
    return UUID(principal.id) if principal.kind == "person" else None


def _counts(principal: Principal, scope: Scope, view: View) -> Counts | None:
    """The numbers of the page on which an attempt was recorded; None for readers without lists."""
    if "worklists.read" not in principal.permissions:
        return None
    mine = _own(principal) if view.whose else None
    return today.read_counts(scope.tenant, scope.session, facility=view.facility or None, mine=mine)


def _colleagues(principal: Principal, scope: Scope) -> list[tuple[str, str]]:
    """The people to whom the chosen patients of the page can be assigned; none for who may not assign."""
    if "assignments.write" not in principal.permissions:
        return []
    people = [(str(one.id), one.name) for one in colleagues(scope.tenant, assignments.NEEDED)]
    return [*people, ("", _("Nobody: leave it to all"))] if people else []


def _plans(principal: Principal, scope: Scope, work: Today | None) -> dict[UUID, tuple[UUID, str]]:
    """The planned intervention of each patient on the page, if any: its identifier, and what it is in words."""
    if work is None or "attempts.read" not in principal.permissions:
        return {}
    with scope.session() as session:
        plans = planning.open_plans(session, [card.patient_id for card in work.people])
    return {patient: (plan.uuid, plan_words(plan.intervention_type, plan.due_date)) for patient, plan in plans.items()}


def _assigned(scope: Scope, work: Today | None, own: UUID | None) -> dict[UUID, str]:
    """Who follows each patient on the page, in words."""
    if work is None:
        return {}
    whom = {card.patient_id: card.assigned_to for card in work.people if card.assigned_to is not None}
    names = members.names_of(scope.tenant, set(whom.values()))
    return {
        patient: _("Assigned to you")
        if person == own
        else _("Assigned to {name}").format(name=names.get(person, _("somebody who left")))
        for patient, person in whom.items()
    }


def _shown_filters(work: Today | None, view: View) -> str:
    """The filters in words, for who does not open them."""
    clinics = dict(_choices(work))
    clinic = clinics.get(view.facility, view.facility) if view.facility else ""
    return " · ".join(filter(None, (clinic, _("Me or nobody") if view.whose else ""))) or _("Everybody")


def _choices(work: Today | None) -> list[tuple[str, str]]:
    """The clinics to choose from: DATIM id, and name with the number of people who wait."""
    clinics = [] if work is None else work.clinics[work.kind]
    return [("", _("All clinics")), *((clinic.datim_id, f"{clinic.name} ({clinic.waiting})") for clinic in clinics)]
