"""Bodies and answers of the API for consent, templates, messages and incoming messages."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from core.web.days import IsoDay

PurposeName = Literal["reminders", "follow_up", "surveys"]
SourceName = Literal["paper_form", "verbal", "sms", "import"]
StateName = Literal["waiting", "sending", "sent", "delivered", "failed", "unknown", "cancelled", "received", "read"]
AnswerName = Literal["coming", "call", "stop", "start"]
SettlementName = Literal["coming", "call", "stop", "start", "nothing"]
Language = Annotated[str, Field(pattern="^[a-z]{2,3}$", examples=["en"])]
MOST_TEXT = 480


class ConsentPost(BaseModel):
    """A decision of a patient about one purpose."""

    model_config = ConfigDict(extra="forbid")

    purpose: PurposeName = Field(description="What the patient decided about.", examples=["reminders"])
    agrees: bool = Field(description="Whether the patient consents; false withdraws the consent.", examples=[True])
    source: Literal["paper_form", "verbal", "sms"] = Field(
        description="Where the decision comes from: a signed form, said at the clinic, or a message.",
        examples=["verbal"],
    )
    day: IsoDay | None = Field(default=None, description="Day of the decision; today when left out.", examples=[None])
    language: Language | None = Field(
        default=None, description="Language of the patient's messages; the partner's own when left out."
    )
    shared_phone: bool = Field(
        default=False,
        description="Whether the consent covers a phone that other patients have too. Without it they get no message.",
        examples=[False],
    )


class ConsentOut(BaseModel):
    """A decision on record."""

    id: UUID = Field(description="Identifier of the decision.")
    patient_id: UUID = Field(description="The patient.")
    purpose: PurposeName = Field(description="What the patient decided about.")
    agrees: bool = Field(description="Whether the patient consents.")
    day: date = Field(description="Day of the decision.", examples=["2026-02-03"])
    source: SourceName = Field(description="Where the decision comes from.")
    language: str | None = Field(
        description="Language of the patient's messages; null: the partner's own.", examples=["en"]
    )
    shared_phone: bool = Field(description="Whether it covers a phone that other patients have too.")
    recorded_at: datetime = Field(description="When it was recorded.")
    recorded_by: str = Field(description="Who recorded it.", examples=["person:019c2253-7220-70a7-a610-b4172b5ebaa2"])


class TemplateText(BaseModel):
    """A text to look at before it is saved."""

    model_config = ConfigDict(extra="forbid")

    body: str = Field(
        min_length=1,
        max_length=MOST_TEXT,
        description="The text, with `{date}`, `{code_word}` and `{phone}` for what differs.",
        examples=["{code_word}: see you on {date}. Reply 1 if you come, 2 if we should call. STOP ends this."],
    )


class TemplatePost(TemplateText):
    """A new version of the text of a purpose in a language. It replaces the version before it."""

    purpose: PurposeName = Field(description="What the text is for.", examples=["reminders"])
    language: Language = Field(description="Its language.")


class TemplatePreview(BaseModel):
    """How a text looks and what it costs."""

    text: str = Field(description="The text with example values.", examples=["Sunrise: see you on 03/02."])
    segments: int = Field(description="Parts that the network charges.", examples=[1])
    unicode: bool = Field(description="Whether it needs UCS-2, in which a part has 70 characters instead of 160.")
    others: str = Field(description="The characters that need UCS-2.", examples=[""])
    problems: list[str] = Field(description="Why it cannot be saved; empty if it can.", examples=[[]])


class TemplateOut(BaseModel):
    """A version of a text."""

    id: UUID = Field(description="Identifier of the version.")
    purpose: PurposeName = Field(description="What the text is for.")
    language: str = Field(description="Its language.", examples=["en"])
    version: int = Field(description="From 1, of the purpose and language.", examples=[1])
    body: str = Field(description="The text, with its variables.", examples=["{code_word}: see you on {date}."])
    state: Literal["active", "retired"] = Field(description="The active version is sent.")
    segments: int = Field(description="Parts that the network charges, with example values.", examples=[1])
    created_at: datetime = Field(description="When it was saved.")
    created_by: str = Field(description="Who saved it.", examples=["person:019c2253-7220-70a7-a610-b4172b5ebaa2"])
    retired_at: datetime | None = Field(description="When a newer version or a person retired it.", examples=[None])


class MessagePost(BaseModel):
    """A message to send to a patient now, or when quiet hours end."""

    model_config = ConfigDict(extra="forbid")

    id: UUID = Field(
        description="Your identifier of the message, a new UUID: sending it twice sends one message.",
        examples=["019c2253-7220-70a7-a610-b4172b5ebaa0"],
    )
    patient_id: UUID = Field(description="The patient.", examples=["019c2253-7220-70a7-a610-b4172b5ebaa1"])
    purpose: PurposeName = Field(description="Whose template is sent.", examples=["follow_up"])


class MessageOut(BaseModel):
    """A message to a patient, or from one."""

    id: UUID = Field(description="Identifier of the message.")
    patient_id: UUID = Field(description="The patient.")
    facility: str = Field(description="DATIM id of the patient's facility.", examples=["hZ7mJp5xUQq"])
    direction: Literal["outbound", "inbound"] = Field(description="To the patient, or from the patient.")
    state: StateName = Field(
        description="`unknown`: nobody knows whether it arrived; it is never sent again, and a report may settle it."
    )
    purpose: PurposeName | None = Field(description="What it is for; null for an inbound one.")
    template_version: str | None = Field(description="Version of the text.", examples=["1"])
    language: str | None = Field(description="Its language.", examples=["en"])
    contact_date: date | None = Field(description="The expected contact of which it reminds.")
    text: str | None = Field(
        description="What was sent or received; null: not sent yet, or it cannot be read.", examples=[None]
    )
    segments: int | None = Field(description="Parts that the network charges.", examples=[1])
    cost: str | None = Field(description="The gateway's charge, if it says one.", examples=[None])
    currency: str | None = Field(description="Currency of the charge, ISO 4217.", examples=[None])
    reason: str | None = Field(description="Why it failed, is unknown or was cancelled.", examples=[None])
    answer: AnswerName | None = Field(description="What an inbound one says; null: not clear.", examples=[None])
    scheduled_for: datetime | None = Field(description="When it is sent at the earliest.")
    sent_at: datetime | None = Field(description="When the gateway took it.", examples=[None])
    delivered_at: datetime | None = Field(description="When it arrived.", examples=[None])
    created_at: datetime = Field(description="When it was planned or received.")
    created_by: str = Field(
        description="Who or what planned it.", examples=["person:019c2253-7220-70a7-a610-b4172b5ebaa2"]
    )


class IncomingOut(BaseModel):
    """A message that a person has to read: its answer is not clear, or its phone is of no patient or of several."""

    id: UUID = Field(description="Identifier of the message.")
    patient_id: UUID | None = Field(description="The patient; null: not known.")
    candidates: list[UUID] = Field(description="The patients who have the phone, if there are several.")
    sender: str | None = Field(description="The phone, if no patient is known.", examples=["+2348031234567"])
    text: str | None = Field(description="What it says.", examples=["who is this"])
    received_at: datetime = Field(description="When it arrived.")


class SettlePost(BaseModel):
    """What a person read in an incoming message."""

    model_config = ConfigDict(extra="forbid")

    answer: SettlementName = Field(description="What it says; `nothing`: nothing to do.", examples=["coming"])
    patient_id: UUID | None = Field(
        default=None, description="Whose it is, if no patient is known and something follows.", examples=[None]
    )


@dataclass(frozen=True)
class MessageFilter:
    """Query parameters that filter a list of messages."""

    patient_id: Annotated[UUID | None, Query(description="Of this patient.")] = None
    state: Annotated[StateName | None, Query(description="In this state.")] = None
    direction: Annotated[Literal["outbound", "inbound"] | None, Query(description="In this direction.")] = None
