"""Pages of who is on call: the calendar of a rota for everybody, and the rotas and overrides for who manages alerts."""

from datetime import date
from typing import Annotated, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext
from core.clock import now, today
from core.errors import AppError, Conflict, Invalid
from core.identity import Principal
from core.identity.people.colleagues import colleagues
from core.web.days import FIRST_YEAR, LAST_YEAR
from core.web.etag import etag
from core.web.pages import SEE_OTHER
from core.web.texts import gettext as _
from tenants.alerts import channels, management
from tenants.alerts.management_schemas import OnCallOverrideIn, RotaIn, time_of_day
from tenants.alerts.models import OnCallRota
from tenants.alerts.service import ACT
from tenants.portal import alert_words as words
from tenants.portal import on_call_view as view
from tenants.portal.alert_forms import MOST_ROWS, REJECTED, OverrideForm, RotaForm, checked, local_text, problem_of

router = APIRouter()

Reader = Annotated[Principal, Depends(require("alerts.read", confined=True))]
Manager = Annotated[Principal, Depends(require("alerts.manage"))]
Sent = Annotated[RotaForm, Form()]
HOME: Final = "/alerts/on-call"


@router.get("/alerts/on-call")
def show_on_call(
    page: Page,
    _: Reader,
    scope: TenantScope,
    rota: str = "",
    span: Annotated[str, Query(alias="view")] = "week",
    day: str = "",
    done: str = "",
) -> HTMLResponse:
    """Show who is on call in each rota, who is next, and the calendar of one rota by week or month."""
    return _calendar_page(page, scope, rota, span, _day(day), done=done)


@router.get("/alerts/on-call/new")
def show_new_rota(page: Page, _: Manager, scope: TenantScope) -> HTMLResponse:
    """Show the form of a new rota."""
    return _form_page(page, scope, None, RotaForm(first_day=today(scope.tenant.time_zone).isoformat()))


@router.post("/alerts/on-call/new")
def post_new_rota(page: Page, _: Manager, scope: TenantScope, form: Sent) -> Response:
    """Add a rota, or show the form with one more member."""
    if form.act == "more":
        return _form_page(page, scope, None, form, more=True)
    try:
        with scope.session() as session:
            row = management.add(session, OnCallRota, checked(RotaIn, form.values()).values(), source="page")
    except REJECTED as error:
        return _form_page(page, scope, None, form, error)
    return RedirectResponse(f"{HOME}?rota={row.id}&done=saved", SEE_OTHER)


@router.get("/alerts/on-call/{rota_id}")
def show_rota(page: Page, _: Manager, scope: TenantScope, rota_id: UUID) -> HTMLResponse:
    """Show the form of a rota."""
    return _form_page(page, scope, rota_id, _stored(scope, rota_id))


@router.post("/alerts/on-call/{rota_id}")
def post_rota(page: Page, _: Manager, scope: TenantScope, rota_id: UUID, form: Sent) -> Response:
    """Change a rota, or show the form with one more member."""
    if form.act == "more":
        return _form_page(page, scope, rota_id, form, more=True)
    try:
        values = checked(RotaIn, form.values()).values()
        with scope.session() as session:
            management.change(session, OnCallRota, rota_id, values, form.expected(), source="page")
    except REJECTED as error:
        return _form_page(page, scope, rota_id, form, error)
    return RedirectResponse(f"{HOME}?rota={rota_id}&done=saved", SEE_OTHER)


@router.post("/alerts/on-call/{rota_id}/remove")
def post_rota_removal(page: Page, _: Manager, scope: TenantScope, rota_id: UUID, form: Sent) -> Response:
    """Remove a rota that no policy uses."""
    try:
        with scope.session() as session:
            management.remove(session, OnCallRota, rota_id, form.expected(), source="page")
    except Conflict as error:
        return _form_page(page, scope, rota_id, _stored(scope, rota_id), error)
    return RedirectResponse(f"{HOME}?done=removed", SEE_OTHER)


