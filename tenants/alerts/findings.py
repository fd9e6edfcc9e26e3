"""What the rules look for: queries that give the signals of a rule."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from tenants.alerts.models import OPEN
from tenants.alerts.signals import Signal
from tenants.risk import holdout

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date
    from uuid import UUID

    from core.database import TenantSession
    from tenants.alerts.rules import Rule

_MONTHS: Final = 12
_LONGEST_DAYS: Final = 36_500
_LEFT: Final = ["died", "transferred_out", "stopped", "invalid"]
"""Statuses of the cohort of people who are in nobody's care here."""
_ON_LISTS: Final = """
SELECT facility_uuid, array_agg(patient_uuid) FROM predictions
WHERE as_of = %(as_of)s AND NOT stale AND {condition}
GROUP BY facility_uuid HAVING count(*) >= %(least)s ORDER BY facility_uuid
"""
_HIGH: Final = """
SELECT q.facility_uuid, q.patient_uuid, q.expected_date FROM predictions q
WHERE q.as_of = %(as_of)s AND NOT q.stale AND q.risk_level = 'high' AND q.within_capacity AND NOT EXISTS (
    SELECT FROM worklist_entries e JOIN worklists w ON w.uuid = e.worklist_uuid
    WHERE e.patient_uuid = q.patient_uuid AND e.held_out AND w.kind = 'at_risk' AND w.as_of = q.as_of
)
ORDER BY q.facility_uuid
"""
_LATE: Final = _ON_LISTS.format(condition="risk_level = 'late'")
_IIT: Final = _ON_LISTS.format(condition="risk_level = 'iit' AND days_late BETWEEN 1 AND %(latest)s")
# A sample without a result does not hide the result before it.
_VIRAL_LOADS: Final = """
SELECT p.facility_uuid, array_agg(p.uuid) FROM patients p
JOIN LATERAL (
    SELECT t.to_status FROM status_transitions t
    WHERE t.patient_uuid = p.uuid AND t.date <= %(as_of)s ORDER BY t.date DESC, t.seq DESC LIMIT 1
) present ON present.to_status <> ALL(%(left)s)
JOIN LATERAL (
    SELECT o.value_numeric FROM observations o
    WHERE o.patient_uuid = p.uuid AND o.variable_name = 'viral_load' AND o.known_to IS NULL AND NOT o.voided
        AND o.value_numeric IS NOT NULL AND o.obs_datetime::date BETWEEN %(since)s AND %(as_of)s
    ORDER BY o.obs_datetime DESC, o.value_numeric DESC LIMIT 1
) latest ON latest.value_numeric >= %(least)s
WHERE p.known_to IS NULL AND NOT p.voided AND p.facility_uuid IS NOT NULL
GROUP BY p.facility_uuid ORDER BY p.facility_uuid
"""
_NO_DATA: Final = """
SELECT uuid, complete_through FROM facilities
WHERE coalesce(complete_through, data_date) < %(since)s ORDER BY uuid
"""
# While a fetch runs, nobody knows whether it brings a file: an alert stays, and none begins.
_NO_FILES: Final = """
SELECT i.id, i.name, s.last::date FROM (
    SELECT instance_id, ended_at, coalesce(new_file_at, created_at) AS last FROM import_sources WHERE active
) s JOIN plugin_instances i ON i.id = s.instance_id AND i.enabled
WHERE CASE WHEN s.ended_at IS NOT NULL THEN s.ended_at > s.last + make_interval(days => %(days)s) ELSE EXISTS (
    SELECT FROM alerts a WHERE a.dedupe_key = 'no_data::source:' || i.id AND a.status = ANY(%(open)s)
) END ORDER BY i.id
"""
_DEAD: Final = (
    "SELECT kind, count(*) FROM node.jobs WHERE state = 'dead' GROUP BY kind HAVING count(*) >= %s ORDER BY kind"
)


def on_lists(session: TenantSession, rule: Rule, as_of: date, grace_days: int) -> list[Signal]:
    """Return the facilities whose people a scoring put where the rule looks: ``risk_high``, ``late`` or ``iit``."""
    if rule.kind.name == "risk_high":
        return _high(session, as_of, max(1, rule.threshold))
    query = {"late": _LATE, "iit": _IIT}[rule.kind.name]
    values: dict[str, Any] = {"as_of": as_of, "least": max(1, rule.threshold)}
    if rule.kind.name == "iit":
        values |= {"least": 1, "latest": grace_days + rule.threshold}
    return _by_facility(session, query, values)


def viral_loads(session: TenantSession, rule: Rule, day: date) -> list[Signal]:
    """Return the facilities with people in their care whose latest viral load is at the threshold or above.

    People who interrupted their treatment count: they are the facility's to bring back.
    """
    since = day - timedelta(days=round(_MONTHS * 365.25 / 12))
    return _by_facility(session, _VIRAL_LOADS, {"as_of": day, "since": since, "least": rule.threshold, "left": _LEFT})


def without_data(session: TenantSession, rule: Rule, day: date) -> list[Signal]:
    """Return what brings no data.

    That is one signal for all facilities whose records end too early, so that a silent server is one alert, and one for
    each source whose fetches found no new file for as long. A paused source has none.
    """
    days = min(rule.threshold, _LONGEST_DAYS)  # a rule takes more than a calendar has
    with session.cursor() as cursor:
        rows = cursor.execute(_NO_DATA, {"since": day - timedelta(days=days)}).fetchall()
        sources = cursor.execute(_NO_FILES, {"days": days, "open": list(OPEN)}).fetchall()
    signals = [
        Signal(subject=f"source:{uuid}", count=1, facts={"source": name, "last": last.isoformat()})
        for uuid, name, last in sources
    ]
    if rows:
        ends = min((row[1] for row in rows if row[1] is not None), default=None)
        facts = {"oldest": None if ends is None else ends.isoformat(), "days": rule.threshold}
        signals.append(Signal(subject="facilities", count=len(rows), facts=facts))
    return signals


def dead_jobs(session: TenantSession, rule: Rule, _: date) -> list[Signal]:
    """Return the kinds of the tenant's jobs that were given up."""
    with session.cursor() as cursor:
        rows = cursor.execute(_DEAD, (max(1, rule.threshold),)).fetchall()
    return [Signal(subject=kind, count=count) for kind, count in rows]


FOUND_BY: Final[Mapping[str, Callable[[TenantSession, Rule, date], list[Signal]]]] = {
    "viral_load": viral_loads,
    "no_data": without_data,
    "dead_jobs": dead_jobs,
}
"""The rules that the check at intervals looks at."""


def _high(session: TenantSession, as_of: date, least: int) -> list[Signal]:
    """The people at high risk, without those held out: an alert about these would undo the hold-out.

    A scoring is before the list of its day, so that the entries of lists alone do not tell who is held out.
    """
    approval = holdout.in_force(session)
    at_risk: dict[UUID, set[UUID]] = {}
    with session.cursor() as cursor:
        for facility, patient, expected in cursor.execute(_HIGH, {"as_of": as_of}):
            if not holdout.is_held_out(approval, patient, expected):
                at_risk.setdefault(facility, set()).add(patient)
    return [
        Signal(facility=place, people=frozenset(people), count=len(people))
        for place, people in at_risk.items()
        if len(people) >= least
    ]


def _by_facility(session: TenantSession, query: str, values: Mapping[str, Any]) -> list[Signal]:
    with session.cursor() as cursor:
        rows = cursor.execute(query, values).fetchall()
    return [Signal(facility=place, people=frozenset(people), count=len(people)) for place, people in rows]
