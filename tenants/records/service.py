"""The service of patients: find, read, list, add, change and void them, with the audit of each act."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from core import audit
from core.access import Scope
from core.clock import today
from core.database import RoundTripError, TenantSession
from core.errors import Conflict, FieldError, Invalid, NotFound, phrase
from core.events import publish
from core.privacy import vault
from core.web.etag import ExpectedVersions
from core.web.keyset import Slice
from core.web.paging import PageRequest
from tenants.records import contacts, hot, name_search, personal, writing
from tenants.records.days import end_of_day
from tenants.records.filters import IdentifierFilter, PatientFilter
from tenants.records.identities import merged_into
from tenants.records.ids import new_uuid
from tenants.records.locks import lock_facility, lock_patient
from tenants.records.models import Facility, Patient
from tenants.records.places import facility_named
from tenants.records.reach import patients_within_reach
from tenants.records.repository import (
    as_uuid,
    completed_years,
    find_facility,
    patient_as_of,
    patient_versions,
    patients_after,
    patients_by_identifier,
)
from tenants.records.schemas import PatientOut, PatientPatch, PatientPost, PatientSearch, PatientVersionOut

EXPORT_STEP = 500
SUBJECT = hot.SUBJECT
NO_SUCH = "there is no such patient"
_AT_TERMINAL = "give a UUID, a programme identifier or a hospital number that is recorded"
_TO_NAME = "Send the id of a patient on record: POST /v1/patients/search finds it."


def patient_of_id(session: TenantSession, uuid: UUID, *, as_of: date | None = None) -> Patient:
    """The patient with this UUID. A caller that shows the patient writes the audit row.

    Raises:
        NotFound: there is none, or the patient was voided.
    """
    row = patient_as_of(session, uuid, as_of)
    if row is None:
        raise NotFound(NO_SUCH)
    return row


def patient_named(session: TenantSession, uuid: UUID, *, as_of: date | None = None) -> Patient:
    """The patient whom a query or a body names in ``patient_id``. An unknown patient in a path is 404 instead.

    Raises:
        Invalid: there is none, or the patient was voided.
    """
    row = patient_as_of(session, uuid, as_of)
    if row is None:
        raise Invalid(NO_SUCH, errors=[FieldError("patient_id", "names no patient", _TO_NAME)])
    return row


def find_patient(session: TenantSession, text: str, *, as_of: date | None = None) -> Patient:
    """The patient with this UUID, programme identifier or hospital number.

    A caller that shows the patient writes the audit row.

    Raises:
        NotFound: no patient of this tenant has it, or the patient was voided.
        Conflict: several patients have this identifier.
    """
    uuid = as_uuid(text)
    candidates = [patient_as_of(session, uuid, as_of)] if uuid else list(patients_by_identifier(session, text, as_of))
    rows = [row for row in candidates if row is not None]
    if not rows:
        raise NotFound(NO_SUCH, command=_AT_TERMINAL)
    if len(rows) > 1:
        detail = "several patients have this identifier"
        raise Conflict(
            detail, remedy=phrase("Give one of the UUIDs: {listed}", listed=", ".join(str(row.uuid) for row in rows))
        )
    return rows[0]


def read_patient(scope: Scope, uuid: UUID, as_of: date | None) -> tuple[UUID, bytes]:
    """One patient, decrypted: version, and ``PatientOut`` as JSON. The audit has the read when this returns.

    Raises:
        NotFound: there is no such patient.
    """
    with suppress(RoundTripError):
        return _answer(hot.one_at_once(scope, uuid, as_of))
    with scope.session() as session:
        answer = _answer(hot.one(session, uuid, as_of))
        audit.record(session, hot.READ, SUBJECT, uuid)
        return answer


def _answer(patient: dict[str, Any] | None) -> tuple[UUID, bytes]:
    if patient is None:
        raise NotFound(NO_SUCH)
    return patient["version_id"], hot.encoded(patient)


def read_patients(scope: Scope, wanted: PatientFilter, paging: PageRequest) -> bytes:
    """One page of patients, decrypted: ``Page[PatientOut]`` as JSON. The audit has the reads when this returns.

    Raises:
        Invalid: there is no such facility, an identifier has no letter or digit, or a phone no digit.
    """
    if not wanted.used():
        with suppress(RoundTripError):
            return _page(hot.page_at_once(scope, paging), paging)
    with scope.session() as session:
        facility_named(session, wanted.facility)
        part = hot.page(session, wanted, paging)
        audit.record_many(session, hot.LIST, SUBJECT, [row["id"] for row in part.rows], {"filters": wanted.used()})
        return _page(part, paging)


def search_patients(scope: Scope, body: PatientSearch, paging: PageRequest) -> bytes:
    """One page of the patients who match, in the form of ``read_patients``; by name, the best match comes first.

    Raises:
        Invalid: an identifier has no letter or digit, or a phone no digit; ``sort`` or ``after`` came with a name.
    """
    wanted = IdentifierFilter(**body.model_dump())
    if body.name is None:
        return read_patients(scope, wanted, paging)
    wrong = [
        FieldError(f"query.{name}", "does not go with a name", "Leave it out: the best match comes first.")
        for name, sent in (("sort", any(name == "sort" for name, _ in paging.query)), ("after", paging.key is not None))
        if sent
    ]
    if wrong:
        detail = "a search by name has its own order"
        raise Invalid(detail, errors=wrong)
    with scope.session() as session:
        facility_named(session, wanted.facility, "body.facility")
        matches = name_search.ranked(session, body.name, wanted)
        ranked = replace(paging, keyed=False)
        shown = matches[ranked.offset : ranked.offset + ranked.limit]
        rows = hot.versions(session, [each.version for each in shown], wanted.as_of)
        audit.record_many(session, hot.LIST, SUBJECT, [each.patient for each in shown], {"filters": wanted.used()})
        answers = [rows[each.version] for each in shown if each.version in rows]
    return hot.encoded({"items": answers, **ranked.head(len(matches))})


def _page(part: Slice[dict[str, Any]], paging: PageRequest) -> bytes:
    return hot.encoded({"items": part.rows, **paging.head(part.total, part.last)})


def export_step(
    session: TenantSession, wanted: PatientFilter, cursor: UUID | None
) -> tuple[list[PatientOut], UUID | None]:
    """The patients of one step of the export, and the cursor of the next step (None at the end).

    Raises:
        Invalid: there is no such facility.
    """
    facility_named(session, wanted.facility)
    rows = patients_after(session, wanted, cursor, EXPORT_STEP)
    shown_rows = _recorded(session, rows, "api:patient:export", wanted)
    return shown_rows, rows[-1].uuid if len(rows) == EXPORT_STEP else None


def read_versions(session: TenantSession, uuid: UUID, paging: PageRequest) -> Slice[PatientVersionOut]:
    """One page of the versions of a patient, with the tombstone of a voided one.

    Raises:
        NotFound: there is no such patient.
    """
    part = patient_versions(session, uuid, paging)
    if not part.total:
        detail = "there is no such patient"
        raise NotFound(detail)
    audit.record(session, "api:patient:versions", SUBJECT, uuid)
    merged = _merged(session, [uuid], None)
    versions = [PatientVersionOut.model_validate(_clear(session, row, None, merged)) for row in part.rows]
    return Slice(versions, part.total, part.last)


def create_patient(session: TenantSession, body: PatientPost) -> PatientOut:
    """Add a patient.

    Raises:
        Invalid: there is no such facility, or a date lies in the future.
        Conflict: the facility has a patient with this programme identifier or hospital number.
    """
    facility = facility_of(session, body.facility)
    _reject_future(session, body)
    _reject_twin(session, facility, body, None)
    uuid = new_uuid()
    lock_patient(session, uuid)
    content = body.model_dump(exclude={"facility", *personal.FIELDS})
    content |= personal.seal_patient(session, uuid, body.model_dump(include=set(personal.FIELDS)))
    row = writing.create(session, Patient, facility.uuid, content | {"datim_id": facility.datim_id}, uuid=uuid)
    publish(session, "records.changed", {"patient_ids": [uuid]})
    audit.record(session, "api:patient:create", SUBJECT, uuid)
    return shown(session, row, None)


def change_patient(session: TenantSession, uuid: UUID, body: PatientPatch, expected: ExpectedVersions) -> PatientOut:
    """Change the fields that the caller sent, and no others.

    Raises:
        NotFound: there is no such patient.
        PreconditionFailed: the caller's version is not the newest.
        Invalid: a date lies in the future, or before a date that it must follow.
        Conflict: the facility has another patient with this identifier, or the patient was erased.
    """
    row = _locked(session, uuid, expected)
    sent = body.model_dump(exclude_unset=True)
    facts = {name: value for name, value in sent.items() if name not in personal.FIELDS}
    birthdate, start = facts.get("birthdate", row.birthdate), facts.get("art_start_date", row.art_start_date)
    if birthdate and start and start < birthdate:
        problem = FieldError("body.art_start_date", "is before birthdate", "correct one of the two")
        raise Invalid(problem.problem, errors=[problem])
    _reject_future(session, body)
    if sent.keys() & set(personal.FIELDS):
        facility = facility_of(session, row.datim_id)
        _reject_twin(session, facility, body, row.uuid)
        plain = personal.open_patient(session, row) | {name: sent[name] for name in personal.FIELDS if name in sent}
        facts |= personal.seal_patient(session, row.uuid, plain)
    changed = writing.change(session, row, facts)
    publish(session, "records.changed", {"patient_ids": [row.uuid]})
    audit.record(session, "api:patient:update", SUBJECT, row.uuid, {"fields": sorted(sent)})
    return shown(session, changed, None)


def void_patient(session: TenantSession, uuid: UUID, reason: str, expected: ExpectedVersions) -> None:
    """Void a patient and all their rows: lists and counts leave them out; the history keeps them.

    Raises:
        NotFound: there is no such patient.
        PreconditionFailed: the caller's version is not the newest.
    """
    row = _locked(session, uuid, expected)
    writing.void(session, row, reason)
    count = writing.void_care_of(session, row.uuid, reason)
    contacts.refresh(session, [row.uuid])
    publish(session, "records.changed", {"patient_ids": [row.uuid]})
    audit.record(session, "api:patient:void", SUBJECT, row.uuid, {"rows": count})


def facility_of(session: TenantSession, datim_id: str) -> Facility:
    """The facility with the DATIM id of a body.

    Raises:
        Invalid: there is no such facility.
    """
    facility = find_facility(session, datim_id)
    if facility is None:
        problem = FieldError("body.facility", "names no facility", "give the DATIM id of a facility, or add it first")
        detail = "there is no such facility"
        raise Invalid(detail, errors=[problem])
    return facility


def shown(session: TenantSession, row: Patient, as_of: date | None) -> PatientOut:
    """A patient's row as the API shows it, decrypted."""
    return PatientOut.model_validate(_clear(session, row, as_of, _merged(session, [row.uuid], as_of)))


