"""Read the people of a list in steps along their UUIDs: profile, facility, and state on the day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql
from sqlmodel import select

from core import audit
from tenants.cohort.load import load_timelines
from tenants.cohort.service import cohort_settings
from tenants.cohort.timelines import day_number
from tenants.records.days import end_of_day
from tenants.records.filters import PatientFilter
from tenants.records.identities import merged_into
from tenants.records.models import Facility
from tenants.records.personal import UNREADABLE, legible_patient
from tenants.records.places import facility_named
from tenants.records.repository import count_patients, patients_after
from tenants.reports.people import PersonState, states

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from uuid import UUID

    from core.database import TenantSession
    from tenants.cohort.calendar import Period
    from tenants.cohort.settings import CohortSettings
    from tenants.records.models import Patient

STEP_PATIENTS = 2_000

_DSD = sql.SQL(
    "SELECT DISTINCT ON (patient_uuid) patient_uuid, dsd_model FROM contacts"
    " WHERE patient_uuid = ANY({patients}) AND pickup AND dsd_model IS NOT NULL AND contact_date <= {day}"
    " AND known_from < {end} AND (known_to IS NULL OR known_to >= {end})"
    " ORDER BY patient_uuid, contact_date DESC"
)
_RISK = sql.SQL(
    "SELECT patient_uuid, risk, risk_level, model_version FROM predictions"
    " WHERE as_of = {day} AND kind = 'at_risk' AND patient_uuid = ANY({patients})"
)


@dataclass(frozen=True, slots=True)
class PersonScore:
    """A person's risk in the day's scoring."""

    risk: float | None
    level: str
    model_version: str


@dataclass(frozen=True, slots=True)
class Person:
    """One row of a list.

    Attributes:
        names: the fields of ``tenants.records.personal.FIELDS``, decrypted; empty unless identifiers were requested.
    """

    state: PersonState
    place: Facility
    state_province: str | None
    county_district: str | None
    city_village: str | None
    case_manager: str | None
    birthdate_estimated: bool
    dsd_model: str | None
    names: Mapping[str, str | None]
    score: PersonScore | None


@dataclass(frozen=True, slots=True)
class ListRequest:
    """The people and columns of a list.

    Attributes:
        as_of: the day, with what was known then.
        period: the reporting period of the day.
        facility: DATIM id; None for all.
        identifiers: whether to include programme identifiers, decrypted.
        report: name of the list, for the audit.
    """

    as_of: date
    period: Period
    facility: str | None
    identifiers: bool
    report: str


def check_facility(session: TenantSession, reference: str | None) -> str | None:
    """The DATIM id of a facility given by DATIM id or UUID.

    Raises:
        Invalid: there is no such facility.
    """
    facility = facility_named(session, reference)
    return None if facility is None else facility.datim_id


def step(session: TenantSession, request: ListRequest, after: UUID | None) -> tuple[list[Person], UUID | None]:
    """The next people, and the cursor of the following step (None at the end). The audit records each read.

    A patient who is merged into another today appears under the other, with the records of both.
    """
    condition = PatientFilter(facility=request.facility, as_of=request.as_of)
    rows = patients_after(session, condition, after, STEP_PATIENTS)
    elsewhere = merged_into(session, [row.uuid for row in rows])
    people = _people(session, request, [row for row in rows if row.uuid not in elsewhere])
    facts = {"report": request.report, "identifiers": request.identifiers}
    audit.record_many(
        session, "report:patient:read", "patient", [person.state.patient_uuid for person in people], facts
    )
    return people, rows[-1].uuid if len(rows) == STEP_PATIENTS else None


def count_people(session: TenantSession, request: ListRequest) -> int:
    """The number of patients of a list; those merged into another today are counted too."""
    return count_patients(session, PatientFilter(facility=request.facility, as_of=request.as_of))


def _people(session: TenantSession, request: ListRequest, rows: Sequence[Patient]) -> list[Person]:
    if not rows:
        return []
    rules: CohortSettings = cohort_settings(session)
    places, uuids = _places(session), [row.uuid for row in rows]
    models, scores = _dsd_models(session, uuids, request.as_of), _scores(session, uuids, request.as_of)
    day, start = day_number(request.as_of), day_number(request.period.start)
    state_of = {
        state.patient_uuid: state
        for chunk in load_timelines(session, patient_uuids=uuids)
        for state in states(chunk, day, start, rules)
    }
    return [
        Person(
            state=state_of[row.uuid],
            place=places[row.facility_uuid],
            state_province=row.state_province,
            county_district=row.county_district,
            city_village=row.city_village,
            case_manager=row.case_manager,
            birthdate_estimated=row.birthdate_estimated,
            dsd_model=models.get(row.uuid),
            names=legible_patient(session, row).marked(UNREADABLE) if request.identifiers else {},
            score=scores.get(row.uuid),
        )
        for row in rows
        if row.uuid in state_of  # a patient may be voided since
    ]


def _places(session: TenantSession) -> dict[UUID, Facility]:
    return {facility.uuid: facility for facility in session.exec(select(Facility)).all()}


def _dsd_models(session: TenantSession, patients: list[UUID], day: date) -> dict[UUID, str]:
    query = _DSD.format(patients=patients, day=day, end=end_of_day(session.tenant, day))
    with session.cursor() as cursor:
        return dict(cursor.execute(query).fetchall())


def _scores(session: TenantSession, patients: list[UUID], day: date) -> dict[UUID, PersonScore]:
    with session.cursor() as cursor:
        rows = cursor.execute(_RISK.format(patients=patients, day=day)).fetchall()
    return {row[0]: PersonScore(*row[1:]) for row in rows}
