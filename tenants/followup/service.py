"""The service of attempts: record, undo, read and list them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from core import audit
from core.clock import now, today
from core.database import after_commit
from core.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, phrase
from core.events import publish
from core.metrics import Counter
from core.privacy import vault
from core.privacy.errors import CannotDecrypt, PatientErased
from core.web.cursors import Sort
from core.web.paging import Page
from tenants.followup import proposals, repository
from tenants.followup.models import Intervention
from tenants.followup.schemas import AttemptFilter, AttemptOut, AttemptPost, OutcomePost
from tenants.records.days import start_of_day
from tenants.records.ids import new_uuid
from tenants.records.locks import lock_patient
from tenants.records.phones import correct_phone, restore_phone
from tenants.records.repository import datim_ids
from tenants.records.service import patient_named

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from core.database import TenantSession
    from core.web.paging import PageRequest

RECORDED = Counter("iit_attempts_total", "Attempts to reach a patient that were recorded, by outcome.", ("outcome",))
TABLE, NOTE, NEW_PHONE, WRONG_PHONE = "interventions", "notes_enc", "new_phone_enc", "wrong_phone_enc"
SUBJECT = "attempt"
NEWEST_FIRST = Sort("recorded_at", descending=True)
"""The order of attempts where nobody asks for another."""


@dataclass(frozen=True, slots=True)
class RecordedAttempt:
    """An attempt, and whether this request recorded it (else it was on record already)."""

    attempt: AttemptOut
    new: bool


def record(session: TenantSession, body: AttemptPost) -> RecordedAttempt:
    """Record an attempt. If the same attempt is on record under its id, return that one.

    Raises:
        Invalid: there is no such patient, a day lies in the future, something does not fit the outcome, or the new
            phone is the wrong one.
        Conflict: another attempt has this id, or an attempt with this id was undone.
    """
    day = body.day or today(session.tenant.time_zone)
    check(session, body, day)
    patient = patient_named(session, body.patient_id)
    lock_patient(session, patient.uuid)
    same = repository.get(session, body.id, lock=True)
    if same is not None:
        return RecordedAttempt(_repeated(session, same, body, day), new=False)
    if repository.intervention(session, body.id) is not None:
        raise Conflict(_TAKEN, remedy="Give each attempt an id of its own.")
    row = Intervention(
        uuid=body.id,
        patient_uuid=patient.uuid,
        facility_uuid=patient.facility_uuid,
        intervention_type=body.medium,
        created_by=session.actor,
    )
    repository.link_to_list(session, row, day)
    return RecordedAttempt(finish(session, row, body, day), new=True)


def finish(session: TenantSession, row: Intervention, body: OutcomePost, day: date) -> AttemptOut:
    """Write an outcome to an intervention that has none, with its effects on lists, phone, audit and listeners.

    The caller holds the patient's lock.
    """
    row.status, row.attempts, row.completed_at, row.completed_by = "completed", 1, now(), session.actor
    row.outcome, row.outcome_date, row.promised_for = body.outcome, day, body.promised_for
    row.returned_on, row.interruption_reason = _returned_on(body, day), body.reason
    notes = "\n".join(filter(None, (opened(session, row, NOTE), (body.note or "").strip())))
    row.notes_enc = sealed(session, row.patient_uuid, row.uuid, NOTE, notes)
    if body.new_phone is not None:
        wrong = correct_phone(session, row.patient_uuid, body.new_phone, "body.new_phone")
        row.new_phone_enc = sealed(session, row.patient_uuid, row.uuid, NEW_PHONE, body.new_phone)
        row.wrong_phone_enc = sealed(session, row.patient_uuid, row.uuid, WRONG_PHONE, wrong)
        audit.record(session, "followup:phone:correct", "patient", row.patient_uuid, {"attempt": str(row.uuid)})
    row.version_id, row.updated_at = new_uuid(), now()
    session.add(row)
    session.flush()
    repository.note_on_lists(session, row.patient_uuid)
    proposals.attempt_recorded(session, row)
    audit.record(session, "followup:attempt:record", SUBJECT, row.uuid, _facts(row))
    changed = {"patient_id": row.patient_uuid, "attempt_id": row.uuid, "outcome": row.outcome}
    publish(session, "attempts.changed", changed)
    after_commit(session, partial(RECORDED.add, body.outcome))
    return _shown(session, row, repository.datim_id_of(session, row.facility_uuid))


def undo(session: TenantSession, attempt: UUID) -> None:
    """Undo an attempt. Only its recorder can, on the same day. Undoing it again changes nothing.

    Raises:
        NotFound: there is no such attempt.
        Forbidden: somebody else recorded it, or on another day.
    """
    row = repository.get(session, attempt)
    if row is not None:
        lock_patient(session, row.patient_uuid)
        row = repository.get(session, attempt, lock=True)
    if row is None:
        raise NotFound(_NO_SUCH)
    if (row.completed_by or row.created_by) != session.actor:
        detail = "somebody else recorded this attempt"
        raise Forbidden(detail, remedy="Ask who recorded it to undo it, or record what is true as a new attempt.")
    if row.voided:
        return
    recorded_at = (row.completed_at if row.planned else None) or row.created_at
    if recorded_at < start_of_day(session.tenant, today(session.tenant.time_zone)):
        detail = "the attempt was recorded on another day"
        raise Forbidden(detail, remedy="Record what is true as a new attempt.")
    _restore_phone(session, row)
    if row.planned:
        _plan_again(row)
    else:
        row.voided, row.voided_by, row.date_voided, row.void_reason = True, session.actor, now(), "undone"
    row.version_id, row.updated_at = new_uuid(), now()
    session.add(row)
    session.flush()
    repository.note_on_lists(session, row.patient_uuid)
    proposals.attempt_undone(session, row.uuid)
    audit.record(session, "followup:attempt:undo", SUBJECT, row.uuid, {"patient": str(row.patient_uuid)})
    publish(session, "attempts.changed", {"patient_id": row.patient_uuid, "attempt_id": row.uuid, "outcome": None})


def read(session: TenantSession, attempt: UUID) -> AttemptOut:
    """One attempt. The audit records the read of its patient.

    Raises:
        NotFound: there is no such attempt, or it was undone.
    """
    row = repository.get(session, attempt)
    if row is None or row.voided:
        raise NotFound(_NO_SUCH)
    audit.record(session, "followup:attempt:read", "patient", row.patient_uuid)
    return _shown(session, row, repository.datim_id_of(session, row.facility_uuid))


def read_list(session: TenantSession, wanted: AttemptFilter, paging: PageRequest) -> Page[AttemptOut]:
    """A page of attempts. The audit records the read of each patient on it.

    Raises:
        Invalid: there is no such patient.
    """
    if wanted.patient_id is not None:
        patient_named(session, wanted.patient_id)
    part = repository.attempts(
        session,
        paging,
        patient=wanted.patient_id,
        outcome=wanted.outcome,
        since=wanted.since,
        recorded_by=session.actor if wanted.recorded_by == "me" else None,
    )
    patients = list(dict.fromkeys(row.patient_uuid for row in part.rows))
    vault(session).load_patient_keys(patients)
    audit.record_many(session, "followup:attempt:list", "patient", patients, {})
    places = datim_ids(session, (row.facility_uuid for row in part.rows))
    items = [_shown(session, row, places[row.facility_uuid]) for row in part.rows]
    return Page.of(items, paging, part.total, part.last)


_NO_SUCH = "there is no such attempt"
_TAKEN = "another attempt has this id"


def _plan_again(row: Intervention) -> None:
    """Make a plan of an intervention whose outcome is undone. Notes stay."""
    row.status, row.attempts, row.completed_at, row.completed_by = "planned", 0, None, None
    row.outcome = row.outcome_date = row.promised_for = row.returned_on = row.interruption_reason = None
    row.new_phone_enc = row.wrong_phone_enc = None
    row.result = row.result_on = row.window_end = None
    row.settled = False


def check(session: TenantSession, body: OutcomePost, day: date) -> None:
    """Check that an outcome's facts fit it, and that its days are possible.

    Raises:
        Invalid: they do not.
    """
    present = today(session.tenant.time_zone)
    unfit = phrase("does not go with {outcome}", outcome=body.outcome)
    wrong = []
    if day > present:
        wrong.append(FieldError("body.day", "lies in the future", "give a date up to today"))
    if body.promised_for is not None and body.outcome != "promised":
        wrong.append(FieldError("body.promised_for", unfit, "leave it out"))
    elif body.promised_for is not None and body.promised_for < day:
        wrong.append(FieldError("body.promised_for", "is before the attempt", "give a later date"))
    if body.returned_on is not None and body.outcome != "returned":
        wrong.append(FieldError("body.returned_on", unfit, "leave it out"))
    elif body.returned_on is not None and body.returned_on > present:
        wrong.append(FieldError("body.returned_on", "lies in the future", "give a date up to today"))
    if body.new_phone is not None and body.outcome != "wrong_number":
        wrong.append(FieldError("body.new_phone", unfit, "leave it out"))
    if wrong:
        detail = "the attempt cannot be recorded"
        raise Invalid(detail, errors=wrong)


def _restore_phone(session: TenantSession, row: Intervention) -> None:
    """Take back the phone that an attempt corrected, where nobody changed it since."""
    corrected = opened(session, row, NEW_PHONE)
    if corrected is None:
        return
    restored = restore_phone(session, row.patient_uuid, corrected, opened(session, row, WRONG_PHONE))
    facts = {"attempt": str(row.uuid), "restored": restored}
    audit.record(session, "followup:phone:restore", "patient", row.patient_uuid, facts)


def _returned_on(body: OutcomePost, day: date) -> date | None:
    return (body.returned_on or day) if body.outcome == "returned" else None


def _repeated(session: TenantSession, row: Intervention, body: AttemptPost, day: date) -> AttemptOut:
    """The attempt on record, if the body has the same content.

    Raises:
        Conflict: the content differs, or the attempt was undone.
    """
    if row.voided:
        detail = "the attempt with this id was undone"
        raise Conflict(detail, remedy="Record it with a new id.")
    shown = _shown(session, row, repository.datim_id_of(session, row.facility_uuid))
    on_record = (row.patient_uuid, row.intervention_type, row.outcome, row.promised_for, row.returned_on)
    sent = (body.patient_id, body.medium, body.outcome, body.promised_for, _returned_on(body, row.outcome_date or day))
    texts = (shown.note, opened(session, row, NEW_PHONE))
    sent_texts = ((body.note or "").strip() or None, body.new_phone)
    if on_record != sent or (row.completed_by or row.created_by) != session.actor or texts != sent_texts:
        raise Conflict(_TAKEN, remedy="Give each attempt an id of its own.")
    return shown


def sealed(session: TenantSession, patient: UUID, attempt: UUID, column: str, text: str | None) -> bytes | None:
    """Encrypt a text of an intervention with the patient's key; None if it is blank."""
    if not (text or "").strip():
        return None
    safe = vault(session)
    safe.ensure_patient_keys([patient])
    return safe.encrypt(patient, TABLE, column, attempt, str(text).strip())


def _shown(session: TenantSession, row: Intervention, datim_id: str) -> AttemptOut:
    return AttemptOut.model_validate(
        {
            "id": row.uuid,
            "patient_id": row.patient_uuid,
            "facility": datim_id,
            "medium": row.intervention_type,
            "outcome": row.outcome,
            "day": row.outcome_date,
            "promised_for": row.promised_for,
            "returned_on": row.returned_on,
            "reason": row.interruption_reason,
            "new_phone": row.new_phone_enc is not None,
            "note": opened(session, row, NOTE),
            "recorded_at": row.created_at,
            "recorded_by": row.completed_by or row.created_by,
        }
    )


def opened(session: TenantSession, row: Intervention, column: str) -> str | None:
    """Decrypt a text of an intervention; None if there is none, or it cannot be read."""
    secret: bytes | None = getattr(row, column)
    if secret is None:
        return None
    try:
        return vault(session).decrypt(row.patient_uuid, TABLE, column, row.uuid, secret)
    except (CannotDecrypt, PatientErased):
        return None


def _facts(row: Intervention) -> dict[str, str]:
    return {"patient": str(row.patient_uuid), "outcome": str(row.outcome), "medium": row.intervention_type}
