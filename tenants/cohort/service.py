"""The cohort's service: it maintains statuses and completeness, and answers for periods, days and patients."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, ClassVar, Final
from uuid import UUID

import numpy as np
from pydantic import BaseModel

from core import cache
from core.clock import today
from core.errors import NotFound
from core.events import publish
from core.tenancy import settings as tenant_settings
from core.web.keyset import Slice
from tenants.cohort import repository
from tenants.cohort.caches import DAY_STATUS, PERIOD_COUNTS, DayStatus, PeriodCounts
from tenants.cohort.complete import ReportingState, complete_through
from tenants.cohort.indicators import MEASURES, Counts
from tenants.cohort.load import CHUNK_PATIENTS, load_expectations, load_expectations_after, load_timelines
from tenants.cohort.selection import EVERYBODY, Selection
from tenants.cohort.settings import CohortSettings
from tenants.cohort.so_far import covered_part, covered_parts
from tenants.cohort.status import STATUSES, by_partner, day_known, last_transition, status_at, transitions
from tenants.cohort.timeline_builder import make_timelines
from tenants.cohort.timelines import NO_DAY, Timelines, day_number, snapshot, to_date
from tenants.cohort.units import Trace, pending_units, to_trace
from tenants.records.days import start_of_day
from tenants.records.identities import counted_at, merged_at
from tenants.records.locks import lock_for_import
from tenants.records.reach import patients_within_reach

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from core.database import TenantSession
    from core.jobs import JobEnd
    from core.web.paging import PageRequest
    from tenants.cohort.calendar import Period
    from tenants.cohort.repository import FacilityRow

REBUILD_JOB: Final = "cohort.rebuild"


class Rebuild(BaseModel):
    """The progress of a rebuild of the whole status table.

    Attributes:
        problem: why no job works on it; empty while one does.
    """

    settings_key: ClassVar[str] = "cohort_rebuild"

    pending: bool = False
    after: UUID | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Coverage:
    """The completeness of a period's counts, and their definition.

    Attributes:
        as_of: the day to which the counts run: the end of the period, or the tenant's data date if that is earlier.
        complete_through: the earliest complete-through date among facilities that are not stale, None where none is.
        data_date: the latest data date of the facilities, None where none has one.
        facilities: number of facilities.
        provisional: facilities whose records do not reach the end of the period.
        stale: facilities that stopped reporting.
        rebuilding: whether a rebuild after a change of rules is running: until it ends, counts are mixed.
        rebuild_problem: why no job runs the rebuild any more; empty while one does, and where none is needed.
        iit_day: the day past the expected contact from which a person is in IIT.
        definition: the definition behind the counts.
    """

    as_of: date
    complete_through: date | None
    data_date: date | None
    facilities: int
    provisional: list[str]
    stale: list[str]
    rebuilding: bool
    rebuild_problem: str
    iit_day: int
    definition: str


@dataclass(frozen=True, slots=True)
class IndicatorReport(Coverage):
    """Indicators of a period, and how complete they are.

    Attributes:
        rows: labels of the group, with its counts.
    """

    period: Period
    by: tuple[str, ...]
    rows: list[tuple[dict[str, str], dict[str, int]]]


def cohort_settings(session: TenantSession) -> CohortSettings:
    """Return the tenant's rules."""
    return tenant_settings.get(session, CohortSettings)


def request_rebuild(session: TenantSession) -> None:
    """Enqueue a rebuild of the whole status table, unless there is nothing to recompute."""
    from core.jobs import enqueue

    if repository.has_transitions(session):
        tenant_settings.put(session, Rebuild(pending=True))
        enqueue(session, REBUILD_JOB, {}, dedupe_key=REBUILD_JOB)


def rebuild_ended(session: TenantSession, end: JobEnd) -> None:
    """Record why no job recomputes the status table; after a retry, clear the problem."""
    stop_rebuild(session, end.problem)


def stop_rebuild(session: TenantSession, problem: str) -> None:
    """Store why no job runs a requested rebuild of the status table; an empty ``problem`` if a job runs it."""
    state = tenant_settings.get(session, Rebuild)
    if state.pending:
        tenant_settings.put(session, state.model_copy(update={"problem": problem}))


def refresh(session: TenantSession, patients: Sequence[UUID]) -> None:
    """Recompute the transitions of these patients from their records. The caller has the lock of records' changes."""
    rules = cohort_settings(session)
    for start in range(0, len(patients), CHUNK_PATIENTS):
        part = list(patients[start : start + CHUNK_PATIENTS])
        timelines = next(load_expectations(session, patient_uuids=part, chunk_patients=len(part)), make_timelines([]))
        repository.replace_transitions(session, part, timelines.patient_uuid, transitions(timelines, rules))


