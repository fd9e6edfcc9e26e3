"""The API's routes of operators for invoices, credits and payments of all tenants, and for the effect of a plan."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from billing.invoices.answers import detail_of
from billing.invoices.api import file_answer, invoice_page, pdf_answer
from billing.invoices.credits import CreditState, credits_of, grant_credit, revoke_credit
from billing.invoices.effects import effects_on_plan
from billing.invoices.payments import credit_note, find_invoice, record_payment, void
from billing.invoices.schemas import (
    CreditIn,
    CreditNoteIn,
    CreditOut,
    CreditRevocationIn,
    InvoiceDetail,
    InvoiceOut,
    PaymentIn,
    PlanEffectOut,
    PlanEffects,
    State,
    VoidIn,
)
from billing.plans.service import Act
from billing.terms import PlanTerms
from core.access import require_operator
from core.clock import now, today
from core.database import platform_session
from core.errors import Conflict, NotFound
from core.errors.problem import responses
from core.identity import Principal
from core.tenancy import describe_tenant
from core.web.location import set_location
from core.web.paging import Page, PageRequest, sorted_pages

router = APIRouter(prefix="/operators/billing", tags=["operators"])

Reader = Annotated[Principal, Depends(require_operator("business.read"))]
Code = Annotated[str, Path(max_length=40, description="Code of the plan.")]
Writer = Annotated[Principal, Depends(require_operator("business.write"))]
Slug = Annotated[str, Path(max_length=100, description="Short name of the tenant.")]
Newest = Annotated[PageRequest, Depends(sorted_pages({"created_at": str, "due_on": str, "total": str}, "-created_at"))]


@router.get("/invoices", operation_id="list_all_invoices", summary="List invoices and credit notes of all tenants")
def list_all_invoices(
    _: Reader,
    paging: Newest,
    tenant: Annotated[str | None, Query(max_length=100, description="Only of the tenant with this slug.")] = None,
    state: Annotated[State | None, Query(description="Only in this state.")] = None,
) -> Page[InvoiceOut]:
    """Return the documents that match all conditions, newest first unless sorted."""
    return invoice_page(paging, describe_tenant(tenant).id if tenant else None, "UTC", state)


@router.get("/invoices/{invoice_id}", operation_id="get_any_invoice", summary="Get an invoice of any tenant")
def get_any_invoice(_: Reader, invoice_id: UUID) -> InvoiceDetail:
    """Return a document with its lines."""
    return _shown(invoice_id)


@router.get(
    "/invoices/{invoice_id}/pdf", operation_id="get_any_invoice_pdf", summary="Download an invoice of any tenant",
    response_class=Response, responses=file_answer("application/octet-stream"),
)  # fmt: skip
def get_any_invoice_pdf(_: Reader, invoice_id: UUID) -> Response:
    """Return the document as PDF."""
    return pdf_answer(invoice_id)


@router.post("/invoices/{invoice_id}/payments", operation_id="record_payment", summary="Record a payment")
def post_payment(principal: Writer, invoice_id: UUID, body: PaymentIn) -> InvoiceDetail:
    """Record money received for an invoice, or returned. The same method and reference count one time."""
    with platform_session() as session:
        record_payment(session, invoice_id, **body.model_dump(), act=Act(principal.actor, "api"))
    return _shown(invoice_id)


@router.post(
    "/invoices/{invoice_id}/credit-notes", operation_id="issue_credit_note", summary="Issue a credit note",
    status_code=HTTPStatus.CREATED,
)  # fmt: skip
def post_credit_note(principal: Writer, invoice_id: UUID, body: CreditNoteIn, response: Response) -> InvoiceDetail:
    """Issue a credit note for an invoice, or a part of it. Returns the credit note."""
    with platform_session() as session:
        act = Act(principal.actor, "api", body.reason)
        note = credit_note(session, invoice_id, now=now(), act=act, amount=body.amount)
    set_location(response, f"/v1{router.prefix}/invoices/{note.id}")
    return _shown(note.id)


@router.post("/invoices/{invoice_id}/void", operation_id="void_invoice", summary="Cancel an invoice")
def post_void(principal: Writer, invoice_id: UUID, body: VoidIn) -> InvoiceDetail:
    """Cancel the newest unpaid invoice of a tenant. Its period is drafted again, under the next number."""
    with platform_session() as session:
        void(session, invoice_id, now=now(), act=Act(principal.actor, "api", body.reason))
    return _shown(invoice_id)


@router.get("/tenants/{slug}/credits", operation_id="list_credits_of_tenant", summary="List the credits of a tenant")
def list_credits_of_tenant(_: Reader, slug: Slug) -> list[CreditOut]:
    """Return the credits in the order of their use, spent ones too."""
    tenant = describe_tenant(slug)
    with platform_session() as session:
        return [CreditOut.of(state) for state in credits_of(session, tenant.id)]


@router.post(
    "/tenants/{slug}/credits", operation_id="grant_credit", summary="Create a credit for a tenant",
    status_code=HTTPStatus.CREATED,
)  # fmt: skip
def post_credit(principal: Writer, slug: Slug, body: CreditIn, response: Response) -> CreditOut:
    """Grant a credit, which the next invoices in its currency use."""
    tenant = describe_tenant(slug)
    values = body.model_dump(exclude={"reason"})
    with platform_session() as session:
        act = Act(principal.actor, "api", body.reason)
        row = grant_credit(session, tenant.id, **values, today=today(tenant.time_zone), act=act)
    set_location(response, f"/v1{router.prefix}/tenants/{slug}/credits")
    return CreditOut.of(CreditState(row, row.amount))


@router.post(
    "/tenants/{slug}/credits/{credit_id}/revoke", operation_id="revoke_credit",
    summary="Revoke what is left of a credit", responses=responses(NotFound, Conflict),
)  # fmt: skip
def post_revocation(principal: Writer, slug: Slug, credit_id: UUID, body: CreditRevocationIn) -> CreditOut:
    """Revoke what is left of a credit, by an entry against it. What invoices used of it stays used."""
    tenant = describe_tenant(slug)
    with platform_session() as session:
        act = Act(principal.actor, "api", body.reason)
        return CreditOut.of(revoke_credit(session, tenant.id, credit_id, act=act))


@router.post("/plans/{code}/preview", operation_id="preview_plan", summary="Look at what terms change for whom")
def post_preview(
    _: Writer, code: Annotated[str, Path(max_length=40, description="Code of the plan.")], body: PlanTerms
) -> PlanEffects:
    """Return what the terms change for each partner of the plan in its running period. Nothing is saved."""
    with platform_session() as session:
        effects = effects_on_plan(session, code, body)
    return PlanEffects(effects=[PlanEffectOut.of(effect) for effect in effects])


def _shown(invoice_id: UUID) -> InvoiceDetail:
    with platform_session() as session:
        return detail_of(session, find_invoice(session, invoice_id), today("UTC"))
