"""The page of the team's work: capacity, absences and load of each officer, and the sharing out of today's lists."""

from collections.abc import Collection
from dataclasses import asdict
from datetime import date
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext
from core.clock import today
from core.errors import Invalid
from core.identity import Principal
from core.web.pages import SEE_OTHER
from core.web.rejected_forms import RejectedForm
from core.web.texts import gettext as _
from core.web.texts import marked, ngettext, shown_date, shown_number, shown_time
from tenants.cohort import repository as cohort_repository
from tenants.followup import sharing, team
from tenants.followup.api_team import AbsencePost, CapacityPut
from tenants.followup.models_team import OfficerAbsence
from tenants.portal.patient_words import actor_words
from tenants.portal.work_words import sections_of_work

router = APIRouter()

Manager = Annotated[Principal, Depends(require("team.manage"))]
HOME: Final = "/follow-up/team"
_DONE: Final = {
    "capacity": marked("The capacity is saved."),
    "absence": marked("The absence is saved."),
    "back": marked("The absence has ended."),
}
_MISTAKES: Final = {
    "facility": marked("Choose a clinic that the officer reaches."),
    "people": marked("Give a number of people from 0 to 10,000, or none."),
    "first": marked("Give the first day away."),
    "last": marked("Give a last day that is not past, and not before the first."),
    "cover_id": marked("Choose somebody else, who sees more than assigned patients."),
}
"""Field of the forms -> what to do if it is wrong."""


class CapacityForm(BaseModel):
    """The form of an officer's capacity; an empty number ends the officer's part at the clinic."""

    model_config = ConfigDict(extra="ignore")

    person_id: UUID
    facility: str = Field(default="", max_length=100)
    people: str = Field(default="", max_length=10)


class AbsenceForm(BaseModel):
    """The form of an absence; an empty cover leaves the officer's people to everybody."""

    model_config = ConfigDict(extra="ignore")

    person_id: UUID
    first: str = Field(default="", max_length=40)
    last: str = Field(default="", max_length=40)
    cover_id: str = Field(default="", max_length=40)


class DoneQuery(BaseModel):
    """What was just saved, and what a sharing out did; ``assigned`` is None if there was none."""

    saved: str = ""
    assigned: int | None = None
    left: int = 0
    handed_over: int = 0
    given_back: int = 0


@router.get("/follow-up/team")
def show_team(page: Page, _manager: Manager, scope: TenantScope, done: Annotated[DoneQuery, Query()]) -> HTMLResponse:
    """Show the officers, and what was just done."""
    return _team_page(page, scope, done=done)


@router.post("/follow-up/team/capacity")
def post_capacity(page: Page, _manager: Manager, scope: TenantScope, form: Annotated[CapacityForm, Form()]) -> Response:
    """Set an officer's capacity at a clinic."""
    try:
        body = CapacityPut.model_validate({"facility": form.facility, "people": form.people.strip() or None})
        with scope.session() as session:
            team.set_capacity(session, form.person_id, body.facility, body.people)
    except (ValidationError, Invalid) as error:
        wrong = _wrong(error)
        return RejectedForm(lambda: _team_page(page, scope, wrong=wrong, capacity=form))
    return RedirectResponse(f"{HOME}?saved=capacity", SEE_OTHER)


@router.post("/follow-up/team/absences")
def post_absence(page: Page, _manager: Manager, scope: TenantScope, form: Annotated[AbsenceForm, Form()]) -> Response:
    """Record that an officer is away."""
    sent: dict[str, Any] = {"first": form.first, "last": form.last, "cover_id": form.cover_id or None}
    try:
        body = AbsencePost.model_validate(sent)
        with scope.session() as session:
            team.add_absence(session, form.person_id, body.first, body.last, body.cover_id)
    except (ValidationError, Invalid) as error:
        wrong = _wrong(error)
        return RejectedForm(lambda: _team_page(page, scope, wrong=wrong, absence=form))
    return RedirectResponse(f"{HOME}?saved=absence", SEE_OTHER)


@router.post("/follow-up/team/absences/{absence_id}/remove")
def post_absence_removal(_manager: Manager, scope: TenantScope, absence_id: UUID) -> RedirectResponse:
    """Remove an absence."""
    with scope.session() as session:
        team.remove_absence(session, absence_id)
    return RedirectResponse(f"{HOME}?saved=back", SEE_OTHER)


@router.post("/follow-up/team/share")
def post_share(_manager: Manager, scope: TenantScope) -> RedirectResponse:
    """Share out the people of today's lists whom nobody follows."""
    with scope.session() as session:
        shared = sharing.share_out(session)
    return RedirectResponse(f"{HOME}?{urlencode(asdict(shared))}", SEE_OTHER)


