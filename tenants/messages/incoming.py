"""What patients send: matched to a patient, applied where it is certain, else left to a person."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from psycopg import sql
from sqlmodel import col, select

from core import audit
from core.clock import now, today
from core.errors import FieldError, Invalid, NotFound
from core.jobs import enqueue, first_time
from core.privacy import vault
from core.privacy.errors import CannotDecrypt, PatientErased
from core.privacy.sealing import seal, unseal
from core.tenancy import settings as tenant_settings
from tenants.followup import planning
from tenants.followup import service as followup
from tenants.followup.schemas import AttemptPost
from tenants.followup.schemas_interventions import InterventionPost
from tenants.messages import consents, phones, sending
from tenants.messages.answers import classify
from tenants.messages.models import Communication, UnmatchedMessage
from tenants.messages.schemas import ConsentPost
from tenants.messages.settings import MessageSettings
from tenants.records.identities import canonical_of
from tenants.records.ids import new_uuid
from tenants.records.reach import within_reach
from tenants.records.repository import patient_as_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.database import TenantSession
    from plugins.sdk import IncomingSms
    from tenants.messages.models import MessagePhone
    from tenants.messages.schemas import SettlePost

PURPOSE: Final = "messages.unmatched"
ANSWERS_FOR: Final = timedelta(days=14)
"""An answer belongs to the newest message that left to its phone within this time."""
MOST_TEXT: Final = 1_000


def sms_reports(session: TenantSession, payload: Mapping[str, Any]) -> None:
    """Apply delivery reports of a gateway; try one that names no message yet again in a minute."""
    gateway_id = UUID(str(payload["instance_id"]))
    for report in payload["reports"]:
        if not sending.apply_report(session, gateway_id, report):
            facts = {name: getattr(report, name) for name in _REPORT}
            body = {"gateway_id": str(gateway_id), "report": facts}
            enqueue(session, sending.REPORT, body, run_after=now() + timedelta(minutes=1))


def sms_received(session: TenantSession, payload: Mapping[str, Any]) -> None:
    """Take the messages that people sent to a gateway, each one time."""
    gateway_id = UUID(str(payload["instance_id"]))
    for message in payload["messages"]:
        if not message.reference or first_time(session, f"sms:{gateway_id}", message.reference):
            take(session, gateway_id, message)


def take(session: TenantSession, gateway_id: UUID, message: IncomingSms) -> None:
    """Take one message: apply STOP and START to the phone, an answer to its patient, and leave the rest to a person."""
    settings, answer = tenant_settings.get(session, MessageSettings), classify(message.text)
    number = settings.number_of(message.sender) or message.sender
    try:
        index = vault(session).blind_index("phone", number)
    except Invalid:
        return  # the sender is a name, which nobody can answer
    recent = phones.recent_messages(session, index, now() - ANSWERS_FOR)
    owners = phones.patients_with(session, index)
    if answer in ("stop", "start"):
        _consent(session, index, owners, agrees=answer == "start")
    phones.mark_right(session, index)
    named = [patient for patient, _message in recent] if len(recent) == 1 else owners
    if len(named) != 1:
        if answer not in ("stop", "start"):
            _leave(session, gateway_id, message, named or [patient for patient, _message in recent])
        return
    reply_to = recent[0][1] if len(recent) == 1 else None
    row = _store(session, gateway_id, named[0], reply_to, index, message.text)
    if row is None:
        return
    row.answer = answer
    if answer in ("stop", "start") or (answer is not None and reply_to is not None):
        apply(session, row)


def apply(session: TenantSession, row: Communication) -> None:
    """Do what a patient's answer asks for: an outcome, or a call that is planned."""
    if row.answer == "coming":
        asked = None if row.reply_to_uuid is None else session.get(Communication, row.reply_to_uuid)
        contact = None if asked is None else asked.contact_date
        promised = contact if contact is not None and contact >= today(session.tenant.time_zone) else None
        body = AttemptPost(
            id=row.uuid, patient_id=row.patient_uuid, medium="sms", outcome="promised", promised_for=promised
        )
        followup.record(session, body)
    elif row.answer == "call":
        call = InterventionPost(id=row.uuid, patient_id=row.patient_uuid, kind="phone_call")
        planning.plan(session, call)
    if row.answer in ("coming", "call"):
        row.intervention_uuid = row.uuid
    row.status = "read"
    _save(session, row)


