"""Pages of partners for the business: all of them, and one with everything that is done about it."""

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from billing.console.documents import list_documents
from billing.console.overview import business_acts
from billing.console.overview_pages import names_of_operators
from billing.console.plan_pages import day_of
from billing.console.shell import HOME, Reader, Writer, act_of, render
from billing.console.tenant_view import caps_of, names_of_all, tenant_rows, tenant_view
from billing.costs.budgets import list_budgets, set_budget
from billing.invoices.credits import grant_credit, revoke_credit
from billing.invoices.effects import Effect, effect_on
from billing.plans.schemas import AccountChange
from billing.plans.service import (
    change_subscription,
    end_subscription,
    find_version,
    list_plans,
    start_subscription,
    store_account,
)
from billing.terms import PlanTerms
from core.access.pages import Page, PageContext
from core.clock import now
from core.database import TenantRef, platform_session
from core.errors import AppError, Conflict, FieldError, Invalid, NotFound
from core.idempotency import CONTROL_DATABASE
from core.identity import Principal
from core.tenancy import describe_tenant, resume_tenant, suspend_tenant
from core.tenancy.service import LONGEST_REASON
from core.web.pages import SEE_OTHER

router = APIRouter()

TENANTS: Final = f"{HOME}/tenants"
Text = Annotated[str, StringConstraints(max_length=500)]
SHOWN: Final = ("", "no-plan", "trial", "extras-off")


class AccountForm(BaseModel):
    """The fields of a billing account."""

    model_config = ConfigDict(extra="ignore")

    legal_name: Text = ""
    address: Text = ""
    email: Text = ""
    tax_name: Text = "VAT"
    tax_rate: Text = "0"
    tax_exemption: Text = ""
    tax_id: Text = ""
    purchase_order: Text = ""
    due_days: Text = ""
    provider: Text = "manual"
    time_zone: Text = ""

    def change(self) -> AccountChange:
        """Return the values as the account takes them: an empty text is no value.

        Raises:
            Invalid: one of them is not valid (422).
        """
        values: dict[str, object] = {
            name: value.strip() for name, value in self.model_dump().items() if value.strip() or name == "address"
        }
        for name in ("email", "tax_exemption", "tax_id", "purchase_order", "due_days"):
            values.setdefault(name, None)
        try:
            return AccountChange.model_validate(values)
        except ValidationError as error:
            detail = "the account is not valid"
            problems = [FieldError(str(each["loc"][0]), each["msg"]) for each in error.errors()]
            raise Invalid(detail, errors=problems) from error


class PlanChoice(BaseModel):
    """The fields by which a partner is put on a plan."""

    model_config = ConfigDict(extra="ignore")

    plan: Text = ""
    effective_on: Text = ""
    add_ons: list[Text] = []
    reason: Text = ""


@router.get("/operators/billing/tenants")
def show_tenants(page: Page, principal: Reader, show: str = "") -> HTMLResponse:
    """Show every partner with its state, plan, use, health and cost."""
    rows, unasked = tenant_rows()
    if show == "no-plan":
        rows = [row for row in rows if row.subscriber is None]
    elif show == "trial":
        rows = [row for row in rows if row.subscriber is not None and row.subscriber.is_trial]
    elif show == "extras-off":
        rows = [row for row in rows if row.account is not None and row.account.extras_off]
    return render(page, principal, "billing/tenants.html", rows=rows, unasked=unasked, show=show)


@router.get("/operators/billing/tenants/{slug}")
def show_tenant(page: Page, principal: Reader, slug: str) -> HTMLResponse:
    """Show one partner."""
    return _tenant_page(page, principal, slug)


@router.post("/operators/billing/tenants/{slug}/account", dependencies=[CONTROL_DATABASE])
def post_account(page: Page, principal: Writer, slug: str, form: Annotated[AccountForm, Form()]) -> Response:
    """Save whom to invoice for a partner, and how."""
    tenant = describe_tenant(slug)
    try:
        default = {"legal_name": tenant.name, "time_zone": tenant.time_zone}
        with platform_session() as session:
            store_account(session, tenant.id, form.change(), act=act_of(principal), default=default)
    except (Invalid, Conflict) as error:
        return _tenant_page(page, principal, slug, error)
    return _back(slug, "account")


