"""Words of the history of an alert: what happened, and the figures and times that go with it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from core.web.texts import gettext as _
from core.web.texts import marked, ngettext, shown_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from zoneinfo import ZoneInfo

    from tenants.alerts.schemas import AlertEventOut

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
_WAITS: Final = {
    "snoozed": marked("snoozed until {time}"),
    "silenced": marked("silenced until {time}"),
    "quiet": marked("quiet hours until {time}"),
    "gathered": marked("with the facility's next message, at {time}"),
}
_HOUR, _DAY = 60, 60 * 24


def act_words(entry: AlertEventOut) -> str:
    """What happened."""
    if entry.act == "notified" and not entry.detail.get("channels") and not entry.detail.get("policy"):
        return _("No route leads to a channel, so nobody was notified")
    return _(HISTORY.get(entry.act, entry.act))


def details(entry: AlertEventOut, people: Mapping[str, str], zone: ZoneInfo) -> str:
    """The figures, times and people of an entry, such as ``12 now, 3 of them new``; empty if it has none.

    Args:
        entry: the entry.
        people: what the page calls each actor, and each person whom an entry names.
        zone: the time zone of the partner.
    """
    facts = entry.detail
    texts = (
        _FACTS[entry.act](facts, people.get(f"person:{facts.get('person')}", ""), zone) if entry.act in _FACTS else []
    )
    return " · ".join(filter(None, (*texts, became_of(facts), facts.get("who", ""))))


def people_in(entry: AlertEventOut) -> list[str]:
    """The actors whom an entry names: who did it, and to whom it was given or escalated."""
    named = entry.detail.get("person")
    return [entry.actor, *([f"person:{named}"] if named else [])]


def _of_change(facts: Mapping[str, Any], *_unused: object) -> list[str]:
    """How many there are now, and how many of them are new; or that the cause has ended after somebody resolved it."""
    if facts.get("ended"):
        return [_("its cause has ended")]
    new = int(facts.get("new", 0))
    texts = [ngettext("{count} now", "{count} now", int(facts["count"]))] if "count" in facts else []
    return texts + ([ngettext("{count} of them new", "{count} of them new", new)] if new else [])


def _of_notice(facts: Mapping[str, Any], *_unused: object) -> list[str]:
    channels = int(facts.get("channels", 0))
    texts = [ngettext("{count} channel", "{count} channels", channels)] if channels else []
    return texts + ([_("by an escalation policy")] if facts.get("policy") else [])


def _of_delay(facts: Mapping[str, Any], _person: str, zone: ZoneInfo) -> list[str]:
    if facts.get("why") not in _WAITS:
        return []
    return [_(_WAITS[facts["why"]]).format(time=shown_time(datetime.fromisoformat(facts["until"]), zone))]


def _of_step(facts: Mapping[str, Any], person: str, *_unused: object) -> list[str]:
    step = _("step {number}").format(number=facts.get("step", ""))
    return [step, person, "" if facts.get("reached") else _("nobody could be notified")]


def _of_snooze(facts: Mapping[str, Any], *_unused: object) -> list[str]:
    return [_span(int(facts.get("minutes", 0)))]


def _of_person(_facts: Mapping[str, Any], person: str, *_unused: object) -> list[str]:
    return [person]


def _of_end(facts: Mapping[str, Any], *_unused: object) -> list[str]:
    return [_("its cause has ended")] if facts.get("why") == "cause_ended" else []


_FACTS: Final[Mapping[str, Callable[[Mapping[str, Any], str, ZoneInfo], list[str]]]] = {
    "changed": _of_change,
    "notified": _of_notice,
    "deferred": _of_delay,
    "escalated": _of_step,
    "snoozed": _of_snooze,
    "assigned": _of_person,
    "resolved": _of_end,
}


def _span(minutes: int) -> str:
    """A number of minutes in the greatest unit that divides it."""
    if minutes and minutes % _DAY == 0:
        return ngettext("for {count} day", "for {count} days", minutes // _DAY)
    if minutes and minutes % _HOUR == 0:
        return ngettext("for {count} hour", "for {count} hours", minutes // _HOUR)
    return ngettext("for {count} minute", "for {count} minutes", minutes)


def became_of(detail: Mapping[str, Any]) -> str:
    """What became of people who left an alert, from the detail of an entry of its history; empty if it says nothing."""
    returned, left = int(detail.get("returned", 0)), int(detail.get("left_care", 0))
    parts = []
    if returned:
        parts.append(ngettext("{count} person came back", "{count} people came back", returned))
    if left:
        parts.append(ngettext("{count} person left care", "{count} people left care", left))
    return " · ".join(parts)
