"""Pages of the routes of alerts: which alerts go to which channel or escalation policy, and when."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext
from core.database import TenantSession
from core.errors import AppError
from core.identity import Principal
from core.settings import get_settings
from core.web.etag import etag
from core.web.pages import SEE_OTHER
from core.web.texts import gettext as _
from tenants.alerts import channels, management
from tenants.alerts.management_schemas import RouteIn, time_of_day
from tenants.alerts.models import AlertPolicy, AlertRoute
from tenants.cohort import repository as cohort_repository
from tenants.portal import alert_words as words
from tenants.portal.alert_forms import REJECTED, RouteForm, checked, problem_of
from tenants.records.repository import datim_ids

router = APIRouter()

Manager = Annotated[Principal, Depends(require("alerts.manage"))]
Sent = Annotated[RouteForm, Form()]
HOME: Final = "/alerts/routes"


@router.get("/alerts/routes")
def show_routes(page: Page, principal: Manager, scope: TenantScope, done: str = "") -> HTMLResponse:
    """Show the routes, oldest first, or that every channel gets all alerts."""
    with scope.session(readonly=True) as session:
        rows = management.list_of(session, AlertRoute)
        targets = dict(_targets(session))
        names = cohort_repository.facilities(session)
    return page.render(
        "portal/alerts/routes.html",
        principal,
        partner=scope.tenant.name,
        current="/alerts",
        sections=words.sections_of_alerts(principal, HOME),
        routes=[(row, targets.get(_target_of(row), _("a channel that is gone"))) for row in rows],
        facilities={row.uuid: row.name for row in names},
        has_channels=any(target.startswith("channel:") for target in targets),
        has_address=bool(get_settings().public_url),
        most=management.MOST,
        words=words,
        time_of_day=time_of_day,
        done=done,
    )


@router.get("/alerts/routes/new")
def show_new_route(page: Page, _: Manager, scope: TenantScope) -> HTMLResponse:
    """Show the form of a new route."""
    return _form_page(page, scope, None, RouteForm())


@router.post("/alerts/routes/new")
def post_new_route(page: Page, _: Manager, scope: TenantScope, form: Sent) -> Response:
    """Add a route."""
    try:
        with scope.session() as session:
            management.add(session, AlertRoute, _values(session, form), source="page")
    except REJECTED as error:
        return _form_page(page, scope, None, form, error)
    return RedirectResponse(f"{HOME}?done=saved", SEE_OTHER)


@router.get("/alerts/routes/{route_id}")
def show_route(page: Page, _: Manager, scope: TenantScope, route_id: UUID) -> HTMLResponse:
    """Show the form of a route."""
    with scope.session(readonly=True) as session:
        row = management.find(session, AlertRoute, route_id)
        places = datim_ids(session, row.facilities)
    form = RouteForm(
        version=etag(row.version_id),
        name=row.name,
        stream=row.stream or "",
        facilities=sorted(places.values()),
        severity=row.severity,
        days=[str(day) for day in row.days],
        from_time=time_of_day(row.from_minute),
        until_time=time_of_day(row.until_minute),
        target=_target_of(row),
    )
    return _form_page(page, scope, route_id, form)


@router.post("/alerts/routes/{route_id}")
def post_route(page: Page, _: Manager, scope: TenantScope, route_id: UUID, form: Sent) -> Response:
    """Change a route."""
    try:
        with scope.session() as session:
            values = _values(session, form)
            management.change(session, AlertRoute, route_id, values, form.expected(), source="page")
    except REJECTED as error:
        return _form_page(page, scope, route_id, form, error)
    return RedirectResponse(f"{HOME}?done=saved", SEE_OTHER)


@router.post("/alerts/routes/{route_id}/remove")
def post_route_removal(_: Manager, scope: TenantScope, route_id: UUID, form: Sent) -> Response:
    """Remove a route."""
    with scope.session() as session:
        management.remove(session, AlertRoute, route_id, form.expected(), source="page")
    return RedirectResponse(f"{HOME}?done=removed", SEE_OTHER)


def _values(session: TenantSession, form: RouteForm) -> dict[str, Any]:
    body = checked(RouteIn, form.values())
    return body.values(management.facilities_named(session, body.facilities))


def _target_of(row: AlertRoute) -> str:
    return f"channel:{row.channel_id}" if row.policy_id is None else f"policy:{row.policy_id}"


def _targets(session: TenantSession) -> list[tuple[str, str]]:
    policies = management.list_of(session, AlertPolicy)
    return [(f"channel:{each.id}", each.name) for each in channels.list_channels(session)] + [
        (f"policy:{each.id}", _("{name} (escalation)").format(name=each.name)) for each in policies
    ]


def _form_page(
    page: PageContext, scope: Scope, route_id: UUID | None, form: RouteForm, error: AppError | None = None
) -> HTMLResponse:
    with scope.session(readonly=True) as session:
        targets = _targets(session)
        facilities = [(row.datim_id, row.name) for row in cohort_repository.facilities(session)]
    return page.render(
        "portal/alerts/route.html",
        scope.principal,
        status=200 if error is None else error.status,
        partner=scope.tenant.name,
        current="/alerts",
        route_id=route_id,
        form=form,
        targets=targets,
        facilities=facilities,
        problem=None if error is None else problem_of(error),
        words=words,
        zone_name=scope.tenant.time_zone,
    )
