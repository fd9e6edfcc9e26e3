"""Words of the pages about alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from core.web.texts import marked, ngettext

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUSES: Final = {"open": marked("Open"), "acknowledged": marked("Acknowledged"), "resolved": marked("Resolved")}
SEVERITIES: Final = {
    "critical": marked("Critical"),
    "high": marked("High"),
    "medium": marked("Medium"),
    "low": marked("Low"),
    "info": marked("For information"),
}
STREAMS: Final = {"clinical": marked("About patients"), "platform": marked("About the platform")}
LEVELS: Final = {
    "critical": "high",
    "high": "high",
    "medium": "medium",
    "low": "low",
    "info": "low",
    "sent": "low",
    "waiting": "medium",
    "sending": "medium",
    "failed": "high",
    "unknown": "medium",
}
HISTORY: Final = {
    "opened": marked("A rule raised it"),
    "changed": marked("It changed"),
    "notified": marked("Its channels were notified"),
    "deferred": marked("Its channels are notified later"),
    "escalated": marked("Nobody answered, so the next were notified"),
    "acknowledged": marked("Acknowledged"),
    "assigned": marked("Assigned"),
    "snoozed": marked("Snoozed"),
    "resolved": marked("Resolved"),
    "reopened": marked("Opened again"),
}
MESSAGES: Final = {
    "trigger": marked("It is there"),
    "acknowledge": marked("Somebody looks after it"),
    "resolve": marked("It is resolved"),
}
DELIVERY_STATES: Final = {
    "waiting": marked("Waiting"),
    "sending": marked("Being sent"),
    "sent": marked("Sent"),
    "failed": marked("Failed"),
    "unknown": marked("Perhaps sent"),
}
DONE: Final = {
    "acknowledge": marked("You look after this alert now."),
    "assign": marked("The alert is assigned."),
    "snooze": marked("Nobody is notified of it for now."),
    "resolve": marked("The alert is resolved."),
    "reopen": marked("The alert is open again."),
}
SPANS: Final = {
    "60": marked("1 hour"),
    "240": marked("4 hours"),
    "1440": marked("1 day"),
    "10080": marked("1 week"),
}


def became_of(detail: Mapping[str, Any]) -> str:
    """What became of people who left an alert, from the detail of an entry of its history; empty if it says nothing."""
    returned, left = int(detail.get("returned", 0)), int(detail.get("left_care", 0))
    parts = []
    if returned:
        parts.append(ngettext("{count} person came back", "{count} people came back", returned))
    if left:
        parts.append(ngettext("{count} person left care", "{count} people left care", left))
    return " · ".join(parts)
