"""The types of events that webhooks publish."""

from typing import Final

from core.events.schemas import ID, described, fields
from core.feature_registry import EventType

WEBHOOK_TYPES: Final = (
    EventType(
        name="webhooks.endpoint_disabled",
        version=1,
        description="An endpoint receives no more events: it answered 410, or failed for 5 days.",
        subject="the endpoint",
        schema=fields(
            endpoint_id=described(ID, "The endpoint."),
            reason=described({"enum": ["gone", "failing"]}, "Why."),
        ),
        example={"endpoint_id": "0197a5f0-0000-7000-8000-000000000006", "reason": "failing"},
        public=True,
    ),
)
