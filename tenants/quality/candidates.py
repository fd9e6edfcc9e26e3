"""Decisions on pairs that may be one person: show them, merge, refuse, unmerge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from core import audit
from core.clock import now
from core.errors import Conflict, FieldError, Invalid, NotFound, phrase
from core.events import publish
from core.privacy import vault
from core.web.cursors import Sort
from core.web.keyset import Slice
from core.web.paging import PageRequest
from tenants.quality.linkage import repository
from tenants.records import contacts, identities
from tenants.records.locks import lock_for_import
from tenants.records.models import Patient
from tenants.records.writing import open_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.database import TenantSession
    from tenants.quality.models import LinkageCandidate
    from tenants.records.models import PatientIdentity

SUBJECT = "linkage_candidate"
MOST_PROBABLE: Final = Sort("probability", descending=True)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two patients of a pair, with the facility and the span of contacts."""

    patient_id: UUID
    facility: str | None
    first_contact: date | None
    last_contact: date | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pair as the API and the command line show it. Names are only in the patients' own records."""

    id: UUID
    state: str
    probability: float
    agree: list[str]
    differ: list[str]
    care: str
    gap_days: int | None
    care_switches: int
    patients: tuple[Side, Side]
    found_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class MergeResult:
    """The result of a merge or unmerge: the canonical patient, and the patients whose facts count for it now."""

    canonical_id: UUID
    members: list[UUID]


def list_candidates(session: TenantSession, paging: PageRequest, state: str) -> Slice[Candidate]:
    """One page of the candidates in a state. The audit records who reads them."""
    part = repository.page(session, paging, state)
    candidates = _candidates_of(session, part.rows)
    audit.record_many(session, "api:candidate:list", SUBJECT, [row.uuid for row in part.rows])
    _audit_reads(session, "api:candidate:list", part.rows)
    return Slice(candidates, part.total, part.last)


def count_pending(session: TenantSession) -> int:
    """The number of pairs that wait for a decision."""
    paging = PageRequest(1, 1, sort=MOST_PROBABLE, keyed=True)
    return repository.page(session, paging, "pending").total


def read_candidate(session: TenantSession, uuid: UUID) -> Candidate:
    """Return a candidate.

    Raises:
        NotFound: there is no such candidate.
    """
    row = _candidate(session, uuid, lock=False)
    audit.record(session, "api:candidate:read", SUBJECT, uuid)
    _audit_reads(session, "api:candidate:read", [row])
    return _candidates_of(session, [row])[0]


def merge_candidate(session: TenantSession, uuid: UUID, *, keep: UUID | None, reason: str) -> MergeResult:
    """Merge the two patients of a candidate.

    Args:
        session: the tenant's transaction.
        uuid: the candidate.
        keep: the canonical patient; None for the one with the later last contact.
        reason: why; must name nobody.

    Raises:
        NotFound: there is no such candidate.
        Conflict: the pair was decided before, or one of the two was merged or voided meanwhile.
        Invalid: ``keep`` is neither of the two.
    """
    lock_for_import(session)
    row = _candidate(session, uuid, lock=True)
    if row.state not in ("pending", "refused", "gone"):
        detail = "the pair is merged already"
        raise Conflict(detail)
    pair = (row.first_uuid, row.second_uuid)
    if keep is None:
        keep = _later(session, pair)
    elif keep not in pair:
        detail, remedy = (
            "the patient to keep is neither of the two",
            phrase("give {first} or {second}", first=pair[0], second=pair[1]),
        )
        raise Invalid(detail, remedy=remedy, errors=[FieldError("canonical_id", "is neither of the two", remedy)])
    merged_patient = pair[0] if keep == pair[1] else pair[1]
    _decide(session, row, "merged", reason)
    audit.record(session, "api:candidate:merge", SUBJECT, uuid)
    return merge_patients(session, merged_patient, keep, reason)


def merge_patients(session: TenantSession, patient: UUID, canonical: UUID, reason: str) -> MergeResult:
    """Make the facts of one patient count for another from now on, by the decision of somebody who knows them.

    Raises:
        NotFound: the patient is not on record.
        Invalid: the canonical patient is not on record.
        Conflict: one of them was merged before, or erased.
    """
    lock_for_import(session)
    erased = vault(session).ensure_patient_keys((patient, canonical))
    for uuid in (patient, canonical):
        if open_version(session, Patient, uuid) is None:
            detail = "there is no such patient on record"
            if uuid == patient:
                raise NotFound(detail)
            remedy = "Send the id of a patient on record: POST /v1/patients/search finds it."
            raise Invalid(detail, errors=[FieldError("canonical_id", "names no patient", remedy)])
        if uuid in erased:
            detail = "the patient was erased: nobody can know who that was"
            raise Conflict(detail)
    changed_patients = identities.merge(session, patient, canonical, reason)
    _bring_in_line(session, changed_patients)
    repository.close_candidates_of(session, [patient])
    audit.record(session, "api:patient:merge", "patient", patient, {"canonical": str(canonical)})
    audit.record(session, "api:patient:merge", "patient", canonical, {"merged": str(patient)})
    return MergeResult(canonical, identities.members_of(session, canonical))


