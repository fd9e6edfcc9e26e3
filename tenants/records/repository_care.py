"""SQL that reads rows of patients: visits, encounters, observations, dispensations, appointments, contacts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, literal, tuple_
from sqlmodel import SQLModel, and_, col, or_, select

from core.database import TenantSession
from core.web.keyset import Slice, read_slice
from core.web.paging import PageRequest
from tenants.records.days import end_of_day, start_of_day, visible
from tenants.records.filters import CareFilter, EncounterFilter, ObservationFilter, VisitFilter
from tenants.records.ids import uuid_floor
from tenants.records.models import (
    Appointment,
    Contact,
    Dispensation,
    Encounter,
    Facility,
    Observation,
    PatientState,
    Visit,
)
from tenants.records.reach import within_reach
from tenants.records.versioned import Versioned

AnyFilter = VisitFilter | EncounterFilter | ObservationFilter | CareFilter
Row = TypeVar("Row", bound=SQLModel)
REFERENCES = {"patient_uuid": "patient_id", "visit_uuid": "visit_id", "encounter_uuid": "encounter_id"}
"""Column that points to another record -> its name in the API."""
Position = tuple[Any, UUID]
"""The position of a long read: date and identifier of the last row."""


@dataclass(frozen=True)
class Kind(Generic[Row]):
    """One kind of row that belongs to a patient.

    Attributes:
        name: name in the audit, in paths and in errors, such as ``visit``.
        happened: the column of the event's date.
        identity: the column that distinguishes rows of the same date.
    """

    name: str
    model: type[Row]
    happened: Any
    identity: Any


def _column(model: type[SQLModel], name: str) -> Any:  # noqa: ANN401 - a column of any type
    return getattr(model, name)


VISITS = Kind("visit", Visit, _column(Visit, "date_started"), col(Visit.uuid))
ENCOUNTERS = Kind("encounter", Encounter, _column(Encounter, "encounter_datetime"), col(Encounter.uuid))
OBSERVATIONS = Kind("observation", Observation, _column(Observation, "obs_datetime"), col(Observation.uuid))
DISPENSATIONS = Kind("dispensation", Dispensation, _column(Dispensation, "date_dispensed"), col(Dispensation.uuid))
APPOINTMENTS = Kind("appointment", Appointment, _column(Appointment, "due_date"), col(Appointment.uuid))
STATES = Kind("state", PatientState, col(PatientState.start_date), col(PatientState.uuid))
CONTACTS = Kind("contact", Contact, col(Contact.contact_date), col(Contact.contact_id))

KINDS: tuple[Kind[Any], ...] = (VISITS, ENCOUNTERS, OBSERVATIONS, DISPENSATIONS, APPOINTMENTS, STATES, CONTACTS)


def list_rows(
    session: TenantSession, kind: Kind[Row], wanted: AnyFilter, patient_uuid: UUID | None, paging: PageRequest
) -> Slice[Row]:
    """One page of rows."""
    statement = select(kind.model).where(*_conditions(session, kind, wanted, patient_uuid))
    return read_slice(session, statement, paging, sort_columns(kind), kind.identity)


def sort_columns(kind: Kind[Any]) -> dict[str, Any]:
    """The columns by which a list of this kind can be sorted, as the API names them."""
    return {kind.happened.key: kind.happened, "known_from": _column(kind.model, "known_from")}


def rows_after(
    session: TenantSession,
    kind: Kind[Row],
    wanted: AnyFilter,
    patient_uuid: UUID | None,
    cursor: Position | None,
    limit: int,
) -> Sequence[Row]:
    """The next rows after a position, oldest first."""
    conditions = _conditions(session, kind, wanted, patient_uuid)
    if cursor is not None:
        conditions.append(tuple_(kind.happened, kind.identity) > tuple_(literal(cursor[0]), literal(cursor[1])))
    return session.exec(
        select(kind.model).where(*conditions).order_by(kind.happened, kind.identity).limit(limit),
    ).all()


def row_as_of(session: TenantSession, kind: Kind[Row], uuid: UUID, as_of: date | None) -> Row | None:
    """The version of an entity that is open now, or was known as of a day; None if there is none or it is voided."""
    return session.exec(
        select(kind.model).where(
            kind.identity == uuid, _known(session, kind.model, as_of), _within_reach(session, kind)
        ),
    ).first()


def rows_of_patient(session: TenantSession, kind: Kind[Row], patient_uuid: UUID, as_of: date | None) -> Sequence[Row]:
    """All rows of a patient that are open now, or were known as of a day, oldest first."""
    return session.exec(
        select(kind.model)
        .where(
            _column(kind.model, "patient_uuid") == patient_uuid,
            _known(session, kind.model, as_of),
            _within_reach(session, kind),
        )
        .order_by(kind.happened, kind.identity),
    ).all()


def _within_reach(session: TenantSession, kind: Kind[Any]) -> ColumnElement[bool]:
    return within_reach(session, _column(kind.model, "facility_uuid"), _column(kind.model, "patient_uuid"))


def _known(session: TenantSession, model: type[SQLModel], as_of: date | None) -> ColumnElement[bool]:
    if issubclass(model, Versioned):
        return visible(model, session.tenant, as_of)
    if as_of is None:
        return col(Contact.known_to).is_(None)
    instant = end_of_day(session.tenant, as_of)
    return and_(
        col(Contact.known_from) < instant,
        or_(col(Contact.known_to).is_(None), col(Contact.known_to) >= instant),
    )


def _conditions(
    session: TenantSession, kind: Kind[Row], wanted: AnyFilter, patient_uuid: UUID | None
) -> list[ColumnElement[bool]]:
    model = kind.model
    conditions = [_known(session, model, wanted.as_of), _within_reach(session, kind)]
    if patient_uuid is not None:
        conditions.append(_column(model, "patient_uuid") == patient_uuid)
    if wanted.facility is not None:
        of_datim = select(Facility.uuid).where(col(Facility.datim_id) == wanted.facility)
        conditions.append(_column(model, "facility_uuid").in_(of_datim))
    timed = isinstance(kind.happened.type, DateTime)
    if wanted.date_from is not None:
        conditions.append(
            kind.happened >= (start_of_day(session.tenant, wanted.date_from) if timed else wanted.date_from),
        )
    if wanted.date_to is not None:
        conditions.append(
            kind.happened < end_of_day(session.tenant, wanted.date_to) if timed else kind.happened <= wanted.date_to,
        )
    for name in ("visit_type", "encounter_type", "variable_name", "concept_id"):
        value = getattr(wanted, name, None)
        if value is not None:
            conditions.append(_column(model, name) == value)
    updated_since = getattr(wanted, "updated_since", None)
    if updated_since is not None:
        conditions.append(_column(model, "version_id") >= uuid_floor(updated_since))
    return conditions
