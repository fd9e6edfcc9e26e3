"""Texts of a patient's page, in the words of health workers."""

from __future__ import annotations

from itertools import groupby
from math import exp
from typing import TYPE_CHECKING, Any, Final

from tenants.portal.words import OUTCOMES
from tenants.records.vocabulary import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date
    from uuid import UUID
    from zoneinfo import ZoneInfo

    from core.audit.models import AuditEvent
    from tenants.followup.schemas import AttemptOut
    from tenants.records.schemas import PatientOut, TimelineEntry

MEDIA: Final[dict[str, str]] = {
    "phone_call": "Phone call",
    "home_visit": "Home visit",
    "sms": "SMS",
    "in_person": "In person",
    "other": "Another way",
}

REASONS: Final[dict[str, str]] = {
    "": "Not known",
    "transport": "Transport or distance",
    "work": "Work or school",
    "travel": "Away from home",
    "illness": "Too ill to come",
    "feeling_well": "Felt well",
    "side_effects": "Side effects",
    "stigma": "Afraid to be seen",
    "forgot": "Forgot the day",
    "supply": "Has drugs left",
    "family": "Family or partner",
    "clinic": "Problem at the clinic",
    "other": "Another reason",
}
"""Why a patient stayed away: code and words."""

STATUSES: Final[dict[str, str]] = {
    "none": "Not on treatment yet",
    "active": "On treatment",
    "iit": "Interrupted treatment",
    "died": "Died",
    "transferred_out": "Transferred to another facility",
    "stopped": "Stopped treatment",
    "unknown": "Not known: a contact in the records cannot be read",
    "invalid": "Not a valid record in the partner's list",
}

SHAPES: Final[dict[str, str]] = {"active": "low", "iit": "high", "unknown": "medium", "invalid": "medium"}
"""The shape of a status; none for the others."""

_SEXES: Final = {"F": "female", "M": "male"}
_THEMES: Final = {"viral_load": "Viral load", "cd4": "CD4", "person": "Age and sex"}
_TESTS: Final = {
    "viral_load": "Viral load",
    "cd4": "CD4",
    "who_stage": "WHO stage",
    "arv_adherence": "Adherence",
    "pregnancy": "Pregnancy",
    "weight": "Weight",
    "height": "Height",
}
_BOOKINGS: Final = {
    "scheduled": "Appointment booked",
    "kept": "Appointment kept",
    "missed": "Appointment missed",
    "cancelled": "Appointment cancelled",
}
_STATES: Final = {
    "died": "Died",
    "transferred_out": "Transferred to another facility",
    "transferred_in": "Came from another facility",
    "stopped": "Stopped treatment",
    "invalid": "Record not valid in the source",
}
_ACTS: Final = {
    "read": "opened the record",
    "timeline": "opened the record",
    "versions": "opened the history of changes",
    "list": "saw a list with this patient",
    "export": "exported the record",
    "create": "added the patient",
    "update": "changed the record",
    "void": "voided the record",
    "merge": "merged the record",
    "unmerge": "took a merge back",
    "erase": "erased the patient",
}
_KINDS: Final = {
    "api_key": "A connected system",
    "cli": "An operator at the command line",
    "job": "The platform",
    "operator": "An operator",
    "system": "The platform",
}


def title_of(patient: PatientOut) -> str:
    """The title of a patient's page: the name, else a number, else the end of the identifier."""
    names = dict.fromkeys(filter(None, (patient.given_name, patient.family_name)))
    return " ".join(names) or patient.hospital_number or patient.pepfar_id or f"Client {str(patient.id)[-6:]}"


def age_and_sex(patient: PatientOut) -> str:
    """Age and sex, such as ``36, female``; empty if neither is recorded."""
    age = "" if patient.age is None else str(patient.age)
    return ", ".join(part for part in (age, _SEXES.get(patient.sex or "", "")) if part)


def numbers(patient: PatientOut) -> list[tuple[str, str]]:
    """The patient's numbers, each with its name."""
    pairs = (("Hospital number", patient.hospital_number), ("Programme number", patient.pepfar_id))
    return [(name, number) for name, number in pairs if number]


def day_words(day: date) -> str:
    """A day such as ``4 May 2026``."""
    return f"{day.day} {day:%b} {day.year}"


def event_words(entry: TimelineEntry) -> str:
    """What happened, in one line."""
    return _EVENTS[entry.kind](entry.facts)


