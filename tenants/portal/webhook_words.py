"""Words of the pages about webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from core.events.catalogue import public_types
from core.web.texts import gettext as _
from core.web.texts import marked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.webhooks.models import WebhookAttempt

EVENTS: Final = {
    "jobs.dead_letters_growing": marked("More and more jobs failed for good."),
    "imports.completed": marked("The rows of an import are in the records."),
    "risk.scored": marked("The patients of a date have scores."),
    "knowledge.changed": marked("A guideline can be searched, cannot be read, or was removed."),
    "alert.opened": marked("A rule raised an alert, or somebody opened it again."),
    "alert.acknowledged": marked("Somebody looks after an alert."),
    "alert.resolved": marked("An alert ended."),
    "quotas.near": marked("Use came near to a limit of the plan, or passed it."),
    "webhooks.endpoint_disabled": marked("Another webhook was stopped after its failures."),
}
STATES: Final = {"active": marked("Active"), "disabled": marked("Stopped")}
REASONS: Final = {
    "gone": marked("Its receiver answered that it no longer exists (410)."),
    "failing": marked("Every attempt of the last 5 days failed."),
    "person": marked("A person stopped it."),
}
DELIVERY_STATES: Final = {
    "waiting": marked("Waiting"),
    "delivered": marked("Delivered"),
    "failed": marked("Failed"),
}
LEVELS: Final = {"delivered": "low", "waiting": "medium", "failed": "high", "active": "low", "disabled": "high"}
ERRORS: Final = {
    "address": marked("the address may not be called"),
    "timeout": marked("no answer in time"),
    "connection": marked("no connection"),
}
SPANS: Final = (
    (1, marked("the last hour")),
    (24, marked("the last 24 hours")),
    (168, marked("the last 7 days")),
    (720, marked("the last 30 days")),
)
"""Hours, and what pages call them."""
DONE: Final = {
    "changed": marked("The webhook was changed."),
    "enabled": marked("The webhook receives events again."),
    "disabled": marked("The webhook receives nothing until you start it again."),
    "removed": marked("The webhook was removed."),
    "resent": marked("The delivery is sent again."),
    "replayed": marked("The deliveries are sent again."),
    "example": marked("The example is sent."),
}


def event_choices() -> list[tuple[str, str, str]]:
    """Return the public events: name, name, what happened."""
    return [(name, name, _(EVENTS[name]) if name in EVENTS else "") for name in public_types()]


def event_names() -> list[tuple[str, str]]:
    """Return the public events as choices of a list."""
    return [(name, name) for name in public_types()]


def spans() -> list[tuple[int, str]]:
    """Return the times for which deliveries can be sent again, as choices of a list."""
    return [(hours, _(text)) for hours, text in SPANS]


def events_words(events: Iterable[str]) -> str:
    """Return which events a webhook receives."""
    return ", ".join(events) or _("all, also those to come")


def answer_words(attempt: WebhookAttempt | None) -> str:
    """Return what became of the last attempt; nothing if there was none."""
    if attempt is None:
        return ""
    return str(attempt.status) if attempt.status is not None else _(ERRORS[attempt.error or "connection"])
