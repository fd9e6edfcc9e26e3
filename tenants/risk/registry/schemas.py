"""Bodies and answers of the API for the registry of models."""

from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tenants.risk.models import RiskModel
from tenants.risk.registry.lifecycle import shown_state

NOTE: Any = Field(default="", max_length=500, description="Why, for the history.", examples=["Reviewed by the team."])
LOOK = {"on": "2026-11-29", "decisions": 2140, "difference": -0.012, "standard_error": 0.008, "ratio": 1.7}
TERMS = {"seed": 71, "planned_decisions": 5200, "smallest_effect": 0.05, "alpha": 0.05, "power": 0.8}


class ModelNote(BaseModel):
    """Why a model is promoted, approved, retired or rolled back."""

    model_config = ConfigDict(extra="forbid")

    note: str = NOTE


class TrialPost(BaseModel):
    """A comparison of a model with the champion."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["shadow", "ab"] = Field(
        description="`shadow`: it scores beside the champion, at no effect; `ab`: it serves a share of the facilities.",
        examples=["ab"],
    )
    share: float = Field(default=0.5, ge=0.1, le=0.5, description="Share of the facilities that it serves; of `ab`.")
    smallest_effect: float = Field(
        default=0.05, ge=0.005, le=0.3, description="Difference of the share that interrupts that matters; of `ab`."
    )
    alpha: float = Field(
        default=0.05, ge=0.001, le=0.2, description="Chance of finding a difference where there is none; of `ab`."
    )
    power: float = Field(default=0.8, ge=0.5, le=0.99, description="Chance of finding the smallest effect; of `ab`.")
    correlation: float = Field(
        default=0.002, ge=0, le=0.5, description="How alike the decisions of one facility are (intracluster); of `ab`."
    )

    @model_validator(mode="after")
    def _without_terms_of_ab(self) -> Self:
        if self.kind == "shadow" and self.model_fields_set - {"kind"}:
            message = "a shadow has no terms besides its kind"
            raise ValueError(message)
        return self


class ModelTrial(BaseModel):
    """The comparison in which a model is, or the last one that it was in."""

    model_id: UUID = Field(description="The model.")
    model_version: str = Field(description="Version of the model.", examples=["boosting-4"])
    model_state: Literal["candidate", "shadow", "challenger", "champion", "retired", "failed"] = Field(
        description="State of the model."
    )
    kind: Literal["shadow", "ab", "canary"] = Field(
        description="`canary`: it was promoted, and the former champion scores beside it."
    )
    state: Literal["running", "ended"] = Field(description="Whether it runs.")
    result: str | None = Field(
        description="`better`, `worse` or `no difference` by the stop rules of `ab`; `passed`, `rolled_back`, `stopped`"
        " or `promoted`; null while it runs.",
        examples=["better"],
    )
    other_version: str = Field(description="Version of the model that it is compared with.", examples=["additive-3"])
    started_at: datetime = Field(description="When it began.")
    ended_at: datetime | None = Field(description="When it ended.")
    until: str | None = Field(description="Last day of a canary.", examples=["2026-12-14"])
    terms: dict[str, Any] = Field(
        description="What was stated before an `ab` began: seed, share, size, errors.", examples=[TERMS]
    )
    facilities: int | None = Field(description="Number of facilities that the model serves; of `ab`.", examples=[12])
    figures: dict[str, Any] | None = Field(
        description="Figures of both models on the same decisions, with 95 % intervals; null while too few resolved.",
        examples=[None],
    )
    looks: list[dict[str, Any]] = Field(
        description="Each day's look at an `ab`: difference of the groups, and the evidence ratio.", examples=[[LOOK]]
    )

    @classmethod
    def of(cls, row: RiskModel) -> "ModelTrial":
        """Build it from a stored model that has a trial."""
        trial = row.trial or {}
        stated = ("share", "seed", "smallest_effect", "alpha", "power", "correlation", "base_rate", "planned_decisions")
        return cls(
            model_id=row.uuid,
            model_version=row.version,
            model_state=shown_state(row.state),  # type: ignore[arg-type]
            kind=trial["kind"],
            state=trial["state"],
            result=trial["result"],
            other_version=trial["other_version"],
            started_at=trial["started_at"],
            ended_at=trial.get("ended_at"),
            until=trial.get("until"),
            terms={name: trial[name] for name in stated if name in trial},
            facilities=len(trial["facilities"]) if "facilities" in trial else None,
            figures=trial["figures"],
            looks=trial["looks"],
        )


class ModelEventOut(BaseModel):
    """What happened to a model."""

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)

    id: UUID = Field(validation_alias="uuid", description="Identifier of the event.")
    action: Literal["approved", "promoted", "rolled_back", "retired", "trial_started", "trial_ended"] = Field(
        description="What happened; after `rolled_back`, this model serves again."
    )
    version: str = Field(description="Version of the model.", examples=["additive-3"])
    former_id: UUID | None = Field(
        validation_alias="former_uuid", description="The model that served before; of promotions and roll-backs."
    )
    actor: str = Field(description="Who did it.", examples=["person:019c2253-7220-70a7-a610-b4172b5ebaa2"])
    happened_at: datetime = Field(description="When.")
    note: str = Field(description="Why.", examples=["Reviewed by the team."])
    facts: dict[str, Any] = Field(description="Terms or result of a trial.", examples=[{"kind": "shadow"}])
