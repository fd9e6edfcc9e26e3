"""Pages of invoices and credit notes: the list, one with its lines, the uses behind a line, and its payments."""

from datetime import UTC
from typing import Annotated, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from billing.console.documents import PAGE_SIZE, STATES, get_document, list_documents, uses_of_line
from billing.console.plan_pages import day_of
from billing.console.shell import HOME, Reader, Writer, act_of, render
from billing.console.tenant_pages import amount_of
from billing.console.tenant_view import names_of_all, slugs_of_all
from billing.invoices.answers import disposition
from billing.invoices.checking import recompute
from billing.invoices.documents import document_of, invoice_csv, invoice_pdf
from billing.invoices.payments import credit_note, record_payment, void
from core.access.pages import Page, PageContext
from core.clock import now
from core.database import platform_session
from core.errors import AppError, Conflict, FieldError, Invalid
from core.idempotency import CONTROL_DATABASE
from core.identity import Principal
from core.tenancy import describe_tenant, list_tenants
from core.web.pages import SEE_OTHER

router = APIRouter()

INVOICES: Final = f"{HOME}/invoices"
Number = Annotated[int, Query(ge=1, le=100_000)]


@router.get("/operators/billing/invoices")
def show_invoices(
    page: Page, principal: Reader, state: str = "", tenant: str = "", number: Annotated[int, Query(alias="page")] = 1
) -> HTMLResponse:
    """Show invoices and credit notes, the newest first, of a state and of a partner."""
    chosen = state if state in STATES else ""
    tenant_id = describe_tenant(tenant).id if tenant else None
    at = max(1, number)
    with platform_session() as session:
        rows, total = list_documents(session, names_of_all(), state=chosen, tenant_id=tenant_id, number=at)
    return render(
        page,
        principal,
        "billing/invoices.html",
        rows=rows,
        total=total,
        state=chosen,
        tenant=tenant,
        tenants=list_tenants(),
        number=at,
        pages=max(1, -(-total // PAGE_SIZE)),
        address=lambda place: f"{INVOICES}?{urlencode({'state': chosen, 'tenant': tenant, 'page': place})}",
    )


@router.get("/operators/billing/invoices/{invoice_id}")
def show_invoice(page: Page, principal: Reader, invoice_id: UUID) -> HTMLResponse:
    """Show one document: its lines, which open to their uses, its payments and what can be done."""
    return _invoice_page(page, principal, invoice_id)


@router.get("/operators/billing/invoices/{invoice_id}/lines/{position}")
def show_line(page: Page, principal: Reader, invoice_id: UUID, position: int, number: int = 1) -> HTMLResponse:
    """Show the uses that a line counts."""
    at = max(1, number)
    with platform_session() as session:
        document = get_document(session, invoice_id, names_of_all())
    shown = uses_of_line(document, position, actor=principal.actor, number=at)
    return render(
        page,
        principal,
        "billing/line.html",
        document=document,
        shown=shown,
        home=INVOICES,
        number=at,
        pages=max(1, -(-shown.total // PAGE_SIZE)),
        address=lambda place: f"{INVOICES}/{invoice_id}/lines/{position}?number={place}",
        operator=True,
    )


@router.get("/operators/billing/invoices/{invoice_id}/document.pdf")
def show_pdf(_: Reader, invoice_id: UUID) -> Response:
    """Send a document as PDF."""
    return pdf_of(invoice_id)


@router.get("/operators/billing/invoices/{invoice_id}/document.csv")
def show_csv(_: Reader, invoice_id: UUID) -> Response:
    """Send the lines of a document as CSV."""
    return csv_of(invoice_id)


@router.post("/operators/billing/invoices/{invoice_id}/payment", dependencies=[CONTROL_DATABASE])
def post_payment(
    page: Page,
    principal: Writer,
    invoice_id: UUID,
    amount: Annotated[str, Form(max_length=40)] = "",
    received_on: Annotated[str, Form(max_length=40)] = "",
    reference: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Record money that was received by bank transfer. The same reference counts one time."""
    try:
        value, day = amount_of(amount), day_of(received_on, "received_on")
        with platform_session() as session:
            record_payment(
                session,
                invoice_id,
                value,
                received_on=day,
                method="bank_transfer",
                reference=reference.strip(),
                act=act_of(principal),
            )
    except (Invalid, Conflict) as error:
        return _invoice_page(page, principal, invoice_id, error)
    return RedirectResponse(f"{INVOICES}/{invoice_id}?done=payment", SEE_OTHER)


@router.post("/operators/billing/invoices/{invoice_id}/credit-note", dependencies=[CONTROL_DATABASE])
def post_credit_note(
    page: Page,
    principal: Writer,
    invoice_id: UUID,
    amount: Annotated[str, Form(max_length=40)] = "",
    reason: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Issue a credit note for an invoice, or for a part of it."""
    try:
        value = amount_of(amount) if amount.strip() else None
        act = act_of(principal, _reason(reason))
        with platform_session() as session:
            note = credit_note(session, invoice_id, now=now(), act=act, amount=value)
            note_id = note.id
    except (Invalid, Conflict) as error:
        return _invoice_page(page, principal, invoice_id, error)
    return RedirectResponse(f"{INVOICES}/{note_id}?done=credit_note", SEE_OTHER)


@router.post("/operators/billing/invoices/{invoice_id}/void", dependencies=[CONTROL_DATABASE])
def post_void(
    page: Page, principal: Writer, invoice_id: UUID, reason: Annotated[str, Form(max_length=500)] = ""
) -> Response:
    """Cancel the newest invoice of a partner; its period is invoiced again."""
    try:
        act = act_of(principal, _reason(reason))
        with platform_session() as session:
            void(session, invoice_id, now=now(), act=act)
    except (Invalid, Conflict) as error:
        return _invoice_page(page, principal, invoice_id, error)
    return RedirectResponse(f"{INVOICES}/{invoice_id}?done=void", SEE_OTHER)


def pdf_of(invoice_id: UUID, *, tenant_id: UUID | None = None) -> Response:
    """Return a document as PDF; of one partner, if ``tenant_id`` is given.

    Raises:
        NotFound: there is no such document (404).
    """
    with platform_session() as session:
        invoice = get_document(session, invoice_id, {}, tenant_id=tenant_id).row.invoice
        content = document_of(session, invoice)
    return _file(invoice_pdf(content), invoice.label, "pdf", "application/pdf")


def csv_of(invoice_id: UUID, *, tenant_id: UUID | None = None) -> Response:
    """Return the lines of a document as CSV; of one partner, if ``tenant_id`` is given.

    Raises:
        NotFound: there is no such document (404).
    """
    with platform_session() as session:
        invoice = get_document(session, invoice_id, {}, tenant_id=tenant_id).row.invoice
        content = document_of(session, invoice)
    return _file(invoice_csv(content).encode(), invoice.label, "csv", "text/csv; charset=utf-8")


def _file(content: bytes, name: str, ending: str, media: str) -> Response:
    return Response(content, media_type=media, headers=disposition(name, ending))


def _reason(text: str) -> str:
    if not text.strip():
        detail = "a reason is needed"
        raise Invalid(detail, errors=[FieldError("reason", "is empty", "Say why; name no person.")])
    return text.strip()


def _invoice_page(
    page: PageContext, principal: Principal, invoice_id: UUID, error: AppError | None = None
) -> HTMLResponse:
    with platform_session() as session:
        document = get_document(session, invoice_id, names_of_all())
        invoice = document.row.invoice
        computed = invoice.state in ("final", "paid") and invoice.kind != "credit_note"
        comparison = recompute(session, invoice) if computed else None
    return render(
        page,
        principal,
        "billing/invoice.html",
        error=error,
        document=document,
        slug=slugs_of_all().get(invoice.tenant_id),
        same=None if comparison is None else comparison.is_same,
        today=now().astimezone(UTC).date(),
        base=f"{INVOICES}/{invoice_id}",
        home=INVOICES,
    )
