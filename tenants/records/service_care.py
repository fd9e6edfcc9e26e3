"""The service of visits, encounters and observations, and of all lists of patients' rows."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel
from sqlmodel import SQLModel

from core import audit
from core.database import TenantSession
from core.errors import NotFound, phrase
from core.events import publish
from core.web.etag import ExpectedVersions
from core.web.paging import Page, PageRequest
from tenants.records import contacts, writing
from tenants.records.locks import lock_patient
from tenants.records.places import facility_named
from tenants.records.repository import datim_ids
from tenants.records.repository_care import (
    OBSERVATIONS,
    REFERENCES,
    VISITS,
    AnyFilter,
    Kind,
    Position,
    list_rows,
    row_as_of,
    rows_after,
)
from tenants.records.rules_care import check_row
from tenants.records.service import facility_of, patient_named
from tenants.records.versioned import Versioned

EXPORT_STEP = 1000

Row = TypeVar("Row", bound=SQLModel)
Entity = TypeVar("Entity", bound=Versioned)
Out = TypeVar("Out", bound=BaseModel)


def read_list(
    session: TenantSession, kind: Kind[Row], out: type[Out], wanted: AnyFilter, paging: PageRequest
) -> Page[Out]:
    """Return one page of rows. The audit records the read of each patient on it.

    Raises:
        Invalid: there is no such facility or patient.
    """
    facility_named(session, wanted.facility)
    part = list_rows(session, kind, wanted, _patient_of(session, wanted), paging)
    _record_patients(session, f"api:{kind.name}:list", part.rows, wanted)
    return Page.of(_shown(session, kind, out, part.rows), paging, part.total, part.last)


def export_step(
    session: TenantSession, kind: Kind[Row], out: type[Out], wanted: AnyFilter, cursor: Position | None
) -> tuple[list[Out], Position | None]:
    """Return the rows of one step of an export, oldest first, and the cursor of the next step (None at the end).

    Raises:
        Invalid: there is no such facility or patient.
    """
    facility_named(session, wanted.facility)
    rows = rows_after(session, kind, wanted, _patient_of(session, wanted), cursor, EXPORT_STEP)
    _record_patients(session, f"api:{kind.name}:export", rows, wanted)
    position = None
    if len(rows) == EXPORT_STEP:
        position = (getattr(rows[-1], kind.happened.key), getattr(rows[-1], kind.identity.key))
    return _shown(session, kind, out, rows), position


def read_one(session: TenantSession, kind: Kind[Entity], out: type[Out], uuid: UUID, as_of: date | None) -> Out:
    """One entity, as known now or at the end of a day.

    Raises:
        NotFound: there is no such entity, or it was voided.
    """
    row = row_as_of(session, kind, uuid, as_of)
    if row is None:
        raise _missing(kind)
    audit.record(session, f"api:{kind.name}:read", "patient", _owner(row), {kind.name: str(uuid)})
    return _shown_one(session, kind, out, row)


def create(session: TenantSession, kind: Kind[Entity], out: type[Out], body: BaseModel) -> Out:
    """Add an entity to a patient.

    Raises:
        Invalid: there is no such patient or facility, a visit or an encounter is of another patient, or a value is
            impossible.
    """
    sent = _columns(body.model_dump(exclude={"facility", "patient_id"}))
    patient = patient_named(session, getattr(body, "patient_id"))  # noqa: B009 - every body of this room's rows has it
    lock_patient(session, patient.uuid)
    datim_id = getattr(body, "facility", None)
    facility_uuid = patient.facility_uuid if datim_id is None else facility_of(session, datim_id).uuid
    check_row(session, kind, sent, sent, patient.uuid)
    row = writing.create(session, kind.model, facility_uuid, sent | {"patient_uuid": patient.uuid})
    _follow(session, kind, patient.uuid)
    audit.record(session, f"api:{kind.name}:create", "patient", patient.uuid, {kind.name: str(row.uuid)})
    return _shown_one(session, kind, out, row)


def change(
    session: TenantSession, kind: Kind[Entity], out: type[Out], uuid: UUID, body: BaseModel, expected: ExpectedVersions
) -> Out:
    """Change the fields that the caller sent, and no others.

    Raises:
        NotFound: there is no such entity.
        PreconditionFailed: the caller's version is not the newest.
        Invalid: a value is impossible, or a required field was emptied.
    """
    row = _locked(session, kind, uuid, expected)
    fields = body.model_dump(exclude_unset=True)
    sent = _columns(fields)
    whole = row.model_dump() | sent
    check_row(session, kind, whole, sent, _owner(row))
    changed = writing.change(session, row, sent)
    _follow(session, kind, _owner(row))
    detail = {kind.name: str(uuid), "fields": sorted(fields)}
    audit.record(session, f"api:{kind.name}:update", "patient", _owner(row), detail)
    return _shown_one(session, kind, out, changed)


def void(session: TenantSession, kind: Kind[Entity], uuid: UUID, reason: str, expected: ExpectedVersions) -> None:
    """Void an entity: lists and counts leave it out; the history keeps it.

    Raises:
        NotFound: there is no such entity.
        PreconditionFailed: the caller's version is not the newest.
    """
    row = _locked(session, kind, uuid, expected)
    writing.void(session, row, reason)
    _follow(session, kind, _owner(row))
    audit.record(session, f"api:{kind.name}:void", "patient", _owner(row), {kind.name: str(uuid)})


def _shown(session: TenantSession, kind: Kind[Row], out: type[Out], rows: Sequence[Row]) -> list[Out]:
    """Rows as the API shows them."""
    facilities = datim_ids(session, (_facility(row) for row in rows))
    answers = []
    for row in rows:
        fields = {REFERENCES.get(name, name): value for name, value in row.model_dump().items()}
        fields |= {"id": fields[kind.identity.key], "facility": facilities[_facility(row)]}
        answers.append(out.model_validate(fields))
    return answers


def _shown_one(session: TenantSession, kind: Kind[Row], out: type[Out], row: Row) -> Out:
    return _shown(session, kind, out, [row])[0]


def _columns(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a body, by the names of their columns."""
    names = {name: column for column, name in REFERENCES.items()}
    return {names.get(name, name): value for name, value in fields.items()}


