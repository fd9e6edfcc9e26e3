"""Texts of a patient's page, in the words of health workers."""

from __future__ import annotations

from itertools import groupby
from math import exp
from typing import TYPE_CHECKING, Any, Final

from core.web.texts import gettext as _
from core.web.texts import marked, ngettext, shown_date, shown_number, shown_time
from tenants.portal import message_words
from tenants.portal.reason_words import reason_text
from tenants.portal.words import OUTCOMES, SEXES, grouped, unnamed
from tenants.records.vocabulary import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date
    from uuid import UUID
    from zoneinfo import ZoneInfo

    from core.audit.models import AuditEvent
    from tenants.followup.schemas import AttemptOut
    from tenants.followup.schemas_interventions import InterventionOut
    from tenants.records.schemas import PatientOut, TimelineEntry

MEDIA: Final[dict[str, str]] = {
    "phone_call": marked("Phone call"),
    "home_visit": marked("Home visit"),
    "sms": marked("SMS"),
    "in_person": marked("In person"),
    "peer_support": marked("Peer support"),
    "transport_support": marked("Help with transport"),
    "counselling": marked("Counselling"),
    "other": marked("Another way"),
}

REASONS: Final[dict[str, str]] = {
    "": marked("Not known"),
    "transport": marked("Transport or distance"),
    "work": marked("Work or school"),
    "travel": marked("Away from home"),
    "illness": marked("Too ill to come"),
    "feeling_well": marked("Felt well"),
    "side_effects": marked("Side effects"),
    "stigma": marked("Afraid to be seen"),
    "forgot": marked("Forgot the day"),
    "supply": marked("Has drugs left"),
    "family": marked("Family or partner"),
    "clinic": marked("Problem at the clinic"),
    "other": marked("Another reason"),
}
"""Why a patient stayed away: code and words."""

STATUSES: Final[dict[str, str]] = {
    "none": marked("Not on treatment yet"),
    "active": marked("On treatment"),
    "iit": marked("Interrupted treatment"),
    "died": marked("Died"),
    "transferred_out": marked("Transferred to another facility"),
    "stopped": marked("Stopped treatment"),
    "unknown": marked("Not known: a contact in the records cannot be read"),
    "invalid": marked("Not a valid record in the partner's list"),
}

DECIMALS: Final = 4
"""Decimals of a test's result."""

SHAPES: Final[dict[str, str]] = {"active": "low", "iit": "high", "unknown": "medium", "invalid": "medium"}
"""The shape of a status; none for the others."""

_THEMES: Final = {
    "lateness": marked("Lateness"),
    "interruptions": marked("Interruptions"),
    "timing": marked("Expected contact"),
    "interval": marked("Usual interval"),
    "attendance": marked("Attendance"),
    "treatment": marked("Time on treatment"),
    "supply": marked("Supply"),
    "viral_load": marked("Viral load"),
    "cd4": marked("CD4"),
    "clinical": marked("Clinical state"),
    "person": marked("Age and sex"),
    "facility": marked("Facility"),
    "calendar": marked("Calendar"),
    "records": marked("Missing records"),
}
"""Themes of reasons, as the labels of the chart."""

_TESTS: Final = {
    "viral_load": marked("Viral load"),
    "cd4": marked("CD4"),
    "who_stage": marked("WHO stage"),
    "arv_adherence": marked("Adherence"),
    "pregnancy": marked("Pregnancy"),
    "weight": marked("Weight"),
    "height": marked("Height"),
}
_BOOKINGS: Final = {
    "scheduled": marked("Appointment booked"),
    "kept": marked("Appointment kept"),
    "missed": marked("Appointment missed"),
    "cancelled": marked("Appointment cancelled"),
}
_APPOINTMENT: Final = marked("Appointment")
_STATES: Final = {
    "died": marked("Died"),
    "transferred_out": marked("Transferred to another facility"),
    "transferred_in": marked("Came from another facility"),
    "stopped": marked("Stopped treatment"),
    "invalid": marked("Record not valid in the source"),
}
_ACTS: Final = {
    "read": marked("opened the record"),
    "timeline": marked("opened the record"),
    "versions": marked("opened the history of changes"),
    "list": marked("saw a list with this patient"),
    "export": marked("exported the record"),
    "create": marked("added the patient"),
    "update": marked("changed the record"),
    "void": marked("voided the record"),
    "merge": marked("merged the record"),
    "unmerge": marked("took a merge back"),
    "erase": marked("erased the patient"),
}
_KINDS: Final = {
    "api_key": marked("A connected system"),
    "cli": marked("An operator at the command line"),
    "job": marked("The platform"),
    "operator": marked("An operator"),
    "system": marked("The platform"),
}


