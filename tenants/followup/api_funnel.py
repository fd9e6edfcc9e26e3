"""Route of the funnel."""

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from core.access import TenantDb, require
from core.identity import Principal
from core.web.days import IsoDay
from core.web.tables import MEDIA_TYPES
from tenants.followup import funnel
from tenants.followup.funnel import GroupName, ListKind

router = APIRouter(prefix="/funnel", tags=["funnel"])

FunnelRead = Annotated[Principal, Depends(require("funnel.read", confined=True))]
_CSV = {"content": {"text/csv": {"schema": {"type": "string"}}}}


class FunnelRowOut(BaseModel):
    """The funnel of one group."""

    key: str | None = Field(
        description="DATIM id, or the officer as in the audit; null: the tenant, or nobody.", examples=["hZ7mJp5xUQq"]
    )
    name: str | None = Field(description="Name of the facility or officer.", examples=["Hope Clinic"])
    identified: int = Field(description="People on lists of the period.", examples=[120])
    contacted: int = Field(description="Those whom somebody tried to reach.", examples=[100])
    reached: int = Field(description="Those who were spoken with.", examples=[70])
    returned: int = Field(description="Those reached with a contact on that day or later.", examples=[55])
    retained: int = Field(description="Those returned who were on treatment six months later.", examples=[20])
    retained_due: int = Field(description="Those returned whose six months are over.", examples=[25])
    returned_unreached: int = Field(description="People with a contact whom nobody had reached before it.")
    unsettled: int = Field(description="People of whom the records are not complete yet.", examples=[30])
    reached_target: float | None = Field(
        description="People to reach by the facilities' targets; null: they have none.", examples=[90.0]
    )
    reached_attained: float | None = Field(
        description="The part of that target that was reached, at the facilities that have one.", examples=[0.78]
    )
    returned_target: float | None = Field(description="People to be back by the targets.", examples=[60.0])
    returned_attained: float | None = Field(description="The part of that target that is back.", examples=[0.92])


class FunnelOut(BaseModel):
    """The funnel of a period."""

    first: date = Field(description="First day of lists.", examples=["2026-01-01"])
    last: date = Field(description="Last day of lists.", examples=["2026-03-31"])
    by: GroupName = Field(description="What the rows are.", examples=["facility"])
    rows: list[FunnelRowOut] = Field(description="One row for each group.")


@router.get(
    "",
    operation_id="get_funnel",
    summary="Get the funnel of follow-up",
    response_model=FunnelOut,
    responses={200: _CSV},
)
def get_funnel(
    _: FunnelRead,
    db: TenantDb,
    first: Annotated[IsoDay, Query(description="First day of lists.", examples=["2026-01-01"])],
    last: Annotated[IsoDay, Query(description="Last day of lists.", examples=["2026-03-31"])],
    by: Annotated[GroupName, Query(description="What the rows are.")] = "tenant",
    kind: Annotated[ListKind | None, Query(description="Only lists of this kind.")] = None,
    format: Annotated[Literal["json", "csv"], Query(description="File format.")] = "json",  # noqa: A002 - the query's name
) -> FunnelOut | Response:
    """Return how many people on lists of the period were contacted, reached, returned and retained for six months."""
    rows = funnel.read_funnel(db, first, last, by, kind)
    if format == "csv":
        return Response(funnel.csv_of(rows), media_type=MEDIA_TYPES["csv"])
    shown = [FunnelRowOut.model_validate(row, from_attributes=True) for row in rows]
    return FunnelOut(first=first, last=last, by=by, rows=shown)