def attempt_words(attempt: AttemptOut, names: Mapping[str, str]) -> str:
    """An attempt and its outcome, in one line."""
    parts = [f"{MEDIA[attempt.medium]}: {OUTCOMES[attempt.outcome].lower()}"]
    if attempt.promised_for is not None:
        parts[0] += f" on {day_words(attempt.promised_for)}"
    if attempt.returned_on not in (None, attempt.day):
        parts[0] += f" on {day_words(attempt.returned_on)}"
    if attempt.reason:
        parts.append(f"reason: {REASONS.get(attempt.reason, attempt.reason).lower()}")
    parts.append(f"by {names[attempt.recorded_by]}")
    return f"{', '.join(parts)}{f'. “{attempt.note}”' if attempt.note else ''}"


def actor_words(actor: str, people: Mapping[UUID, str], own: str) -> str:
    """The name of an actor, such as a person of the partner."""
    kind, _, identifier = actor.partition(":")
    if actor == own:
        return "you"
    if kind == "person":
        return next((name for uuid, name in people.items() if str(uuid) == identifier), "somebody who has left")
    return _KINDS.get(kind, "The platform")


def looks(events: Sequence[AuditEvent], names: Mapping[str, str], zone: ZoneInfo) -> list[tuple[str, str, str]]:
    """Who has read the record, newest first: one line for each request, or for each minute of similar requests."""
    lines: list[tuple[str, str, str]] = []
    for _, acts in groupby(events, key=lambda event: event.request_id or str(event.event_id)):
        first, *others = acts
        done = dict.fromkeys(_act(event.action) for event in (first, *others))
        name, moment = names[first.actor], first.occurred_at.astimezone(zone)
        words = f"{name[:1].upper()}{name[1:]} {' and '.join(done)}"
        line = (moment.isoformat(timespec="minutes"), f"{day_words(moment)}, {moment:%H:%M}", words)
        if line not in lines[-1:]:
            lines.append(line)
    return lines


def reason_rows(reasons: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The reasons of a risk as rows of a table; ``bar`` is a reason's length relative to the longest."""
    rows = list(reasons)
    most = max((abs(row["contribution"]) for row in rows), default=0.0) or 1.0
    return [_reason_row(row, row["contribution"] / most) for row in rows]


def _reason_row(row: Mapping[str, Any], share: float) -> dict[str, Any]:
    theme = _THEMES.get(row["theme"], row["theme"].replace("_", " ").capitalize())
    effect = f"{'raises' if share > 0 else 'lowers'}, {exp(row['contribution']):.2f} times"
    return {
        "text": f"{row['text'][:1].upper()}{row['text'][1:]}",
        "effect": effect,
        "bar": (theme, share, effect),
    }


def _act(action: str) -> str:
    source, _, rest = action.partition(":")
    if action == "followup:today:read":
        return "saw Today's list"
    if source == "risk":
        return "opened the record" if rest.endswith(":read") else "scored the patient"
    return _ACTS.get(rest.rpartition(":")[2], "worked on the record")


def _visit(facts: Mapping[str, Any]) -> str:
    kind = facts.get("visit_type")
    return _with_next(f"Visit ({kind})" if kind else "Visit", facts)


def _dispensation(facts: Mapping[str, Any]) -> str:
    days = facts.get("days_supplied")
    drugs = facts.get("regimen") or ("ARVs" if facts.get("antiretroviral", True) else "other drugs")
    return _with_next(f"Refill: {drugs} for {days} days" if days else f"Refill: {drugs}", facts)


def _appointment(facts: Mapping[str, Any]) -> str:
    return _BOOKINGS.get(facts["status"], "Appointment")


def _observation(facts: Mapping[str, Any]) -> str:
    name = str(facts["variable_name"])
    label = _TESTS.get(name, name.replace("_", " ").capitalize())
    number, text = facts.get("value_numeric"), facts.get("value_coded") or facts.get("value_text")
    if number is not None:
        below = "< " if facts.get("value_text") == "<" else ""
        unit = facts.get("unit") or (VARIABLES[name].unit if name in VARIABLES else None) or ""
        return f"{label}: {below}{number:,.10g} {unit}".rstrip()
    if text is None and "value_datetime" not in facts:
        return f"{label}: sample taken, no result"
    return f"{label}: {text or facts['value_datetime']}"


def _state(facts: Mapping[str, Any]) -> str:
    unknown = " (the day is not known)" if facts.get("day_known") is False else ""
    return f"{_STATES[facts['state']]}{unknown}"


def _with_next(text: str, facts: Mapping[str, Any]) -> str:
    following = facts.get("next_appointment")
    return f"{text}, next on {day_words(following)}" if following else text


_EVENTS: Final = {
    "visit": _visit,
    "dispensation": _dispensation,
    "appointment": _appointment,
    "observation": _observation,
    "state": _state,
}
