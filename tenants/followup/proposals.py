"""Proposed statuses: a death or transfer that a tracker heard of becomes a record when a second person verifies it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from sqlmodel import col, select

from core import audit
from core.clock import now, today
from core.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, phrase
from core.events import publish
from core.web.cursors import Sort
from core.web.keyset import read_slice
from tenants.followup.models_team import StatusProposal
from tenants.records.folding import first_facts
from tenants.records.identities import canonical_of, members_of
from tenants.records.locks import lock_patient
from tenants.records.reach import within_reach
from tenants.records.repository import patient_as_of
from tenants.records.service import patient_named

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from core.database import TenantSession
    from core.web.keyset import Slice
    from core.web.paging import PageRequest
    from tenants.followup.models import Intervention

ProposedState = Literal["died", "transferred_out"]
Decision = Literal["proposed", "verified", "rejected"]
SUBJECT: Final = "status_proposal"
NEWEST_FIRST: Final = Sort("proposed_at", descending=True)
"""The order of proposals where nobody asks for another."""
STATES: Final = frozenset({"died", "transferred_out"})
_NO_SUCH: Final = "there is no such proposal"


def propose(session: TenantSession, patient_id: UUID, state: ProposedState, happened_on: date) -> StatusProposal:
    """Propose a status of a patient. If the same one waits already, return that one.

    Raises:
        Invalid: there is no such patient, or the day lies in the future or before the patient's first record.
    """
    patient = patient_named(session, patient_id)
    _check_day(session, patient.uuid, happened_on)
    lock_patient(session, patient.uuid)
    return _waiting(session, patient.uuid, state) or _propose(
        session,
        StatusProposal(
            patient_uuid=patient.uuid,
            facility_uuid=patient.facility_uuid,
            state=state,
            happened_on=happened_on,
            proposed_by=session.actor,
        ),
    )


def attempt_recorded(session: TenantSession, attempt: Intervention) -> None:
    """Propose the status that an attempt's outcome says, if it says one. The caller holds the patient's lock."""
    if attempt.outcome not in STATES or attempt.outcome_date is None:
        return
    if _waiting(session, attempt.patient_uuid, attempt.outcome) is None:
        row = StatusProposal(
            patient_uuid=attempt.patient_uuid,
            facility_uuid=attempt.facility_uuid,
            state=attempt.outcome,
            happened_on=attempt.outcome_date,
            attempt_uuid=attempt.uuid,
            proposed_by=session.actor,
        )
        _propose(session, row)


def attempt_undone(session: TenantSession, attempt: UUID) -> None:
    """Remove the undecided proposal of an attempt that is undone. A decided one stays."""
    wanted = select(StatusProposal).where(StatusProposal.attempt_uuid == attempt, StatusProposal.decision == "proposed")
    row = session.exec(wanted).first()
    if row is not None:
        session.delete(row)
        session.flush()


def decide(
    session: TenantSession, proposal: UUID, decision: Literal["verified", "rejected"], happened_on: date | None = None
) -> StatusProposal:
    """Verify or reject a proposal. A verified one becomes a state in the records. Deciding so again changes nothing.

    Args:
        session: the tenant's transaction.
        proposal: the proposal.
        decision: ``verified`` or ``rejected``.
        happened_on: the day, where the proposal has a wrong one. The audit keeps both.

    Raises:
        NotFound: there is no such proposal.
        Forbidden: the same person proposed it.
        Conflict: it was decided otherwise.
        Invalid: the day lies in the future or before the patient's first record.
    """
    row = _get(session, proposal)
    if row is not None:
        lock_patient(session, row.patient_uuid)
        row = _get(session, proposal, lock=True)
    if row is None:
        raise NotFound(_NO_SUCH)
    if row.decision == decision:
        return row
    if row.decision != "proposed":
        raise Conflict(phrase("the proposal was {decision} before", decision=row.decision), remedy="Propose it anew.")
    if row.proposed_by == session.actor:
        detail = "who proposes a status does not verify it"
        raise Forbidden(detail, remedy="Ask a second person.")
    proposed_day = row.happened_on
    if happened_on is not None and happened_on != proposed_day:
        _check_day(session, row.patient_uuid, happened_on)
        row.happened_on = happened_on
    row.decision, row.decided_by, row.decided_at = decision, session.actor, now()
    session.add(row)
    session.flush()
    facts = {
        "patient": str(row.patient_uuid),
        "state": row.state,
        "decision": decision,
        "proposed_day": proposed_day.isoformat(),
        "happened_on": row.happened_on.isoformat(),
    }
    audit.record(session, "followup:status:decide", SUBJECT, row.uuid, facts)
    if decision == "verified":
        verified = {"patient_id": row.patient_uuid, "state": row.state, "happened_on": row.happened_on}
        publish(session, "statuses.verified", verified)
    return row


def read_list(session: TenantSession, decision: Decision | None, paging: PageRequest) -> Slice[StatusProposal]:
    """A page of proposals. The audit records the read of each patient on it."""
    wanted: list[Any] = [within_reach(session, StatusProposal.facility_uuid, col(StatusProposal.patient_uuid))]
    if decision is not None:
        wanted.append(StatusProposal.decision == decision)
    columns = {"proposed_at": col(StatusProposal.proposed_at)}
    part = read_slice(session, select(StatusProposal).where(*wanted), paging, columns, col(StatusProposal.uuid))
    patients = list(dict.fromkeys(row.patient_uuid for row in part.rows))
    audit.record_many(session, "followup:status:list", "patient", patients, {})
    return part


def _propose(session: TenantSession, row: StatusProposal) -> StatusProposal:
    session.add(row)
    session.flush()
    facts = {"patient": str(row.patient_uuid), "state": row.state, "happened_on": row.happened_on.isoformat()}
    audit.record(session, "followup:status:propose", SUBJECT, row.uuid, facts)
    return row


def _waiting(session: TenantSession, patient: UUID, state: str) -> StatusProposal | None:
    return session.exec(
        select(StatusProposal).where(
            StatusProposal.patient_uuid == patient,
            StatusProposal.state == state,
            StatusProposal.decision == "proposed",
        )
    ).first()


def _get(session: TenantSession, proposal: UUID, *, lock: bool = False) -> StatusProposal | None:
    wanted = select(StatusProposal).where(
        StatusProposal.uuid == proposal,
        within_reach(session, StatusProposal.facility_uuid, col(StatusProposal.patient_uuid)),
    )
    if lock:
        wanted = wanted.with_for_update().execution_options(populate_existing=True)
    return session.exec(wanted).first()


def _check_day(session: TenantSession, patient: UUID, day: date) -> None:
    first = _first_day(session, patient)
    if day > today(session.tenant.time_zone):
        problem = FieldError("body.happened_on", "lies in the future", "give a date up to today")
    elif first is not None and day < first:
        problem = FieldError("body.happened_on", "lies before the patient's first record", "give a later day")
    else:
        return
    detail = "the status cannot be recorded"
    raise Invalid(detail, errors=[problem])


def _first_day(session: TenantSession, patient: UUID) -> date | None:
    """The first day on which the records know a person: the start of ART, or an earlier fact."""
    canonical = canonical_of(session, patient)
    records = [canonical, *members_of(session, canonical)]
    days = [fact.day for fact in first_facts(session, records).values()]
    for uuid in records:
        person = patient_as_of(session, uuid, None)
        if person is not None and person.art_start_date is not None:
            days.append(person.art_start_date)
    return min(days, default=None)
