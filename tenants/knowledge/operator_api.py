"""The API's route of the installation's operators: what answers and the language model cost each tenant."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from core.access import require_operator
from core.identity import Principal
from tenants.knowledge import ai_use

router = APIRouter(prefix="/operators/ai-use", tags=["operators"])

Reader = Annotated[Principal, Depends(require_operator("operations.read"))]
_USE: dict[str, Any] = {
    "slug": "lakeside",
    "name": "Lakeside Care",
    "questions": 412,
    "unanswered": 37,
    "calls": 290,
    "failed": 3,
    "blocked": 2,
    "tokens": 278400,
    "cost": 4.18,
    "median_seconds": 1.9,
    "slow_seconds": 5.2,
}


class AiUseOut(BaseModel):
    """What answers and the language model cost one tenant."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": _USE})

    slug: str = Field(description="Short name of the tenant.", examples=["lakeside"])
    name: str = Field(description="Name of the tenant.", examples=["Lakeside Care"])
    questions: int = Field(description="Questions that were asked.")
    unanswered: int = Field(description="Those that the guidelines do not answer.")
    calls: int = Field(description="Calls of the language model.")
    failed: int = Field(description="Calls without an answer.")
    blocked: int = Field(description="Questions that the tenant's policy did not let leave.")
    tokens: int = Field(description="Tokens that the language model read and wrote.")
    cost: float = Field(description="US dollars, by the installation's price list.", examples=[4.18])
    median_seconds: float | None = Field(description="Median time of a call; null without one.", examples=[1.9])
    slow_seconds: float | None = Field(description="Time of the slowest call in twenty.", examples=[5.2])


class AiUseList(BaseModel):
    """What answers and the language model cost, by tenant."""

    model_config = ConfigDict(json_schema_extra={"example": {"items": [_USE]}})

    items: list[AiUseOut] = Field(description="The most expensive first; tenants that used nothing are left out.")


@router.get("", operation_id="list_ai_use", summary="List what answers cost each tenant")
def list_ai_use(
    _: Reader, days: Annotated[int, Query(ge=1, le=366, description="Days up to now.")] = ai_use.DAYS
) -> AiUseList:
    """Return questions, calls of the language model, their tokens, costs and times, by tenant."""
    return AiUseList(items=[AiUseOut.model_validate(use) for use in ai_use.by_tenant(days)])