def _wrong(error: ValidationError | Invalid) -> set[str]:
    """The fields of a form that are wrong."""
    if isinstance(error, Invalid):
        return {each.field.rpartition(".")[2] for each in error.errors}
    return {str(each["loc"][0]) for each in error.errors()}


def _team_page(
    page: PageContext,
    scope: Scope,
    *,
    done: DoneQuery | None = None,
    wrong: Collection[str] = (),
    capacity: CapacityForm | None = None,
    absence: AbsenceForm | None = None,
) -> HTMLResponse:
    day = today(scope.tenant.time_zone)
    with scope.session() as session:
        officers = team.officers(session)
        shared = sharing.state(session)
        facilities = cohort_repository.facilities(session)
    names = {officer.id: officer.name for officer in officers}
    clinics = {row.uuid: row.name for row in facilities}
    absences = [
        (row.uuid, _absence_words(names.get(row.person_id, ""), row, names))
        for officer in officers
        for row in officer.absences
    ]
    return page.render(
        "portal/follow_up/team.html",
        scope.principal,
        status=Invalid.status if wrong else 200,
        partner=scope.tenant.name,
        current="/follow-up",
        rows=[
            {
                "name": officer.name,
                "assigned": shown_number(officer.assigned),
                "tried": shown_number(officer.tried),
                "capacity": ", ".join(
                    f"{clinics.get(uuid, '')}: {shown_number(people)}" for uuid, people in officer.capacity.items()
                )
                or _("none"),
                "away": _away_words(officer, day),
            }
            for officer in officers
        ],
        officers=[(str(officer.id), officer.name) for officer in officers],
        clinics=[(row.datim_id, row.name) for row in facilities],
        absences=absences,
        shared=shared,
        shared_words=_shared_words(scope, shared, names),
        done=None if done is None or done.assigned is None else _did(done.assigned, done),
        may_set="settings.write" in scope.principal.permissions,
        saved=_(_DONE[done.saved]) if done is not None and done.saved in _DONE else "",
        problems={name: _(text) for name, text in _MISTAKES.items() if name in wrong},
        capacity=capacity or {"person_id": "", "facility": "", "people": ""},
        absence=absence or {"person_id": "", "first": day.isoformat(), "last": day.isoformat(), "cover_id": ""},
        sections_of_work=sections_of_work(scope.principal, HOME),
    )


def _shared_words(scope: Scope, shared: sharing.Sharing, names: dict[UUID, str]) -> str:
    """When today's lists were shared out, by whom, and what that did; empty if they were not."""
    if shared.at is None or shared.did is None:
        return ""
    by = actor_words(shared.by or "", names, scope.principal.actor)
    head = _("Today's lists: shared out on {time} by {name}.").format(
        time=shown_time(shared.at, ZoneInfo(scope.tenant.time_zone)), name=f"{by[:1].lower()}{by[1:]}"
    )
    return f"{head} {_did(shared.did.assigned, shared.did)}"


def _did(assigned: int, shared: sharing.SharedOut | DoneQuery) -> str:
    """What a sharing out did, in sentences."""
    parts = [ngettext("{count} person was assigned.", "{count} people were assigned.", assigned)]
    if shared.handed_over:
        parts.append(
            ngettext(
                "{count} person of somebody who is away was handed over.",
                "{count} people of somebody who is away were handed over.",
                shared.handed_over,
            )
        )
    if shared.given_back:
        parts.append(
            ngettext(
                "{count} person went back to their officer.",
                "{count} people went back to their officers.",
                shared.given_back,
            )
        )
    if shared.left:
        parts.append(
            ngettext(
                "{count} person is left to everybody, for lack of capacity.",
                "{count} people are left to everybody, for lack of capacity.",
                shared.left,
            )
        )
    return " ".join(parts)


def _away_words(officer: team.Officer, day: date) -> str:
    """Until when an officer is away; empty for one who is there."""
    last = max((row.last_day for row in officer.absences if row.first_day <= day), default=None)
    return "" if last is None or not officer.is_away(day) else _("until {day}").format(day=shown_date(last))


def _absence_words(name: str, absence: OfficerAbsence, names: dict[UUID, str]) -> str:
    days = _("{name}: away from {first} to {last}").format(
        name=name, first=shown_date(absence.first_day), last=shown_date(absence.last_day)
    )
    cover = names.get(absence.cover_id, "") if absence.cover_id else _("everybody")
    covered = _("covered by {name}").format(name=cover)
    return f"{days} · {covered}"