def _locked(session: TenantSession, kind: Kind[Entity], uuid: UUID, expected: ExpectedVersions) -> Entity:
    present = writing.open_version(session, kind.model, uuid)
    if present is None:
        raise _missing(kind)
    lock_patient(session, _owner(present))
    row = writing.open_version(session, kind.model, uuid, lock=True)
    if row is None:
        raise _missing(kind)
    expected.check(row.version_id)
    return row


def _follow(session: TenantSession, kind: Kind[Any], patient_uuid: UUID) -> None:
    if kind is VISITS:
        contacts.refresh(session, [patient_uuid])
        publish(session, "records.changed", {"patient_ids": [patient_uuid]})
    elif kind is OBSERVATIONS:
        publish(session, "records.changed", {"patient_ids": [patient_uuid], "kind": "observations"})


def _patient_of(session: TenantSession, wanted: AnyFilter) -> UUID | None:
    if wanted.patient_id is None:
        return None
    return patient_named(session, wanted.patient_id, as_of=wanted.as_of).uuid


def _record_patients(session: TenantSession, action: str, rows: Sequence[SQLModel], wanted: AnyFilter) -> None:
    audit.record_many(session, action, "patient", sorted({_owner(row) for row in rows}), {"filters": wanted.used()})


def _owner(row: SQLModel) -> UUID:
    owner: UUID = getattr(row, "patient_uuid")  # noqa: B009 - every table of this file has it, their base does not
    return owner


def _facility(row: SQLModel) -> UUID:
    uuid: UUID = getattr(row, "facility_uuid")  # noqa: B009 - as in _owner
    return uuid


def _missing(kind: Kind[Any]) -> NotFound:
    detail = phrase("there is no such {name}", name=kind.name)
    return NotFound(detail)
