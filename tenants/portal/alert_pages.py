"""Pages of alerts: what is open, one alert with its history, and what people do about it."""

from typing import Annotated, Final, Literal
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Header, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from core.access import Scope, TenantScope, require
from core.access.pages import Page
from core.app import draining
from core.identity import Principal
from core.identity.people.colleagues import colleagues
from core.identity.people.members import names_of
from core.identity.principal import actor_of_person, people_of_actors
from core.web.cursors import Sort
from core.web.pages import SEE_OTHER
from core.web.paging import PageRequest
from core.web.texts import gettext as _
from tenants.alerts import acts, channels, live, service
from tenants.alerts import people as people_of_alerts
from tenants.alerts.kinds import KINDS, ON_LISTS
from tenants.alerts.schemas import AlertFilter, SeveralAct
from tenants.portal import alert_words as words
from tenants.portal.alert_counts import counts_in
from tenants.portal.alert_history_words import act_words, details, people_in
from tenants.portal.patient_words import STATUSES
from tenants.portal.words import age_and_sex, names_of_patients

router = APIRouter()

Reader = Annotated[Principal, Depends(require("alerts.read", confined=True))]
Actor = Annotated[Principal, Depends(require("alerts.act", confined=True))]
PatientReader = Annotated[Principal, Depends(require("patients.read", confined=True))]
PageNumber = Annotated[int, Query(alias="page", ge=1, le=10_000)]
PAGE_SIZE: Final = 25
NEWEST: Final = Sort("created_at", descending=True)
_FILTERS: Final = {"status", "stream", "severity", "facility", "whose"}


class Filters(BaseModel):
    """What a list of alerts shows."""

    model_config = ConfigDict(extra="ignore")

    status: str = Field(default="open", max_length=20)
    stream: str = Field(default="", max_length=20)
    severity: str = Field(default="", max_length=20)
    facility: str = Field(default="", max_length=100)
    whose: str = Field(default="", max_length=20)

    def wanted(self, principal: Principal) -> AlertFilter:
        """The alerts to show. What is wrong in an address is left out; what is mine is shown until it is resolved."""
        mine = self.whose == "mine"
        until_resolved = mine and self.status == "open"
        return AlertFilter(
            status=self.status if self.status in words.STATUSES and not until_resolved else None,  # type: ignore[arg-type]  # a status
            stream=self.stream if self.stream in words.STREAMS else None,  # type: ignore[arg-type]  # a stream
            severity=self.severity if self.severity in words.SEVERITIES else None,  # type: ignore[arg-type]  # a severity
            facility=self.facility or None,
            assigned_to=UUID(principal.id) if mine and principal.kind == "person" else None,
            ended=False if until_resolved else None,
        )


class ListView(Filters):
    """The address of a list of alerts, and how many of the chosen alerts were changed."""

    page: int = Field(default=1, ge=1, le=10_000)
    changed: int | None = None
    chosen: int = 0


class ActForm(Filters):
    """The form of what is done with one alert; the filters lead back to the list, if it was sent from there."""

    act: Literal["acknowledge", "assign", "snooze", "resolve", "reopen"]
    person_id: UUID | None = None
    minutes: int = Field(default=acts.SNOOZE_MINUTES, ge=1, le=acts.LONGEST_SNOOZE)
    back: Literal["list", "alert"] = "alert"
    page: int = Field(default=1, ge=1, le=10_000)


class ActsForm(Filters):
    """The form of what is done with the chosen alerts of a list; the filters lead back to it."""

    act: SeveralAct
    alert_id: list[UUID] = Field(default_factory=list, max_length=100)
    person_id: UUID | None = None
    minutes: int = Field(default=acts.SNOOZE_MINUTES, ge=1, le=acts.LONGEST_SNOOZE)


