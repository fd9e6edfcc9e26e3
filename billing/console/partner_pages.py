"""A partner's own pages of its bill: use so far with caps, forecast, plan, invoices, and the events behind a figure."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from billing.console.amounts import meter_name
from billing.console.documents import PAGE_SIZE, get_document, list_documents, uses_of_line
from billing.console.invoice_pages import csv_of, pdf_of
from billing.console.shell import PARTNER_HOME, WORDS, PartnerReader
from billing.console.tenant_view import caps_of
from billing.console.usage_pages import USES_SHOWN, span_of
from billing.invoices.credits import credits_of
from billing.invoices.preview import preview
from billing.payments.provider import provider_of
from billing.plans.subscribers import accounts, subscribers
from core.access import Scope, TenantScope
from core.access.pages import Page, PageContext
from core.clock import now
from core.database import platform_session
from core.errors import NotFound
from core.idempotency import IN_STEPS
from core.identity import Principal
from core.metering import meters
from core.metering.details import count_uses, uses
from core.web.own_address import own_origin

router = APIRouter()

INVOICES: Final = f"{PARTNER_HOME}/invoices"


@router.get("/admin/billing")
def show_bill(page: Page, principal: PartnerReader, scope: TenantScope) -> HTMLResponse:
    """Show what the partner has used, what it will pay and why, its plan, and its invoices."""
    tenant = scope.tenant
    with platform_session() as session:
        account, subscriber = accounts(session).get(tenant.id), subscribers(session).get(tenant.id)
        running = None if account is None else preview(session, tenant.id, now=now())
        documents, total = list_documents(session, {}, tenant_id=tenant.id, with_drafts=False)
        left = [each for each in credits_of(session, tenant.id) if each.left > 0]
    return _render(
        page,
        principal,
        scope,
        "billing/bill.html",
        account=account,
        subscriber=subscriber,
        preview=running,
        caps=caps_of(running, subscriber.terms) if running and subscriber else [],
        documents=documents,
        total=total,
        credits=left,
        online=account is not None and account.provider != "manual",
        address=lambda line: f"{PARTNER_HOME}/usage?meter={line.meter}&since={line.start}&until={line.end}",
    )


@router.get("/admin/billing/usage")
def show_uses(
    page: Page, principal: PartnerReader, scope: TenantScope, meter: str = "", since: str = "", until: str = ""
) -> HTMLResponse:
    """Show the uses of a meter in a span of days, in the time zone of the partner."""
    name = meter or min(meters(), key=meter_name)
    if name not in meters():
        detail = "there is no such meter"
        raise NotFound(detail)
    start, end = span_of(since, until)
    zone = ZoneInfo(scope.tenant.time_zone)
    begin, stop = (datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC) for day in (start, end))
    with scope.session(readonly=True) as session:
        total = count_uses(session, name, begin, stop)
        rows = uses(session, name, begin, stop, limit=USES_SHOWN)
    return _render(
        page,
        principal,
        scope,
        "billing/uses.html",
        meter=name,
        meters=list(meters().values()),
        start=start,
        end=end,
        uses=rows,
        total=total,
        most=USES_SHOWN,
    )


@router.get("/admin/billing/invoices/{invoice_id}")
def show_own_invoice(page: Page, principal: PartnerReader, scope: TenantScope, invoice_id: UUID) -> HTMLResponse:
    """Show one invoice of the partner; each line of use opens to its uses."""
    with platform_session() as session:
        document = get_document(session, invoice_id, {scope.tenant.id: scope.tenant.name}, tenant_id=scope.tenant.id)
        account = accounts(session).get(scope.tenant.id)
    return _render(
        page,
        principal,
        scope,
        "billing/own_invoice.html",
        document=document,
        base=f"{INVOICES}/{invoice_id}",
        home=INVOICES,
        online=account is not None and account.provider != "manual",
    )


@router.get("/admin/billing/invoices/{invoice_id}/lines/{position}")
def show_own_line(
    page: Page, principal: PartnerReader, scope: TenantScope, invoice_id: UUID, position: int, number: int = 1
) -> HTMLResponse:
    """Show the uses that a line of an invoice counts."""
    at = max(1, number)
    with platform_session() as session:
        document = get_document(session, invoice_id, {}, tenant_id=scope.tenant.id)
    shown = uses_of_line(document, position, actor=principal.actor, number=at)
    return _render(
        page,
        principal,
        scope,
        "billing/line.html",
        document=document,
        shown=shown,
        home=INVOICES,
        number=at,
        pages=max(1, -(-shown.total // PAGE_SIZE)),
        address=lambda place: f"{INVOICES}/{invoice_id}/lines/{position}?number={place}",
        operator=False,
    )


@router.get("/admin/billing/invoices/{invoice_id}/document.pdf")
def show_own_pdf(_: PartnerReader, scope: TenantScope, invoice_id: UUID) -> Response:
    """Send an invoice of the partner as PDF."""
    return pdf_of(invoice_id, tenant_id=scope.tenant.id)


@router.get("/admin/billing/invoices/{invoice_id}/document.csv")
def show_own_csv(_: PartnerReader, scope: TenantScope, invoice_id: UUID) -> Response:
    """Send the lines of an invoice of the partner as CSV."""
    return csv_of(invoice_id, tenant_id=scope.tenant.id)


@router.post("/admin/billing/invoices/{invoice_id}/pay", dependencies=[IN_STEPS])
def post_pay(page: Page, principal: PartnerReader, scope: TenantScope, invoice_id: UUID) -> HTMLResponse:
    """Show the link to the provider's page on which the invoice is paid, if the partner pays by one."""
    with platform_session() as session:
        document = get_document(session, invoice_id, {}, tenant_id=scope.tenant.id)
    address = f"{INVOICES}/{invoice_id}"
    link = provider_of(scope.tenant.id).payment_link(invoice_id, return_url=f"{own_origin(page.request)}{address}")
    return _render(page, principal, scope, "billing/pay.html", document=document, link=link, base=address)


def _render(
    page: PageContext,
    principal: Principal,
    scope: Scope,
    template: str,
    **values: Any,  # noqa: ANN401 - what a template shows is of any type
) -> HTMLResponse:
    return page.render(
        template,
        principal,
        partner=scope.tenant.name,
        current="/admin",
        zone=ZoneInfo(scope.tenant.time_zone),
        words=WORDS,
        today=now().date(),
        **values,
    )
