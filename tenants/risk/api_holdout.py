"""Routes of the hold-out and its ethics approval."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from core.access import TenantDb, require
from core.identity import Principal
from core.web.days import IsoDay
from tenants.risk import holdout
from tenants.risk.models_holdout import HoldoutApproval

router = APIRouter(prefix="/holdout", tags=["holdout"])

HoldoutManage = Annotated[Principal, Depends(require("holdout.manage"))]


class HoldoutPut(BaseModel):
    """The ethics approval of a hold-out."""

    model_config = ConfigDict(extra="forbid")

    share: float = Field(gt=0, le=0.5, description="Share of the people on lists at risk.", examples=[0.1])
    reference: str = Field(
        min_length=1, max_length=200, description="The committee's reference.", examples=["NHREC/2026/114"]
    )
    approved_on: IsoDay = Field(description="Day of the approval.", examples=["2026-02-03"])
    approved_by: str = Field(
        min_length=1, max_length=200, description="Who approved it.", examples=["National Ethics Committee"]
    )


class HoldoutOut(BaseModel):
    """The hold-out in force."""

    share: float = Field(description="Share of the people on lists at risk; 0: nobody is held out.", examples=[0.1])
    reference: str | None = Field(description="The committee's reference.", examples=["NHREC/2026/114"])
    approved_on: date | None = Field(description="Day of the approval.", examples=["2026-02-03"])
    approved_by: str | None = Field(description="Who approved it.", examples=["National Ethics Committee"])
    recorded_by: str | None = Field(
        description="Who recorded it.", examples=["person:019c2253-7220-70a7-a610-b4172b5ebaa2"]
    )
    recorded_at: datetime | None = Field(description="When it was recorded.")


@router.get("", operation_id="get_holdout", summary="Get the hold-out in force")
def get_holdout(_: HoldoutManage, db: TenantDb) -> HoldoutOut:
    """Return the share of people who are held out, and the approval for it."""
    return _shown(holdout.in_force(db))


@router.put("", operation_id="approve_holdout", summary="Record the ethics approval of a hold-out")
def approve_holdout(_: HoldoutManage, db: TenantDb, body: HoldoutPut) -> HoldoutOut:
    """Replace the approval in force. Lists issued from now on follow it."""
    return _shown(holdout.approve(db, body.share, body.reference, body.approved_on, body.approved_by))


@router.delete("", operation_id="end_holdout", status_code=204, summary="End the hold-out")
def end_holdout(_: HoldoutManage, db: TenantDb) -> None:
    """End the approval in force. Lists that were issued stay as they are."""
    holdout.end(db)


def _shown(row: HoldoutApproval | None) -> HoldoutOut:
    if row is None:
        return HoldoutOut(
            share=0, reference=None, approved_on=None, approved_by=None, recorded_by=None, recorded_at=None
        )
    return HoldoutOut.model_validate(row.model_dump(include=set(HoldoutOut.model_fields)))
