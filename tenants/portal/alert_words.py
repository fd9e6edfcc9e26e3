"""Words of the pages about alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from core.web.texts import gettext as _
from core.web.texts import marked, marked_forms, ngettext, shown_number
from tenants.alerts.management_schemas import time_of_day

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.identity import Principal
    from tenants.alerts.models import AlertRoute, OnCallRota
    from tenants.alerts.preview import Preview
    from tenants.alerts.rules import Rule
    from tenants.alerts.schemas import AlertOut

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
DAYS: Final = {
    "1": marked("Monday"),
    "2": marked("Tuesday"),
    "3": marked("Wednesday"),
    "4": marked("Thursday"),
    "5": marked("Friday"),
    "6": marked("Saturday"),
    "7": marked("Sunday"),
}
UNITS: Final = {
    "people": marked("People of a facility, at least"),
    "copies": marked("Copies/mL, at least"),
    "days": marked("Days"),
    "jobs": marked("Jobs of a kind, at least"),
    "percent": marked("Percent, at least"),
}
_THRESHOLDS: Final = {
    "people": marked_forms("from {count} person", "from {count} people"),
    "copies": marked_forms("from {count} copy/mL", "from {count} copies/mL"),
    "days": marked_forms("{count} day", "{count} days"),
    "jobs": marked_forms("from {count} job", "from {count} jobs"),
    "percent": marked_forms("from {count} %", "from {count} %"),
}
_NOTHING_YET: Final = {
    "drift": marked("The predictions have not drifted in the last 7 days. How well they came true is on Programme."),
    "plugin_failing": marked("No plugin has failed again and again in the last 7 days."),
    "quota_near": marked("No quota of the partner's plan was nearly used in the last 7 days."),
}
_OF_WATCH: Final = frozenset({"features", "records", "scores", "facilities", "parity"})
"""Subjects of alerts about drift that the page of drift shows."""
_MOST_NAMES: Final = 3
_MANAGEMENT: Final = (
    ("/alerts/rules", marked("Rules")),
    ("/alerts/routes", marked("Routes")),
    ("/alerts/policies", marked("Escalation")),
    ("/alerts/silences", marked("Silences")),
)


def sections_of_alerts(principal: Principal, current: str) -> list[tuple[str, str, bool]]:
    """The address and name of each section that the principal may open, and whether it is the one shown."""
    manages = principal.reach.everything and "alerts.manage" in principal.permissions
    pages = [("/alerts", _("Alerts")), ("/alerts/on-call", _("On call"))]
    if manages:
        pages += [(path, _(name)) for path, name in _MANAGEMENT]
    if principal.reach.everything and "settings.read" in principal.permissions:
        pages.append(("/alerts/holidays", _("Holidays")))
        if manages:
            pages.append(("/admin/settings/alerts", _("Quiet hours")))
    return [(path, name, path == current) for path, name in pages] if len(pages) > 1 else []


def counted_address(alert: AlertOut, principal: Principal) -> str:
    """The address of those whom an alert counts; empty if there is none, or the principal may not open it."""
    permissions = principal.permissions
    if alert.stream == "clinical":
        return f"/alerts/{alert.id}/people" if "patients.read" in permissions and alert.count else ""
    if alert.rule == "drift":
        if alert.subject in _OF_WATCH and {"cohort.read", "risk.read"} <= permissions and principal.reach.everything:
            return "/programme/drift"
        return "/programme" if "cohort.read" in permissions else ""
    opens_data = principal.reach.everything and {"imports.read", "cohort.read"} <= permissions
    return "/data/facilities" if alert.rule == "no_data" and opens_data else ""


def shown_filters(filters: Mapping[str, Any], places: Mapping[str, str]) -> str:
    """What a list of alerts shows, in a line.

    Args:
        filters: ``status``, ``stream``, ``severity``, ``facility`` and ``whose``, as the address has them.
        places: code of a facility -> its name.
    """
    mine = filters["whose"] == "mine"
    status = marked("Not resolved") if mine and filters["status"] == "open" else STATUSES.get(filters["status"])
    words = [status or marked("All statuses"), STREAMS.get(filters["stream"]), SEVERITIES.get(filters["severity"])]
    shown = [_(each) for each in words if each]
    return " · ".join(filter(None, (*shown, places.get(filters["facility"]), _("Assigned to me") if mine else "")))


def link_words(alert: AlertOut) -> str:
    """What the link to ``counted_address`` is called."""
    if alert.rule == "drift":
        return _("See what has drifted") if alert.subject in _OF_WATCH else _("See how predictions came true")
    return _("See who it is about") if alert.stream == "clinical" else _("See the facilities")


def title_parts(alert: AlertOut) -> tuple[str, str, str]:
    """The title of an alert before its number, the number, and what follows. One about drift has several numbers."""
    if alert.rule == "drift":
        return "", alert.title, ""
    return alert.title.partition(shown_number(alert.count))


def preview_words(preview: Preview, rule: Rule) -> str:
    """What a rule would have raised, in a sentence."""
    if preview.alerts is None:
        if preview.raised or rule.kind.name not in _NOTHING_YET:
            return ngettext(
                "It raised {count} alert in the last 7 days.",
                "It raised {count} alerts in the last 7 days.",
                preview.raised,
            )
        return _(_NOTHING_YET[rule.kind.name])
    if preview.days == 0:
        return _("Nobody was scored in the last 7 days, so there is nothing to compare.")
    if preview.days is None:
        return ngettext("It would raise {count} alert now.", "It would raise {count} alerts now.", preview.alerts)
    return ngettext(
        "It would have raised {count} alert in the last 7 days.",
        "It would have raised {count} alerts in the last 7 days.",
        preview.alerts,
    )


def threshold_words(rule: Rule) -> str:
    """The threshold of a rule with what it counts; empty if it has none."""
    if not rule.kind.unit:
        return ""
    one, many = _THRESHOLDS[rule.kind.unit]
    return ngettext(one, many, rule.threshold)


MANAGED: Final = {
    "saved": marked("Saved"),
    "removed": marked("Removed"),
    "silenced": marked("Silenced. Nothing is lost: what is still open is sent at the end."),
    "ended": marked("The silence has ended."),
    "turn": marked("The turn is taken over."),
    "restored": marked("The rotation applies again."),
}


def done_with_holidays(done: str, count: int) -> str:
    """What was done with the holidays; empty if nothing was."""
    if done == "copied":
        return ngettext("{count} holiday was copied.", "{count} holidays were copied.", count)
    return _(MANAGED[done]) if done in MANAGED else ""


def changed_words(changed: int, chosen: int) -> str:
    """What became of the chosen alerts of a list."""
    if not chosen:
        return _("Choose alerts first.")
    text = ngettext("{count} alert was changed.", "{count} alerts were changed.", changed)
    if changed == chosen:
        return text
    others = _("The others are resolved, or the colleague does not reach their facility.")
    return f"{text} {others}"


def severity_words(severity: str) -> str:
    """The least severity of a route."""
    return (
        _("All severities") if severity == "info" else _("{severity} or above").format(severity=_(SEVERITIES[severity]))
    )


def places_words(chosen: Sequence[UUID], names: Mapping[UUID, str]) -> str:
    """The facilities of a route: their names, or how many there are."""
    if not chosen:
        return _("All facilities")
    if len(chosen) > _MOST_NAMES:
        return ngettext("{count} facility", "{count} facilities", len(chosen))
    return ", ".join(names.get(each, "") for each in chosen)


def times_words(route: AlertRoute) -> str:
    """When a route applies."""
    days = ", ".join(_(DAYS[str(day)]) for day in route.days) or _("Every day")
    if route.from_minute == route.until_minute:
        return days
    times = _("{start} to {end}").format(start=time_of_day(route.from_minute), end=time_of_day(route.until_minute))
    return f"{days}, {times}"


def wait_words(minutes: int) -> str:
    """After which time a step is taken."""
    return ngettext("after {count} minute", "after {count} minutes", minutes) if minutes else _("at once")


def member_choices(rota: OnCallRota, names: Mapping[UUID, str]) -> list[tuple[str, str]]:
    """The members of a rota to choose from, each once."""
    people = dict.fromkeys(UUID(member["person_id"]) for member in rota.members)
    return [(str(each), names.get(each, _("a person who left"))) for each in people]
