"""The types of events that alerts publish."""

from typing import Any, Final

from core.events.schemas import COUNT, ID, TEXT, described, fields
from core.feature_registry import EventType

_EXAMPLE: Final[dict[str, Any]] = {
    "alert_id": "0197a5f0-0000-7000-8000-000000000010",
    "rule": "risk_high",
    "stream": "clinical",
    "severity": "medium",
    "facility_id": "0197a5f0-0000-7000-8000-000000000011",
    "count": 12,
}


def _type(act: str, description: str) -> EventType:
    return EventType(
        name=f"alert.{act}",
        version=1,
        description=description,
        subject="the alert",
        schema=fields(
            alert_id=described(ID, "The alert."),
            rule=described(TEXT, "The rule that raised it."),
            stream=described({"enum": ["clinical", "platform"]}, "Whether it is about patients or the platform."),
            severity=described(
                {"enum": ["info", "low", "medium", "high", "critical"]}, "From the least to the greatest."
            ),
            facility_id=described(
                {"type": ["string", "null"], "format": "uuid"}, "The facility; null if it concerns none."
            ),
            count=described(COUNT, "People or things that it groups."),
        ),
        example=_EXAMPLE,
        public=True,
    )


ALERT_TYPES: Final = (
    _type("opened", "A rule raised an alert, or an alert was reopened."),
    _type("acknowledged", "Somebody acknowledged an alert."),
    _type("resolved", "An alert was resolved, by somebody or because its cause has ended."),
)