@router.post("/operators/billing/tenants/{slug}/plan/preview", dependencies=[CONTROL_DATABASE])
def post_plan_preview(page: Page, principal: Writer, slug: str, form: Annotated[PlanChoice, Form()]) -> HTMLResponse:
    """Show what another plan would mean for a partner. Nothing is saved."""
    tenant = describe_tenant(slug).ref()
    try:
        effect = _effect(tenant, form)
    except (Invalid, Conflict, NotFound) as error:
        return _tenant_page(page, principal, slug, _as_invalid(error), choice=form)
    return _tenant_page(page, principal, slug, choice=form, effect=effect)


@router.post("/operators/billing/tenants/{slug}/plan", dependencies=[CONTROL_DATABASE])
def post_plan(page: Page, principal: Writer, slug: str, form: Annotated[PlanChoice, Form()]) -> Response:
    """Put a partner on a plan from a day on, with proration by days."""
    tenant = describe_tenant(slug)
    try:
        day, act = day_of(form.effective_on, "effective_on"), act_of(principal, form.reason)
        with platform_session() as session:
            version = find_version(session, form.plan)
            if tenant_view(slug).subscriber is None:
                start_subscription(session, tenant.id, version, day, act=act, add_ons=form.add_ons)
            else:
                change_subscription(session, tenant.id, day, act=act, version=version, add_ons=form.add_ons)
    except (Invalid, Conflict, NotFound) as error:
        return _tenant_page(page, principal, slug, _as_invalid(error), choice=form)
    return _back(slug, "plan")


