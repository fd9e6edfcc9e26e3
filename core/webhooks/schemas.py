"""Bodies and answers of the API about webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from core.web.days import IsoInstant

if TYPE_CHECKING:
    from core.webhooks.models import WebhookDelivery

DeliveryState = Literal["waiting", "delivered", "failed"]
URL_MAX = 2_000
_SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="  # noqa: S105 - an example
_URL = "https://emr.example.org/hooks"


class WebhookIn(BaseModel):
    """An address that is to receive events."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=URL_MAX)] = Field(
        description="The HTTPS address.", examples=[_URL]
    )
    events: list[str] = Field(
        default_factory=list,
        max_length=100,
        description="The events that it receives; empty for all public ones, future ones included.",
        examples=[["imports.completed"]],
    )


class WebhookOut(BaseModel):
    """A webhook without its secret."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID = Field(description="The webhook.")
    url: str = Field(description="The address that receives events.", examples=[_URL])
    events: list[str] = Field(
        description="The events that it receives; empty for all public ones.", examples=[["imports.completed"]]
    )
    state: Literal["active", "disabled"] = Field(description="A disabled webhook receives nothing.")
    reason: Literal["gone", "failing", "person"] | None = Field(
        description="Why it is disabled: it answered 410, it failed for 5 days, or a person decided so.",
        examples=[None],
    )
    failures: int = Field(description="Failed attempts since the last success.", examples=[0])
    failing_since: datetime | None = Field(description="The first of them; null if there are none.", examples=[None])
    paused_until: datetime | None = Field(
        description="It rests until then, after failures or at its rate; null if it does not.", examples=[None]
    )
    previous_until: datetime | None = Field(
        description="Until then the secret before the newest signs too; null if there was none.", examples=[None]
    )
    created_at: datetime = Field(description="When it was created.")
    created_by: str = Field(description="Who created it.", examples=["person:019c2282-2340-72fa-bad3-569c01a5ba50"])


class WebhookSecret(WebhookOut):
    """A webhook with a new secret, which is in this answer only."""

    secret: str = Field(description="The secret. Store it now: it cannot be shown again.", examples=[_SECRET])


class DeliveryOut(BaseModel):
    """One event for one webhook."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID = Field(description="The delivery.")
    event_id: UUID = Field(description="The event's id: the `webhook-id` of each attempt.")
    event: str = Field(description="The event's type.", examples=["imports.completed"])
    state: DeliveryState = Field(description="`failed` after the last attempt.")
    attempts: int = Field(description="Attempts since it was created or sent again.", examples=[1])
    due_at: datetime = Field(description="When the next attempt is due, while it waits.")
    created_at: datetime = Field(description="When the event was published.")


class DeliveryAttemptOut(BaseModel):
    """One attempt of a delivery. The receiver's answer is not stored."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime = Field(description="When it was.")
    status: int | None = Field(description="Status of the answer; null if there was none.", examples=[200])
    error: Literal["address", "timeout", "connection"] | None = Field(
        description="Why there was no answer.", examples=[None]
    )
    milliseconds: int = Field(description="How long it took.", examples=[84])


class DeliveryDetail(DeliveryOut):
    """One event for one webhook, with its body and its attempts."""

    body: dict[str, Any] = Field(description="What is sent.")
    log: list[DeliveryAttemptOut] = Field(description="The attempts of the last 30 days, oldest first.")

    @classmethod
    def of(cls, row: WebhookDelivery, body: dict[str, Any], log: list[DeliveryAttemptOut]) -> DeliveryDetail:
        """Return the row with its body and its attempts."""
        return cls(**DeliveryOut.model_validate(row).model_dump(), body=body, log=log)


class ReplayIn(BaseModel):
    """The time from which deliveries are sent again."""

    model_config = ConfigDict(extra="forbid")

    since: IsoInstant = Field(description="From this instant on.", examples=["2026-11-28T06:00:00Z"])


class ReplayOut(BaseModel):
    """How many deliveries are sent again."""

    deliveries: int = Field(description="At most 10,000.", examples=[12])


class ExampleIn(BaseModel):
    """The event whose example is to be sent."""

    model_config = ConfigDict(extra="forbid")

    event: Annotated[str, StringConstraints(min_length=1, max_length=100)] = Field(
        description="A public event.", examples=["imports.completed"]
    )
