"""The API's routes of costs, for the installation's operators."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import StreamingResponse

from billing.costs import budgets, focus, margins, notices, rates, service
from billing.costs.models import EVERY_TENANT, CostBudget, CostNotice
from billing.costs.schemas import (
    BudgetIn,
    BudgetNamed,
    BudgetOut,
    Budgets,
    CostNoticeOut,
    CostNotices,
    CostsOut,
    CostTableIn,
    CostTableOut,
    CostTables,
    TenantCostsOut,
)
from core.access import require_operator
from core.database import platform_session
from core.errors import Conflict, NotFound
from core.errors.problem import responses
from core.identity import Principal
from core.tenancy import describe_tenant, list_tenants
from core.web.days import IsoDay

router = APIRouter(prefix="/operators/billing", tags=["operators"])

Reader = Annotated[Principal, Depends(require_operator("business.read"))]
Writer = Annotated[Principal, Depends(require_operator("business.write"))]
Start = Annotated[IsoDay, Query(description="The first day (UTC).", examples=["2026-11-01"])]
End = Annotated[IsoDay, Query(description="The first day after the last one.", examples=["2026-12-01"])]
Slug = Annotated[str | None, Query(description="Only this partner.", examples=["lakeside"])]
_CENT = Decimal("0.01")
_MILLIONTH = Decimal("0.000001")
_CSV: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


@router.get("/costs", operation_id="list_costs", summary="List what partners cost", responses=responses(NotFound))
def list_costs(_: Reader, start: Start, end: End, tenant: Slug = None) -> CostsOut:
    """Return what each partner cost in the period, and what it was invoiced for periods that began then."""
    slugs, names = _slugs(), _names()
    with platform_session() as session:
        every = margins.margins(session, start, end, tenant_id=_id(tenant))
    return CostsOut(
        start=start,
        end=end,
        tenants=[
            TenantCostsOut(
                tenant=slugs.get(each.costs.tenant_id),
                name=names.get(each.costs.tenant_id, str(each.costs.tenant_id)),
                amount=each.costs.amount.quantize(_CENT),
                by_resource={name: value.quantize(_CENT) for name, value in each.costs.by_resource.items()},
                by_feature={name: value.quantize(_CENT) for name, value in each.costs.by_feature.items()},
                predictions=int(each.costs.predictions),
                per_prediction=_rounded(each.costs.per_prediction, _MILLIONTH),
                invoiced=_rounded(each.invoiced, _CENT),
                margin=_rounded(each.margin, _CENT),
            )
            for each in every
        ],
    )


@router.get(
    "/costs/focus", operation_id="export_costs", summary="Export costs as FOCUS 1.2",
    responses={**responses(NotFound), **_CSV}, response_class=StreamingResponse,
)  # fmt: skip
def export_costs(_: Reader, start: Start, end: End, tenant: Slug = None) -> StreamingResponse:
    """Return the costs as a CSV file of the FinOps Open Cost and Usage Specification 1.2."""
    with platform_session() as session:
        lines = service.cost_lines(session, start, end, tenant_id=_id(tenant))
    headers = {"content-disposition": f'attachment; filename="focus-{start}-{end}.csv"'}
    parts: Iterator[str] = focus.csv_lines(lines, _names())
    return StreamingResponse(parts, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/cost-tables", operation_id="list_cost_tables", summary="List the versions of the prices of resources")
def list_cost_tables(_: Reader) -> CostTables:
    """Return all versions, the newest first."""
    with platform_session() as session:
        return CostTables(tables=[CostTableOut.model_validate(each) for each in rates.versions(session)])


@router.put(
    "/cost-tables/{effective_on}", operation_id="put_cost_table", summary="Set the prices of resources from a day on"
)
def put_cost_table(
    principal: Writer,
    effective_on: Annotated[IsoDay, Path(description="First day of the prices.")],
    body: CostTableIn,
) -> CostTableOut:
    """Add a version of the prices. A day of the past is a correction; what was shown for it changes."""
    with platform_session() as session:
        version = rates.set_rates(
            session, body.rates, effective_on, note=body.note, actor=principal.actor, source="api"
        )
    return CostTableOut.model_validate(version)


@router.get("/budgets", operation_id="list_cost_budgets", summary="List the budgets of costs")
def list_cost_budgets(_: Reader) -> Budgets:
    """Return the present budgets."""
    slugs = _slugs()
    with platform_session() as session:
        return Budgets(budgets=[_shown(each, slugs) for each in budgets.list_budgets(session)])


@router.put("/budgets", operation_id="put_cost_budget", summary="Set a budget of costs", responses=responses(NotFound))
def put_cost_budget(principal: Writer, body: BudgetIn) -> BudgetOut:
    """Set the budget of a month. It informs operators, and stops nothing. A second call replaces the first."""
    tenant_id = _id(body.tenant)
    with platform_session() as session:
        budget = budgets.set_budget(
            session, tenant_id, body.amount, thresholds=body.thresholds, actor=principal.actor, source="api"
        )
        return _shown(budget, _slugs())


@router.post(
    "/budgets/remove", operation_id="remove_cost_budget", summary="Remove a budget of costs",
    responses=responses(NotFound, Conflict),
)  # fmt: skip
def remove_cost_budget(principal: Writer, body: BudgetNamed) -> Budgets:
    """End the budget, and return the budgets that remain."""
    tenant_id, slugs = _id(body.tenant), _slugs()
    with platform_session() as session:
        budgets.end_budget(session, tenant_id, actor=principal.actor, source="api")
        return Budgets(budgets=[_shown(each, slugs) for each in budgets.list_budgets(session)])


@router.get("/cost-notices", operation_id="list_cost_notices", summary="List notices about costs")
def list_cost_notices(_: Reader) -> CostNotices:
    """Return unusual days and reached budgets that no operator has seen."""
    slugs = _slugs()
    with platform_session() as session:
        return CostNotices(notices=[_notice(each, slugs) for each in notices.unseen(session)])


@router.put(
    "/cost-notices/{notice_id}/seen", operation_id="put_cost_notice_seen", summary="Mark a notice about costs as seen",
    responses=responses(NotFound),
)  # fmt: skip
def put_cost_notice_seen(principal: Writer, notice_id: UUID) -> CostNoticeOut:
    """Mark the notice as seen, so that no list has it any more."""
    with platform_session() as session:
        return _notice(notices.mark_seen(session, notice_id, actor=principal.actor, source="api"), _slugs())


def _id(slug: str | None) -> UUID | None:
    return None if slug is None else describe_tenant(slug).id


def _slugs() -> dict[UUID, str]:
    return {tenant.id: tenant.slug for tenant in list_tenants()}


def _names() -> dict[UUID, str]:
    return {tenant.id: tenant.name for tenant in list_tenants()}


def _rounded(value: Decimal | None, step: Decimal) -> Decimal | None:
    return None if value is None else value.quantize(step)


def _shown(budget: CostBudget, slugs: dict[UUID, str]) -> BudgetOut:
    tenant = None if budget.tenant_id == EVERY_TENANT else slugs.get(budget.tenant_id, str(budget.tenant_id))
    return BudgetOut(tenant=tenant, amount=budget.amount, thresholds=budget.thresholds)


def _notice(notice: CostNotice, slugs: dict[UUID, str]) -> CostNoticeOut:
    kind: Literal["unusual_day", "budget"] = "budget" if notice.kind == "budget" else "unusual_day"
    return CostNoticeOut(
        id=notice.id,
        kind=kind,
        tenant=slugs.get(notice.tenant_id),
        day=notice.day,
        threshold=notice.threshold,
        amount=notice.amount.quantize(_CENT),
        expected=notice.expected.quantize(_CENT),
        created_at=notice.created_at,
    )
