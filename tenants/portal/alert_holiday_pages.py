"""Page of the holidays, on which alerts keep quiet: add one, remove one, copy those of the year before."""

from collections.abc import Mapping
from datetime import date
from itertools import groupby
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext
from core.clock import today
from core.errors import AppError, Invalid, PreconditionFailed
from core.identity import Principal
from core.preferences import registry
from core.preferences.holidays import LONGEST_NAME
from core.tenancy import settings
from core.web.pages import SEE_OTHER
from tenants.alerts import holidays
from tenants.alerts.settings import AlertSettings
from tenants.portal import alert_words as words
from tenants.portal.alert_forms import Holiday, HolidayForm, checked, problem_of

router = APIRouter()

Reader = Annotated[Principal, Depends(require("settings.read"))]
Writer = Annotated[Principal, Depends(require("settings.write"))]
HOME: Final = "/alerts/holidays"
GROUP: Final = AlertSettings.settings_key


@router.get("/alerts/holidays")
def show_holidays(page: Page, _: Reader, scope: TenantScope, done: str = "", count: int = 0) -> HTMLResponse:
    """Show the holidays, year by year, with the form of a new one."""
    return _page(page, scope, HolidayForm(), done=done, count=count)


@router.post("/alerts/holidays")
def post_holiday(page: Page, principal: Writer, scope: TenantScope, form: Annotated[HolidayForm, Form()]) -> Response:
    """Add a holiday, or give one that is there another name."""
    registry.changeable(GROUP, principal.permissions)
    try:
        holiday = checked(Holiday, form.model_dump())
        with scope.session() as session:
            holidays.add_holiday(session, holiday.day, holiday.name)
    except (Invalid, PreconditionFailed) as error:
        return _page(page, scope, form, error=error)
    return RedirectResponse(f"{HOME}?done=saved", SEE_OTHER)


@router.post("/alerts/holidays/copy")
def post_copy(
    page: Page, principal: Writer, scope: TenantScope, year: Annotated[int, Form(ge=2001, le=2199)]
) -> Response:
    """Copy the holidays of the year before."""
    registry.changeable(GROUP, principal.permissions)
    try:
        with scope.session() as session:
            count = holidays.copy_holidays(session, year)
    except (Invalid, PreconditionFailed) as error:
        return _page(page, scope, HolidayForm(), error=error)
    return RedirectResponse(f"{HOME}?done=copied&count={count}", SEE_OTHER)


@router.post("/alerts/holidays/remove")
def post_removal(page: Page, principal: Writer, scope: TenantScope, day: Annotated[date, Form()]) -> Response:
    """Remove a holiday."""
    registry.changeable(GROUP, principal.permissions)
    try:
        with scope.session() as session:
            holidays.remove_holiday(session, day)
    except (Invalid, PreconditionFailed) as error:
        return _page(page, scope, HolidayForm(), error=error)
    return RedirectResponse(f"{HOME}?done=removed", SEE_OTHER)


def _page(
    page: PageContext, scope: Scope, form: HolidayForm, *, done: str = "", count: int = 0, error: AppError | None = None
) -> HTMLResponse:
    with scope.session(readonly=True) as session:
        chosen = settings.get(session, AlertSettings)
    year = today(scope.tenant.time_zone).year
    years = _by_year(chosen.holidays)
    return page.render(
        "portal/alerts/holidays.html",
        scope.principal,
        status=200 if error is None else error.status,
        partner=scope.tenant.name,
        current="/alerts",
        quiet=chosen.quiet_hours,
        years=[each for each in years if each[0] >= year],
        past=[each for each in reversed(years) if each[0] < year],
        copies=[each for each in (year, year + 1) if holidays.to_copy(chosen.holidays, each)],
        form=form,
        longest_name=LONGEST_NAME,
        problem=None if error is None else problem_of(error),
        done=words.done_with_holidays(done, count),
        may_write=scope.principal.permissions.issuperset(("settings.write", registry.group(GROUP).permission)),
    )


def _by_year(days: Mapping[date, str]) -> list[tuple[int, list[tuple[date, str]]]]:
    """Return each year with its holidays, in the order of the calendar."""
    return [(year, list(each)) for year, each in groupby(sorted(days.items()), key=lambda item: item[0].year)]
