"""Bodies and answers of the API about alerts."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from tenants.alerts.acts import LONGEST_SNOOZE, SNOOZE_MINUTES
from tenants.alerts.kinds import Kind, Severity, Stream
from tenants.cohort.schemas import StatusName

Status = Literal["open", "acknowledged", "resolved"]
SeveralAct = Literal["acknowledge", "assign", "snooze"]
MOST_ALERTS = 100
"""Alerts of one request."""
_ID = "019c2253-7220-70a7-a610-b4172b5ebaa0"
_CHANNEL, _PERSON = (f"{_ID[:-4]}c0d{digit}" for digit in "12")


class AlertOut(BaseModel):
    """An alert, without the people whom it groups."""

    id: UUID = Field(description="The alert.", examples=[_ID])
    title: str = Field(
        description="The alert in one line, in the reader's language.", examples=["12 people to call first (Clinic A)"]
    )
    rule: Kind = Field(description="The rule that raised it.", examples=["risk_high"])
    stream: Stream = Field(description="Whether it is about patients or about the platform.")
    severity: Severity = Field(description="From the least, `info`, to the greatest, `critical`.")
    status: Status = Field(description="`acknowledged`: somebody looks after it.")
    facility: str | None = Field(
        description="DATIM id of the facility; null if it concerns none.", examples=["hZ7mJp5xUQq"]
    )
    subject: str = Field(description="What it is about, where it concerns no facility.", examples=[""])
    count: int = Field(description="People or things that it groups.", examples=[12])
    data_date: date | None = Field(description="The date to which its data run.", examples=["2026-02-03"])
    assigned_to: str | None = Field(description="Who looks after it.", examples=[f"person:{_PERSON}"])
    acknowledged_by: str | None = Field(description="Who acknowledged it.", examples=[f"person:{_PERSON}"])
    acknowledged_at: datetime | None = Field(description="When.", examples=[None])
    snoozed_until: datetime | None = Field(description="Nobody is notified of it until then.", examples=[None])
    notify_at: datetime | None = Field(
        description="When channels are notified, if quiet hours, a silence, a snooze or its own pause defer it.",
        examples=[None],
    )
    resolved_at: datetime | None = Field(description="When it ended.", examples=[None])
    resolution: Literal["person", "channel", "cause_ended"] | None = Field(description="Why it ended.", examples=[None])
    digest_id: UUID | None = Field(
        description="Alerts about the people of a facility reach channels in one message. This is its id there, and"
        " its key is `iit-` and this id; null before the first message.",
        examples=[None],
    )
    created_at: datetime = Field(description="When it was raised.")


class AlertEventOut(BaseModel):
    """One entry of an alert's history."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime = Field(description="When.")
    act: str = Field(description="What happened.", examples=["acknowledged"])
    actor: str = Field(description="Who did it.", examples=[f"person:{_PERSON}"])
    detail: dict[str, Any] = Field(description="Codes, figures and times.", examples=[{"count": 12}])


class AlertDeliveryOut(BaseModel):
    """One message about an alert for one channel."""

    model_config = ConfigDict(from_attributes=True)

    channel_id: UUID = Field(description="The channel.", examples=[_CHANNEL])
    act: Literal["trigger", "acknowledge", "resolve"] = Field(description="What it says.")
    state: Literal["waiting", "sending", "sent", "failed", "unknown"] = Field(
        description="`unknown`: nobody knows whether it arrived, so it is not sent again."
    )
    attempts: int = Field(description="Tries so far.", examples=[1])
    reason: str | None = Field(description="A code of the last failure.", examples=[None])
    created_at: datetime = Field(description="When it was written.")
    ended_at: datetime | None = Field(description="When it was sent or given up.", examples=[None])


class AlertDetail(AlertOut):
    """An alert with its history and its messages."""

    history: list[AlertEventOut] = Field(description="What happened to it, oldest first.")
    deliveries: list[AlertDeliveryOut] = Field(description="What channels were notified, oldest first.")


class AlertPersonOut(BaseModel):
    """One person whom an alert counts, as known now."""

    model_config = ConfigDict(from_attributes=True)

    patient_id: UUID = Field(description="The patient.", examples=[_ID])
    sex: str | None = Field(description="`F` or `M`; null where it is not recorded.", examples=["F"])
    age: int | None = Field(description="Completed years; null where no birthdate is recorded.", examples=[34])
    expected_date: date | None = Field(
        description="The expected contact on the data date of the alert. Null for a rule about laboratory results.",
        examples=["2026-01-20"],
    )
    viral_load: float | None = Field(
        description="The latest result in copies/mL. Null for a rule about lists.", examples=[None]
    )
    measured_on: date | None = Field(description="The day of that result.", examples=[None])
    status: StatusName = Field(description="Status of the cohort now.", examples=["iit"])
    came_on: date | None = Field(
        description="The first contact since the data date. Null: none yet, or a rule about laboratory results.",
        examples=[None],
    )


class AssignIn(BaseModel):
    """Who is to look after an alert."""

    model_config = ConfigDict(extra="forbid")

    person_id: UUID = Field(description="A colleague who acts on alerts and reaches the facility.", examples=[_PERSON])


class SnoozeIn(BaseModel):
    """How long nobody is notified of an alert."""

    model_config = ConfigDict(extra="forbid")

    minutes: int = Field(
        default=SNOOZE_MINUTES, ge=1, le=LONGEST_SNOOZE, description="Minutes, at most two weeks.", examples=[240]
    )


class ActsIn(BaseModel):
    """What to do with several alerts."""

    model_config = ConfigDict(extra="forbid")

    act: SeveralAct = Field(description="`assign` needs `person_id`.", examples=["acknowledge"])
    alert_ids: list[UUID] = Field(
        min_length=1, max_length=MOST_ALERTS, description="The alerts, each once.", examples=[[_ID]]
    )
    person_id: UUID | None = Field(
        default=None,
        validate_default=True,
        description="To whom they are assigned: a colleague who acts on alerts.",
        examples=[None],
    )
    minutes: int = Field(
        default=SNOOZE_MINUTES, ge=1, le=LONGEST_SNOOZE, description="Of a snooze, at most two weeks.", examples=[240]
    )

    @field_validator("person_id")
    @classmethod
    def _goes_with_assign(cls, value: UUID | None, info: ValidationInfo) -> UUID | None:
        if (info.data.get("act") == "assign") != (value is not None):
            message = "goes with the act assign, and with no other"
            raise ValueError(message)
        return value


class ActsOut(BaseModel):
    """What became of several alerts."""

    model_config = ConfigDict(from_attributes=True)

    changed: list[UUID] = Field(description="The alerts that were changed.", examples=[[_ID]])
    skipped: list[UUID] = Field(
        description="Those that are resolved, or whose facility the colleague does not reach.", examples=[[]]
    )


@dataclass(frozen=True)
class AlertFilter:
    """Query parameters that filter alerts."""

    status: Annotated[Status | None, Query(description="With this status.")] = None
    stream: Annotated[Stream | None, Query(description="Of this stream.")] = None
    severity: Annotated[Severity | None, Query(description="Of this severity.")] = None
    rule: Annotated[Kind | None, Query(description="Raised by this rule.")] = None
    facility: Annotated[str | None, Query(description="DATIM id of the facility.", max_length=100)] = None
    assigned_to: Annotated[UUID | None, Query(description="Assigned to this person.")] = None
    ended: Annotated[bool | None, Query(description="Only resolved alerts, or with false only the others.")] = None
    digest: Annotated[UUID | None, Query(description="Those that channels got in this digest.")] = None