def settle(session: TenantSession, message_id: UUID, body: SettlePost) -> None:
    """Record what a person read in an incoming message, and do what it asks for.

    Raises:
        NotFound: no such message waits.
        Invalid: something follows, and no patient is known or named; or another patient is named than the known one.
    """
    row = session.exec(
        select(Communication)
        .where(
            Communication.uuid == message_id,
            Communication.direction == "inbound",
            Communication.status == "received",
            within_reach(session, Communication.facility_uuid, col(Communication.patient_uuid)),
        )
        .with_for_update()
    ).first()
    if row is None:
        row = _settle_unmatched(session, message_id, body)
    if row is None:
        return
    if body.patient_id is not None and not _same(session, body.patient_id, row.patient_uuid):
        problem = FieldError("body.patient_id", "is not the patient of the message", "Leave it out.")
        detail = "the message cannot be settled"
        raise Invalid(detail, errors=[problem])
    row.answer = None if body.answer == "nothing" else body.answer
    if row.answer in ("stop", "start") and row.recipient_bidx is not None:
        agrees = row.answer == "start"
        _consent(session, row.recipient_bidx, [row.patient_uuid], agrees=agrees)
    apply(session, row)
    audit.record(session, "messages:incoming:settle", "patient", row.patient_uuid, {"answer": body.answer})


def _same(session: TenantSession, one: UUID, other: UUID) -> bool:
    return canonical_of(session, one) == canonical_of(session, other)


def _settle_unmatched(session: TenantSession, message_id: UUID, body: SettlePost) -> Communication | None:
    waiting = session.exec(
        select(UnmatchedMessage)
        .where(UnmatchedMessage.uuid == message_id, UnmatchedMessage.state == "waiting")
        .with_for_update()
    ).first()
    if waiting is None or not session.reach.everything:
        detail = "no such message waits"
        raise NotFound(detail)
    sender, text = opened(session, waiting)
    index = None if sender is None else vault(session).blind_index("phone", sender)
    row = None
    if body.patient_id is not None:
        row = _store(session, waiting.gateway_uuid, body.patient_id, None, index, text or "")
        if row is None:
            problem = FieldError("body.patient_id", "names no patient", "Name a patient on record.")
            detail = "the message cannot be settled"
            raise Invalid(detail, errors=[problem])
    elif body.answer in ("coming", "call"):
        problem = FieldError("body.patient_id", "is missing", "Name the patient who sent the message.")
        detail = "the message cannot be settled"
        raise Invalid(detail, errors=[problem])
    elif body.answer in ("stop", "start") and index is not None:
        _consent(session, index, phones.patients_with(session, index), agrees=body.answer == "start")
    waiting.state, waiting.settled_at, waiting.settled_by = "settled", now(), session.actor
    waiting.sealed_sender = waiting.sealed_text = None
    session.add(waiting)
    session.flush()
    if row is None:
        audit.record(session, "messages:incoming:settle", "unmatched_message", waiting.uuid, {"answer": body.answer})
    return row


def opened(session: TenantSession, row: UnmatchedMessage) -> tuple[str | None, str | None]:
    """Sender and text of a message of nobody known; None where they were emptied or do not open."""
    texts: list[str | None] = []
    for sealed in (row.sealed_sender, row.sealed_text):
        try:
            texts.append(None if sealed is None else unseal(session, PURPOSE, row.uuid, sealed))
        except CannotDecrypt:
            texts.append(None)
    return texts[0], texts[1]


def person_erased(session: TenantSession, payload: Mapping[str, Any]) -> None:
    """Empty the waiting messages that may be of an erased person."""
    patients = [UUID(str(each)) for each in payload["patient_ids"]]
    rows = session.exec(select(UnmatchedMessage).where(_CANDIDATES.overlap(patients))).all()
    for row in rows:
        row.sealed_sender = row.sealed_text = None
        row.state, row.settled_at, row.settled_by = "settled", now(), session.actor
        session.add(row)
    session.flush()


