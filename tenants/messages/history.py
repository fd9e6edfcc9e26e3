"""What a patient's timeline has of messages: those to the patient, delivery reports, answers, decisions about messages.

Whoever may open the patient sees that a message left and arrived. What it says, what the patient answered and why one
was not sent need ``messages.read``; decisions need ``consents.read``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import literal
from sqlmodel import col, select

from core import audit
from core.privacy import vault
from tenants.messages.models import Communication, PatientConsent
from tenants.messages.service import SMS, text_of
from tenants.records.reach import within_reach
from tenants.records.repository import datim_ids
from tenants.records.schemas import TimelineEntry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date, datetime
    from uuid import UUID

    from core.database import TenantSession
    from tenants.records.timeline import TimelineRequest

MESSAGE: Final = "message"
REPORT: Final = "delivery_report"
ANSWER: Final = "answer"
CONSENT: Final = "consent"
_CONFIDENTIAL: Final = ("text", "answer", "reason")
"""Facts that only readers of messages see."""


def entries_of_patient(session: TenantSession, wanted: TimelineRequest) -> list[TimelineEntry]:
    """Entries of a patient and of the records merged into the patient's, at facilities within reach."""
    entries = []
    if wanted.wants(MESSAGE, REPORT, ANSWER):
        entries += _of_messages(session, wanted)
    if wanted.wants(CONSENT) and "consents.read" in wanted.permissions:
        entries += _of_consents(session, wanted)
    return entries


def _of_messages(session: TenantSession, wanted: TimelineRequest) -> list[TimelineEntry]:
    open_text = "messages.read" in wanted.permissions
    conditions: list[Any] = [
        col(Communication.patient_uuid).in_([wanted.patient, *wanted.members]),
        Communication.communication_type == SMS,
        col(Communication.voided).is_(False),
        within_reach(session, Communication.facility_uuid, literal(wanted.patient)),
    ]
    if wanted.until is not None:
        conditions.append(col(Communication.created_at) < wanted.until)
    rows = session.exec(select(Communication).where(*conditions)).all()
    if rows and open_text:
        vault(session).load_patient_keys(list(dict.fromkeys(row.patient_uuid for row in rows)))
        audit.record(session, "messages:message:read", "patient", wanted.patient)
    places = datim_ids(session, (row.facility_uuid for row in rows))
    zone = ZoneInfo(session.tenant.time_zone)
    entries = []
    for row in rows:
        for kind, moment, facts in _events(row, wanted.until):
            if open_text and kind != REPORT:
                facts["text"] = text_of(session, row)
            shown = {
                name: value
                for name, value in facts.items()
                if value is not None and (open_text or name not in _CONFIDENTIAL)
            }
            entries.append(_entry(kind, row, places, moment, moment.astimezone(zone).date(), shown | {"time": moment}))
    return entries


def _events(row: Communication, until: datetime | None) -> Iterator[tuple[str, datetime, dict[str, Any]]]:
    """What happened to a message before an instant: kind, moment and facts."""
    if row.direction == "inbound":
        yield ANSWER, row.created_at, {"answer": row.answer, "message_id": row.reply_to_uuid}
        return
    facts: dict[str, Any] = {"purpose": row.purpose, "language": row.language, "contact_date": row.contact_date}
    if not _before(row.sent_at, until):
        ended = row.status in ("cancelled", "failed") and _before(row.updated_at, until)
        state = row.status if ended else "waiting"
        yield MESSAGE, row.created_at, facts | {"state": state, "reason": row.error_code if ended else None}
        return
    facts["state"] = row.status if row.status in ("sending", "unknown") else "sent"
    facts["reason"] = row.error_code if row.status == "unknown" else None
    yield MESSAGE, row.sent_at or row.created_at, facts
    for state, moment in (("delivered", row.delivered_at), ("failed", row.failed_at)):
        if moment is not None and _before(moment, until):
            reason = row.error_code if state == "failed" else None
            yield REPORT, moment, {"message_id": row.uuid, "state": state, "reason": reason}


def _before(moment: datetime | None, until: datetime | None) -> bool:
    return moment is not None and (until is None or moment < until)


def _of_consents(session: TenantSession, wanted: TimelineRequest) -> list[TimelineEntry]:
    query = select(PatientConsent).where(
        col(PatientConsent.patient_uuid).in_([wanted.patient, *wanted.members]),
        within_reach(session, PatientConsent.facility_uuid, literal(wanted.patient)),
    )
    if wanted.until is not None:
        query = query.where(col(PatientConsent.recorded_at) < wanted.until)
    order = (col(PatientConsent.day), col(PatientConsent.recorded_at), col(PatientConsent.uuid))
    rows = session.exec(query.order_by(*order)).all()
    if rows:
        audit.record(session, "messages:consent:read", "patient", wanted.patient)
    places = datim_ids(session, (row.facility_uuid for row in rows))
    entries: list[TimelineEntry] = []
    agreed: set[str] = set()
    for row in rows:
        decision = "given" if row.agrees else "withdrawn" if row.purpose in agreed else "declined"
        facts: dict[str, Any] = {
            "purpose": row.purpose,
            "decision": decision,
            "source": row.source,
            "shared_phone": row.shared_phone,
        }
        facts |= {} if row.language is None else {"language": row.language}
        (agreed.add if row.agrees else agreed.discard)(row.purpose)
        entries.append(_entry(CONSENT, row, places, row.recorded_at, row.day, facts))
    return entries


def _entry(
    kind: str,
    row: Communication | PatientConsent,
    places: Mapping[UUID, str],
    known_from: datetime,
    day: date,
    facts: dict[str, Any],
) -> TimelineEntry:
    return TimelineEntry.model_validate(
        {
            "date": day,
            "kind": kind,
            "id": row.uuid,
            "facility": places[row.facility_uuid],
            "known_from": known_from,
            "known_assumed": False,
            "facts": facts,
        }
    )
