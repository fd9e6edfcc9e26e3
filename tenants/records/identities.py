"""Merges of patients: for whom a patient's facts count, and since when (table ``patient_identities``).

From a merge on, the facts of one patient count for another, the canonical one. Answers as of an earlier day do not
change. From an unmerge on, the patient's facts count for the patient again. Neither changes a fact.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import and_, col, or_, select

from core.clock import now
from core.errors import Conflict, NotFound, phrase
from tenants.records.merged_assignments import move_to_survivor, return_after_unmerge
from tenants.records.models_identity import PatientIdentity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from core.database import TenantSession

NAMED = 5
"""The most patients that a remedy names."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A merge: between two instants, the facts of ``patient`` counted for ``canonical``."""

    patient: UUID
    canonical: UUID
    known_from: datetime
    known_to: datetime | None


@dataclass(frozen=True, slots=True)
class IdentitySpan:
    """A span of time (None: without end) in which the facts of ``patient`` count for ``counted``."""

    patient: UUID
    counted: UUID
    since: datetime | None
    until: datetime | None


def canonical_of(session: TenantSession, patient: UUID) -> UUID:
    """The patient for whom this one's facts count now: itself if it is not merged."""
    row = _open(session, patient)
    return patient if row is None else row.canonical_uuid


def members_of(session: TenantSession, canonical: UUID, until: datetime | None = None) -> list[UUID]:
    """The other patients whose facts count for this one now, or just before an instant."""
    identity = PatientIdentity
    counts: ColumnElement[bool] = col(identity.known_to).is_(None)
    if until is not None:
        counts = and_(col(identity.known_from) < until, or_(counts, col(identity.known_to) >= until))
    rows = session.exec(
        select(identity).where(col(identity.canonical_uuid) == canonical, counts).order_by(col(identity.patient_uuid))
    )
    return [row.patient_uuid for row in rows]


def history_of(session: TenantSession, patient: UUID) -> Sequence[PatientIdentity]:
    """Every merge that this patient was part of, as the one merged or as the canonical one, oldest first."""
    return session.exec(
        select(PatientIdentity)
        .where((col(PatientIdentity.patient_uuid) == patient) | (col(PatientIdentity.canonical_uuid) == patient))
        .order_by(col(PatientIdentity.known_from), col(PatientIdentity.uuid))
    ).all()


def concerning(session: TenantSession, patients: Iterable[UUID]) -> list[Identity]:
    """Return all merges, past ones too, in which any of these patients is merged or canonical.

    A merge that ended at the instant at which it began is left out.
    """
    with session.cursor() as cursor:
        cursor.execute(
            "WITH asked AS (SELECT uuid FROM unnest(%s::uuid[]) AS a (uuid))"
            " SELECT i.patient_uuid, i.canonical_uuid, i.known_from, i.known_to FROM patient_identities AS i"
            " WHERE (i.known_to IS NULL OR i.known_to > i.known_from)"
            " AND (i.patient_uuid IN (SELECT uuid FROM asked) OR i.canonical_uuid IN (SELECT uuid FROM asked))"
            " ORDER BY i.patient_uuid, i.known_from",
            (list(patients),),
        )
        return [Identity(*row) for row in cursor.fetchall()]


def between(session: TenantSession, first: UUID, last: UUID) -> list[Identity]:
    """All merges as in ``concerning``, of the patients whose UUIDs are from ``first`` to ``last``."""
    with session.cursor() as cursor:
        cursor.execute(
            "SELECT patient_uuid, canonical_uuid, known_from, known_to FROM patient_identities"
            " WHERE (known_to IS NULL OR known_to > known_from)"
            " AND (patient_uuid BETWEEN %(first)s AND %(last)s OR canonical_uuid BETWEEN %(first)s AND %(last)s)"
            " ORDER BY patient_uuid, known_from",
            {"first": first, "last": last},
        )
        return [Identity(*row) for row in cursor.fetchall()]


def connected(session: TenantSession, patients: Iterable[UUID]) -> tuple[list[UUID], list[Identity]]:
    """These patients, all patients whom merges ever connected with them, and those merges.

    A change of one of them may change derived rows of all. The given patients come first, in their order.
    """
    known = list(dict.fromkeys(patients))
    if not known or not _any(session):
        return known, []
    identities = concerning(session, known)
    while True:
        seen = set(known)
        others = {uuid for each in identities for uuid in (each.patient, each.canonical)} - seen
        if not others:
            return known, identities
        known += sorted(others)
        # Repeat with the patients of these merges, until nobody is added.
        identities = concerning(session, {uuid for each in identities for uuid in (each.patient, each.canonical)})


def laid(identities: Iterable[Identity]) -> list[IdentitySpan]:
    """Return the spans, without gaps, in which each merged patient's facts count for one patient.

    Outside its merges, a patient's facts count for itself.
    """
    merges: dict[UUID, list[Identity]] = {}
    for each in identities:
        merges.setdefault(each.patient, []).append(each)
    spans: list[IdentitySpan] = []
    for patient, rows in sorted(merges.items()):
        since: datetime | None = None
        for row in sorted(rows, key=lambda row: row.known_from):
            if since is None or since < row.known_from:
                spans.append(IdentitySpan(patient, patient, since, row.known_from))
            spans.append(IdentitySpan(patient, row.canonical, row.known_from, row.known_to))
            since = row.known_to
            if since is None:
                break
        if since is not None:
            spans.append(IdentitySpan(patient, patient, since, None))
    return spans