def tenant_restored(session: TenantSession, _payload: Mapping[str, Any]) -> None:
    """Cancel what waited when the archive was written: this installation must not send it a second time."""
    with session.cursor() as cursor:
        cursor.execute(_STOP_WAITING, {"now": now()})


def delete_unmatched(session: TenantSession, before: Any) -> int:  # noqa: ANN401 - a datetime, as retention calls it
    """Delete messages of unknown phones that are older than an instant; return how many."""
    with session.cursor() as cursor:
        return cursor.execute(_DELETE, (before,)).rowcount


_CANDIDATES: Final[Any] = col(UnmatchedMessage.candidates)
_REPORT: Final = ("state", "reference", "message_id", "reason", "cost", "currency")
_STOP_WAITING: Final = sql.SQL("""
UPDATE communications SET updated_at = %(now)s, error_code = 'restored',
  status = CASE status WHEN 'waiting' THEN 'cancelled' ELSE 'unknown' END
WHERE direction = 'outbound' AND status IN ('waiting', 'sending')
""")
_DELETE: Final = sql.SQL("""
DELETE FROM unmatched_messages WHERE uuid IN (
  SELECT uuid FROM unmatched_messages WHERE received_at < %s ORDER BY received_at LIMIT 1000
)
""")


def _consent(session: TenantSession, index: bytes, patients: Sequence[UUID], *, agrees: bool) -> None:
    """Apply STOP or START: to the phone, and to the consents of everybody who has it.

    START restores only what a STOP withdrew; it gives no new consent.
    """
    phone: MessagePhone | None = phones.get(session, index)
    if agrees and phone is not None:
        phones.opt_in(session, index)
    elif not agrees:
        phones.opt_out(session, index, "sms")
    for patient_id in patients:
        patient = patient_as_of(session, patient_id, None)
        if patient is None:
            continue
        for purpose, consent in consents.current(session, patient_id).items():
            if consent.agrees == agrees or (agrees and consent.source != "sms"):
                continue
            facts = {"purpose": purpose, "agrees": agrees, "source": "sms"}
            unchanged = {"language": consent.language, "shared_phone": consent.shared_phone}
            body = ConsentPost.model_validate(facts | unchanged)
            consents.add(session, patient_id, patient.facility_uuid, body, today(session.tenant.time_zone))


def _store(
    session: TenantSession, gateway_id: UUID, patient_id: UUID, reply_to: UUID | None, index: bytes | None, text: str
) -> Communication | None:
    """Store an incoming message of a patient; None if there is no such patient any more."""
    patient = patient_as_of(session, patient_id, None)
    if patient is None:
        return None
    message_id = new_uuid()
    try:
        sealed = vault(session).encrypt(patient_id, sending.TABLE, "body_enc", message_id, text[:MOST_TEXT])
    except PatientErased:
        return None
    row = Communication(
        uuid=message_id,
        patient_uuid=patient_id,
        facility_uuid=patient.facility_uuid,
        reply_to_uuid=reply_to,
        communication_type="sms",
        channel="sms",
        direction="inbound",
        status="received",
        gateway_uuid=gateway_id,
        recipient_bidx=index,
        body_enc=sealed,
        created_by=session.actor,
    )
    session.add(row)
    session.flush()
    return row


def _leave(session: TenantSession, gateway_id: UUID, message: IncomingSms, candidates: Sequence[UUID]) -> None:
    row_id = new_uuid()
    session.add(
        UnmatchedMessage(
            uuid=row_id,
            gateway_uuid=gateway_id,
            sealed_sender=seal(session, PURPOSE, row_id, message.sender[:50]),
            sealed_text=seal(session, PURPOSE, row_id, message.text[:MOST_TEXT]),
            candidates=list(candidates),
        )
    )
    session.flush()


def _save(session: TenantSession, row: Communication) -> None:
    row.version_id, row.updated_at = new_uuid(), now()
    session.add(row)
    session.flush()