def title_of(patient: PatientOut) -> str:
    """The title of a patient's page: the name, else a number, else the end of the identifier."""
    names = dict.fromkeys(filter(None, (patient.given_name, patient.family_name)))
    return " ".join(names) or patient.hospital_number or patient.pepfar_id or unnamed(patient.id)


def call_text(phone: str) -> str:
    """The text of the button that calls a number."""
    return _("Call {phone}").format(phone=grouped(phone))


def phone_link(phone: str) -> str:
    """The address that calls a number."""
    return f"tel:{phone.replace(' ', '')}"


def age_and_sex(patient: PatientOut) -> str:
    """Age and sex, such as ``36, female``; empty if neither is recorded."""
    age = "" if patient.age is None else str(patient.age)
    return ", ".join(part for part in (age, _(SEXES[patient.sex]) if patient.sex in SEXES else "") if part)


def numbers(patient: PatientOut) -> list[tuple[str, str]]:
    """The patient's numbers, each with its name."""
    pairs = ((_("Hospital number"), patient.hospital_number), (_("Programme number"), patient.pepfar_id))
    return [(name, number) for name, number in pairs if number]


def event_words(entry: TimelineEntry) -> str:
    """The event, in one line."""
    return EVENTS[entry.kind](entry.facts)


def attempt_words(attempt: AttemptOut, names: Mapping[str, str]) -> str:
    """An attempt and its outcome, in one line."""
    medium, outcome = _(MEDIA[attempt.medium]), _(OUTCOMES[attempt.outcome])
    parts = [f"{medium}: {outcome.lower()}"]
    if attempt.promised_for is not None:
        parts[0] = _("{outcome} on {day}").format(outcome=parts[0], day=shown_date(attempt.promised_for))
    if attempt.returned_on is not None and attempt.returned_on != attempt.day:
        parts[0] = _("{outcome} on {day}").format(outcome=parts[0], day=shown_date(attempt.returned_on))
    if attempt.new_phone:
        parts.append(_("right number noted"))
    if attempt.reason:
        reason = _(REASONS[attempt.reason]) if attempt.reason in REASONS else attempt.reason
        parts.append(_("reason: {reason}").format(reason=reason.lower()))
    parts.append(_("by {name}").format(name=names[attempt.recorded_by]))
    return f"{', '.join(parts)}{f'. “{attempt.note}”' if attempt.note else ''}"


def ended_words(item: InterventionOut, names: Mapping[str, str]) -> str:
    """A planned intervention that nobody did, in one line."""
    text = _("{what} could not be done") if item.state == "failed" else _("{what} was cancelled")
    by = _("by {name}").format(name=names[item.ended_by or item.created_by])
    words = text.format(what=_(MEDIA[item.kind]))
    return f"{words}, {by}{f'. “{item.note}”' if item.note else ''}"


def plan_words(kind: str, due: date | None) -> str:
    """A planned intervention, in one line."""
    medium = _(MEDIA[kind]) if kind in MEDIA else kind
    if due is None:
        return _("Planned: {what}").format(what=medium)
    return _("Planned: {what}, by {day}").format(what=medium, day=shown_date(due))


def actor_words(actor: str, people: Mapping[UUID, str], own: str) -> str:
    """The name of an actor, such as a person of the partner."""
    kind, __, identifier = actor.partition(":")
    if actor == own:
        return _("you")
    if kind == "person":
        return next((name for uuid, name in people.items() if str(uuid) == identifier), _("somebody who has left"))
    return _(_KINDS[kind if kind in _KINDS else "system"])


