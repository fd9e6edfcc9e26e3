"""The service of interventions: plan them, do them, end them, read and list them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlmodel import col, select

from core import audit
from core.clock import now, today
from core.errors import Conflict, FieldError, Invalid, NotFound, phrase
from core.identity.principal import person_of_actor
from core.privacy import vault
from core.web.cursors import Sort
from core.web.paging import Page
from tenants.followup import assignments, repository, service
from tenants.followup.models import Intervention
from tenants.followup.schemas_interventions import InterventionOut
from tenants.records.ids import new_uuid
from tenants.records.locks import lock_patient
from tenants.records.models import PatientAssignment
from tenants.records.reach import within_reach
from tenants.records.repository import datim_ids
from tenants.records.service import patient_named

if TYPE_CHECKING:
    from collections.abc import Collection

    from core.database import TenantSession
    from core.web.paging import PageRequest
    from tenants.followup.schemas import OutcomePost
    from tenants.followup.schemas_interventions import EndPost, InterventionFilter, InterventionPost, InterventionState

SUBJECT: Final = "intervention"
NEWEST_FIRST: Final = Sort("created_at", descending=True)
"""The order of interventions where nobody asks for another."""
_NO_SUCH: Final = "there is no such intervention"
_STATUS: Final[dict[InterventionState, str]] = {
    "planned": "planned",
    "done": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}
_STATE: Final = {status: state for state, status in _STATUS.items()} | {"assigned": "planned", "in_progress": "planned"}


def plan(session: TenantSession, body: InterventionPost) -> InterventionOut:
    """Plan an intervention. If the same one is on record under its id, return that one.

    Raises:
        Invalid: there is no such patient, the day is past, or the person cannot follow the patient.
        Conflict: another intervention has this id.
    """
    present = today(session.tenant.time_zone)
    due = body.due or present
    patient = patient_named(session, body.patient_id)
    lock_patient(session, patient.uuid)
    same = repository.intervention(session, body.id, lock=True)
    if same is not None:
        return _repeated(session, same, body)
    if due < present:
        problem = FieldError("body.due", "is past", "give today or a later date")
        raise Invalid("the intervention cannot be planned", errors=[problem])
    row = Intervention(
        uuid=body.id,
        patient_uuid=patient.uuid,
        facility_uuid=patient.facility_uuid,
        intervention_type=body.kind,
        planned=True,
        status="planned",
        assigned_to=_text(_person(session, patient.uuid, body.person_id)),
        assigned_at=now(),
        due_date=due,
        notes_enc=service.sealed(session, patient.uuid, body.id, service.NOTE, body.note),
        created_by=session.actor,
    )
    repository.link_to_list(session, row, present)
    session.add(row)
    session.flush()
    facts = {"patient": str(patient.uuid), "kind": body.kind, "due": due.isoformat()}
    audit.record(session, "followup:intervention:plan", SUBJECT, row.uuid, facts)
    return _shown(session, row)


def complete(session: TenantSession, uuid: UUID, body: OutcomePost) -> InterventionOut:
    """Record the outcome of a planned intervention, which is then an attempt. The same outcome again changes nothing.

    Raises:
        NotFound: there is no such intervention.
        Conflict: it has ended, otherwise than so.
        Invalid: something does not fit the outcome.
    """
    day = body.day or today(session.tenant.time_zone)
    service.check(session, body, day)
    row = _locked(session, uuid)
    if row.status == "completed" and row.outcome == body.outcome and row.completed_by == session.actor:
        return _shown(session, row)
    _check_open(row)
    service.finish(session, row, body, day)
    return _shown(session, row)


def end(session: TenantSession, uuid: UUID, body: EndPost) -> InterventionOut:
    """End a planned intervention that nobody will do. Ending it so again changes nothing.

    Raises:
        NotFound: there is no such intervention.
        Conflict: it has ended, otherwise than so.
    """
    row = _locked(session, uuid)
    if row.status == body.state:
        return _shown(session, row)
    _check_open(row)
    notes = "\n".join(filter(None, (service.opened(session, row, service.NOTE), (body.note or "").strip())))
    row.notes_enc = service.sealed(session, row.patient_uuid, row.uuid, service.NOTE, notes)
    row.status, row.completed_at, row.completed_by = body.state, now(), session.actor
    row.version_id, row.updated_at = new_uuid(), now()
    session.add(row)
    session.flush()
    facts = {"patient": str(row.patient_uuid), "state": body.state}
    audit.record(session, "followup:intervention:end", SUBJECT, row.uuid, facts)
    return _shown(session, row)


def read(session: TenantSession, uuid: UUID) -> InterventionOut:
    """One intervention. The audit records the read of its patient.

    Raises:
        NotFound: there is no such intervention, or it was undone.
    """
    row = repository.intervention(session, uuid)
    if row is None or row.voided:
        raise NotFound(_NO_SUCH)
    audit.record(session, "followup:intervention:read", "patient", row.patient_uuid)
    return _shown(session, row)


def read_list(session: TenantSession, wanted: InterventionFilter, paging: PageRequest) -> Page[InterventionOut]:
    """A page of interventions. The audit records the read of each patient on it.

    Raises:
        Invalid: there is no such patient.
    """
    if wanted.patient_id is not None:
        patient_named(session, wanted.patient_id)
    part = repository.interventions(
        session,
        paging,
        patient=wanted.patient_id,
        status=None if wanted.state is None else _STATUS[wanted.state],
        kind=wanted.kind,
        person=session.actor.removeprefix("person:") if wanted.assigned_to == "me" else None,
        due_by=wanted.due_by,
    )
    patients = list(dict.fromkeys(row.patient_uuid for row in part.rows))
    vault(session).load_patient_keys(patients)
    audit.record_many(session, "followup:intervention:list", "patient", patients, {})
    places = datim_ids(session, (row.facility_uuid for row in part.rows))
    items = [_shown(session, row, places[row.facility_uuid]) for row in part.rows]
    return Page.of(items, paging, part.total, part.last)


def open_plans(session: TenantSession, patients: Collection[UUID]) -> dict[UUID, Intervention]:
    """The planned intervention of each of these patients that is due first. The caller writes the audit of the read."""
    rows = session.exec(
        select(Intervention)
        .where(
            col(Intervention.patient_uuid).in_(patients),
            Intervention.status == "planned",
            col(Intervention.voided).is_(False),
            within_reach(session, Intervention.facility_uuid, col(Intervention.patient_uuid)),
        )
        .order_by(col(Intervention.due_date).desc(), col(Intervention.uuid).desc())
    ).all()
    return {row.patient_uuid: row for row in rows}


def _locked(session: TenantSession, uuid: UUID) -> Intervention:
    row = repository.intervention(session, uuid)
    if row is not None:
        lock_patient(session, row.patient_uuid)
        row = repository.intervention(session, uuid, lock=True)
    if row is None or row.voided:
        raise NotFound(_NO_SUCH)
    return row


def _check_open(row: Intervention) -> None:
    if _STATE[row.status] != "planned":
        detail = phrase("the intervention has ended: it is {state}", state=_STATE[row.status])
        raise Conflict(detail, remedy="Plan a new one.")


def _person(session: TenantSession, patient: UUID, asked: UUID | None) -> UUID | None:
    """Who does it: the person asked for, or who follows the patient; if nobody does, the person who plans it."""
    if asked is None:
        row = session.get(PatientAssignment, patient)
        return person_of_actor(session.actor) if row is None else row.person_id
    if asked not in {one.id for one in assignments.assignees(session, patient)}:
        problem = FieldError("body.person_id", "cannot follow this patient", "Choose one of the patient's assignees.")
        detail = "the intervention cannot be planned for this person"
        raise Invalid(detail, errors=[problem])
    return asked


def _text(person: UUID | None) -> str | None:
    return None if person is None else str(person)


def _repeated(session: TenantSession, row: Intervention, body: InterventionPost) -> InterventionOut:
    """The intervention on record, if the body has the same content.

    Raises:
        Conflict: the content differs, or the intervention was undone.
    """
    asked = (body.patient_id, body.kind, session.actor, body.due or row.due_date, True)
    if asked != (row.patient_uuid, row.intervention_type, row.created_by, row.due_date, row.planned) or row.voided:
        detail = "another intervention has this id"
        raise Conflict(detail, remedy="Give each intervention an id of its own.")
    return _shown(session, row)


def _shown(session: TenantSession, row: Intervention, datim_id: str | None = None) -> InterventionOut:
    return InterventionOut.model_validate(
        {
            "id": row.uuid,
            "patient_id": row.patient_uuid,
            "facility": datim_id or repository.datim_id_of(session, row.facility_uuid),
            "kind": row.intervention_type,
            "state": _STATE[row.status],
            "due": row.due_date,
            "person_id": row.assigned_to,
            "planned": row.planned,
            "outcome": row.outcome,
            "day": row.outcome_date,
            "note": service.opened(session, row, service.NOTE),
            "prediction_id": row.prediction_uuid,
            "worklist_entry_id": row.worklist_entry_uuid,
            "result": row.result,
            "result_on": row.result_on,
            "settled": row.settled,
            "created_at": row.created_at,
            "created_by": row.created_by,
            "ended_at": row.completed_at,
            "ended_by": row.completed_by,
        }
    )
