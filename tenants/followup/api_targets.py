"""Routes of facilities' targets."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from core.access import TenantDb, require
from core.identity import Principal
from core.web.days import IsoDay
from core.web.paging import Page, PageRequest, long_pages
from tenants.followup import targets, targets_file
from tenants.followup.models_team import FacilityTarget
from tenants.followup.targets import Target
from tenants.records.repository import datim_ids

router = APIRouter(prefix="/facility-targets", tags=["funnel"])

TargetsRead = Annotated[Principal, Depends(require("funnel.read", confined=True))]
TargetsWrite = Annotated[Principal, Depends(require("targets.write"))]
Ordered = Annotated[PageRequest, Depends(long_pages({"month": date}, str(targets.NEWEST_FIRST)))]
Share = Annotated[float | None, Field(ge=0, le=1)]


class TargetPut(BaseModel):
    """What a facility aims at from a month on."""

    model_config = ConfigDict(extra="forbid")

    facility: str = Field(description="DATIM id of the facility.", min_length=1, max_length=100, examples=["hZ7mJp5xU"])
    month: IsoDay = Field(description="First day of the month from which it is in force.", examples=["2026-02-01"])
    reached: Share = Field(
        description="Share of the people on its lists to speak with; null: no target.", examples=[0.8]
    )
    returned: Share = Field(description="Share to be back after that; null: no target.", examples=[0.6])


class TargetOut(BaseModel):
    """A target: in force from its month until the facility's next one."""

    facility: str = Field(description="DATIM id of the facility.", examples=["hZ7mJp5xUQq"])
    month: date = Field(description="First day of the month from which it is in force.", examples=["2026-02-01"])
    reached: float | None = Field(description="Share of the people on its lists to speak with.", examples=[0.8])
    returned: float | None = Field(description="Share to be back after that.", examples=[0.6])
    set_by: str = Field(description="Who set it.", examples=["person:019c2253-7220-70a7-a610-b4172b5ebaa2"])
    set_at: datetime = Field(description="When it was set.")


class TargetsFileIn(BaseModel):
    """A file of targets."""

    model_config = ConfigDict(extra="forbid")

    csv: str = Field(
        description="The file: a header `facility,month,reached,returned`, then one facility and month a line.",
        examples=["facility,month,reached,returned\nhZ7mJp5xUQq,2026-02,80%,60%\n"],
    )


class TargetsFileOut(BaseModel):
    """What a file of targets set."""

    targets: int = Field(description="Targets that were set.", examples=[12])


@router.get("", operation_id="list_facility_targets", summary="List targets, the newest month first unless sorted")
def list_facility_targets(
    _: TargetsRead,
    db: TenantDb,
    paging: Ordered,
    facility: Annotated[str | None, Query(max_length=100, description="DATIM id: only of this facility.")] = None,
) -> Page[TargetOut]:
    """Return one page of targets. `GET /v1/funnel` says how much of them is attained."""
    part = targets.read_list(db, facility, paging)
    places = datim_ids(db, {row.facility_uuid for row in part.rows})
    return Page.of([_shown(row, places[row.facility_uuid]) for row in part.rows], paging, part.total, part.last)


@router.put("", operation_id="set_facility_target", summary="Set the target of a facility from a month on")
def set_facility_target(_: TargetsWrite, db: TenantDb, body: TargetPut) -> TargetOut:
    """Set the shares, or replace those of the same month. Months before keep their targets."""
    row = targets.set_target(db, Target(body.facility, body.month, body.reached, body.returned))
    return _shown(row, body.facility)


@router.post("/file", operation_id="set_facility_targets", summary="Set targets from a file")
def set_facility_targets(_: TargetsWrite, db: TenantDb, body: TargetsFileIn) -> TargetsFileOut:
    """Set the targets of a CSV file: none if a row is wrong. The error names line and column of each wrong row."""
    return TargetsFileOut(targets=targets_file.set_targets(db, body.csv))


def _shown(row: FacilityTarget, datim_id: str) -> TargetOut:
    return TargetOut.model_validate(
        {"facility": datim_id, **row.model_dump(include={"month", "reached", "returned", "set_by", "set_at"})}
    )
