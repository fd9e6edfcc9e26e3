"""Page of a partner's schedules: the work that the platform repeats, its times, and whether it runs."""

from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Path
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.access import Scope, TenantDb, TenantScope, require
from core.access.pages import Page, PageContext
from core.errors import Invalid
from core.identity import Principal
from core.schedules import service
from core.web.pages import SEE_OTHER
from core.web.texts import gettext as _
from core.web.texts import marked

router = APIRouter()

Reader = Annotated[Principal, Depends(require("settings.read"))]
Writer = Annotated[Principal, Depends(require("settings.write"))]
Name = Annotated[str, Path(max_length=100)]
Text = Annotated[str, Form(max_length=1000)]

NAMES: Final = {"risk.night": marked("Night"), "alerts.check": marked("Check of alerts")}
PURPOSES: Final = {
    "risk.night": marked("Scores everybody, and issues the lists of the day."),
    "alerts.check": marked("Looks for missing data, failed jobs and viral loads that are not suppressed."),
}


def name_of(state: service.ScheduleState) -> str:
    """Return the name of a schedule for people; its own where the platform has no words for it."""
    return _(NAMES[state.name]) if state.name in NAMES else state.name


def purpose_of(state: service.ScheduleState) -> str:
    """Return what a schedule does."""
    return _(PURPOSES[state.name]) if state.name in PURPOSES else state.description


@router.get("/admin/schedules")
def show_schedules(page: Page, _: Reader, scope: TenantScope, db: TenantDb, done: str = "") -> HTMLResponse:
    """Show the schedules, with a form for each if the person may change them."""
    return _page(page, scope, service.list_schedules(db), done=done)


@router.post("/admin/schedules/{schedule}")
def post_schedule(
    page: Page, _: Writer, scope: TenantScope, db: TenantDb, schedule: Name, cron: Text = "", active: Text = ""
) -> Response:
    """Save the times of a schedule, and whether it runs."""
    try:
        service.change_schedule(db, schedule, cron=cron.strip() or None, active=bool(active), source="page")
    except Invalid as error:
        states = service.list_schedules(db)
        return _page(page, scope, states, problem=error, typed={schedule: (cron, bool(active))})
    return RedirectResponse(f"/admin/schedules?done={schedule}", SEE_OTHER)


def _page(
    page: PageContext,
    scope: Scope,
    states: list[service.ScheduleState],
    *,
    done: str = "",
    problem: Invalid | None = None,
    typed: dict[str, tuple[str, bool]] | None = None,
) -> HTMLResponse:
    return page.render(
        "portal/admin/schedules.html",
        scope.principal,
        status=200 if problem is None else problem.status,
        partner=scope.tenant.name,
        current="/admin",
        states=states,
        name_of=name_of,
        purpose_of=purpose_of,
        zone=ZoneInfo(scope.tenant.time_zone),
        zone_name=scope.tenant.time_zone,
        done=done,
        problem=problem,
        typed=typed or {},
        may_write="settings.write" in scope.principal.permissions,
    )
