"""Pages of costs: by partner and feature beside what was invoiced, budgets, prices of resources, and the FOCUS file."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Final

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from billing.console.plan_pages import day_of
from billing.console.shell import HOME, Reader, Writer, render
from billing.console.tenant_pages import amount_of
from billing.console.tenant_view import names_of_all, slugs_of_all
from billing.costs.budgets import list_budgets, set_budget
from billing.costs.focus import csv_lines
from billing.costs.margins import margins
from billing.costs.models import EVERY_TENANT
from billing.costs.rates import Rates, set_rates, version_on, versions
from billing.costs.service import cost_lines, month_of
from core.access.pages import Page, PageContext
from core.clock import now
from core.database import platform_session
from core.errors import AppError, FieldError, Invalid
from core.idempotency import CONTROL_DATABASE
from core.identity import Principal
from core.tenancy import describe_tenant
from core.web.days import plausible
from core.web.pages import SEE_OTHER

router = APIRouter()

COSTS: Final = f"{HOME}/costs"
Text = Annotated[str, StringConstraints(max_length=4000)]


class RatesForm(BaseModel):
    """The fields of the prices of resources."""

    model_config = ConfigDict(extra="ignore")

    vcpu_hour: Text = ""
    database_gb_month: Text = ""
    blob_gb_month: Text = ""
    sms_segment: Text = ""
    exchange: Text = ""
    effective_on: Text = ""
    note: Text = ""

    def rates(self) -> Rates:
        """Return the prices.

        Raises:
            Invalid: one of them is not valid (422).
        """
        values = {name: getattr(self, name).strip() for name in ("vcpu_hour", "database_gb_month", "blob_gb_month")}
        try:
            return Rates.model_validate(
                {**values, "sms_segment": _pairs(self.sms_segment), "exchange": _pairs(self.exchange)}
            )
        except ValidationError as error:
            detail = "the prices are not valid"
            problems = [FieldError(".".join(map(str, each["loc"])), each["msg"]) for each in error.errors()]
            raise Invalid(detail, errors=problems) from error


@router.get("/operators/billing/costs")
def show_costs(page: Page, principal: Reader, month: str = "", tenant: str = "") -> HTMLResponse:
    """Show what partners cost in a month, by resource and feature, beside what they were invoiced."""
    return _page(page, principal, month, tenant)


@router.get("/operators/billing/costs/focus.csv")
def show_focus(_: Reader, month: str = "", tenant: str = "") -> StreamingResponse:
    """Send the costs of a month as a file of the FinOps Open Cost and Usage Specification 1.2."""
    start, end = month_of(_first_day(month))
    tenant_id = describe_tenant(tenant).id if tenant else None
    with platform_session() as session:
        lines = cost_lines(session, start, end, tenant_id=tenant_id)
    headers = {"content-disposition": f'attachment; filename="focus-{start.isoformat()[:7]}.csv"'}
    return StreamingResponse(csv_lines(lines, names_of_all()), media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/operators/billing/costs/rates", dependencies=[CONTROL_DATABASE])
def post_rates(page: Page, principal: Writer, form: Annotated[RatesForm, Form()]) -> Response:
    """Set the prices of resources from a day on; earlier days keep theirs."""
    try:
        day = day_of(form.effective_on, "effective_on")
        wanted = form.rates()
        with platform_session() as session:
            set_rates(session, wanted, day, note=form.note.strip(), actor=principal.actor, source="page")
    except Invalid as error:
        return _page(page, principal, "", "", error)
    return RedirectResponse(f"{COSTS}?done=rates", SEE_OTHER)


@router.post("/operators/billing/costs/budget", dependencies=[CONTROL_DATABASE])
def post_budget_of_all(page: Page, principal: Writer, amount: Annotated[str, Form(max_length=40)] = "") -> Response:
    """Set what all partners together may cost in a month before operators are informed."""
    try:
        with platform_session() as session:
            set_budget(session, None, amount_of(amount), actor=principal.actor, source="page")
    except Invalid as error:
        return _page(page, principal, "", "", error)
    return RedirectResponse(f"{COSTS}?done=budget", SEE_OTHER)


def _pairs(text: str) -> dict[str, str]:
    """Return the prices of a text with one line for each, such as ``termii: 0.004``; ``others`` is for all the rest."""
    pairs = {}
    for line in text.splitlines():
        name, _colon, value = line.partition(":")
        if line.strip():
            pairs["" if name.strip() == "others" else name.strip()] = value.strip()
    return pairs


def _first_day(month: str) -> date:
    """Return the first day of a month such as ``2026-11``; of the present month if it is none."""
    try:
        return plausible(date.fromisoformat(f"{month}-01"))
    except ValueError:
        return now().date().replace(day=1)


def _page(
    page: PageContext, principal: Principal, month: str, tenant: str, error: AppError | None = None
) -> HTMLResponse:
    start, end = month_of(_first_day(month))
    tenant_id = describe_tenant(tenant).id if tenant else None
    with platform_session() as session:
        rows = margins(session, start, end, tenant_id=tenant_id)
        tables, budgets = versions(session), {each.tenant_id: each for each in list_budgets(session)}
    features: dict[str, Decimal] = {}
    days: dict[date, Decimal] = {}
    for row in rows:
        for name, amount in row.costs.by_feature.items():
            features[name] = features.get(name, Decimal(0)) + amount
        for day, amount in row.costs.by_day.items():
            days[day] = days.get(day, Decimal(0)) + amount
    return render(
        page,
        principal,
        "billing/costs.html",
        error=error,
        rows=rows,
        month=start,
        previous=(start.replace(day=1) - date.resolution).isoformat()[:7],
        following=end.isoformat()[:7] if end <= now().date() else None,
        tenant=tenant,
        names=names_of_all(),
        slugs=slugs_of_all(),
        total=sum((row.costs.amount for row in rows), Decimal(0)),
        features=sorted(features.items(), key=lambda each: -each[1]),
        days=dict(sorted(days.items())),
        highest=max(days.values(), default=Decimal(0)),
        budgets=budgets,
        budget_of_all=budgets.get(EVERY_TENANT),
        present=version_on(tables, now().date()),
        tables=tables,
        today=now().date(),
    )
