"""Route of the effect report."""

from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from core.access import TenantDb, require
from core.identity import Principal
from core.web.days import IsoDay
from tenants.followup import effect
from tenants.followup.effect import Claim, Share

router = APIRouter(prefix="/effect", tags=["funnel"])

EffectRead = Annotated[Principal, Depends(require("funnel.read", confined=True))]
CLAIMS: Final[dict[Claim, str]] = {
    "causal": "People were held out at random, so the difference is what being on a shown list did.",
    "none": "No causal claim: too few people, or none, were held out at random. Who is tried differs from who is not.",
}


class ShareOut(BaseModel):
    """A group, and the share of it that returned in time."""

    people: int = Field(description="People whose result is settled.", examples=[400])
    returned: int = Field(description="Those who returned in time.", examples=[340])
    share: float | None = Field(description="Their share; null in an empty group.", examples=[0.85])
    low: float = Field(description="Lower end of Wilson's 95 % interval.", examples=[0.81])
    high: float = Field(description="Upper end.", examples=[0.88])


class DifferenceOut(BaseModel):
    """A difference of two shares."""

    value: float = Field(description="Shown minus held out.", examples=[0.04])
    low: float = Field(description="Lower end of Newcombe's 95 % interval.", examples=[-0.01])
    high: float = Field(description="Upper end.", examples=[0.09])


class EffectOut(BaseModel):
    """The effect report of a period."""

    first: date = Field(description="First day of lists.", examples=["2026-01-01"])
    last: date = Field(description="Last day of lists.", examples=["2026-03-31"])
    claim: Claim = Field(description="Whether the report says what a list causes.", examples=["none"])
    meaning: str = Field(description="What it can and cannot say.", examples=[CLAIMS["none"]])
    shown: ShareOut = Field(description="People whom lists showed.")
    held_out: ShareOut = Field(description="People whom chance kept off the shown lists.")
    tried: ShareOut = Field(description="Shown people whom somebody tried to reach.")
    untried: ShareOut = Field(description="Shown people whom nobody tried to reach.")
    difference: DifferenceOut | None = Field(description="Shown minus held out; null without a claim.", examples=[None])


@router.get("", operation_id="get_effect", summary="Get the effect report")
def get_effect(
    _: EffectRead,
    db: TenantDb,
    first: Annotated[IsoDay, Query(description="First day of lists.", examples=["2026-01-01"])],
    last: Annotated[IsoDay, Query(description="Last day of lists.", examples=["2026-03-31"])],
) -> EffectOut:
    """Return which share of the people at risk returned in time, and what can be said about the lists' effect."""
    report = effect.read_effect(db, first, last)
    contrast = report.difference
    return EffectOut(
        first=first,
        last=last,
        claim=report.claim,
        meaning=CLAIMS[report.claim],
        shown=_shown(report.shown),
        held_out=_shown(report.held_out),
        tried=_shown(report.tried),
        untried=_shown(report.untried),
        difference=None
        if contrast is None
        else DifferenceOut(value=contrast.value, low=contrast.low, high=contrast.high),
    )


def _shown(share: Share) -> ShareOut:
    low, high = share.interval
    return ShareOut(people=share.people, returned=share.returned, share=share.value, low=low, high=high)