def counted_at(session: TenantSession, patient: UUID, moment: datetime) -> UUID:
    """The patient for whom this one's facts counted at an instant."""
    with session.cursor() as cursor:
        row = cursor.execute(
            "SELECT canonical_uuid FROM patient_identities WHERE patient_uuid = %(patient)s"
            " AND known_from <= %(moment)s AND (known_to IS NULL OR known_to > %(moment)s)",
            {"patient": patient, "moment": moment},
        ).fetchone()
    return patient if row is None else UUID(str(row[0]))


def merged_into(session: TenantSession, patients: Iterable[UUID], end: datetime | None = None) -> dict[UUID, UUID]:
    """Merged patient -> the patient for whom its facts count, as known now or before the instant ``end``."""
    with session.cursor() as cursor:
        cursor.execute(
            "SELECT i.patient_uuid, i.canonical_uuid FROM patient_identities AS i"
            " WHERE i.patient_uuid = ANY(%(patients)s) AND (i.known_to IS NULL OR i.known_to >= %(end)s::timestamptz)"
            " AND i.known_from < coalesce(%(end)s::timestamptz, 'infinity')",
            {"patients": list(patients), "end": end},
        )
        return dict(cursor.fetchall())


def merged_at(session: TenantSession, moment: datetime) -> frozenset[UUID]:
    """The patients whose facts counted for another patient at an instant."""
    with session.cursor() as cursor:
        cursor.execute(
            "SELECT patient_uuid FROM patient_identities WHERE known_from <= %(moment)s"
            " AND (known_to IS NULL OR known_to > %(moment)s)",
            {"moment": moment},
        )
        return frozenset(row[0] for row in cursor.fetchall())


def merge(session: TenantSession, patient: UUID, canonical: UUID, reason: str) -> list[UUID]:
    """Make the facts of ``patient``, and of those merged into it, count for ``canonical`` from now on.

    The caller holds the lock of records' changes, refreshes the contacts and notifies the listeners.

    Returns:
        All patients whose derived rows may change.

    Raises:
        Conflict: the two are the same patient, or one of them is merged into another.
    """
    if patient == canonical:
        detail = "a patient cannot be merged into itself"
        raise Conflict(detail, remedy="name two patients")
    for uuid in (patient, canonical):
        row = _open(session, uuid)
        if row is not None:
            detail = "one of the two was merged before"
            state = phrase("{uuid} counts for {canonical_uuid}", uuid=uuid, canonical_uuid=row.canonical_uuid)
            raise Conflict(
                detail,
                remedy=phrase(
                    "{what}: name {canonical_uuid} instead, or unmerge {uuid} first",
                    what=state,
                    canonical_uuid=row.canonical_uuid,
                    uuid=uuid,
                ),
            )
    moment = now()
    identity = _add(session, patient, canonical, None, moment, reason)
    moved = members_of(session, patient)
    for member in moved:
        row = _open(session, member)
        if row is not None:
            _close(session, row, moment, reason)
            _add(session, member, canonical, identity.uuid, moment, reason)
    move_to_survivor(session, patient, canonical)
    return [canonical, patient, *moved]


def unmerge(session: TenantSession, patient: UUID, reason: str) -> list[UUID]:
    """End a merge: from now on the facts of ``patient``, and of those merged into it, count for ``patient`` again.

    Returns:
        All patients whose derived rows may change.

    Raises:
        NotFound: the patient is not merged.
    """
    row = _open(session, patient)
    if row is None:
        detail = "the patient is not merged into another"
        members = members_of(session, patient)
        remedy = "see its merges at GET /v1/patients/{uuid}/identity"
        if members:
            # The caller named the canonical patient. The merges to end are those of its members.
            named = " or ".join(map(str, members[:NAMED]))
            remedy = phrase("unmerge a patient that is merged into it: {named}", named=named)
        raise NotFound(detail, remedy=remedy)
    moment = max(now(), row.known_from)
    touched = [row.canonical_uuid, patient]
    _close(session, row, moment, reason)
    along = session.exec(
        select(PatientIdentity).where(
            col(PatientIdentity.through_uuid) == row.uuid, col(PatientIdentity.known_to).is_(None)
        )
    ).all()
    for each in along:
        _close(session, each, moment, reason)
        _add(session, each.patient_uuid, patient, None, moment, reason)
        touched.append(each.patient_uuid)
    return_after_unmerge(session, row.canonical_uuid, patient, touched[2:])
    return touched


def _any(session: TenantSession) -> bool:
    with session.cursor() as cursor:
        row = cursor.execute("SELECT EXISTS (SELECT FROM patient_identities)").fetchone()
    return bool(row and row[0])


def _open(session: TenantSession, patient: UUID) -> PatientIdentity | None:
    return session.exec(
        select(PatientIdentity).where(
            col(PatientIdentity.patient_uuid) == patient, col(PatientIdentity.known_to).is_(None)
        )
    ).first()


def _add(
    session: TenantSession, patient: UUID, canonical: UUID, through: UUID | None, moment: datetime, reason: str
) -> PatientIdentity:
    row = PatientIdentity(
        patient_uuid=patient,
        canonical_uuid=canonical,
        through_uuid=through,
        known_from=moment,
        decided_by=session.actor,
        reason=reason,
    )
    session.add(row)
    session.flush()
    return row


def _close(session: TenantSession, row: PatientIdentity, moment: datetime, reason: str) -> None:
    row.known_to = max(moment, row.known_from)
    row.closed_by = session.actor
    row.close_reason = reason
    session.add(row)
    session.flush()  # a patient may have one open row only: close the old one before the next is added
