"""Plans reminders of expected contacts: one for each patient, contact and number of days before it."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from sqlmodel import select

from core.clock import now
from core.jobs import Retry, enqueue, job
from core.tenancy import settings as tenant_settings
from tenants.cohort.load import load_expectations
from tenants.cohort.service import cohort_settings
from tenants.cohort.status import ACTIVE, status_at, transitions
from tenants.cohort.timelines import day_number, to_date
from tenants.cohort.waiting import pending
from tenants.messages import consents, sending
from tenants.messages.gateway import gateway_of
from tenants.messages.hours import next_allowed
from tenants.messages.models import Communication
from tenants.messages.settings import MessageSettings
from tenants.records.repository import patient_as_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from core.database import TenantSession
    from core.jobs import JobContext

PLAN: Final = "messages.plan"
AT_ONCE: Final = 1_000


def enqueue_plan(session: TenantSession, due: datetime) -> None:
    """Enqueue the reminders of the day on which the schedule was due."""
    day = due.astimezone(ZoneInfo(session.tenant.time_zone)).date().isoformat()
    if tenant_settings.get(session, MessageSettings).active:
        enqueue(session, PLAN, {"day": day}, dedupe_key=f"{PLAN}:{day}")


@job(PLAN, retry=Retry(5))
def plan(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Plan the reminders of a day. Planning a day twice adds nothing."""
    day = date.fromisoformat(payload["day"])
    with ctx.session() as session:
        patients = consents.who_may_consent(session, "reminders")
    for start in range(0, len(patients), AT_ONCE):
        with ctx.session() as session:
            plan_part(session, patients[start : start + AT_ONCE], day)
        ctx.progress(min(start + AT_ONCE, len(patients)), len(patients))
    with ctx.session() as session:
        ctx.finish(session)


def plan_part(session: TenantSession, patients: Sequence[UUID], day: date) -> int:
    """Plan the reminders of some patients for a day; return how many are new."""
    settings = tenant_settings.get(session, MessageSettings)
    if gateway_of(session, settings) is None:
        return 0
    return sum(
        _add(session, patient, contact, (contact - day).days, settings)
        for patient, contact in _expected(session, patients, day, settings.days_before)
    )


def _expected(
    session: TenantSession, patients: Sequence[UUID], day: date, days_before: Sequence[int]
) -> Iterator[tuple[UUID, date]]:
    """The patients on treatment whose pending contact is expected one of these numbers of days after a day."""
    rules, today_number = cohort_settings(session), day_number(day)
    for timelines in load_expectations(session, patient_uuids=patients, chunk_patients=len(patients)):
        expected = pending(timelines, rules).expected
        status = status_at(transitions(timelines, rules), np.arange(len(timelines)), today_number)
        due = np.isin(expected.astype(np.int64) - today_number, list(days_before)) & (status == ACTIVE)
        for place in np.flatnonzero(due).tolist():
            contact = to_date(int(expected[place]))
            if contact is not None:
                yield UUID(str(timelines.patient_uuid[place])), contact


def _add(session: TenantSession, patient_id: UUID, contact: date, before: int, settings: MessageSettings) -> bool:
    consent = consents.current(session, patient_id).get("reminders")
    patient = patient_as_of(session, patient_id, None)
    if consent is None or not consent.agrees or patient is None:
        return False
    key = f"reminder:{patient_id}:{contact.isoformat()}:{before}"
    if session.exec(select(Communication.uuid).where(Communication.dedupe_key == key)).first() is not None:
        return False
    when = next_allowed(now(), settings, session.tenant.time_zone)
    if when is None or when.astimezone(ZoneInfo(session.tenant.time_zone)).date() >= contact:
        return False
    row = Communication(
        patient_uuid=patient_id,
        facility_uuid=patient.facility_uuid,
        communication_type="sms",
        channel="sms",
        status="waiting",
        purpose="reminders",
        consent_basis=consents.basis_of(consent),
        contact_date=contact,
        dedupe_key=key,
        scheduled_for=when,
        created_by=session.actor,
    )
    session.add(row)
    session.flush()
    sending.request(session, row)
    return True