def rebuild_step(session: TenantSession, chunk_patients: int = CHUNK_PATIENTS) -> bool:
    """Recompute the next patients' transitions and move the cursor, in this transaction; say whether any are left."""
    lock_for_import(session)
    state = tenant_settings.get(session, Rebuild)
    if not state.pending:
        return False
    chunk = load_expectations_after(session, state.after, chunk_patients)
    if len(chunk):
        uuids = chunk.patient_uuid.tolist()
        repository.replace_transitions(session, uuids, chunk.patient_uuid, transitions(chunk, cohort_settings(session)))
        publish(session, "cohort.rebuilt", {})
    if len(chunk) == chunk_patients:
        tenant_settings.put(session, Rebuild(pending=True, after=chunk.patient_uuid[-1]))
        return True
    repository.forget_strangers(session)
    publish(session, "cohort.rebuilt", {})
    refresh_completeness(session)
    tenant_settings.put(session, Rebuild())
    return False


def rebuild(session: TenantSession) -> None:
    """Recompute the whole status table and completeness in this one transaction."""
    lock_for_import(session)
    tenant_settings.put(session, Rebuild(pending=True))
    while rebuild_step(session):
        pass


def refresh_completeness(session: TenantSession) -> ReportingState:
    """Work out the complete-through date of every facility and store what changed."""
    rules = cohort_settings(session)
    reported = repository.volume(session, bookings=rules.expected_from == "bookings", today=_today(session))
    completeness = complete_through(
        reported.facility, reported.day, reported.count, reported.data_day, rules.completeness
    )
    repository.store_complete_through(session, reported.facilities, completeness.through)
    return completeness


def indicator_report(
    session: TenantSession, period: Period, by: Sequence[str], selection: Selection = EVERYBODY
) -> IndicatorReport:
    """Return MER indicators of a period by the given dimensions, facilities by DATIM id.

    Raises:
        Invalid: the period begins after the data date.
    """
    return indicators_over_time(session, [period], by, selection)[0]


def indicators_over_time(
    session: TenantSession, periods: Sequence[Period], by: Sequence[str], selection: Selection = EVERYBODY
) -> tuple[IndicatorReport, list[dict[str, int]]]:
    """The report of the last period, and the selected people's counts of each, from one reading of the records.

    Counts of a period that the records do not cover to its end are as of the data date.

    Raises:
        Invalid: a period begins after the data date.
    """
    parts = covered_parts(session, periods)
    dimensions = [selection.dimensions(by if period == periods[-1] else ()) for period in periods]
    counted = _counted(session, parts, dimensions)
    rows = selection.rows(counted[-1], by, MEASURES)
    facts = asdict(coverage(session, periods[-1], selection))
    report = IndicatorReport(**facts, period=periods[-1], by=tuple(by), rows=rows)
    return report, [selection.rows(groups, (), MEASURES)[0][1] for groups in counted]


def _counted(
    session: TenantSession, parts: Sequence[Period], dimensions: Sequence[Sequence[str]]
) -> list[list[tuple[dict[str, str], dict[str, int]]]]:
    """Return the labels and counts of each group of each period, from the cache or from one reading of the records."""
    minimum_months = cohort_settings(session).pvls_minimum_months
    order = repository.facility_order(repository.facilities(session))

    def compute() -> PeriodCounts:
        counts = [Counts(of_period) for of_period in dimensions]
        for chunk in repository.indicator_chunks(session, [part.end for part in parts]):
            for part, people, total in zip(parts, chunk.people, counts, strict=True):
                total.add(chunk.moves, people, *part.days, minimum_months)
        return [[(tuple(labels.values()), list(row.values())) for labels, row in total.rows(order)] for total in counts]

    question = {
        "periods": [(part.start, part.end) for part in parts],
        "dimensions": dimensions,
        "minimum_months": minimum_months,
        "facilities": order,
    }
    counted = cache.read(session, PERIOD_COUNTS, question, compute)
    return [
        [(dict(zip(names, labels, strict=True)), dict(zip(MEASURES, row, strict=True))) for labels, row in groups]
        for names, groups in zip(dimensions, counted, strict=True)
    ]


def coverage(session: TenantSession, period: Period, selection: Selection = EVERYBODY) -> Coverage:
    """Return how complete the records of the selected facilities are at the end of a period.

    Raises:
        Invalid: the period begins after the data date.
    """
    rules = cohort_settings(session)
    facilities = [row for row in repository.facilities(session) if selection.facility in (None, row.datim_id)]
    stale_days = rules.completeness.stale_after_days
    today = _today(session)
    stale = [
        row for row in facilities if row.complete_through is None or (today - row.complete_through).days > stale_days
    ]
    short = [row for row in facilities if row.complete_through is None or row.complete_through < period.end]
    complete_days_of_facilities = [
        row.complete_through for row in facilities if row.complete_through is not None and row not in stale
    ]
    rebuild_state = tenant_settings.get(session, Rebuild)
    return Coverage(
        as_of=covered_part(session, period).end,
        complete_through=min(complete_days_of_facilities, default=None),
        data_date=max((row.data_date for row in facilities if row.data_date is not None), default=None),
        facilities=len(facilities),
        provisional=[row.datim_id for row in short],
        stale=[row.datim_id for row in stale],
        rebuilding=rebuild_state.pending,
        rebuild_problem=rebuild_state.problem,
        iit_day=rules.grace_days + 1,
        definition=f"PEPFAR MER terms; IIT from day {rules.grace_days + 1} past the expected contact",
    )