def refuse_candidate(session: TenantSession, uuid: UUID, reason: str) -> Candidate:
    """Decide that the two are not one person. The pair stays refused until its evidence changes.

    Raises:
        NotFound: there is no such candidate.
        Conflict: the pair is merged.
    """
    row = _candidate(session, uuid, lock=True)
    if row.state == "merged":
        detail = "the pair is merged"
        raise Conflict(detail, remedy="unmerge the patient instead")
    _decide(session, row, "refused", reason)
    audit.record(session, "api:candidate:refuse", SUBJECT, uuid)
    _audit_reads(session, "api:candidate:refuse", [row])
    return _candidates_of(session, [row])[0]


def undo_decision(session: TenantSession, uuid: UUID, reason: str) -> Candidate:
    """Undo the decision on a candidate, and the merge if that was the decision. The pair waits for a decision again.

    Raises:
        NotFound: there is no such candidate.
        Conflict: nobody has decided on the pair, or one of the two was merged into another patient since.
    """
    row = _candidate(session, uuid, lock=True)
    if row.state == "merged":
        _unmerge_pair(session, (row.first_uuid, row.second_uuid), reason)
    elif row.state != "refused":
        detail = "nobody has decided on the pair"
        raise Conflict(detail)
    row.state, row.reason, row.decided_at, row.decided_by = "pending", None, None, None
    session.add(row)
    session.flush()
    audit.record(session, "api:candidate:undo", SUBJECT, uuid)
    _audit_reads(session, "api:candidate:undo", [row])
    return _candidates_of(session, [row])[0]


def _unmerge_pair(session: TenantSession, pair: tuple[UUID, UUID], reason: str) -> None:
    for patient, canonical in (pair, pair[::-1]):
        if identities.canonical_of(session, patient) == canonical:
            unmerge_patient(session, patient, reason)
            return
    detail = "the two are no longer merged with each other alone"
    raise Conflict(detail, remedy="unmerge the patient from the patient's own record")


def unmerge_patient(session: TenantSession, patient: UUID, reason: str) -> MergeResult:
    """End a merge: from now on the patient's facts count for the patient again.

    Raises:
        NotFound: the patient is not merged.
    """
    lock_for_import(session)
    before = identities.canonical_of(session, patient)
    changed_patients = identities.unmerge(session, patient, reason)
    _bring_in_line(session, changed_patients)
    row = repository.of_pair(session, patient, before)
    if row is not None:
        _decide(session, row, "refused", reason)
    audit.record(session, "api:patient:unmerge", "patient", patient, {"canonical": str(before)})
    return MergeResult(patient, identities.members_of(session, patient))


def read_identity(session: TenantSession, patient: UUID) -> tuple[MergeResult, Sequence[PatientIdentity]]:
    """The canonical patient of a patient, and every merge of the patient.

    Raises:
        NotFound: there is no such patient.
    """
    if open_version(session, Patient, patient) is None:
        detail = "there is no such patient"
        raise NotFound(detail)
    audit.record(session, "api:patient:identity", "patient", patient)
    canonical = identities.canonical_of(session, patient)
    return MergeResult(canonical, identities.members_of(session, canonical)), identities.history_of(session, patient)


def _bring_in_line(session: TenantSession, patients: list[UUID]) -> None:
    contacts.refresh(session, patients)
    publish(session, "records.changed", {"patient_ids": patients})


def _candidate(session: TenantSession, uuid: UUID, *, lock: bool) -> LinkageCandidate:
    row = repository.find_candidate(session, uuid, lock=lock)
    if row is None:
        detail = "there is no such candidate"
        raise NotFound(detail)
    return row


def _later(session: TenantSession, pair: tuple[UUID, UUID]) -> UUID:
    """Return the patient of the pair with the later last contact, because the person is probably in care there."""
    places = repository.where_of(session, pair)
    last = {uuid: places.get(uuid, {}).get("last_contact") or date.min for uuid in pair}
    return max(pair, key=lambda uuid: (last[uuid], uuid))


def _decide(session: TenantSession, row: LinkageCandidate, state: str, reason: str) -> None:
    row.state, row.reason = state, reason
    row.decided_at, row.decided_by = now(), session.actor
    session.add(row)
    session.flush()


def _audit_reads(session: TenantSession, action: str, rows: Sequence[LinkageCandidate]) -> None:
    """Record in the audit that both patients of each pair were read: a pair shows what they share and where they go."""
    patients = {uuid for row in rows for uuid in (row.first_uuid, row.second_uuid)}
    audit.record_many(session, action, "patient", sorted(patients))


def _candidates_of(session: TenantSession, rows: Sequence[LinkageCandidate]) -> list[Candidate]:
    uuids = [uuid for row in rows for uuid in (row.first_uuid, row.second_uuid)]
    places = repository.where_of(session, uuids)
    candidates: list[Candidate] = []
    for row in rows:
        evidence: dict[str, Any] = row.evidence
        sides = [
            Side(
                patient_id=uuid,
                facility=places.get(uuid, {}).get("facility"),
                first_contact=places.get(uuid, {}).get("first_contact"),
                last_contact=places.get(uuid, {}).get("last_contact"),
            )
            for uuid in (row.first_uuid, row.second_uuid)
        ]
        candidates.append(
            Candidate(
                id=row.uuid,
                state=row.state,
                probability=row.probability,
                agree=evidence["agree"],
                differ=evidence["differ"],
                care=evidence["care"],
                gap_days=evidence.get("gap_days"),
                # Earlier searches stored "turns".
                care_switches=evidence.get("care_switches", evidence.get("turns", 0)),
                patients=(sides[0], sides[1]),
                found_at=row.found_at,
                decided_at=row.decided_at,
                decided_by=row.decided_by,
                reason=row.reason,
            )
        )
    return candidates
