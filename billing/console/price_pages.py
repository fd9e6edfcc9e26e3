"""Pages of one partner's own prices: what its terms change of its plan, with a preview."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from billing.console.plan_form import prices_of
from billing.console.plan_pages import day_of
from billing.console.price_form import PriceForm, price_form_of
from billing.console.shell import HOME, Reader, Writer, act_of, render
from billing.invoices.effects import Difference, Effect, differences, effect_on
from billing.plans.service import change_subscription
from billing.plans.subscribers import Subscriber, subscribers
from billing.plans.timeline import terms_of
from billing.terms import Overrides, PlanTerms, effective_terms
from core.access.pages import Page, PageContext
from core.clock import now
from core.database import platform_session
from core.errors import AppError, Conflict, Invalid, NotFound
from core.idempotency import CONTROL_DATABASE
from core.identity import Principal
from core.tenancy import describe_tenant
from core.web.pages import SEE_OTHER

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Change:
    """What the form changes: values of the terms, and the running period."""

    values: list[Difference]
    effect: Effect | None


@router.get("/operators/billing/tenants/{slug}/prices")
def show_prices(page: Page, principal: Reader, slug: str) -> HTMLResponse:
    """Show the form of a partner's own prices."""
    return _price_page(page, principal, slug)


@router.post("/operators/billing/tenants/{slug}/prices/preview", dependencies=[CONTROL_DATABASE])
def post_price_preview(page: Page, principal: Writer, slug: str, form: Annotated[PriceForm, Form()]) -> HTMLResponse:
    """Show what the prices in the form would change. Nothing is saved."""
    try:
        day_of(form.effective_on, "effective_on")
        change = _change(slug, form)
    except Invalid as error:
        return _price_page(page, principal, slug, error, form=form)
    return _price_page(page, principal, slug, form=form, change=change)


@router.post("/operators/billing/tenants/{slug}/prices", dependencies=[CONTROL_DATABASE])
def post_prices(page: Page, principal: Writer, slug: str, form: Annotated[PriceForm, Form()]) -> Response:
    """Set a partner's own prices from a day on, with proration by days."""
    tenant = describe_tenant(slug)
    try:
        day = day_of(form.effective_on, "effective_on")
        with platform_session() as session:
            overrides = form.overrides(_overrides(_subscriber(slug)))
            change_subscription(session, tenant.id, day, act=act_of(principal, form.reason), overrides=overrides)
    except (Invalid, Conflict) as error:
        return _price_page(page, principal, slug, error, form=form)
    return RedirectResponse(f"{HOME}/tenants/{slug}?done=prices", SEE_OTHER)


def _subscriber(slug: str) -> Subscriber:
    tenant = describe_tenant(slug)
    with platform_session() as session:
        subscriber = subscribers(session).get(tenant.id)
    if subscriber is None:
        raise NotFound("the partner has no plan today")
    return subscriber


def _overrides(subscriber: Subscriber) -> Overrides:
    return Overrides.model_validate(subscriber.change.overrides)


def _change(slug: str, form: PriceForm) -> Change:
    subscriber = _subscriber(slug)
    overrides = form.overrides(_overrides(subscriber))
    terms = PlanTerms.model_validate(subscriber.version.terms)
    try:
        values = differences(subscriber.terms, effective_terms(terms, subscriber.change.add_ons, overrides))
    except ValueError as error:
        raise Invalid(str(error), remedy="Correct the prices.") from error
    with platform_session() as session:
        return Change(values, effect_on(session, describe_tenant(slug).ref(), terms, overrides=overrides))


def _price_page(
    page: PageContext,
    principal: Principal,
    slug: str,
    error: AppError | None = None,
    *,
    form: PriceForm | None = None,
    change: Change | None = None,
) -> HTMLResponse:
    subscriber = _subscriber(slug)
    plan = terms_of(subscriber.version, subscriber.change.add_ons, {})
    meters = [each.meter for each in plan.meters]
    shown = form or price_form_of(_overrides(subscriber), meters)
    return render(
        page,
        principal,
        "billing/prices.html",
        error=error,
        tenant=describe_tenant(slug),
        subscriber=subscriber,
        plan=plan,
        plan_prices=[prices_of(each.charge) for each in plan.meters],
        form=shown if form else shown.model_copy(update={"effective_on": now().date().isoformat()}),
        change=change,
    )
