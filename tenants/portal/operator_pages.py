"""Pages of the installation's operators: its health, its partners, and one partner. They show no patient."""

from datetime import datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.access import require_operator
from core.access.pages import Page, PageContext
from core.app import probes
from core.database import TenantRef, tenant_session
from core.errors import AppError, Conflict, Invalid
from core.idempotency import CONTROL_DATABASE
from core.identity import Principal
from core.identity.people.accounts import list_operators
from core.jobs import operations
from core.services.backups import base_backups
from core.tenancy import describe_tenant, resume_tenant, suspend_tenant, suspension_of
from core.tenancy.overview import overview
from core.tenancy.service import LONGEST_REASON
from core.web.pages import SEE_OTHER
from tenants.portal import operator_words as words
from tenants.records.repository import newest_data_date

router = APIRouter()

Operator = Annotated[Principal, Depends(require_operator("operations.read"))]
Writer = Annotated[Principal, Depends(require_operator("operations.write"))]
ZONE: Final = ZoneInfo("UTC")
DEAD_SHOWN: Final = 1000


@router.get("/operators")
def show_health(page: Page, principal: Operator) -> HTMLResponse:
    """Show what the readiness checks say, the queue, the dead letters, and the last backup."""
    report = probes.report()
    try:
        dead: int | None = len(operations.find(state="dead", limit=DEAD_SHOWN))
    except AppError:
        dead = None  # the checks say which database does not answer
    backups = base_backups()
    return page.render(
        "portal/operators/health.html",
        principal,
        partner=words.INSTALLATION,
        current="/operators",
        report=report,
        components=[one for one in probes.all_components() if one.name not in {each.name for each in report.checks}],
        dead=dead,
        most=DEAD_SHOWN,
        backup=datetime.fromisoformat(backups[-1].ended) if backups else None,
        zone=ZONE,
        words=words,
    )


@router.get("/operators/tenants")
def show_tenants(page: Page, principal: Operator) -> HTMLResponse:
    """Show every partner with its state, its size and its last import."""
    shown = overview()
    return page.render(
        "portal/operators/tenants.html",
        principal,
        partner=words.INSTALLATION,
        current="/operators",
        tenants=shown.tenants,
        unasked=shown.unasked,
        zone=ZONE,
        words=words,
    )


@router.get("/operators/tenants/{slug}")
def show_tenant(page: Page, principal: Operator, slug: str) -> HTMLResponse:
    """Show one partner: its state and why, the date of its data, and its jobs."""
    return _tenant_page(page, principal, slug)


@router.post("/operators/tenants/{slug}/suspend", dependencies=[CONTROL_DATABASE])
def post_suspend(
    page: Page, principal: Writer, slug: str, reason: Annotated[str, Form(max_length=1000)] = ""
) -> Response:
    """Suspend a partner: its people cannot sign in, and its jobs wait."""
    try:
        suspend_tenant(slug, actor=principal.actor, source="page", reason=reason)
    except (Conflict, Invalid) as error:
        return _tenant_page(page, principal, slug, error)
    return RedirectResponse(f"/operators/tenants/{slug}", SEE_OTHER)


@router.post("/operators/tenants/{slug}/resume", dependencies=[CONTROL_DATABASE])
def post_resume(page: Page, principal: Writer, slug: str) -> Response:
    """Lift the suspension of a partner."""
    try:
        resume_tenant(slug, actor=principal.actor, source="page")
    except Conflict as error:
        return _tenant_page(page, principal, slug, error)
    return RedirectResponse(f"/operators/tenants/{slug}", SEE_OTHER)


def _tenant_page(page: PageContext, principal: Principal, slug: str, error: AppError | None = None) -> HTMLResponse:
    tenant = describe_tenant(slug)
    ref = tenant.ref()
    activity = next((activity for each, activity in overview().tenants if each.id == tenant.id), None)
    return page.render(
        "portal/operators/tenant.html",
        principal,
        status=200 if error is None else error.status,
        partner=words.INSTALLATION,
        current="/operators",
        tenant=tenant,
        activity=activity,
        suspension=suspension_of(tenant),
        names={f"operator:{each.id}": each.name for each in list_operators()},
        problem=error,
        longest_reason=LONGEST_REASON,
        may_write="operations.write" in principal.permissions,
        data_date=_data_date(ref, principal),
        jobs=[words.job_row(row, {tenant.id: tenant.slug}) for row in operations.find(tenant=ref, limit=20)],
        zone=ZONE,
        words=words,
    )


def _data_date(tenant: TenantRef, principal: Principal) -> object:
    """The newest date to which the partner's records run; None while its data cannot be read."""
    try:
        with tenant_session(tenant, actor=principal.actor, readonly=True) as session:
            return newest_data_date(session)
    except AppError:
        return None
