"""Consent to messages: recorded, withdrawn, and what counts now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlmodel import col, select

from core import audit
from core.clock import today
from core.errors import FieldError, Invalid
from core.events import publish
from core.web.cursors import Sort
from core.web.keyset import Slice, read_slice
from tenants.messages.models import PURPOSES, PatientConsent
from tenants.messages.schemas import ConsentOut, ConsentPost
from tenants.records.identities import canonical_of, members_of
from tenants.records.locks import lock_patient
from tenants.records.service import patient_of_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from uuid import UUID

    from core.database import TenantSession
    from core.web.paging import PageRequest

NEWEST_FIRST: Final = Sort("recorded_at", descending=True)
_NOW: Final = """
SELECT DISTINCT coalesce(m.canonical_uuid, c.patient_uuid) FROM patient_consents c
LEFT JOIN patient_identities m ON m.patient_uuid = c.patient_uuid AND m.known_to IS NULL
WHERE c.purpose = %s AND c.agrees
ORDER BY 1
"""


def decide(session: TenantSession, patient_id: UUID, body: ConsentPost) -> PatientConsent:
    """Record a decision of a patient. One that repeats the newest decision of the purpose adds no row.

    Raises:
        NotFound: there is no such patient.
        Invalid: the day lies in the future.
    """
    patient = patient_of_id(session, patient_id)
    day = body.day or today(session.tenant.time_zone)
    if day > today(session.tenant.time_zone):
        detail = "the decision cannot be recorded"
        raise Invalid(detail, errors=[FieldError("body.day", "lies in the future", "give a date up to today")])
    lock_patient(session, patient.uuid)
    newest = current(session, patient.uuid).get(body.purpose)
    facts = (body.agrees, day, body.source, body.language, body.shared_phone)
    if newest is not None and facts == (
        newest.agrees,
        newest.day,
        newest.source,
        newest.language,
        newest.shared_phone,
    ):
        return newest
    return add(session, patient.uuid, patient.facility_uuid, body, day)


def add(session: TenantSession, patient: UUID, facility: UUID, body: ConsentPost, day: date) -> PatientConsent:
    """Add a decision without further checks; for what patients decide by SMS."""
    row = PatientConsent(
        patient_uuid=patient,
        facility_uuid=facility,
        purpose=body.purpose,
        agrees=body.agrees,
        day=day,
        source=body.source,
        language=body.language,
        shared_phone=body.shared_phone and body.agrees,
        recorded_by=session.actor,
    )
    session.add(row)
    session.flush()
    act = "give" if row.agrees else "withdraw"
    audit.record(session, f"messages:consent:{act}", "patient", patient, {"purpose": row.purpose, "source": row.source})
    publish(session, "consents.changed", {"patient_id": patient, "purpose": row.purpose, "agrees": row.agrees})
    return row


def current(session: TenantSession, patient: UUID) -> Mapping[str, PatientConsent]:
    """Purpose -> the newest decision of a patient, or of a record that was merged with the patient's.

    The newest is that of the latest day: a consent on paper that is entered late undoes no later withdrawal.
    """
    canonical = canonical_of(session, patient)
    query = select(PatientConsent).where(
        col(PatientConsent.patient_uuid).in_([canonical, *members_of(session, canonical)])
    )
    rows = session.exec(
        query.order_by(col(PatientConsent.day), col(PatientConsent.recorded_at), col(PatientConsent.uuid))
    )
    newest = {row.purpose: row for row in rows}
    return {purpose: newest[purpose] for purpose in PURPOSES if purpose in newest}


def history(session: TenantSession, patient_id: UUID, paging: PageRequest) -> Slice[PatientConsent]:
    """One page of a patient's decisions, and of records merged with the patient's. The audit records the read.

    Raises:
        NotFound: there is no such patient.
    """
    patient = patient_of_id(session, patient_id)
    audit.record(session, "messages:consent:read", "patient", patient.uuid)
    query = select(PatientConsent).where(
        col(PatientConsent.patient_uuid).in_([patient.uuid, *members_of(session, patient.uuid)])
    )
    columns = {"recorded_at": col(PatientConsent.recorded_at)}
    return read_slice(session, query, paging, columns, col(PatientConsent.uuid))


def who_may_consent(session: TenantSession, purpose: str) -> list[UUID]:
    """The patients who ever consented to a purpose; whether they still do is in :func:`current`."""
    with session.cursor() as cursor:
        return [row[0] for row in cursor.execute(_NOW, (purpose,)).fetchall()]


def basis_of(consent: PatientConsent) -> str:
    """How a message names the consent that permits it, such as ``verbal:2026-01-05``."""
    return f"{consent.source}:{consent.day.isoformat()}"


def shown(row: PatientConsent) -> ConsentOut:
    """A decision as the API shows it."""
    return ConsentOut.model_validate({"id": row.uuid, "patient_id": row.patient_uuid, **row.model_dump()})
