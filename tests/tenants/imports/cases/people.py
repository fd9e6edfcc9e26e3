"""People in the database after an import, by their hospital numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from core.database import TenantRef, tenant_session
from core.privacy import vault
from tenants.cohort import service
from tenants.cohort.calendar import period_of
from tenants.cohort.load import load_timelines
from tenants.cohort.service import cohort_settings
from tenants.cohort.timelines import day_number
from tenants.cohort.units import pending_units, to_trace

KNOWN = (
    "SELECT uuid, hospital_number_enc, sex, birthdate, art_start_date FROM patients"
    " WHERE known_to IS NULL AND NOT voided"
)


def numbers(session: Any) -> dict[UUID, tuple[str, tuple[Any, ...]]]:
    """Hospital number, and sex, birth and start of treatment, by UUID."""
    with session.cursor() as cursor:
        people = cursor.execute(KNOWN).fetchall()
    secrets = vault(session)
    secrets.load_patient_keys([uuid for uuid, *_ in people])
    return {
        uuid: (secrets.decrypt(uuid, "patients", "hospital_number_enc", uuid, number) if number else "", tuple(facts))
        for uuid, number, *facts in people
    }


def facts(tenant: TenantRef) -> dict[str, tuple[Any, ...]]:
    """Sex, day of birth and start of treatment of each person."""
    with tenant_session(tenant, actor="test:1") as session:
        return dict(numbers(session).values())


def statuses(tenant: TenantRef, day: date) -> dict[str, tuple[str, str]]:
    """Status on a day, and since when, of each person."""
    by_number: dict[str, tuple[str, str]] = {}
    with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
        for uuid, (number, _) in numbers(session).items():
            row = cursor.execute(
                "SELECT to_status, date FROM status_transitions WHERE patient_uuid = %s AND date <= %s"
                " ORDER BY seq DESC LIMIT 1",
                (uuid, day),
            ).fetchone()
            by_number[number] = ("none", "") if row is None else (row[0], str(row[1]))
    return by_number


def called(tenant: TenantRef, day: date) -> tuple[set[str], set[str]]:
    """The people to call on a day: those at risk, and those to trace."""
    at_risk: set[str] = set()
    traced: set[str] = set()
    with tenant_session(tenant, actor="test:1") as session:
        rules, known = cohort_settings(session), numbers(session)
        for chunk in load_timelines(session):
            number = [known[uuid][0] for uuid in chunk.patient_uuid.tolist()]
            at_risk |= {number[at] for at in pending_units(chunk, day_number(day), rules).patient.tolist()}
            traced |= {number[at] for at in to_trace(chunk, day_number(day), rules).patient.tolist()}
    return at_risk, traced


def counted(tenant: TenantRef, period: str, by: Sequence[str] = ()) -> list[tuple[dict[str, Any], dict[str, int]]]:
    """Terms of MER that are not zero, by group."""
    with tenant_session(tenant, actor="test:1") as session:
        report = service.indicator_report(session, period_of(period), by)
        return [(dict(group), {name: count for name, count in row.items() if count}) for group, row in report.rows]
