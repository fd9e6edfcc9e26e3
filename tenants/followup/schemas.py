"""Bodies and answers of the API for attempts to reach patients."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, field_validator

from core.web.days import IsoDay
from tenants.followup.outcomes import Medium, OutcomeName, ReasonName
from tenants.records.schemas import PhoneNumber, with_enough_digits

NOTE_MAX = 2000


class OutcomePost(BaseModel):
    """What became of an intervention."""

    model_config = ConfigDict(extra="forbid")

    outcome: OutcomeName = Field(description="What became of it.", examples=["returned"])
    day: IsoDay | None = Field(default=None, description="Day of the attempt; today when left out.", examples=[None])
    promised_for: IsoDay | None = Field(
        default=None, description="`promised` only: the day on which the patient will come.", examples=[None]
    )
    returned_on: IsoDay | None = Field(
        default=None,
        description="`returned` only: the day of the contact; the day of the attempt when left out.",
        examples=["2026-02-03"],
    )
    new_phone: PhoneNumber | None = Field(
        default=None,
        description="`wrong_number` only: the right number, stored as the patient's phone. An import replaces it only"
        " by a number that is neither empty nor the wrong one.",
        examples=[None],
    )
    reason: ReasonName | None = Field(default=None, description="Why the patient stayed away.", examples=["transport"])
    note: str | None = Field(
        default=None, max_length=NOTE_MAX, description="Free text, stored encrypted.", examples=[None]
    )

    @field_validator("new_phone")
    @classmethod
    def _enough_digits(cls, value: str | None) -> str | None:
        return with_enough_digits(value)


class AttemptPost(OutcomePost):
    """An attempt to record. A body with the same ``id`` is the same attempt, and is recorded once."""

    id: UUID = Field(
        description="Your identifier of the attempt, a new UUID: sending it twice records one attempt.",
        examples=["019c2253-7220-70a7-a610-b4172b5ebaa0"],
    )
    patient_id: UUID = Field(description="The patient.", examples=["019c2253-7220-70a7-a610-b4172b5ebaa1"])
    medium: Medium = Field(default="phone_call", description="How somebody tried.", examples=["phone_call"])


class AttemptOut(BaseModel):
    """An attempt on record."""

    id: UUID = Field(description="Identifier of the attempt.")
    patient_id: UUID = Field(description="The patient.")
    facility: str = Field(description="DATIM id of the patient's facility.", examples=["hZ7mJp5xUQq"])
    medium: Medium = Field(description="How somebody tried.")
    outcome: OutcomeName = Field(description="What became of it.", examples=["returned"])
    day: date = Field(description="Day of the attempt.", examples=["2026-02-03"])
    promised_for: date | None = Field(description="The day on which the patient will come.", examples=[None])
    returned_on: date | None = Field(description="The day of the contact that it led to.", examples=["2026-02-03"])
    new_phone: bool = Field(description="Whether it replaced a wrong phone by the right one.", examples=[False])
    reason: str | None = Field(description="Why the patient stayed away, as a code.", examples=["transport"])
    note: str | None = Field(description="Free text; null: none, or it cannot be read.", examples=[None])
    recorded_at: datetime = Field(description="When it was recorded.")
    recorded_by: str = Field(description="Who recorded it.", examples=["person:019c2253-7220-70a7-a610-b4172b5ebaa2"])


class AssignmentPut(BaseModel):
    """Who follows a patient from now on."""

    model_config = ConfigDict(extra="forbid")

    person_id: UUID = Field(
        description="One of the patient's assignees.", examples=["019c2253-7220-70a7-a610-b4172b5ebaa2"]
    )


class AssignmentOut(BaseModel):
    """The assignment of a patient."""

    patient_id: UUID = Field(description="The patient.", examples=["019c2253-7220-70a7-a610-b4172b5ebaa1"])
    person_id: UUID = Field(
        description="The person who follows the patient.", examples=["019c2253-7220-70a7-a610-b4172b5ebaa2"]
    )
    assigned_at: datetime = Field(description="When it was assigned.")
    assigned_by: str = Field(description="Who assigned it.", examples=["person:019c2253-7220-70a7-a610-b4172b5ebaa3"])


class AssigneeOut(BaseModel):
    """A person to whom a patient can be assigned."""

    id: UUID = Field(description="Identifier of the person.", examples=["019c2253-7220-70a7-a610-b4172b5ebaa2"])
    name: str = Field(description="Name of the person.", examples=["Grace Example"])


class OutcomeOut(BaseModel):
    """One outcome that an attempt can have."""

    name: OutcomeName = Field(description="The word.")
    meaning: str = Field(description="What it means.", examples=["The patient came back to the clinic."])
    reached: bool = Field(description="Whether somebody spoke with the patient or with who knows.")
    settles: bool = Field(description="Whether nobody needs to try again for as long as the records say nothing new.")


@dataclass(frozen=True)
class AttemptFilter:
    """Query parameters that filter a list of attempts."""

    patient_id: Annotated[UUID | None, Query(description="Of this patient.")] = None
    outcome: Annotated[OutcomeName | None, Query(description="With this outcome.")] = None
    since: Annotated[IsoDay | None, Query(description="Made on this day or later.", examples=["2026-02-01"])] = None
    recorded_by: Annotated[Literal["me"] | None, Query(description="`me`: those that you recorded.")] = None
