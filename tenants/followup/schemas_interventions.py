"""Bodies and answers of the API for interventions: what is planned for a patient, and what became of it."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from core.web.days import IsoDay
from tenants.followup.outcomes import Medium, OutcomeName
from tenants.followup.schemas import NOTE_MAX
from tenants.risk.results import ResultName

InterventionState = Literal["planned", "done", "failed", "cancelled"]
"""``failed``: it could not be carried out. An attempt that reached nobody is ``done``, with that outcome."""


class InterventionPost(BaseModel):
    """An intervention to plan. A body with the same ``id`` is the same intervention, and is planned once."""

    model_config = ConfigDict(extra="forbid")

    id: UUID = Field(
        description="Your identifier of the intervention, a new UUID: sending it twice plans one.",
        examples=["019c2253-7220-70a7-a610-b4172b5ebaa0"],
    )
    patient_id: UUID = Field(description="The patient.", examples=["019c2253-7220-70a7-a610-b4172b5ebaa1"])
    kind: Medium = Field(description="What to do.", examples=["home_visit"])
    due: IsoDay | None = Field(
        default=None, description="The day by which to do it; today when left out.", examples=[None]
    )
    person_id: UUID | None = Field(
        default=None,
        description="Who does it: one of the patient's assignees. When left out, who follows the patient; if nobody "
        "does, the person who plans it.",
        examples=[None],
    )
    note: str | None = Field(
        default=None, max_length=NOTE_MAX, description="Free text, stored encrypted.", examples=[None]
    )


class EndPost(BaseModel):
    """Why a planned intervention will not be done."""

    model_config = ConfigDict(extra="forbid")

    state: Literal["failed", "cancelled"] = Field(
        description="`failed`: it could not be carried out; `cancelled`: it is not needed.", examples=["cancelled"]
    )
    note: str | None = Field(
        default=None, max_length=NOTE_MAX, description="Free text, stored encrypted.", examples=[None]
    )


class InterventionOut(BaseModel):
    """An intervention on record, planned or not."""

    id: UUID = Field(description="Identifier of the intervention.")
    patient_id: UUID = Field(description="The patient.")
    facility: str = Field(description="DATIM id of the patient's facility.", examples=["hZ7mJp5xUQq"])
    kind: Medium = Field(description="What is to be done, or was done.", examples=["home_visit"])
    state: InterventionState = Field(description="Where it is.", examples=["planned"])
    due: date | None = Field(description="The day by which to do it.", examples=["2026-02-03"])
    person_id: UUID | None = Field(description="Who does it.")
    planned: bool = Field(description="Whether it was planned first.", examples=[True])
    outcome: OutcomeName | None = Field(description="What became of it; null until it is done.", examples=[None])
    day: date | None = Field(description="The day on which it was done.", examples=[None])
    note: str | None = Field(description="Free text; null: none, or it cannot be read.", examples=[None])
    prediction_id: UUID | None = Field(description="The prediction for which it is.")
    worklist_entry_id: UUID | None = Field(description="The place on the issued list for which it is.")
    result: ResultName | None = Field(
        description="What the records say became of the patient; null until the first look.", examples=[None]
    )
    result_on: date | None = Field(description="The day of the contact, death, transfer or stop.", examples=[None])
    settled: bool = Field(description="Whether the result can be counted.", examples=[False])
    created_at: datetime = Field(description="When it was planned or recorded.")
    created_by: str = Field(description="Who planned or recorded it.", examples=["person:019c2253-7220-70a7"])
    ended_at: datetime | None = Field(description="When it was done, failed or was cancelled.", examples=[None])
    ended_by: str | None = Field(description="Who said so.", examples=[None])


@dataclass(frozen=True)
class InterventionFilter:
    """Query parameters that filter a list of interventions."""

    patient_id: Annotated[UUID | None, Query(description="Of this patient.")] = None
    state: Annotated[InterventionState | None, Query(description="In this state.")] = None
    kind: Annotated[Medium | None, Query(description="Of this kind.")] = None
    assigned_to: Annotated[Literal["me"] | None, Query(description="`me`: those that you do.")] = None
    due_by: Annotated[IsoDay | None, Query(description="Due on this day or earlier.", examples=["2026-02-01"])] = None
