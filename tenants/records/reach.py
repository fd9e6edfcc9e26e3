"""Conditions that confine queries to what a session reaches (``TenantSession.reach``).

Every query of patients and their rows that answers a caller has one of these conditions. For a caller who reaches the
whole tenant, the condition is empty and costs nothing. Which condition a query takes depends on its rows:

- ``within_reach``: a row of one patient, or the patient;
- ``facility_within_reach``: the facility itself: its name and place;
- ``whole_facility_within_reach``: what counts or measures a facility. Who reaches assigned patients only sees none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import sql
from sqlalchemy import ColumnElement, and_, false, true
from sqlmodel import col, select

from tenants.records.models import Facility, Patient, PatientAssignment

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from core.database import TenantSession


def within_reach(session: TenantSession, facility: Any, patient: Any) -> ColumnElement[bool]:  # noqa: ANN401 - columns
    """The condition that a row's facility and patient, two columns of UUIDs, are within the session's reach."""
    served = _of_places(session, facility)
    if session.reach.assigned_to is None:
        return served
    return and_(served, patient.in_(_assigned(session.reach.assigned_to)))


def facility_within_reach(session: TenantSession, facility: Any) -> ColumnElement[bool]:  # noqa: ANN401 - a column
    """The condition that the facility in a column is within reach; by assigned patients, that one of them is there."""
    served = _of_places(session, facility)
    if session.reach.assigned_to is None:
        return served
    there = select(Patient.facility_uuid).where(
        col(Patient.uuid).in_(_assigned(session.reach.assigned_to)), col(Patient.known_to).is_(None)
    )
    return and_(served, facility.in_(there))


def whole_facility_within_reach(session: TenantSession, facility: Any) -> ColumnElement[bool]:  # noqa: ANN401 - a column
    """The condition that every patient of the facility in a column is within reach."""
    return _of_places(session, facility) if session.reach.assigned_to is None else false()


def within_reach_sql(session: TenantSession, facility: str, patient: str) -> sql.Composable:
    """``within_reach`` as plain SQL, for use after AND; the columns are such as ``p.facility_uuid`` and ``p.uuid``."""
    served = _of_places_sql(session, facility)
    if session.reach.assigned_to is None:
        return served
    return sql.SQL("{} AND {} IN ({})").format(served, _name(patient), _assigned_sql(session.reach.assigned_to))


def facility_within_reach_sql(session: TenantSession, facility: str) -> sql.Composable:
    """``facility_within_reach`` as plain SQL, for use after AND."""
    served = _of_places_sql(session, facility)
    if session.reach.assigned_to is None:
        return served
    return sql.SQL(
        "{} AND {} IN (SELECT own.facility_uuid FROM patients AS own WHERE own.known_to IS NULL AND own.uuid IN ({}))"
    ).format(served, _name(facility), _assigned_sql(session.reach.assigned_to))


def whole_facility_within_reach_sql(session: TenantSession, facility: str) -> sql.Composable:
    """``whole_facility_within_reach`` as plain SQL, for use after AND."""
    return _of_places_sql(session, facility) if session.reach.assigned_to is None else sql.SQL("false")


def patient_within_reach(session: TenantSession, patient: Any) -> ColumnElement[bool]:  # noqa: ANN401 - a column of UUIDs
    """The condition that the patient in a column is on record within the session's reach."""
    if session.reach.everything:
        return true()
    condition: ColumnElement[bool] = patient.in_(
        select(Patient.uuid).where(
            col(Patient.known_to).is_(None), within_reach(session, Patient.facility_uuid, col(Patient.uuid))
        )
    )
    return condition


def patients_within_reach(session: TenantSession, patients: Collection[UUID]) -> set[UUID]:
    """The patients among these who are within the session's reach."""
    if session.reach.everything or not patients:
        return set(patients)
    return set(
        session.exec(
            select(Patient.uuid).where(
                col(Patient.uuid).in_(patients),
                col(Patient.known_to).is_(None),
                within_reach(session, Patient.facility_uuid, col(Patient.uuid)),
            )
        ).all()
    )


def _of_places(session: TenantSession, facility: Any) -> ColumnElement[bool]:  # noqa: ANN401 - a column of UUIDs
    """The condition of ``facility_ids`` and ``states``."""
    reach = session.reach
    if reach.facility_ids is None and reach.states is None:
        return true()
    served = select(Facility.uuid)
    if reach.facility_ids is not None:
        served = served.where(col(Facility.uuid).in_(sorted(reach.facility_ids)))
    if reach.states is not None:
        served = served.where(col(Facility.state_province).in_(sorted(reach.states)))
    condition: ColumnElement[bool] = facility.in_(served)
    return condition


def _of_places_sql(session: TenantSession, facility: str) -> sql.Composable:
    reach = session.reach
    if reach.facility_ids is None and reach.states is None:
        return sql.SQL("true")
    conditions: list[sql.Composable] = [sql.SQL("true")]
    if reach.facility_ids is not None:
        conditions.append(sql.SQL("s.uuid = ANY({}::uuid[])").format(sql.Literal(sorted(reach.facility_ids))))
    if reach.states is not None:
        conditions.append(sql.SQL("s.state_province = ANY({}::text[])").format(sql.Literal(sorted(reach.states))))
    return sql.SQL("{} IN (SELECT s.uuid FROM facilities AS s WHERE {})").format(
        _name(facility), sql.SQL(" AND ").join(conditions)
    )


def _assigned(person: UUID) -> Any:  # noqa: ANN401 - a statement
    """The patients who are assigned to a person now."""
    return select(PatientAssignment.patient_uuid).where(PatientAssignment.person_id == person)


def _assigned_sql(person: UUID) -> sql.Composable:
    return sql.SQL("SELECT mine.patient_uuid FROM patient_assignments AS mine WHERE mine.person_id = {}").format(
        sql.Literal(person)
    )


def _name(column: str) -> sql.Identifier:
    return sql.Identifier(*column.split("."))