@router.post("/alerts/on-call/{rota_id}/overrides")
def post_override(
    page: Page, _: Manager, scope: TenantScope, rota_id: UUID, form: Annotated[OverrideForm, Form()]
) -> Response:
    """Put a member on call for a time, instead of the one whose turn it is."""
    try:
        body = checked(OnCallOverrideIn, form.values(ZoneInfo(scope.tenant.time_zone)))
        with scope.session() as session:
            management.add_override(session, rota_id, body.model_dump(), source="page")
    except (Invalid, Conflict) as error:
        with scope.session(readonly=True) as session:
            management.find(session, OnCallRota, rota_id)
        return _calendar_page(page, scope, str(rota_id), "week", None, form=form, error=error)
    return RedirectResponse(f"{HOME}?rota={rota_id}&done=turn", SEE_OTHER)


@router.post("/alerts/on-call/{rota_id}/overrides/{override_id}/remove")
def post_override_removal(_: Manager, scope: TenantScope, rota_id: UUID, override_id: UUID) -> Response:
    """Let the rotation apply again."""
    with scope.session() as session:
        management.remove_override(session, rota_id, override_id, source="page")
    return RedirectResponse(f"{HOME}?rota={rota_id}&done=restored", SEE_OTHER)


def _day(text: str) -> date | None:
    """The day that an address names; None if it names none that a calendar can show."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if FIRST_YEAR < day.year < LAST_YEAR else None


def _calendar_page(
    page: PageContext,
    scope: Scope,
    rota: str,
    span: str,
    chosen: date | None,
    *,
    done: str = "",
    form: OverrideForm | None = None,
    error: AppError | None = None,
) -> HTMLResponse:
    zone = ZoneInfo(scope.tenant.time_zone)
    present = now()
    with scope.session(readonly=True) as session:
        rota_turns = view.turns_of(session, present)
        shown = next((turn for turn in rota_turns if str(turn.rota.id) == rota), rota_turns[0] if rota_turns else None)
        day = chosen or today(scope.tenant.time_zone)
        calendar = None if shown is None else view.calendar_of(session, shown.rota, span, day, present)
    if form is None and shown is not None:
        until = shown.present.until if shown.present else present
        form = OverrideForm(since=local_text(present, zone), until=local_text(until, zone))
    return page.render(
        "portal/alerts/on_call.html",
        scope.principal,
        status=200 if error is None else error.status,
        partner=scope.tenant.name,
        current="/alerts",
        sections=words.sections_of_alerts(scope.principal, HOME),
        turns=rota_turns,
        shown=shown,
        calendar=calendar,
        names=view.names_in(scope.tenant, rota_turns, calendar),
        form=form,
        problem=None if error is None else problem_of(error),
        may_manage="alerts.manage" in scope.principal.permissions and scope.principal.reach.everything,
        words=words,
        done=done,
        zone=zone,
        zone_name=scope.tenant.time_zone,
    )


def _stored(scope: Scope, rota_id: UUID) -> RotaForm:
    with scope.session(readonly=True) as session:
        row = management.find(session, OnCallRota, rota_id)
    return RotaForm(
        version=etag(row.version_id),
        name=row.name,
        person=[member["person_id"] for member in row.members],
        channel=[member["channel_id"] for member in row.members],
        first_day=row.first_day.isoformat(),
        shift_days=str(row.shift_days),
        handover_time=time_of_day(row.handover_minute),
    )


def _form_page(
    page: PageContext,
    scope: Scope,
    rota_id: UUID | None,
    form: RotaForm,
    error: AppError | None = None,
    *,
    more: bool = False,
) -> HTMLResponse:
    with scope.session(readonly=True) as session:
        known = [(str(each.id), each.name) for each in channels.list_channels(session)]
    rows = [row for row in form.rows() if row[0]]
    # A channel that is switched off must not turn into the first of the list when somebody saves the form.
    known += [(each, _("a channel that is gone")) for each in sorted({row[1] for row in rows} - dict(known).keys())]
    blank = max(1, 2 - len(rows)) + more
    return page.render(
        "portal/alerts/rota.html",
        scope.principal,
        status=200 if error is None else error.status,
        partner=scope.tenant.name,
        current="/alerts",
        rota_id=rota_id,
        form=form,
        rows=[*rows, *[("", "")] * blank][:MOST_ROWS],
        people=[("", _("Nobody"))] + [(str(each.id), each.name) for each in colleagues(scope.tenant, ACT)],
        channels=known,
        may_add_member=len(rows) + blank < MOST_ROWS,
        problem=None if error is None else problem_of(error),
        zone_name=scope.tenant.time_zone,
    )