def day_status(session: TenantSession, as_of: date) -> DayStatus:
    """Count the people in each status at the end of a day, and who is pending or late, from what was known that day."""
    rules = cohort_settings(session)
    within = None if session.reach.everything else [row.uuid for row in repository.facilities(session)]
    question = {"as_of": as_of, "rules": rules.model_dump(mode="json"), "within": within}
    return cache.read(session, DAY_STATUS, question, lambda: _count_day(session, as_of, rules, within))


def _count_day(session: TenantSession, as_of: date, rules: CohortSettings, within: list[UUID] | None) -> DayStatus:
    day = day_number(as_of)
    totals = np.zeros(len(STATUSES), dtype=np.int64)
    patients = pending = late = beyond = 0
    merged_uuids = merged_at(session, start_of_day(session.tenant, as_of + timedelta(days=1)))
    for chunk in load_timelines(session, facility_uuids=within):
        everyone = np.arange(len(chunk))
        if merged_uuids:  # a merged patient counts under the canonical one on that day
            everyone = np.flatnonzero([uuid not in merged_uuids for uuid in chunk.patient_uuid])
        day_snapshot = snapshot(chunk, everyone, day)
        statuses = status_at(transitions(day_snapshot, rules), np.arange(everyone.size), day)
        totals += np.bincount(statuses, minlength=len(STATUSES))
        patients += everyone.size
        pending += len(pending_units(chunk, day, rules))
        trace = to_trace(chunk, day, rules)
        beyond += int(trace.iit.sum())
        late += int((~trace.iit).sum())
    return DayStatus(
        as_of=as_of,
        patients=patients,
        statuses=dict(zip(STATUSES, totals.tolist(), strict=True)),
        pending=pending,
        late=late,
        iit_to_trace=beyond,
    )


def patient_status(session: TenantSession, patient: UUID, as_of: date) -> dict[str, Any]:
    """Return a patient's status on a day as known then, the pending expected contact, and the transitions known now.

    A patient who was merged into another by that day has the status of the other, if the other is within reach.

    Raises:
        NotFound: there is no such patient on record.
    """
    if not repository.on_record(session, patient):
        detail = "there is no such patient on record"
        raise NotFound(detail, remedy="check the UUID")
    canonical = counted_at(session, patient, start_of_day(session.tenant, as_of + timedelta(days=1)))
    if patients_within_reach(session, {canonical}):
        patient = canonical
    rules = cohort_settings(session)
    timelines: Timelines = next(load_timelines(session, patient_uuids=[patient]))
    day = day_number(as_of)
    day_snapshot = snapshot(timelines, [0], day)
    moves = transitions(day_snapshot, rules)
    status = STATUSES[int(status_at(moves, [0], day)[0])]
    units = pending_units(timelines, day, rules)
    trace = to_trace(timelines, day, rules)
    expected = next(iter([*units.expected.tolist(), *trace.expected.tolist()]), NO_DAY)
    return {
        "patient_id": patient,
        "as_of": as_of,
        "status": status,
        "status_source": "partner" if by_partner(day_snapshot, moves, day, rules)[0] else "records",
        "day_known": bool(day_known(day_snapshot, moves, last_transition(moves, [0], day))[0]),
        "expected": to_date(expected),
        "days_late": _days_late(trace),
        "transitions": repository.patient_transitions(session, patient),
    }


def _days_late(trace: Trace) -> int | None:
    """The days late of one person; None where the expected day is unknown."""
    if not len(trace.patient):
        return 0
    return None if trace.by_partner[0] else int(trace.days_late[0])


def facility_list(session: TenantSession, paging: PageRequest) -> Slice[dict[str, Any]]:
    """Return a page of facilities: data date, complete-through date and whether it is stale."""
    rules = cohort_settings(session).completeness
    today = _today(session)
    part = repository.page_of_facilities(session, paging)
    rows = [
        {
            "facility": row.datim_id,
            "name": row.name,
            "data_date": row.data_date,
            "complete_through": row.complete_through,
            "stale": row.complete_through is None or (today - row.complete_through).days > rules.stale_after_days,
        }
        for row in part.rows
    ]
    return Slice(rows, part.total, part.last)


def facilities_by_age(session: TenantSession) -> list[FacilityRow]:
    """Return all facilities within reach, those with the oldest data first; those without data come before them."""
    return sorted(repository.facilities(session), key=lambda row: (row.data_date or date.min, row.name, row.datim_id))


def _today(session: TenantSession) -> date:
    return today(session.tenant.time_zone)
