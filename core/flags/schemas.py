"""What the API says about flags."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from core.flags.definition import Definition
from core.flags.service import Change, FlagState

_EXAMPLE: Final[dict[str, Any]] = {
    "enabled": True,
    "strategies": [
        {
            "name": "flexibleRollout",
            "parameters": {"rollout": "25", "stickiness": "sessionId", "groupId": "knowledge.language_model"},
            "constraints": [{"contextName": "tenant", "operator": "NOT_IN", "values": ["partner-north"]}],
            "variants": [],
        }
    ],
    "variants": [],
}


class FlagOut(BaseModel):
    """A flag and how it is set."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "knowledge.language_model",
                "about": "A language model words answers; otherwise answers are quotes.",
                "owner": "knowledge",
                "kind": "operational",
                "default": True,
                "expires_on": None,
                "stale": False,
                "variants": [],
                "definition": _EXAMPLE,
                "change": 12,
                "changed_by": "operator:0197c1f0-5a2e-7c41-9d3b-6f8e1a2b3c4d",
                "changed_at": "2026-11-29T08:15:00Z",
                "reason": "A quarter of the partners first",
            }
        }
    )

    name: str = Field(description="Its name.", examples=["knowledge.language_model"])
    about: str = Field(description="What is different while it is on.")
    owner: str = Field(description="The room that answers for it.")
    kind: Literal["release", "experiment", "operational", "permission"] = Field(description="What it is for.")
    default: bool = Field(description="Whether it is on while nobody has set it.")
    expires_on: date | None = Field(description="From this day it is stale; null for switches that stay.")
    stale: bool = Field(description="Whether the code should no longer have it.")
    variants: list[str] = Field(description="Variants that the code knows; the first holds while it is off.")
    definition: Definition | None = Field(description="How it is set; null while it has its default.")
    change: int = Field(description="Number of its last change; 0 if it was never set.")
    changed_by: str | None = Field(description="Who changed it last.")
    changed_at: datetime | None = Field(description="When it was changed last.")
    reason: str | None = Field(description="Why it was changed last.")

    @classmethod
    def of(cls, state: FlagState) -> FlagOut:
        """Return the answer for a flag."""
        flag = state.flag
        return cls(
            name=flag.name,
            about=flag.about,
            owner=flag.owner,
            kind=flag.kind,
            default=flag.default,
            expires_on=flag.expires_on,
            stale=state.stale,
            variants=list(flag.variants),
            definition=state.definition,
            change=state.change,
            changed_by=state.changed_by,
            changed_at=state.changed_at,
            reason=state.reason,
        )


class FlagChangeOut(BaseModel):
    """A change of a flag."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "number": 12,
                "definition": _EXAMPLE,
                "reason": "A quarter of the partners first",
                "actor": "operator:0197c1f0-5a2e-7c41-9d3b-6f8e1a2b3c4d",
                "changed_at": "2026-11-29T08:15:00Z",
            }
        }
    )

    number: int = Field(description="Grows with each change of any flag.")
    definition: Definition | None = Field(description="How it was set; null where it got its default back.")
    reason: str = Field(description="Why.")
    actor: str = Field(description="Who changed it.")
    changed_at: datetime = Field(description="When.")

    @classmethod
    def of(cls, change: Change) -> FlagChangeOut:
        """Return the answer for a change."""
        return cls(
            number=change.number,
            definition=change.definition,
            reason=change.reason,
            actor=change.actor,
            changed_at=change.changed_at,
        )


class FlagList(BaseModel):
    """All flags."""

    flags: list[FlagOut] = Field(description="Every declared flag, by name.")


class FlagHistory(BaseModel):
    """The changes of a flag."""

    changes: list[FlagChangeOut] = Field(description="The last 200 changes, newest first.")


class FlagIn(BaseModel):
    """How a flag is to be set."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"definition": _EXAMPLE, "reason": "A quarter of the partners first", "change": 11}
        },
    )

    definition: Definition | None = Field(description="How to set it; null gives it back to its default.")
    reason: str = Field(min_length=1, max_length=500, description="Why; the history and the audit have it.")
    change: int | None = Field(
        default=None, ge=0, description="Number of the last change that you saw: 409 if there was another since."
    )