def _merged(session: TenantSession, uuids: Sequence[UUID], as_of: date | None) -> dict[UUID, UUID]:
    merged = merged_into(session, uuids, None if as_of is None else end_of_day(session.tenant, as_of))
    within = patients_within_reach(session, set(merged.values()))
    return {patient: canonical for patient, canonical in merged.items() if canonical in within}


def _clear(session: TenantSession, row: Patient, as_of: date | None, merged: Mapping[UUID, UUID]) -> dict[str, object]:
    day = as_of or today(session.tenant.time_zone)
    age = None if row.birthdate is None else completed_years(row.birthdate, day)
    clear = personal.legible_patient(session, row)
    return {
        **row.model_dump(),
        **clear.fields,
        "unreadable": clear.unreadable,
        "age": age,
        "id": row.uuid,
        "facility": row.datim_id,
        "canonical_id": merged.get(row.uuid),
    }


def _recorded(session: TenantSession, rows: Sequence[Patient], action: str, wanted: PatientFilter) -> list[PatientOut]:
    uuids = [row.uuid for row in rows]
    vault(session).load_patient_keys(uuids)
    audit.record_many(session, action, SUBJECT, uuids, {"filters": wanted.used()})
    merged = _merged(session, uuids, wanted.as_of)
    return [PatientOut.model_validate(_clear(session, row, wanted.as_of, merged)) for row in rows]


