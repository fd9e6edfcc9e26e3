"""Collect the content of a patient's page, from the services that the API calls."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from core import audit
from core.audit.repository import find_events
from core.clock import today
from core.identity.people import members
from core.identity.principal import people_of_actors
from core.web.cursors import Sort
from core.web.paging import PageRequest
from core.web.texts import shown_date
from tenants.cohort.presenting import day_asked
from tenants.cohort.service import patient_status
from tenants.followup import planning
from tenants.followup import service as attempts
from tenants.followup.repository import wrong_phones
from tenants.followup.schemas import AttemptFilter, AttemptOut
from tenants.followup.schemas_interventions import InterventionFilter, InterventionOut
from tenants.portal import patient_words as words
from tenants.portal.knowledge_view import suggestions
from tenants.records import service as records
from tenants.records.repository import facility_names
from tenants.records.schemas import PatientOut, TimelineEntry
from tenants.records.timeline import read_timeline
from tenants.risk import explain

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date

    from core.access import Scope
    from core.audit.models import AuditEvent
    from core.database import TenantSession
    from tenants.risk.explain import RiskExplanation

KINDS: Final = frozenset(words.EVENTS)
"""Kinds of entries in the timeline: those that a source wrote, without derived ones, and messages."""

DAYS_ON_PAGE: Final = 20
_ALL: Final = 10_000
_ACTS: Final = 100
_LOOKS: Final = 10


@dataclass(frozen=True, slots=True)
class PatientView:
    """The content of a patient's page.

    Attributes:
        day: the day of the status: today, unless the reader requested another.
        status: the status on that day; None if the reader may not see it, or the record was merged into another.
        risk: the risk today; None if the reader may not see it, or the record was merged into another.
        wrong_phone_on: the day on which somebody recorded that the phone is wrong; None once there is a newer one.
        regimen: the regimen of the newest refill that has one.
        timeline: one page of days, newest first: the day as ISO text, the day in words, and what happened.
        days: the number of days in the whole timeline.
        plans: planned interventions, newest first; empty if the reader may not see them.
        looks: who has read the record; None if the reader may not see it.
        questions: those that the patient's facts suggest to the guidelines; None if the reader may not ask them.
    """

    patient: PatientOut
    clinic: str
    today: date
    day: date
    status: Mapping[str, Any] | None
    risk: RiskExplanation | None
    wrong_phone_on: date | None
    regimen: str | None
    timeline: Sequence[tuple[str, str, str]]
    days: int
    plans: Sequence[InterventionOut]
    looks: Sequence[tuple[str, str, str]] | None
    questions: Sequence[str] | None


def read_view(scope: Scope, patient_id: UUID, day: date | None, page: int) -> PatientView:
    """Read the parts of a patient's record that the principal may see. The audit records each read.

    Args:
        scope: the principal and the tenant.
        patient_id: the patient.
        day: the day of the status; None for today.
        page: the page of the timeline, from 1.

    Raises:
        NotFound: there is no such patient within reach.
        Invalid: the day is before 1900 or after 2199.
    """
    permissions, asked = scope.principal.permissions, day_asked(scope.tenant, day)
    patient = PatientOut.model_validate_json(records.read_patient(scope, patient_id, None)[1])
    own = patient.canonical_id is None
    risk = None
    if own and "risk.read" in permissions:
        risk = explain.explain(scope.tenant, scope.session, str(patient_id), None)
    with scope.session() as session:
        status = None
        if own and "cohort.read" in permissions:
            status = patient_status(session, patient_id, asked)
            audit.record(session, "api:status:read", "patient", patient_id)
        entries = read_timeline(session, patient_id, None, KINDS, PageRequest(1, _ALL), permissions).items
        recorded: list[AttemptOut] = []
        wrong_phone_on = None
        done: list[InterventionOut] = []
        if "attempts.read" in permissions:
            everything = PageRequest(1, _ALL, sort=attempts.NEWEST_FIRST)
            recorded = attempts.read_list(session, AttemptFilter(patient_id=patient_id), everything).items
            sorted_page = PageRequest(1, _ALL, sort=planning.NEWEST_FIRST)
            done = planning.read_list(session, InterventionFilter(patient_id=patient_id), sorted_page).items
            wrong_phone_on = wrong_phones(session, [patient_id]).get(patient_id)
        questions = suggestions(session, patient_id, permissions) if own else None
        acts = _acts(session, patient_id) if "audit.read" in permissions else None
        clinic = facility_names(session, [patient.facility]).get(patient.facility, patient.facility)
    ended = [item for item in done if item.state in ("failed", "cancelled")]
    actors = {attempt.recorded_by for attempt in recorded} | {item.ended_by or item.created_by for item in ended}
    names = _names(scope, actors | {act.actor for act in acts or ()})
    days = _by_day(entries, recorded, ended, names, ZoneInfo(scope.tenant.time_zone))
    lines = [(day.isoformat(), shown_date(day), " · ".join(days[day])) for day in sorted(days, reverse=True)]
    first = (page - 1) * DAYS_ON_PAGE
    return PatientView(
        patient=patient,
        clinic=clinic,
        today=today(scope.tenant.time_zone),
        day=asked,
        status=status,
        risk=risk,
        wrong_phone_on=wrong_phone_on,
        regimen=next((entry.facts["regimen"] for entry in entries if "regimen" in entry.facts), None),
        timeline=lines[first : first + DAYS_ON_PAGE],
        days=len(days),
        plans=[item for item in done if item.state == "planned"],
        looks=None if acts is None else words.looks(acts, names, ZoneInfo(scope.tenant.time_zone))[:_LOOKS],
        questions=questions,
    )


def _acts(session: TenantSession, patient_id: UUID) -> Sequence[AuditEvent]:
    """The newest acts on the patient, without those of this request."""
    paging = PageRequest(1, _ACTS, sort=Sort.parse("-id"), keyed=True)
    part = find_events(session, paging, subject_id=patient_id, action=None, since=None, until=None)
    audit.record(session, "api:audit:read", "audit", patient_id)
    return [event for event in part.rows if event.request_id != session.request_id]


def _names(scope: Scope, actors: Collection[str]) -> dict[str, str]:
    """The name that the page shows for each actor."""
    known = members.names_of(scope.tenant, people_of_actors(actors))
    return {actor: words.actor_words(actor, known, scope.principal.actor) for actor in actors}


def _by_day(
    entries: Sequence[TimelineEntry],
    recorded: Sequence[AttemptOut],
    ended: Sequence[InterventionOut],
    names: Mapping[str, str],
    zone: ZoneInfo,
) -> dict[date, dict[str, None]]:
    """The events of each day, without repeated lines."""
    days: dict[date, dict[str, None]] = defaultdict(dict)
    for entry in entries:
        days[entry.date][words.event_words(entry)] = None
    for attempt in recorded:
        days[attempt.day][words.attempt_words(attempt, names)] = None
    for item in ended:
        days[(item.ended_at or item.created_at).astimezone(zone).date()][words.ended_words(item, names)] = None
    return days
