"""Pages of plans: all of them, one with its versions and partners, and the editor with what a change means for whom."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from billing.console.amounts import meter_name
from billing.console.plan_form import ROWS, PlanForm, form_of
from billing.console.shell import HOME, Reader, Writer, act_of, render
from billing.invoices.effects import differences, effects_on_plan
from billing.plans.service import change_subscription, create_version, describe_plan, find_version, list_plans
from billing.plans.subscribers import subscribers
from billing.terms import PlanTerms
from core.access.pages import Page, PageContext
from core.clock import now
from core.database import platform_session
from core.errors import AppError, Conflict, FieldError, Invalid, NotFound
from core.idempotency import CONTROL_DATABASE
from core.identity import Principal
from core.metering import meters
from core.tenancy import list_tenants
from core.web.days import plausible
from core.web.pages import SEE_OTHER

router = APIRouter()

PLANS = f"{HOME}/plans"


@router.get("/operators/billing/plans")
def show_plans(page: Page, principal: Reader) -> HTMLResponse:
    """Show all plans with their newest version, and how many partners have them."""
    with platform_session() as session:
        plans = [(plan, version, PlanTerms.model_validate(version.terms)) for plan, version in list_plans(session)]
        counts: dict[str, int] = {}
        for each in subscribers(session).values():
            counts[each.plan.code] = counts.get(each.plan.code, 0) + 1
    return render(page, principal, "billing/plans.html", plans=plans, counts=counts)


@router.get("/operators/billing/plans/new")
def show_new_plan(page: Page, principal: Writer) -> HTMLResponse:
    """Show the editor of a new plan."""
    return _editor(page, principal, PlanForm(), None)


@router.get("/operators/billing/plans/{code}")
def show_plan(page: Page, principal: Reader, code: str) -> HTMLResponse:
    """Show one plan: its terms, its versions, and the partners who have it."""
    return _plan_page(page, principal, code)


@router.get("/operators/billing/plans/{code}/change")
def show_plan_change(page: Page, principal: Writer, code: str) -> HTMLResponse:
    """Show the editor with the terms of the newest version."""
    with platform_session() as session:
        _plan, versions = describe_plan(session, code)
    return _editor(page, principal, form_of(PlanTerms.model_validate(versions[0].terms)), code)


@router.post("/operators/billing/plans/preview", dependencies=[CONTROL_DATABASE])
def post_plan_preview(page: Page, principal: Writer, form: Annotated[PlanForm, Form()]) -> HTMLResponse:
    """Show what the terms in the form would change, and for whom. Nothing is saved."""
    return _editor(page, principal, form, form.code.strip() if _exists(form.code) else None, preview=True)


@router.post("/operators/billing/plans/save", dependencies=[CONTROL_DATABASE])
def post_plan(page: Page, principal: Writer, form: Annotated[PlanForm, Form()]) -> Response:
    """Save the form as the next version of the plan. It counts for nobody until partners are changed to it."""
    code = form.code.strip()
    try:
        with platform_session() as session:
            present = _newest_terms(session, code)
            terms = form.terms(present)
            create_version(session, code, terms, act=act_of(principal, form.note), name=form.name.strip())
    except (Invalid, Conflict) as error:
        return _editor(page, principal, form, code if _exists(code) else None, error=error)
    return RedirectResponse(f"{PLANS}/{code}?done=version", SEE_OTHER)


@router.post("/operators/billing/plans/{code}/move", dependencies=[CONTROL_DATABASE])
def post_move(
    page: Page,
    principal: Writer,
    code: str,
    tenants: Annotated[list[UUID], Form(max_length=1000)] = [],  # noqa: B006 - FastAPI copies it
    effective_on: Annotated[str, Form(max_length=40)] = "",
    reason: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Change partners to the newest version from a day on, with proration by days."""
    try:
        day = day_of(effective_on, "effective_on")
        _require(tenants)
        with platform_session() as session:
            version = find_version(session, code)
            for tenant_id in tenants:
                change_subscription(session, tenant_id, day, act=act_of(principal, reason), version=version)
    except (Invalid, Conflict) as error:
        return _plan_page(page, principal, code, error)
    return RedirectResponse(f"{PLANS}/{code}?done=moved", SEE_OTHER)


def day_of(text: str, field: str) -> date:
    """Return the day that a field of a form has.

    Raises:
        Invalid: it is no day, or one of another century (422).
    """
    try:
        return plausible(date.fromisoformat(text.strip()))
    except ValueError:
        detail = "the day is not valid"
        raise Invalid(detail, errors=[FieldError(field, "is not a day", "Choose a day.")]) from None


def _require(tenants: list[UUID]) -> None:
    if not tenants:
        detail = "no partner is chosen"
        raise Invalid(detail, errors=[FieldError("tenants", "names none", "Choose a partner.")])


def _exists(code: str) -> bool:
    with platform_session() as session:
        return _newest_terms(session, code.strip()) is not None


def _newest_terms(session: object, code: str) -> PlanTerms | None:
    try:
        _plan, versions = describe_plan(session, code)  # type: ignore[arg-type]  # a session, as its callers open it
    except NotFound:
        return None
    return PlanTerms.model_validate(versions[0].terms)


def _plan_page(page: PageContext, principal: Principal, code: str, error: AppError | None = None) -> HTMLResponse:
    with platform_session() as session:
        plan, versions = describe_plan(session, code)
        terms = PlanTerms.model_validate(versions[0].terms)
        subscribed = subscribers(session)
        effects = {each.tenant.id: each for each in effects_on_plan(session, code, terms)}
    holders = [
        (tenant, subscribed[tenant.id], effects.get(tenant.id))
        for tenant in list_tenants()
        if tenant.id in subscribed and subscribed[tenant.id].plan.code == code
    ]
    return render(
        page,
        principal,
        "billing/plan.html",
        error=error,
        plan=plan,
        versions=versions,
        terms=terms,
        holders=holders,
        older=[each for each in holders if each[1].version.id != versions[0].id],
        today=now().date(),
    )


def _editor(
    page: PageContext,
    principal: Principal,
    form: PlanForm,
    code: str | None,
    *,
    preview: bool = False,
    error: AppError | None = None,
) -> HTMLResponse:
    effects, changed = None, None
    if preview:
        try:
            with platform_session() as session:
                present = None if code is None else _newest_terms(session, code)
                terms = form.terms(present)
                changed = differences(present, terms)
                effects = [] if code is None else effects_on_plan(session, code, terms)
        except Invalid as wrong:
            error = wrong
    return render(
        page,
        principal,
        "billing/plan_form.html",
        error=error,
        form=form,
        code=code,
        rows=range(min(ROWS, len(form.meter) + 2)),
        meters=sorted(meters().values(), key=lambda each: meter_name(each.name)),
        effects=effects,
        changed=changed,
    )