def _locked(session: TenantSession, uuid: UUID, expected: ExpectedVersions) -> Patient:
    lock_patient(session, patient_of_id(session, uuid).uuid)
    row = writing.open_version(session, Patient, uuid, lock=True)
    if row is None:
        raise NotFound(NO_SUCH)
    expected.check(row.version_id)
    return row


def _reject_future(session: TenantSession, body: PatientPost | PatientPatch) -> None:
    day = today(session.tenant.time_zone)
    problems = [
        FieldError(f"body.{name}", "lies in the future", "give a date up to today")
        for name in ("birthdate", "art_start_date")
        if (value := getattr(body, name)) is not None and value > day
    ]
    if problems:
        detail = "a date lies in the future"
        raise Invalid(detail, errors=problems)


def _reject_twin(
    session: TenantSession, facility: Facility, body: PatientPost | PatientPatch, uuid: UUID | None
) -> None:
    """Reject a programme identifier or hospital number that another patient of the facility has."""
    sent = {name: text for name in ("pepfar_id", "hospital_number") if (text := getattr(body, name)) is not None}
    if sent:
        lock_facility(session, facility.uuid)
    for name, text in sent.items():
        wanted = IdentifierFilter(facility=facility.datim_id, **{name: text})
        others = [row for row in patients_after(session, wanted, None, 2) if row.uuid != uuid]
        if others:
            problem = FieldError(
                f"body.{name}", "belongs to another patient of this facility", "change that patient instead"
            )
            detail = phrase("the facility has a patient with this {name}", name=name)
            raise Conflict(detail, remedy=phrase("Read /v1/patients/{uuid}.", uuid=others[0].uuid), errors=[problem])
