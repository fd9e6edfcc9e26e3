"""The API's route of the health in detail, for the installation's operators."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from core.access import require_operator
from core.app import probes
from core.app.components import status_of
from core.identity import Principal

router = APIRouter(prefix="/operators/health", tags=["operators"])

Reader = Annotated[Principal, Depends(require_operator("operations.read"))]


class ComponentOut(BaseModel):
    """One thing that this process depends on, in detail."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(description="Name of the component.", examples=["postgresql"])
    state: Literal["ok", "warning", "failed", "skipped"] = Field(
        description="`warning`: the platform works without it, or works slowly."
    )
    latency_ms: float | None = Field(description="How long it took to answer; null where it was not asked.")
    detail: str = Field(description="What is wrong; empty where nothing is.")
    remedy: str = Field(description="What to do about it.")
    figures: dict[str, Any] = Field(description="Numbers about it.", examples=[{"in_use": 2, "idle": 3}])


class DetailedHealth(BaseModel):
    """The state of the whole and of each component."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "status": "degraded",
                "components": [
                    {
                        "name": "dead_letters_default",
                        "state": "warning",
                        "latency_ms": 1.4,
                        "detail": "2 jobs failed for good",
                        "remedy": "Look at each under Operators, Jobs; retry or discard it.",
                        "figures": {"dead_letters": 2},
                    }
                ],
            }
        }
    )

    status: Literal["ok", "degraded", "failed"] = Field(description="The worst state of the components.")
    components: list[ComponentOut] = Field(description="The components of the process that answers.")


@router.get("", operation_id="get_operator_health", summary="Check the state of each component in detail")
def get_operator_health(_: Reader) -> DetailedHealth:
    """Return what `/health` shows, and what is wrong, what to do, and the figures. At most a second old."""
    states = probes.all_components()
    return DetailedHealth(
        status=status_of(states), components=[ComponentOut.model_validate(component) for component in states]
    )