@router.post("/operators/billing/tenants/{slug}/end", dependencies=[CONTROL_DATABASE])
def post_end(
    page: Page,
    principal: Writer,
    slug: str,
    ends_on: Annotated[str, Form(max_length=40)] = "",
    reason: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Set the first day that the subscription of a partner does not cover."""
    tenant = describe_tenant(slug)
    try:
        day = day_of(ends_on, "ends_on")
        with platform_session() as session:
            end_subscription(session, tenant.id, day, act=act_of(principal, reason))
    except (Invalid, Conflict, NotFound) as error:
        return _tenant_page(page, principal, slug, _as_invalid(error))
    return _back(slug, "ended")


@router.post("/operators/billing/tenants/{slug}/credit", dependencies=[CONTROL_DATABASE])
def post_credit(
    page: Page,
    principal: Writer,
    slug: str,
    amount: Annotated[str, Form(max_length=40)] = "",
    currency: Annotated[str, Form(max_length=3)] = "",
    expires_on: Annotated[str, Form(max_length=40)] = "",
    reason: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Grant a credit, which the next invoices use before money is asked for."""
    tenant = describe_tenant(slug)
    try:
        value = amount_of(amount)
        ends = day_of(expires_on, "expires_on") if expires_on.strip() else None
        _require_reason(reason)
        with platform_session() as session:
            grant_credit(
                session,
                tenant.id,
                value,
                currency.strip().upper(),
                today=now().date(),
                act=act_of(principal, reason),
                expires_on=ends,
            )
    except (Invalid, Conflict, NotFound) as error:
        return _tenant_page(page, principal, slug, _as_invalid(error))
    return _back(slug, "credit")


@router.post("/operators/billing/tenants/{slug}/credits/{credit_id}/revoke", dependencies=[CONTROL_DATABASE])
def post_revocation(
    page: Page, principal: Writer, slug: str, credit_id: UUID, reason: Annotated[str, Form(max_length=500)] = ""
) -> Response:
    """Revoke what is left of a credit. What invoices used of it stays used."""
    tenant = describe_tenant(slug)
    try:
        with platform_session() as session:
            revoke_credit(session, tenant.id, credit_id, act=act_of(principal, reason))
    except (Invalid, Conflict, NotFound) as error:
        return _tenant_page(page, principal, slug, error)
    return _back(slug, "revoked")


@router.post("/operators/billing/tenants/{slug}/budget", dependencies=[CONTROL_DATABASE])
def post_budget(page: Page, principal: Writer, slug: str, amount: Annotated[str, Form(max_length=40)] = "") -> Response:
    """Set what a partner may cost in a month before operators are informed."""
    tenant = describe_tenant(slug)
    try:
        with platform_session() as session:
            set_budget(session, tenant.id, amount_of(amount), actor=principal.actor, source="page")
    except Invalid as error:
        return _tenant_page(page, principal, slug, error)
    return _back(slug, "budget")


@router.post("/operators/billing/tenants/{slug}/suspend", dependencies=[CONTROL_DATABASE])
def post_suspend(
    page: Page, principal: Writer, slug: str, reason: Annotated[str, Form(max_length=1000)] = ""
) -> Response:
    """Suspend a partner. Only a person decides that; money alone never does."""
    try:
        suspend_tenant(slug, actor=principal.actor, source="page", reason=reason)
    except (Conflict, Invalid) as error:
        return _tenant_page(page, principal, slug, error)
    return _back(slug, "suspended")


@router.post("/operators/billing/tenants/{slug}/resume", dependencies=[CONTROL_DATABASE])
def post_resume(page: Page, principal: Writer, slug: str) -> Response:
    """Lift the suspension of a partner."""
    try:
        resume_tenant(slug, actor=principal.actor, source="page")
    except Conflict as error:
        return _tenant_page(page, principal, slug, error)
    return _back(slug, "resumed")


def _require_reason(text: str) -> None:
    if not text.strip():
        detail = "a credit needs a reason"
        raise Invalid(detail, errors=[FieldError("reason", "is empty", "The invoice prints it.")])


def amount_of(text: str) -> Decimal:
    """Return the amount that a field has.

    Raises:
        Invalid: it is no number (422).
    """
    try:
        value = Decimal(text.strip().replace(" ", "").replace("\u202f", ""))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        detail = "the amount is not valid"
        problem = FieldError("amount", "is not a number", "Write digits, with a point before decimals.")
        raise Invalid(detail, errors=[problem])
    return value


def _as_invalid(error: AppError) -> AppError:
    """Return what is wrong with a form. A partner without an account is no missing page."""
    if isinstance(error, NotFound):
        return Invalid(error.detail, remedy="Save the billing account first, and choose one of the plans.")
    return error


def _effect(tenant: TenantRef, form: PlanChoice) -> Effect | None:
    day_of(form.effective_on, "effective_on")
    with platform_session() as session:
        version = find_version(session, form.plan)
        return effect_on(session, tenant, PlanTerms.model_validate(version.terms), add_ons=form.add_ons)


def _back(slug: str, done: str) -> RedirectResponse:
    return RedirectResponse(f"{TENANTS}/{slug}?done={done}", SEE_OTHER)


def _tenant_page(
    page: PageContext,
    principal: Principal,
    slug: str,
    error: AppError | None = None,
    *,
    choice: PlanChoice | None = None,
    effect: Effect | None = None,
) -> HTMLResponse:
    shown = tenant_view(slug)
    tenant_id: UUID = shown.tenant.id
    with platform_session() as session:
        documents, total = list_documents(session, names_of_all(), tenant_id=tenant_id)
        plans = [(plan, version, PlanTerms.model_validate(version.terms)) for plan, version in list_plans(session)]
        budget = next((each for each in list_budgets(session) if each.tenant_id == tenant_id), None)
    today: date = now().date()
    return render(
        page,
        principal,
        "billing/tenant.html",
        error=error,
        shown=shown,
        caps=caps_of(shown.preview, shown.subscriber.terms) if shown.preview and shown.subscriber else [],
        documents=documents[:10],
        total=total,
        plans=plans,
        budget=budget,
        choice=choice or PlanChoice(effective_on=today.isoformat()),
        previewed=choice is not None and error is None,
        effect=effect,
        acts=business_acts(tenant_id),
        people=names_of_operators(),
        longest_reason=LONGEST_REASON,
        today=today,
    )
