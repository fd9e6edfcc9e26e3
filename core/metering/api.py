"""The API's routes to a tenant's usage, and the operators' route to the usage of all."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from core.access import TenantDb, TenantScope, require, require_operator
from core.errors import Invalid, NotFound
from core.errors.problem import responses
from core.identity import Principal
from core.metering import details, usage
from core.metering.schemas import (
    LedgerOut,
    MeterUsageOut,
    OperatorUsageOut,
    TenantUsageOut,
    UsageEventOut,
    UsageOut,
    UsageRow,
)
from core.tenancy.service import list_tenants
from core.web.days import IsoDay
from core.web.paging import Page, PageRequest, long_pages

router = APIRouter(prefix="/usage", tags=["usage"])
operator_router = APIRouter(prefix="/operators/usage", tags=["operators"])

UsageRead = Annotated[Principal, Depends(require("usage.read"))]
Operator = Annotated[Principal, Depends(require_operator("operations.read"))]
Since = Annotated[
    IsoDay | None, Query(description="First day, in the tenant's time zone. The default is the first of the month.")
]
Until = Annotated[IsoDay | None, Query(description="The day after the last one. The default is tomorrow.")]
Ordered = Annotated[PageRequest, Depends(long_pages({"occurred_at": datetime}))]
MeterName = Annotated[str, Query(max_length=100, description="Name of the meter.", examples=["import_rows"])]


@router.get("", operation_id="get_usage", summary="Get what the tenant used", responses=responses(NotFound, Invalid))
def get_usage(
    _: UsageRead,
    scope: TenantScope,
    since: Since = None,
    until: Until = None,
    by: Annotated[usage.By, Query(description="What the figures are divided by.")] = "period",
    meter: Annotated[
        str | None, Query(max_length=100, description="Only this meter.", examples=["import_rows"])
    ] = None,
) -> UsageOut:
    """Return the use of each meter. Uses of the last minutes may not be contained: see `complete_until`."""
    span = usage.span_of(scope.tenant.time_zone, since, until, by)
    figures = usage.usage(scope.tenant, span, by=by, meter=meter)
    return UsageOut(
        since=span.since,
        until=span.until,
        time_zone=figures.time_zone,
        complete_until=figures.complete_until,
        batch=figures.batch,
        meters=[_meter(each) for each in figures.meters],
    )


@router.get("/events", operation_id="list_usage_events", summary="List the uses behind a figure, by time",
            responses=responses(NotFound, Invalid))  # fmt: skip
def list_usage_events(
    _: UsageRead, db: TenantDb, paging: Ordered, meter: MeterName, since: Since = None, until: Until = None
) -> Page[UsageEventOut]:
    """List the uses of a meter that occurred in the span, also those of the last minutes."""
    usage.known(meter)
    span = usage.span_of(db.tenant.time_zone, since, until)
    rows, last = details.page_of_uses(db, meter, span.since, span.until, paging)
    total = details.count_uses(db, meter, span.since, span.until)
    return Page.of([UsageEventOut.model_validate(row) for row in rows], paging, total, last)


@operator_router.get("", operation_id="get_usage_of_tenants", summary="List what every tenant used",
                     responses=responses(Invalid))  # fmt: skip
def get_usage_of_tenants(
    _: Operator,
    since: Annotated[IsoDay | None, Query(description="First day, in UTC; the first of the month by default.")] = None,
    until: Annotated[IsoDay | None, Query(description="The day after the last one, in UTC.")] = None,
) -> OperatorUsageOut:
    """Return the quantities of each tenant, and how far the ledger of each data database is rolled up."""
    span = usage.span_of("UTC", since, until)
    slugs = {tenant.id: tenant.slug for tenant in list_tenants()}
    tenants = [
        TenantUsageOut(tenant_id=each, slug=slugs.get(each), quantities=quantities)
        for each, quantities in usage.totals_of_tenants(span.since, span.until).items()
    ]
    tenants.sort(key=lambda each: (each.slug is None, each.slug or "", each.tenant_id))
    return OperatorUsageOut(ledgers=[LedgerOut.model_validate(each) for each in usage.ledgers()], tenants=tenants)


def _meter(use: usage.MeterUsage) -> MeterUsageOut:
    return MeterUsageOut(
        meter=use.meter.name,
        unit=use.meter.unit,
        description=use.meter.description,
        aggregation=use.meter.aggregation,
        quantity=use.quantity,
        rows=[UsageRow(begin=begin, quantity=quantity) for begin, quantity in use.rows.items()],
    )
