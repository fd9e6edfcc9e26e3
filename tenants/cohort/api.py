"""Status, indicators and completeness over the API."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from core import audit
from core.access import TenantDb, TenantScope, require
from core.database import TenantSession
from core.identity import Principal
from core.web.days import IsoDay
from core.web.paging import Page, PageRequest, long_pages
from tenants.cohort import programme, repository, service
from tenants.cohort.calendar import period_of, preceding
from tenants.cohort.presenting import as_of_day, dimensions, indicators_out, trend_out
from tenants.cohort.schemas import (
    DayStatusOut,
    FacilityCompleteness,
    IndicatorPerson,
    Indicators,
    IndicatorTrend,
    PatientStatus,
)
from tenants.cohort.selection import Selection, selection_of

router = APIRouter(tags=["cohort"])

CohortRead = Annotated[Principal, Depends(require("cohort.read", confined=True))]
StatusRead = Annotated[Principal, Depends(require("cohort.read", confined=True, by_patient=True))]
PatientsRead = Annotated[Principal, Depends(require("patients.read", confined=True, by_patient=True))]
Facilities = Annotated[PageRequest, Depends(long_pages({"facility": str, "name": str}))]
AsOf = Annotated[
    IsoDay | None, Query(description="The day, with what was known then. Default: today.", examples=["2026-09-30"])
]


PeriodText = Annotated[
    str, Query(description="2026Q3, FY26Q4, 2026-08, 2026 or FY26.", examples=["2026Q3"], max_length=20)
]


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of the people whom the query selects; None for all."""

    facility: str | None
    sex: str | None
    age: str | None

    def selection(self, db: TenantSession) -> Selection:
        """The people.

        Raises:
            Invalid: a label is unknown.
        """
        return selection_of(self.facility, self.sex, self.age, [row.datim_id for row in repository.facilities(db)])


def selected(
    facility: Annotated[str | None, Query(description="DATIM id. Default: all facilities.", max_length=100)] = None,
    sex: Annotated[
        str | None, Query(description="F, M or `not recorded`. Default: all.", examples=["F"], max_length=20)
    ] = None,
    age: Annotated[
        str | None,
        Query(description="Age band, such as 15-19, or `not recorded`.", examples=["15-19"], max_length=20),
    ] = None,
) -> Labels:
    """The labels that the query names."""
    return Labels(facility, sex, age)


Selected = Annotated[Labels, Depends(selected)]
People = Annotated[PageRequest, Depends(long_pages({"since": date, "patient_id": UUID}, "-since"))]


@router.get(
    "/cohort/indicators", operation_id="get_indicators", summary="Get MER indicators of a period, with their flows"
)
def get_indicators(
    _: CohortRead,
    scope: TenantScope,
    labels: Selected,
    period: Annotated[
        str | None, Query(description="2026Q3, FY26Q4, 2026-08, 2026 or FY26.", examples=["2026Q3"], max_length=20)
    ] = None,
    start: Annotated[IsoDay | None, Query(description="First day, instead of a period.")] = None,
    end: Annotated[IsoDay | None, Query(description="Last day, instead of a period.")] = None,
    by: Annotated[
        str, Query(description="Dimensions, comma-separated: facility, sex, age, time_on_art.", max_length=100)
    ] = "",
) -> Indicators:
    """Return TX_NEW, TX_CURR, TX_ML, TX_RTT and TX_PVLS, with every other term of TX_CURR's change, as known now."""

    def read(db: TenantSession) -> Indicators:
        selection = labels.selection(db)
        return indicators_out(service.indicator_report(db, period_of(period, start, end), dimensions(by), selection))

    return scope.read(read)


@router.get(
    "/cohort/indicators/trend",
    operation_id="get_indicator_trend",
    summary="Get MER indicators of periods that follow each other",
)
def get_indicator_trend(
    _: CohortRead,
    scope: TenantScope,
    labels: Selected,
    period: PeriodText,
    periods: Annotated[
        int, Query(description="Number of periods; `period` is the last one.", ge=1, le=programme.MOST_PERIODS)
    ] = 6,
) -> IndicatorTrend:
    """Return the counts of each period, all as known now. The periods are as long as the last one."""

    def read(db: TenantSession) -> IndicatorTrend:
        selection, each = labels.selection(db), preceding(period_of(period), periods)
        return trend_out(each, programme.trend(db, each, selection), service.coverage(db, each[-1], selection))

    return scope.read(read)


@router.get(
    "/cohort/indicators/{indicator}/people",
    operation_id="list_indicator_people",
    summary="List the people behind a count, the latest change of status first unless sorted",
)
def list_indicator_people(
    _: CohortRead,
    __: PatientsRead,
    db: TenantDb,
    labels: Selected,
    paging: People,
    indicator: Annotated[
        str, Path(description="A count of the indicators, such as TX_ML.", examples=["TX_ML"], max_length=60)
    ],
    period: PeriodText,
) -> Page[IndicatorPerson]:
    """List them with their status at the end of the period. The audit records the read of each person on the page."""
    part = programme.read_people(db, indicator, period_of(period), labels.selection(db), paging)
    items = [IndicatorPerson.model_validate(person) for person in part.rows]
    return Page.of(items, paging, part.total, part.last)


@router.get("/cohort/status", operation_id="get_cohort_status", summary="Count people by status on a day")
def get_cohort_status(_: CohortRead, scope: TenantScope, as_of: AsOf = None) -> DayStatusOut:
    """Count people by status, from what was known on that day."""
    status = scope.read(lambda db: service.day_status(db, as_of_day(db, as_of)))
    return DayStatusOut.model_validate(status, from_attributes=True)


@router.get(
    "/cohort/facilities",
    operation_id="list_facility_completeness",
    summary="List how far each facility's records reach, by DATIM id unless sorted",
)
def list_facility_completeness(_: CohortRead, db: TenantDb, paging: Facilities) -> Page[FacilityCompleteness]:
    """Return each facility's complete-through date, from its reporting volume, and whether it is stale."""
    part = service.facility_list(db, paging)
    items = [FacilityCompleteness.model_validate(row) for row in part.rows]
    return Page.of(items, paging, part.total, part.last)


@router.get(
    "/patients/{patient_id}/status", operation_id="get_patient_status", summary="Get a patient's status and its history"
)
def get_patient_status(
    _: StatusRead, __: PatientsRead, db: TenantDb, patient_id: UUID, as_of: AsOf = None
) -> PatientStatus:
    """Return the status on a day and every change of status. The audit records the read."""
    status = service.patient_status(db, patient_id, as_of_day(db, as_of))
    audit.record(db, "api:status:read", "patient", patient_id)
    return PatientStatus.model_validate(status)