def looks(events: Sequence[AuditEvent], names: Mapping[str, str], zone: ZoneInfo) -> list[tuple[str, str, str]]:
    """The readers of the record, newest first: one line for each request, or for each minute of similar requests."""
    lines: list[tuple[str, str, str]] = []
    for __, acts in groupby(events, key=lambda event: event.request_id or str(event.event_id)):
        first, *others = acts
        done = dict.fromkeys(_act(event.action) for event in (first, *others))
        name, moment = names[first.actor], first.occurred_at.astimezone(zone)
        words = f"{name[:1].upper()}{name[1:]}: {', '.join(done)}"
        line = (moment.isoformat(timespec="minutes"), shown_time(moment, zone), words)
        if line not in lines[-1:]:
            lines.append(line)
    return lines


def reason_rows(reasons: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The reasons of a risk as rows of a table; ``bar`` is a reason's length relative to the longest."""
    rows = list(reasons)
    most = max((abs(row["contribution"]) for row in rows), default=0.0) or 1.0
    return [_reason_row(row, row["contribution"] / most) for row in rows]


def _reason_row(row: Mapping[str, Any], share: float) -> dict[str, Any]:
    name = row["theme"]
    theme = _(_THEMES[name]) if name in _THEMES else name.replace("_", " ").capitalize()
    effect = (_("raises, {times} times") if share > 0 else _("lowers, {times} times")).format(
        times=shown_number(exp(row["contribution"]), 1)
    )
    text = reason_text(row["text"])
    return {
        "text": f"{text[:1].upper()}{text[1:]}",
        "effect": effect,
        "bar": (theme, share, effect),
    }


def _act(action: str) -> str:
    source, __, rest = action.partition(":")
    act = rest.rpartition(":")[2]
    if action == "followup:today:read":
        return _("saw Today's list")
    if source == "risk":
        return _("opened the record") if act == "read" else _("scored the patient")
    return _(_ACTS[act]) if act in _ACTS else _("worked on the record")


def _visit(facts: Mapping[str, Any]) -> str:
    kind = facts.get("visit_type")
    return _with_next(_("Visit ({kind})").format(kind=kind) if kind else _("Visit"), facts)


def _dispensation(facts: Mapping[str, Any]) -> str:
    days = facts.get("days_supplied")
    drugs = facts.get("regimen") or (_("ARVs") if facts.get("antiretroviral", True) else _("other drugs"))
    refill = _("Refill: {drugs}").format(drugs=drugs)
    if days:
        refill = ", ".join((refill, ngettext("{count} day", "{count} days", days)))
    return _with_next(refill, facts)


def _appointment(facts: Mapping[str, Any]) -> str:
    return _(_BOOKINGS.get(facts["status"], _APPOINTMENT))


def _observation(facts: Mapping[str, Any]) -> str:
    name = str(facts["variable_name"])
    label = _(_TESTS[name]) if name in _TESTS else name.replace("_", " ").capitalize()
    number, text = facts.get("value_numeric"), facts.get("value_coded") or facts.get("value_text")
    if number is not None:
        below = "< " if facts.get("value_text") == "<" else ""
        unit = facts.get("unit") or (VARIABLES[name].unit if name in VARIABLES else None) or ""
        return f"{label}: {below}{shown_number(number, DECIMALS)} {unit}".rstrip()
    if text is None and "value_datetime" not in facts:
        return _("{test}: sample taken, no result").format(test=label)
    return f"{label}: {text or facts['value_datetime']}"


def _state(facts: Mapping[str, Any]) -> str:
    state = _(_STATES[facts["state"]])
    return _("{state} (the day is not known)").format(state=state) if facts.get("day_known") is False else state


def _with_next(text: str, facts: Mapping[str, Any]) -> str:
    following = facts.get("next_appointment")
    return _("{event}, next on {day}").format(event=text, day=shown_date(following)) if following else text


EVENTS: Final = {
    "visit": _visit,
    "dispensation": _dispensation,
    "appointment": _appointment,
    "observation": _observation,
    "state": _state,
    "message": message_words.sent_words,
    "delivery_report": message_words.report_words,
    "answer": message_words.answer_words,
    "consent": message_words.consent_words,
}
"""Kind of an entry in the timeline -> its words."""
