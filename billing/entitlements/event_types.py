"""The event about a quota that is nearly used."""

from core.events.schemas import described, fields
from core.feature_registry import EventType

QUOTA_TYPES = (
    EventType(
        name="quotas.near",
        version=1,
        description="A quota of the partner's plan passed 80, 100 or 120 percent in a period, or the period ended.",
        subject="the meter",
        schema=fields(
            meter=described({"type": "string"}, "The meter of the quota."),
            percent=described({"type": "integer"}, "How much of the quota is used; 0 at the end of the period."),
            level=described({"enum": [80, 100, 120]}, "The level that was passed."),
            ended=described({"type": "boolean"}, "Whether the period has ended, and the quota begins again."),
        ),
        example={"meter": "sms_segments", "percent": 83, "level": 80, "ended": False},
        public=True,
    ),
)
