"""The people of an alert, for who may see them: what the rule looked at, and whether they came since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from psycopg import sql

from core import audit
from core.clock import today
from core.database.arrays import uuid_array
from core.web.keyset import Slice
from tenants.alerts.acts import find_alert
from tenants.alerts.kinds import ON_LISTS
from tenants.records.reach import within_reach_sql
from tenants.records.repository import completed_years

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from core.database import TenantSession
    from core.web.paging import PageRequest

READ: Final = "alerts:people:read"
_PEOPLE: Final = sql.SQL("""
SELECT p.uuid, p.sex, p.birthdate, q.expected_date, v.copies, v.day, present.to_status, c.came_on, count(*) OVER ()
FROM patients p
LEFT JOIN predictions q ON %(on_lists)s AND q.patient_uuid = p.uuid AND q.as_of = %(day)s AND q.kind = %(kind)s
LEFT JOIN LATERAL (
    SELECT o.value_numeric AS copies, o.obs_datetime::date AS day FROM observations o
    WHERE o.patient_uuid = p.uuid AND o.variable_name = 'viral_load' AND o.known_to IS NULL AND NOT o.voided
        AND o.value_numeric IS NOT NULL
    ORDER BY o.obs_datetime DESC, o.value_numeric DESC LIMIT 1
) v ON NOT %(on_lists)s
LEFT JOIN LATERAL (
    SELECT t.to_status FROM status_transitions t WHERE t.patient_uuid = p.uuid ORDER BY t.date DESC, t.seq DESC LIMIT 1
) present ON true
LEFT JOIN LATERAL (
    SELECT min(c.contact_date) AS came_on FROM contacts c
    WHERE c.patient_uuid = p.uuid AND c.known_to IS NULL AND c.contact_date >= %(day)s
) c ON %(on_lists)s
WHERE p.uuid = ANY(%(people)s::uuid[]) AND p.known_to IS NULL AND NOT p.voided AND {within_reach}
ORDER BY c.came_on {came_on}, q.expected_date, v.copies DESC NULLS LAST, p.uuid
LIMIT %(most)s OFFSET %(start)s
""")
_COUNT: Final = sql.SQL("""
SELECT count(*) FROM patients p
WHERE p.uuid = ANY(%(people)s::uuid[]) AND p.known_to IS NULL AND NOT p.voided AND {within_reach}
""")
_ORDERS: Final = {False: sql.SQL("ASC NULLS FIRST"), True: sql.SQL("DESC NULLS LAST")}
"""Whether the order is descending -> how the dates on which people came are sorted."""


@dataclass(frozen=True, slots=True)
class AlertPerson:
    """One person of an alert.

    Attributes:
        patient_id: the patient.
        sex, age: as far as they are known.
        expected_date: the expected contact on the day of the scoring, for a rule that looks at scorings.
        viral_load, measured_on: the latest result in copies/mL and its day, for the rule about these.
        status: of the cohort now.
        came_on: the first contact since the data date of the alert, for a rule that looks at scorings.
    """

    patient_id: UUID
    sex: str | None
    age: int | None
    expected_date: date | None
    viral_load: float | None
    measured_on: date | None
    status: str
    came_on: date | None


def read_people(session: TenantSession, alert_id: UUID, paging: PageRequest) -> Slice[AlertPerson]:
    """Return one page of the people of an alert who are within reach.

    Those who have not come since are first; with the order ``-came_on`` they are last, after those who came.

    The audit records the read of each. Who was erased, merged or moved out of reach is left out.

    Args:
        session: a transaction of the tenant.
        alert_id: the alert.
        paging: the page. Its order is ``came_on`` or ``-came_on``; none: ``came_on``.

    Raises:
        NotFound: there is no such alert within reach (404).
    """
    alert = find_alert(session, alert_id)
    descending = paging.sort is not None and paging.sort.descending
    reach = within_reach_sql(session, "p.facility_uuid", "p.uuid")
    query = _PEOPLE.format(within_reach=reach, came_on=_ORDERS[descending])
    values = {
        "people": uuid_array(alert.patients),
        "on_lists": alert.alert_type in ON_LISTS,
        "day": alert.data_date,
        "kind": "at_risk" if alert.alert_type == "risk_high" else "to_trace",
        "most": paging.limit,
        "start": paging.offset,
    }
    with session.cursor() as cursor:
        rows = cursor.execute(query, values).fetchall() if alert.patients else []
        total = rows[0][-1] if rows else 0
        if alert.patients and not rows and paging.offset:  # a page past the end
            counted = cursor.execute(_COUNT.format(within_reach=reach), values).fetchone()
            total = 0 if counted is None else counted[0]
    day = today(session.tenant.time_zone)
    people = [
        AlertPerson(
            patient_id=patient,
            sex=sex,
            age=None if birthdate is None else completed_years(birthdate, day),
            expected_date=expected,
            viral_load=None if copies is None else float(copies),
            measured_on=measured,
            status=status or "none",
            came_on=came,
        )
        for patient, sex, birthdate, expected, copies, measured, status, came, _total in rows
    ]
    audit.record_many(session, READ, "patient", [person.patient_id for person in people], {"alert": str(alert_id)})
    return Slice(people, total, None)
