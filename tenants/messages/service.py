"""Messages of a tenant: list, read, send to one patient, cancel; and what waits for a reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import literal
from sqlmodel import col, select

from core import audit
from core.clock import now
from core.errors import Conflict, NotFound
from core.privacy import vault
from core.privacy.errors import CannotDecrypt, PatientErased
from core.tenancy import settings as tenant_settings
from core.web.cursors import Sort
from core.web.keyset import read_slice
from core.web.paging import Page
from tenants.messages import consents, incoming, sending
from tenants.messages.checks import CancellationError, check
from tenants.messages.hours import next_allowed
from tenants.messages.models import Communication, UnmatchedMessage
from tenants.messages.schemas import IncomingOut, MessageOut
from tenants.messages.settings import MessageSettings
from tenants.records.identities import members_of
from tenants.records.locks import lock_patient
from tenants.records.reach import within_reach
from tenants.records.repository import datim_ids
from tenants.records.service import patient_named

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from core.database import TenantSession
    from core.web.keyset import Slice
    from core.web.paging import PageRequest
    from tenants.messages.schemas import MessageFilter, MessagePost

NEWEST_FIRST: Final = Sort("created_at", descending=True)
SMS: Final = "sms"
MOST_WAITING: Final = 200
_NO_SUCH: Final = "there is no such message"


def find(session: TenantSession, wanted: MessageFilter, paging: PageRequest) -> Slice[Communication]:
    """One page of messages within reach. Those of a patient include messages to records merged into it."""
    whose: Any = col(Communication.patient_uuid) if wanted.patient_id is None else literal(wanted.patient_id)
    conditions: list[Any] = [
        Communication.communication_type == SMS,
        col(Communication.voided).is_(False),
        within_reach(session, Communication.facility_uuid, whose),
    ]
    if wanted.patient_id is not None:
        patients = [wanted.patient_id, *members_of(session, wanted.patient_id)]
        conditions.append(col(Communication.patient_uuid).in_(patients))
    if wanted.state is not None:
        conditions.append(Communication.status == wanted.state)
    if wanted.direction is not None:
        conditions.append(Communication.direction == wanted.direction)
    columns = {"created_at": col(Communication.created_at)}
    return read_slice(session, select(Communication).where(*conditions), paging, columns, col(Communication.uuid))


def read_list(session: TenantSession, wanted: MessageFilter, paging: PageRequest) -> Page[MessageOut]:
    """A page of messages. The audit records the read of each patient on it.

    Raises:
        Invalid: there is no such patient.
    """
    if wanted.patient_id is not None:
        patient_named(session, wanted.patient_id)
    part = find(session, wanted, paging)
    return Page.of(shown(session, part.rows, "list"), paging, part.total, part.last)


def shown(session: TenantSession, rows: Sequence[Communication], act: str) -> list[MessageOut]:
    """Messages as the API shows them. The audit records the read of their patients."""
    patients = list(dict.fromkeys(row.patient_uuid for row in rows))
    vault(session).load_patient_keys(patients)
    audit.record_many(session, f"messages:message:{act}", "patient", patients, {})
    places = datim_ids(session, (row.facility_uuid for row in rows))
    return [_shown(session, row, places[row.facility_uuid]) for row in rows]


def read(session: TenantSession, message_id: UUID) -> MessageOut:
    """One message. The audit records the read of its patient.

    Raises:
        NotFound: there is none within reach.
    """
    return shown(session, [_get(session, message_id)], "read")[0]


def send(session: TenantSession, body: MessagePost) -> MessageOut:
    """Send the text of a purpose to a patient, at once or when quiet hours end. The same ``id`` sends one message.

    Raises:
        Invalid: there is no such patient.
        Conflict: the message must not be sent, or another one has this id.
    """
    patient = patient_named(session, body.patient_id)
    lock_patient(session, patient.uuid)
    same = session.get(Communication, body.id)
    if same is not None:
        if (same.patient_uuid, same.purpose, same.created_by) != (patient.uuid, body.purpose, session.actor):
            detail = "another message has this id"
            raise Conflict(detail, remedy="Give each message an id of its own.")
        return shown(session, [same], "read")[0]
    settings = tenant_settings.get(session, MessageSettings)
    when = next_allowed(now(), settings, session.tenant.time_zone)
    consent = consents.current(session, patient.uuid).get(body.purpose)
    row = Communication(
        uuid=body.id,
        patient_uuid=patient.uuid,
        facility_uuid=patient.facility_uuid,
        communication_type=SMS,
        channel=SMS,
        status="waiting",
        purpose=body.purpose,
        consent_basis="none" if consent is None else consents.basis_of(consent),
        scheduled_for=when,
        created_by=session.actor,
    )
    if when is None:
        raise _not_sent("quiet")
    try:
        check(session, row)
    except CancellationError as cancelled:
        raise _not_sent(cancelled.reason) from None
    session.add(row)
    session.flush()
    sending.request(session, row)
    facts = {"purpose": body.purpose, "message": str(row.uuid)}
    audit.record(session, "messages:message:send", "patient", patient.uuid, facts)
    return shown(session, [row], "read")[0]


def cancel(session: TenantSession, message_id: UUID) -> MessageOut:
    """Cancel a message that waits.

    Raises:
        NotFound: there is none within reach.
        Conflict: it has left, or ended.
    """
    row = _get(session, message_id, lock=True)
    if row.status != "waiting":
        detail = "only a message that waits can be cancelled"
        raise Conflict(detail)
    sending.cancel(session, row)
    return shown(session, [row], "read")[0]


def waiting_for_reader(session: TenantSession) -> list[IncomingOut]:
    """Incoming messages that a person has to read, oldest first, at most 200. The audit records the reads.

    Who reaches only some facilities sees the messages of their patients, and none of unknown phones.
    """
    query = (
        select(Communication)
        .where(
            Communication.direction == "inbound",
            Communication.status == "received",
            within_reach(session, Communication.facility_uuid, col(Communication.patient_uuid)),
        )
        .order_by(col(Communication.created_at), col(Communication.uuid))
    )
    rows = session.exec(query.limit(MOST_WAITING)).all()
    patients = list(dict.fromkeys(row.patient_uuid for row in rows))
    vault(session).load_patient_keys(patients)
    audit.record_many(session, "messages:incoming:list", "patient", patients, {})
    items = [
        IncomingOut(
            id=row.uuid,
            patient_id=row.patient_uuid,
            candidates=[],
            sender=None,
            text=text_of(session, row),
            received_at=row.created_at,
        )
        for row in rows
    ]
    if session.reach.everything:
        items += _unmatched(session)
    return sorted(items, key=lambda item: item.received_at)[:MOST_WAITING]


def read_unmatched(session: TenantSession, message_id: UUID) -> IncomingOut:
    """Return a message that waits, of a phone of no patient or of several. The audit records the read.

    Raises:
        NotFound: no such message waits, or the reader reaches only some facilities.
    """
    row = session.get(UnmatchedMessage, message_id)
    if row is None or row.state != "waiting" or not session.reach.everything:
        detail = "no such message waits"
        raise NotFound(detail)
    audit.record_many(session, "messages:incoming:list", "patient", row.candidates, {})
    return _unmatched_out(session, row)


def _unmatched_out(session: TenantSession, row: UnmatchedMessage) -> IncomingOut:
    sender, text = incoming.opened(session, row)
    facts = {"sender": sender, "text": text, "candidates": row.candidates, "received_at": row.received_at}
    return IncomingOut.model_validate({"id": row.uuid, "patient_id": None, **facts})


def _unmatched(session: TenantSession) -> list[IncomingOut]:
    query = select(UnmatchedMessage).where(UnmatchedMessage.state == "waiting")
    rows = session.exec(query.order_by(col(UnmatchedMessage.received_at)).limit(MOST_WAITING)).all()
    items = [_unmatched_out(session, row) for row in rows]
    candidates = list(dict.fromkeys(each for row in rows for each in row.candidates))
    audit.record_many(session, "messages:incoming:list", "patient", candidates, {})
    return items


def _get(session: TenantSession, message_id: UUID, *, lock: bool = False) -> Communication:
    query = select(Communication).where(
        Communication.uuid == message_id,
        Communication.communication_type == SMS,
        within_reach(session, Communication.facility_uuid, col(Communication.patient_uuid)),
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = session.exec(query).first()
    if row is None:
        raise NotFound(_NO_SUCH)
    return row


def _not_sent(reason: str) -> Conflict:
    detail, remedy = _WHY.get(reason, ("the message must not be sent", ""))
    return Conflict(detail, remedy=remedy) if remedy else Conflict(detail)


_WHY: Final = {
    "switched_off": ("messages are switched off", "Set a gateway in the settings of messages and switch them on."),
    "no_consent": ("the patient has not consented to this", "Record the consent first."),
    "left_care": ("the patient has left care", ""),
    "no_phone": ("the patient has no phone that receives messages", "Correct the phone first."),
    "wrong_number": ("the phone is a wrong number", "Correct the phone first."),
    "opted_out": ("the phone asked for no messages", ""),
    "shared_phone": ("other patients have the same phone", "Ask the patient whether a consent may cover it."),
    "daily_limit": ("the phone has as many messages today as are permitted", "Send it tomorrow."),
    "no_template": ("there is no text for this in the patient's language", "Save a template first."),
    "not_covert": ("the text would tell too much, such as the patient's name", "Change the template."),
    "too_long": ("the text has too many parts", "Shorten the template."),
    "quiet": ("no day of the next weeks permits messages", "Look at the quiet days in the settings of messages."),
}


def text_of(session: TenantSession, row: Communication) -> str | None:
    """The text of a message; None before it is sent, and where it does not open any more."""
    if row.body_enc is None:
        return None
    try:
        return vault(session).decrypt(row.patient_uuid, sending.TABLE, "body_enc", row.uuid, row.body_enc)
    except (CannotDecrypt, PatientErased):
        return None


def _shown(session: TenantSession, row: Communication, datim_id: str) -> MessageOut:
    facts = row.model_dump(include=set(MessageOut.model_fields))
    return MessageOut.model_validate(
        facts
        | {
            "id": row.uuid,
            "patient_id": row.patient_uuid,
            "facility": datim_id,
            "state": row.status,
            "text": text_of(session, row),
            "cost": None if row.cost is None else f"{row.cost.normalize():f}",
            "reason": row.error_code,
        }
    )
