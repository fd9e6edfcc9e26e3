"""Conditions that confine queries to the facilities that a session reaches (``TenantSession.reach``).

Every query of patients and their rows that answers a caller has one of these conditions. For a caller who reaches the
whole tenant, the condition is empty and costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import sql
from sqlalchemy import ColumnElement, true
from sqlmodel import col, select

from tenants.records.models import Facility, Patient

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from core.database import TenantSession


def within_reach(session: TenantSession, facility: Any) -> ColumnElement[bool]:  # noqa: ANN401 - a column of UUIDs
    """The condition that the facility in a column is within the session's reach."""
    reach = session.reach
    if reach.everything:
        return true()
    served = select(Facility.uuid)
    if reach.facility_ids is not None:
        served = served.where(col(Facility.uuid).in_(sorted(reach.facility_ids)))
    if reach.states is not None:
        served = served.where(col(Facility.state_province).in_(sorted(reach.states)))
    condition: ColumnElement[bool] = facility.in_(served)
    return condition


def within_reach_sql(session: TenantSession, facility: str) -> sql.Composable:
    """The same condition as plain SQL, for use after AND; ``facility`` is a column such as ``p.facility_uuid``."""
    reach = session.reach
    if reach.everything:
        return sql.SQL("true")
    conditions: list[sql.Composable] = [sql.SQL("true")]
    if reach.facility_ids is not None:
        conditions.append(sql.SQL("s.uuid = ANY({}::uuid[])").format(sql.Literal(sorted(reach.facility_ids))))
    if reach.states is not None:
        conditions.append(sql.SQL("s.state_province = ANY({}::text[])").format(sql.Literal(sorted(reach.states))))
    return sql.SQL("{} IN (SELECT s.uuid FROM facilities AS s WHERE {})").format(
        sql.Identifier(*facility.split(".")), sql.SQL(" AND ").join(conditions)
    )


def patient_within_reach(session: TenantSession, patient: Any) -> ColumnElement[bool]:  # noqa: ANN401 - a column of UUIDs
    """The condition that the patient in a column is on record at a facility within the session's reach."""
    if session.reach.everything:
        return true()
    condition: ColumnElement[bool] = patient.in_(
        select(Patient.uuid).where(col(Patient.known_to).is_(None), within_reach(session, Patient.facility_uuid))
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
                within_reach(session, Patient.facility_uuid),
            )
        ).all()
    )