@router.get("/alerts")
def show_alerts(page: Page, principal: Reader, scope: TenantScope, view: Annotated[ListView, Query()]) -> HTMLResponse:
    """Show the alerts within reach, newest first; the open ones unless another status is chosen."""
    with scope.session(readonly=True) as session:
        seen = live.mark_of(session)
        places = service.facilities_with_alerts(session)
        if view.facility not in {place.datim_id for place in places}:
            view.facility = ""
        part = service.list_alerts(session, view.wanted(principal), PageRequest(view.page, PAGE_SIZE, sort=NEWEST))
        counts = counts_in(session)
    may_act = "alerts.act" in principal.permissions
    filters = view.model_dump(include=_FILTERS)
    return page.render(
        "portal/alerts/alerts.html",
        principal,
        partner=scope.tenant.name,
        current="/alerts",
        sections=words.sections_of_alerts(principal, "/alerts"),
        alerts=part.rows,
        people=_names(scope, [alert.assigned_to for alert in part.rows if alert.assigned_to]),
        places=[(place.datim_id, place.name or place.datim_id) for place in places],
        total=part.total,
        filters=filters,
        shown_filters=words.shown_filters(filters, {place.datim_id: place.name or place.datim_id for place in places}),
        number=view.page,
        pages=max(1, -(-part.total // PAGE_SIZE)),
        address=lambda at: f"/alerts?{urlencode({**filters, 'page': at})}",
        words=words,
        kinds=KINDS,
        seen=seen,
        navigation_counts=counts,
        zone=ZoneInfo(scope.tenant.time_zone),
        may_act=may_act,
        colleagues=[(str(each.id), each.name) for each in colleagues(scope.tenant, service.ACT)] if may_act else [],
        changed=None if view.changed is None else words.changed_words(view.changed, view.chosen),
        link_of=lambda alert: words.counted_address(alert, principal),
    )


@router.get("/alerts/stream", response_class=StreamingResponse)
async def follow_alerts(
    _: Reader,
    scope: TenantScope,
    seen: Annotated[str | None, Query(max_length=40)] = None,
    wait: bool = False,  # noqa: FBT001, FBT002 - a query parameter
    last_event_id: Annotated[str | None, Header(max_length=40)] = None,
) -> live.AlertStream:
    """Send an event whenever something within reach has changed; without `wait=true`, end after one look.

    ``seen`` is the mark that the page carries, so that no change between the page and its stream is lost.
    """
    return live.AlertStream(
        live.AlertSubscription(
            scope.tenant,
            scope.principal.actor,
            lambda: scope.session(readonly=True),
            live.mark_in(last_event_id or seen),
            wait,
            draining.begun,
        )
    )


@router.get("/alerts/{alert_id}")
def show_alert(page: Page, principal: Reader, scope: TenantScope, alert_id: UUID, done: str = "") -> HTMLResponse:
    """Show an alert with its history, what channels received, and what can be done."""
    may_act = "alerts.act" in principal.permissions
    with scope.session(readonly=True) as session:
        seen = live.mark_of(session)
        detail = service.get_detail(session, alert_id)
        counts = counts_in(session)
        assignees = service.assignees(session, acts.find_alert(session, alert_id)) if may_act else []
        names = {each.id: each.name for each in channels.list_channels(session)}
    zone = ZoneInfo(scope.tenant.time_zone)
    people = _names(scope, [*(each for entry in detail.history for each in people_in(entry)), detail.assigned_to or ""])
    return page.render(
        "portal/alerts/alert.html",
        principal,
        partner=scope.tenant.name,
        current="/alerts",
        alert=detail,
        seen=seen,
        navigation_counts=counts,
        kind=KINDS[detail.rule],
        people=people,
        channels=names,
        colleagues=[(str(each.id), each.name) for each in assignees],
        words=words,
        history=[(entry, act_words(entry), details(entry, people, zone)) for entry in detail.history],
        done=done,
        zone=zone,
        may_act=may_act,
        title=words.title_parts(detail),
        counted=words.counted_address(detail, principal),
    )


@router.get("/alerts/{alert_id}/people")
def show_people(
    page: Page, principal: Reader, _: PatientReader, scope: TenantScope, alert_id: UUID, number: PageNumber = 1
) -> HTMLResponse:
    """Show the people whom an alert counts. The audit records the read of each."""
    with scope.session() as session:
        detail = service.shown(session, [acts.find_alert(session, alert_id)])[0]
        part = people_of_alerts.read_people(session, alert_id, PageRequest(number, PAGE_SIZE))
        names = names_of_patients(session, [person.patient_id for person in part.rows])
    return page.render(
        "portal/alerts/people.html",
        principal,
        partner=scope.tenant.name,
        current="/alerts",
        alert=detail,
        people=part.rows,
        total=part.total,
        names=names,
        number=number,
        page_size=PAGE_SIZE,
        on_lists=detail.rule in ON_LISTS,
        statuses=STATUSES,
        age_and_sex=age_and_sex,
        address=lambda at: f"/alerts/{alert_id}/people?page={at}",
    )


@router.post("/alerts/act")
def post_acts(_: Actor, scope: TenantScope, form: Annotated[ActsForm, Form()]) -> Response:
    """Acknowledge, assign or snooze the chosen alerts, and return to the list, which says how many it was."""
    chosen = set(form.alert_id)
    with scope.session() as session:
        values = form.model_dump(include={"act", "person_id", "minutes"})
        result = service.act_on_several(session, chosen, **values, source="page")
    counts = {"changed": len(result.changed), "chosen": len(chosen)}
    return RedirectResponse(f"/alerts?{urlencode({**form.model_dump(include=_FILTERS), **counts})}", SEE_OTHER)


@router.post("/alerts/{alert_id}/act")
def post_act(_: Actor, scope: TenantScope, alert_id: UUID, form: Annotated[ActForm, Form()]) -> Response:
    """Acknowledge, assign, snooze, resolve or reopen an alert."""
    with scope.session() as session:
        if form.act == "acknowledge":
            acts.acknowledge(session, alert_id, source="page")
        elif form.act == "assign" and form.person_id is not None:
            service.assign(session, alert_id, form.person_id, source="page")
        elif form.act == "snooze":
            acts.snooze(session, alert_id, form.minutes, source="page")
        elif form.act == "resolve":
            acts.resolve(session, alert_id, source="page")
        elif form.act == "reopen":
            acts.reopen(session, alert_id, source="page")
    if form.back == "list":
        return RedirectResponse(f"/alerts?{urlencode(form.model_dump(include={*_FILTERS, 'page'}))}", SEE_OTHER)
    return RedirectResponse(f"/alerts/{alert_id}?done={form.act}", SEE_OTHER)


def _names(scope: Scope, actors: list[str]) -> dict[str, str]:
    """Return what the page calls each actor."""
    people = names_of(scope.tenant, people_of_actors(actors))
    known = {actor_of_person(person): name for person, name in people.items()}
    kinds = {
        "person": _("a person who left"),
        "channel": _("a channel"),
        "system": _("the platform"),
        "job": _("the platform"),
    }
    return {actor: known.get(actor) or kinds.get(actor.partition(":")[0], actor) for actor in actors}
