"""Pages of reports: request one, follow it, download and delete it, and schedule it each week or month."""

from typing import Annotated, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core import mail
from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext
from core.clock import now, today
from core.errors import FieldError, Invalid
from core.identity import Principal
from core.identity.people import members
from core.identity.people.colleagues import members_at
from core.tenancy import settings as tenant_settings
from core.web.cursors import Sort
from core.web.pages import SEE_OTHER
from core.web.paging import PageRequest
from core.web.texts import gettext as _
from tenants.cohort import repository
from tenants.cohort.calendar import name_of
from tenants.cohort.so_far import data_date
from tenants.portal import programme_view, report_words
from tenants.portal.report_forms import EMPTY, REJECTED, FilledForms, ReportForm, ScheduleForm
from tenants.reports import files, schedules
from tenants.reports.file_schemas import FORMATS
from tenants.reports.files_api import sent
from tenants.reports.settings import ReportSettings
from tenants.reports.words import KINDS

router = APIRouter()

Reader = Annotated[Principal, Depends(require("reports.read", confined=True))]
Scheduler = Annotated[Principal, Depends(require("reports.write", confined=True))]
PageNumber = Annotated[int, Query(alias="page", ge=1, le=10_000)]
PAGE_SIZE: Final = 20
_PATH: Final = "/reports"


@router.get("/reports")
def show_reports(page: Page, principal: Reader, scope: TenantScope, number: PageNumber = 1) -> HTMLResponse:
    """Show the reports that the reader may download, their schedules, and the forms that ask for more."""
    return _reports_page(page, principal, scope, number)


@router.post("/reports")
def post_report(page: Page, principal: Reader, scope: TenantScope, form: Annotated[ReportForm, Form()]) -> Response:
    """Ask for the report, and show it waiting in the list. If the form has errors, show it again with them."""
    try:
        with scope.session() as session:
            files.request_file(session, principal, form.post)
    except REJECTED as error:
        return _reports_page(page, principal, scope, filled=FilledForms(report=form, error=error))
    return RedirectResponse(_PATH, SEE_OTHER)


@router.get("/reports/files/{report_id}")
def get_file(_reader: Reader, scope: TenantScope, report_id: UUID) -> Response:
    """Send the file to a reader who may read it now."""
    return sent(scope, report_id)


@router.post("/reports/files/{report_id}/delete")
def post_deletion(_reader: Reader, scope: TenantScope, report_id: UUID) -> RedirectResponse:
    """Delete the report and its file."""
    files.delete(scope, report_id)
    return RedirectResponse(_PATH, SEE_OTHER)


@router.post("/reports/schedules")
def post_schedule(
    page: Page, principal: Scheduler, scope: TenantScope, form: Annotated[ScheduleForm, Form()]
) -> Response:
    """Have the report made each week or month. If the form has errors, show it again with them."""
    try:
        schedule = form.schedule(_recipients(scope, form.addresses))
        with scope.session() as session:
            schedules.create(session, principal, schedule)
    except REJECTED as error:
        return _reports_page(page, principal, scope, filled=FilledForms(schedule=form, error=error))
    return RedirectResponse(_PATH, SEE_OTHER)


@router.post("/reports/schedules/{schedule_id}/delete")
def post_end_of_schedule(principal: Scheduler, scope: TenantScope, schedule_id: UUID) -> RedirectResponse:
    """End the schedule. Its reports stay until they expire."""
    with scope.session() as session:
        schedules.delete(session, principal.permissions, schedule_id)
    return RedirectResponse(_PATH, SEE_OTHER)


def _recipients(scope: Scope, addresses: list[str]) -> list[UUID]:
    """The people of the tenant with these addresses.

    Raises:
        Invalid: an address is of nobody who can sign in.
    """
    known = members_at(scope.tenant, addresses)
    strangers = [address for address in addresses if address not in known]
    if strangers:
        problem = _("nobody who can sign in here has the address {address}").format(address=strangers[0])
        remedy = _("Write the e-mail addresses of people of the partner, as they sign in with them.")
        raise Invalid(problem, remedy=remedy, errors=[FieldError("recipients", problem, remedy)])
    return [known[address] for address in addresses]


def _choices(principal: Principal, *, dhis2: bool) -> list[tuple[str, str]]:
    """The reports that the reader may ask for, in each format."""
    return [
        (f"{kind}.{form}", report_words.in_format(kind, form))
        for kind in KINDS
        for form in FORMATS[kind]
        if files.needed(kind, identifiers=False) <= principal.permissions and (kind != "dhis2" or dhis2)
    ]


def _reports_page(
    page: PageContext, principal: Principal, scope: Scope, number: int = 1, *, filled: FilledForms = EMPTY
) -> HTMLResponse:
    paging = PageRequest(number, PAGE_SIZE, _PATH, sort=Sort.parse("-requested_at"), keyed=True)
    coming = PageRequest(1, PAGE_SIZE, _PATH, sort=Sort.parse("created_at"), keyed=True)
    day = today(scope.tenant.time_zone)
    with scope.session() as session:
        part = files.list_files(session, principal.permissions, paging)
        planned = schedules.list_schedules(session, principal.permissions, coming)
        facilities = repository.facilities(session)
        rules = tenant_settings.get(session, ReportSettings)
        periods = programme_view.period_choices(data_date(session))
        usual = name_of(programme_view.default_period(session))
        own = {row.uuid for row in part.rows if row.requested_by == session.actor}
    reports = [files.shown(row) for row in part.rows]
    return page.render(
        "portal/reports/index.html",
        principal,
        status=200 if filled.error is None else filled.error.status,
        partner=scope.tenant.name,
        current=_PATH,
        reports=reports,
        fresh=[each for each in reports if each.schedule_id and each.made_at and (now() - each.made_at).days < 1],
        waiting=any(each.state == "waiting" for each in reports),
        own=own,
        planned=[schedules.shown(row) for row in planned.rows],
        people=members.names_of(scope.tenant, {person for row in planned.rows for person in row.recipients}),
        mails=mail.is_configured(),
        total=part.total,
        number=number,
        page_size=PAGE_SIZE,
        choices_of_reports=_choices(principal, dhis2=rules.dhis2 is not None),
        periods=periods,
        form=filled.report or ReportForm(period=usual, as_of=day.isoformat()),
        plan=filled.schedule or ScheduleForm(),
        asked=filled.report is not None,
        problems=filled.problems,
        clinics=programme_view.clinic_choices(facilities),
        names={row.datim_id: row.name for row in facilities},
        zone=ZoneInfo(scope.tenant.time_zone),
        keep_days=rules.keep_days,
        may_schedule=files.MANAGE in principal.permissions,
        words=report_words,
    )
