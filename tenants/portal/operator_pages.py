"""Pages of the installation's operators: its health, its partners, and one partner. They show no patient."""

from datetime import datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse

from core.access import require_operator
from core.access.pages import Page
from core.app import readiness
from core.database import TenantRef, tenant_session
from core.errors import AppError
from core.identity import Principal
from core.jobs import operations
from core.services.backups import base_backups
from core.tenancy import describe_tenant
from core.tenancy.overview import overview
from tenants.portal import operator_words as words
from tenants.records.repository import newest_data_date

router = APIRouter()

Operator = Annotated[Principal, Depends(require_operator("operations.read"))]
ZONE: Final = ZoneInfo("UTC")
DEAD_SHOWN: Final = 1000


@router.get("/operators")
def show_health(page: Page, principal: Operator) -> HTMLResponse:
    """Show what the readiness checks say, the queue, the dead letters, and the last backup."""
    report = readiness.report()
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
    """Show one partner: its state and phase, the date of its data, and its jobs."""
    tenant = describe_tenant(slug)
    ref = tenant.ref()
    activity = next((activity for each, activity in overview().tenants if each.id == tenant.id), None)
    return page.render(
        "portal/operators/tenant.html",
        principal,
        partner=words.INSTALLATION,
        current="/operators",
        tenant=tenant,
        activity=activity,
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
