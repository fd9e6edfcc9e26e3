"""Routes of RADET comparisons: which RADETs exist, how they compare with the records, what changed between two."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from core.access import TenantDb, require
from core.identity import Principal
from core.web.days import IsoDay, check_order
from core.web.paging import Page, PageRequest, long_pages
from tenants.cohort import radet, radet_repository
from tenants.cohort.radet_schemas import (
    RadetComparison,
    RadetDay,
    RadetDisagreement,
    RadetFlows,
    comparison_out,
    flows_out,
)

router = APIRouter(tags=["cohort"])

CohortRead = Annotated[Principal, Depends(require("cohort.read", confined=True))]
PatientsRead = Annotated[Principal, Depends(require("patients.read", confined=True))]
Facility = Annotated[
    list[str] | None, Query(description="DATIM ids of facilities; all of the list when left out.", max_length=200)
]
Ordered = Annotated[PageRequest, Depends(long_pages({"patient_id": UUID, "facility": str, "reason": str}))]
DataDate = Annotated[IsoDay, Path(description="The day to which the RADET runs.", examples=["2026-06-30"])]


@router.get("/cohort/radets", operation_id="list_radets", summary="List the RADETs that were imported")
def list_radets(_: CohortRead, db: TenantDb) -> list[RadetDay]:
    """List the data dates of the RADETs, the newest first, with the number of people in each status of the partner."""
    return [RadetDay.model_validate(item) for item in radet_repository.listed_days(db)]


@router.get(
    "/cohort/radets/{data_date}/comparison",
    operation_id="compare_radet",
    summary="Compare a RADET's statuses with the records",
)
def compare_radet(_: CohortRead, db: TenantDb, data_date: DataDate, facility: Facility = None) -> RadetComparison:
    """Return people by facility, the partner's status and ours on the list's day, and likely reasons of differences."""
    day = radet.chosen_day(db, data_date)
    return comparison_out(radet.compare(db, day, facility))


@router.get(
    "/cohort/radets/{data_date}/disagreements",
    operation_id="list_radet_disagreements",
    summary="List the patients whose status differs between a RADET and the records, by UUID unless sorted",
)
def list_radet_disagreements(
    _: CohortRead,
    __: PatientsRead,
    db: TenantDb,
    data_date: DataDate,
    paging: Ordered,
    facility: Facility = None,
    reason: Annotated[
        str | None,
        Query(
            description="Only disagreements with this likely reason.",
            examples=["pickup_not_in_records"],
            max_length=60,
        ),
    ] = None,
) -> Page[RadetDisagreement]:
    """List the people whose status differs, with both statuses and the likely reason. The audit records the read."""
    day = radet.chosen_day(db, data_date)
    comparison = radet.compare(db, day, facility)
    part = radet.read_disagreements(db, comparison, reason, paging)
    items = [RadetDisagreement.model_validate(item) for item in part.rows]
    return Page.of(items, paging, part.total, part.last)


@router.get(
    "/cohort/radets/{data_date}/flows",
    operation_id="list_radet_flows",
    summary="List status changes between two RADETs",
)
def list_radet_flows(
    _: CohortRead,
    db: TenantDb,
    data_date: DataDate,
    since: Annotated[IsoDay, Query(description="Data date of the earlier RADET.", examples=["2026-03-31"])],
    facility: Facility = None,
) -> RadetFlows:
    """Count the changes of the partner's own statuses, in the facilities that are on both lists."""
    end = radet.chosen_day(db, data_date)
    check_order("since", since, "data_date", data_date)
    start = radet.chosen_day(db, since, "since", by_query=True)
    return flows_out(start, end, radet.flows(db, start, end, facility))
