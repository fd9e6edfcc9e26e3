"""The API's routes of a partner for its plan, its invoices and what the running period costs."""

from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Path, Response

from billing.invoices.answers import detail_of, disposition
from billing.invoices.computing import stored_lines
from billing.invoices.credits import credits_of
from billing.invoices.documents import document_of, invoice_csv, invoice_pdf
from billing.invoices.payments import find_invoice
from billing.invoices.preview import preview
from billing.invoices.repository import list_invoices
from billing.invoices.schemas import CreditOut, InvoiceDetail, InvoiceOut, PlanOut, PreviewOut, UseOut
from billing.plans.timeline import timelines_of
from billing.terms import Period, bounds
from core.access import TenantScope, require
from core.clock import now, today
from core.database import platform_session
from core.errors import NotFound
from core.errors.problem import responses
from core.identity import Principal
from core.metering.details import count_uses, uses
from core.web.paging import Page, PageRequest, Paging, sorted_pages

router = APIRouter(prefix="/billing", tags=["billing"])

Reader = Annotated[Principal, Depends(require("billing.read"))]
Newest = Annotated[PageRequest, Depends(sorted_pages({"created_at": str, "due_on": str, "total": str}, "-created_at"))]

Position = Annotated[int, Path(ge=1, le=10_000, description="Position of the line.")]


def file_answer(media_type: str) -> dict[int | str, dict[str, Any]]:
    """The description of an answer that is a file."""
    content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {200: {"description": "The file.", "content": content}}


@router.get("/plan", operation_id="get_plan", summary="Get the partner's plan", responses=responses(NotFound))
def get_plan(_: Reader, scope: TenantScope) -> PlanOut:
    """Return the terms of today, with the partner's add-ons and overrides."""
    with platform_session() as session:
        timelines = timelines_of(session, scope.tenant.id)
    for timeline in timelines:
        if (change := timeline.on(today(scope.tenant.time_zone))) is not None:
            return PlanOut(
                plan=change.plan, started_on=timeline.started_on, ends_on=timeline.ends_on, terms=change.terms
            )
    raise NotFound("the partner has no plan today")


@router.get(
    "/preview",
    operation_id="get_billing_preview",
    summary="Get what the running period costs",
    responses=responses(NotFound),
)
def get_billing_preview(_: Reader, scope: TenantScope) -> PreviewOut:
    """Return the lines of the running period so far, and a forecast. Late use of earlier periods is in both."""
    with platform_session() as session:
        running = preview(session, scope.tenant.id, now=now())
    if running is None:
        raise NotFound("the partner has no plan today")
    return PreviewOut.of(running)


@router.get("/invoices", operation_id="list_invoices", summary="List invoices and credit notes")
def get_invoices(_: Reader, scope: TenantScope, paging: Newest) -> Page[InvoiceOut]:
    """Return the partner's invoices and credit notes, newest first unless sorted. Drafts may still change."""
    return invoice_page(paging, scope.tenant.id, scope.tenant.time_zone)


@router.get("/invoices/{invoice_id}", operation_id="get_invoice", summary="Get an invoice with its lines")
def get_invoice(_: Reader, scope: TenantScope, invoice_id: UUID) -> InvoiceDetail:
    """Return the lines with the steps of their prices. Their amounts add up to the total."""
    with platform_session() as session:
        invoice = find_invoice(session, invoice_id, tenant_id=scope.tenant.id)
        return detail_of(session, invoice, today(scope.tenant.time_zone))


@router.get(
    "/invoices/{invoice_id}/pdf", operation_id="get_invoice_pdf", summary="Download an invoice as PDF",
    response_class=Response, responses=file_answer("application/octet-stream"),
)  # fmt: skip
def get_invoice_pdf(_: Reader, scope: TenantScope, invoice_id: UUID) -> Response:
    """Return the document as it was issued."""
    return pdf_answer(invoice_id, scope.tenant.id)


@router.get(
    "/invoices/{invoice_id}/csv", operation_id="get_invoice_csv", summary="Download the lines of an invoice as CSV",
    response_class=Response, responses=file_answer("text/csv"),
)  # fmt: skip
def get_invoice_csv(_: Reader, scope: TenantScope, invoice_id: UUID) -> Response:
    """Return the lines of the document."""
    with platform_session() as session:
        document = document_of(session, find_invoice(session, invoice_id, tenant_id=scope.tenant.id))
    headers = disposition(document.invoice.label, "csv")
    return Response(invoice_csv(document), media_type="text/csv", headers=headers)


@router.get(
    "/invoices/{invoice_id}/lines/{position}/uses",
    operation_id="list_uses_of_line",
    summary="List the uses behind a line of an invoice",
)
def list_uses_of_line(
    _: Reader, scope: TenantScope, invoice_id: UUID, position: Position, paging: Paging
) -> Page[UseOut]:
    """Return the uses of the line's meter in its days, by time. Uses that arrived after the invoice are among them."""
    with platform_session() as session:
        invoice = find_invoice(session, invoice_id, tenant_id=scope.tenant.id)
        line = next((line for line in stored_lines(session, invoice.id) if line.position == position), None)
    if line is None or line.meter is None or line.start is None or line.end is None:
        raise NotFound("the invoice has no line of a meter at that position")
    start, end = bounds(Period(line.start, line.end), ZoneInfo(str(invoice.account["time_zone"])))
    with scope.session(readonly=True) as tenant:
        rows = uses(tenant, line.meter, start, end, limit=paging.limit, offset=paging.offset)
        total = count_uses(tenant, line.meter, start, end)
    return Page.of([UseOut.model_validate(row) for row in rows], paging, total)


@router.get("/credits", operation_id="list_credits", summary="List the partner's credits")
def list_credits(_: Reader, scope: TenantScope) -> list[CreditOut]:
    """Return the credits in the order of their use, spent ones too."""
    with platform_session() as session:
        return [CreditOut.of(state) for state in credits_of(session, scope.tenant.id)]


def invoice_page(paging: PageRequest, tenant_id: UUID | None, zone: str, state: str | None = None) -> Page[InvoiceOut]:
    """Return a page of documents: of one tenant, or of all."""
    day = today(zone)
    sort = paging.sort
    with platform_session() as session:
        rows, total = list_invoices(
            session,
            tenant_id=tenant_id,
            state=state,
            today=day,
            sort="created_at" if sort is None else sort.field,
            descending=sort is None or sort.descending,
            limit=paging.limit,
            offset=paging.offset,
        )
    return Page.of([InvoiceOut.of(row, day) for row in rows], paging, total)


def pdf_answer(invoice_id: UUID, tenant_id: UUID | None = None) -> Response:
    """Return the PDF of a document: of one tenant, or of any."""
    with platform_session() as session:
        document = document_of(session, find_invoice(session, invoice_id, tenant_id=tenant_id))
    headers = disposition(document.invoice.label, "pdf")
    return Response(invoice_pdf(document), media_type="application/pdf", headers=headers)
